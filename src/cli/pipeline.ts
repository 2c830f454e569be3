// Flags and session → what the pipeline takes, for every command that plans.
import type { PatchOptions } from '../patch/options.ts';
import { startStopwatch } from '../patch/stopwatch.ts';
import { readPlatforms, readPolicy, readReports, readTrust } from './inputs.ts';
import type { PlanFlags, SourceFlags } from './options.ts';
import type { OpenSource } from './places.ts';
import type { Session } from './session.ts';
import { TOOL } from './tool.ts';

/** What the flags of `plan` and `patch` have in common. Files are read and checked here, before anything is opened. */
export type PlanInputs = Omit<PatchOptions, ApplyInput>;

type ApplyInput =
  | 'source'
  | 'baseName'
  | 'target'
  | 'plans'
  | 'sourceDateEpoch'
  | 'scripts'
  | 'ignoreErrors'
  | 'dryRun'
  | 'compression';

/** Layers read at the same time. */
const CONCURRENCY = 4;

export async function readPlanInputs(flags: SourceFlags & PlanFlags, session: Session): Promise<PlanInputs> {
  const { terminal, fetch } = session;
  return {
    ...(await readTrust(flags)),
    reports: await readReports(flags),
    policy: readPolicy(flags),
    platforms: readPlatforms(flags.platform),
    repositories: flags.repo ?? [],
    allowNew: flags.new,
    exitOnEol: flags.exitOnEol === true,
    tool: TOOL,
    fetch,
    fetched: () => fetch.stats.fetched,
    log: terminal.log,
    progress: terminal.progress,
    signal: session.signal,
    cache: session.cache,
    concurrency: CONCURRENCY,
    stopwatch: startStopwatch(),
    warnings: terminal.warnings,
    now: Date.now(),
  };
}

/** What only applying needs, for a run that stops at the plan. */
export function planOnly(source: OpenSource): Pick<PatchOptions, ApplyInput> {
  return {
    source,
    baseName: source.baseName,
    target: undefined,
    plans: undefined,
    sourceDateEpoch: undefined,
    scripts: 'report',
    ignoreErrors: true,
    dryRun: true,
    compression: 'gzip',
  };
}
