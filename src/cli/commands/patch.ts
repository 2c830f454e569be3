// `onlay patch`: flags → pipeline → result on the terminal or as a document.
import { patchImage } from '../../patch/patch.ts';
import { exitStatus } from '../exit-codes.ts';
import { readPlans, refuseDecisions } from '../inputs.ts';
import type { RunStreams } from '../streams.ts';
import { ignoredFlags } from '../options.ts';
import { parseEpoch, parseNumber } from '../values.ts';
import type { ApplyFlags, OutputFlags, PlanFlags, SourceFlags, TransportFlags } from '../options.ts';
import { readPlanInputs } from '../pipeline.ts';
import { openSource, openTarget, requireDestination, takesStandardOutput } from '../places.ts';
import { openMovedBase } from '../rebase.ts';
import { showOutcome } from '../result.ts';
import { openSession } from '../session.ts';

export type PatchFlags = SourceFlags & PlanFlags & ApplyFlags & TransportFlags & OutputFlags;

/** Exit status of the run; what stops it before anything is known of the image is thrown. */
export async function patch(flags: PatchFlags, streams: RunStreams): Promise<number> {
  await using session = await openSession(flags, streams);
  const { terminal } = session;
  const { log } = terminal;
  for (const name of ignoredFlags(flags)) log.warn(`${name} has no meaning here and is ignored`);
  if (flags.allowUnsigned) log.warn('repositories without a valid signature are used (--allow-unsigned)');
  const unchanged = parseNumber(flags.exitCodeUnchanged, '--exit-code-unchanged', { min: 0, max: 255 });
  const sourceDateEpoch = parseEpoch(flags, streams.env);
  if (!flags.dryRun) requireDestination(flags);
  const inputs = await readPlanInputs(flags, session);
  if (flags.plan !== undefined) refuseDecisions(flags);
  const plans = flags.plan === undefined ? undefined : await readPlans(flags.plan, flags);
  await using source = await openSource(flags.image, session, flags.dryRun ? undefined : flags);
  await using target = flags.dryRun ? undefined : await openTarget(flags, source, session);
  await using moved = flags.rebase ? await openMovedBase(source, session) : undefined;
  const { source: image, rebased } = moved ?? { source, rebased: undefined };
  const run = await patchImage({
    ...inputs,
    source: image,
    baseName: image.baseName,
    rebased,
    target,
    plans,
    sourceDateEpoch,
    scripts: flags.scripts,
    ignoreErrors: flags.ignoreErrors === true,
    dryRun: flags.dryRun === true,
    compression: flags.compression === 'uncompressed' ? 'none' : flags.compression,
  });
  showOutcome(
    run,
    flags,
    terminal,
    takesStandardOutput(flags) ? { ...streams, stdout: streams.stderr } : streams,
  );
  if (run.failure) return exitStatus(run.failure);
  const needed = run.outcome.image?.platforms.some(({ packages }) => packages.length > 0);
  return run.outcome.changed || needed ? 0 : unchanged;
}
