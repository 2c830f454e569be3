// `onlay plan`: the pipeline up to the plan. Nothing is downloaded but signed indexes, nothing is written.
import { OnlayError } from '../../errors.ts';
import { patchImage } from '../../patch/patch.ts';
import { startStopwatch } from '../../patch/stopwatch.ts';
import { serializePlans } from '../../plan/plan.ts';
import { exitStatus } from '../exit-codes.ts';
import { readPlatforms, readPolicy, readReports, readTrust } from '../inputs.ts';
import type { Streams } from '../main.ts';
import type { OutputFlags, PlanFlags, SourceFlags, TransportFlags } from '../options.ts';
import { openSource } from '../places.ts';
import { errorDocument, showPlan } from '../result.ts';
import { openSession } from '../session.ts';
import { TOOL } from '../tool.ts';

export async function plan(
  flags: SourceFlags & PlanFlags & TransportFlags & OutputFlags,
  streams: Streams,
): Promise<number> {
  await using session = await openSession(flags, streams);
  const { terminal } = session;
  try {
    const reports = await readReports(flags);
    const trust = await readTrust(flags);
    await using source = await openSource(flags.image, session);
    const run = await patchImage({
      ...trust,
      tool: TOOL,
      source,
      target: undefined,
      fetch: session.fetch,
      fetched: () => session.fetch.stats.fetched,
      log: terminal.log,
      progress: terminal.progress,
      signal: session.signal,
      cache: session.cache,
      concurrency: 4,
      stopwatch: startStopwatch(),
      warnings: terminal.warnings,
      now: Date.now(),
      sourceDateEpoch: undefined,
      platforms: readPlatforms(flags.platform),
      reports,
      plans: undefined,
      policy: readPolicy(flags),
      repositories: flags.repo ?? [],
      allowNew: flags.new,
      scripts: 'report',
      exitOnEol: flags.exitOnEol === true,
      ignoreErrors: true,
      dryRun: true,
      compression: 'gzip',
      baseName: source.baseName,
    });
    if (flags.json)
      streams.stdout.write(
        run.failure ? errorDocument(run.failure, terminal.warnings) : serializePlans(run.plans),
      );
    else showPlan(run, streams);
    if (run.failure) terminal.error(run.failure.message, run.failure.hint);
    return run.failure ? exitStatus(run.failure) : 0;
  } catch (error) {
    if (flags.json && error instanceof OnlayError)
      streams.stdout.write(errorDocument(error, terminal.warnings));
    throw error;
  }
}
