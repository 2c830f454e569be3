// `onlay verify IMAGE`: recomputes what an image claims; exit status 6 when something is wrong.
import { verifyImage } from '../../patch/verify.ts';
import { readPlans, readPlatforms, readTrust } from '../inputs.ts';
import type { RunStreams } from '../streams.ts';
import { parseEpoch } from '../values.ts';
import type { ApplyFlags, OutputFlags, PlanFlags, TransportFlags } from '../options.ts';
import { openSource } from '../places.ts';
import { openSession } from '../session.ts';
import { printLines } from '../terminal.ts';

export type VerifyFlags = TransportFlags &
  OutputFlags &
  Pick<PlanFlags, 'mirror' | 'repo' | 'trustKey' | 'onlyTrustKeys' | 'allowUnsigned'> &
  Pick<ApplyFlags, 'plan' | 'sourceDateEpoch'> & {
    readonly platform?: readonly string[];
    readonly rebuild?: boolean;
  };

export async function verify(image: string, flags: VerifyFlags, streams: RunStreams): Promise<number> {
  await using session = await openSession(flags, streams);
  const trust = await readTrust(flags);
  const plans = flags.plan === undefined ? undefined : await readPlans(flags.plan, flags);
  await using source = await openSource(image, session);
  const found = await verifyImage({
    ...trust,
    source,
    platforms: readPlatforms(flags.platform),
    rebuild: flags.rebuild === true,
    fetch: session.fetch,
    repositories: flags.repo ?? [],
    plans,
    now: Date.now(),
    sourceDateEpoch: parseEpoch(flags, streams.env),
    // a verification believes no earlier reading
    cache: undefined,
    log: session.terminal.log,
    progress: session.terminal.progress,
    signal: session.signal,
    concurrency: 4,
    onPulled: () => undefined,
  });
  session.terminal.close();
  if (flags.json)
    streams.stdout.write(
      `${JSON.stringify({ schemaVersion: 1, image, valid: found.length === 0, problems: found }, null, 2)}\n`,
    );
  else
    printLines(streams.stdout, [
      ...found.map(({ where, severity, kind, message }) => `${where}: ${severity}: ${kind}: ${message}`),
      `${source.name}: ${summary(found.length)}`,
    ]);
  return found.length === 0 ? 0 : 6;
}

function summary(problems: number): string {
  return problems === 0 ? 'no problems' : problems === 1 ? '1 problem' : `${problems} problems`;
}
