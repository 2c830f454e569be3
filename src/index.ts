// The library: what the command does, as functions. Everything the command line checks is checked here too; errors are
// thrown as OnlayError, progress and warnings go to `log`.
import { readPlanInputs, planOnly } from './cli/pipeline.ts';
import type { PlanFlags, SourceFlags } from './cli/options.ts';
import { openSource, openTarget, requireDestination } from './cli/places.ts';
import { openSession } from './cli/session.ts';
import type { Session } from './cli/session.ts';
import { terminalOf } from './cli/terminal.ts';
import { silentLog } from './base/log.ts';
import type { Log } from './base/log.ts';
import { inspectImage as inspect } from './patch/inspect.ts';
import type { Inspection } from './patch/inspect.ts';
import { patchImage as patch } from './patch/patch.ts';
import type { Outcome } from './patch/outcome.ts';
import type { Plan } from './plan/plan.ts';
import { readPlatforms, refuseDecisions, requireSigned } from './cli/inputs.ts';
import { openMovedBase } from './cli/rebase.ts';
import { parseEpoch } from './cli/values.ts';

export { OnlayError } from './errors.ts';
export type { ErrorCode } from './errors.ts';
export type { Log, LogFields } from './base/log.ts';
export type { Inspection } from './patch/inspect.ts';
export type { Outcome, PackageOutcome, PlatformOutcome, ScriptOutcome } from './patch/outcome.ts';
export type { Plan } from './plan/plan.ts';

/** How images and mirrors are reached. */
export interface AccessOptions {
  /** Default: `process.env`. Proxies, credentials and certificate settings are read from it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly authfile?: string;
  /** PEM files. */
  readonly ca?: readonly string[];
  readonly insecure?: readonly string[];
  readonly plainHttp?: readonly string[];
  /** Hosts of token servers that get credentials although they are on another domain than their registry. */
  readonly trustedRealms?: readonly string[];
  /** Absent: no cache. */
  readonly cacheDir?: string;
  /** As "5m"; default 30 minutes. */
  readonly timeout?: string;
  /** Ends the run with its reason, or ABORTED. */
  readonly signal?: AbortSignal;
  /** Told what happens; default: nobody. Warnings are in the outcome as well. */
  readonly log?: Log;
}

export interface PlanOptions extends AccessOptions {
  /** Any form of docs/cli.md: a registry reference, `oci:DIR:TAG`, `docker-archive:FILE`, … */
  readonly image: string;
  readonly platforms?: readonly string[];
  /** File or folder; absent: everything is updated. */
  readonly report?: string;
  /** FROM=TO. */
  readonly mirrors?: readonly string[];
  readonly repositories?: readonly string[];
  readonly trustKeys?: readonly string[];
  readonly onlyTrustKeys?: boolean;
  readonly allowUnsigned?: boolean;
  /** Default true. */
  readonly allowNew?: boolean;
  readonly packages?: readonly string[];
  readonly ignorePackages?: readonly string[];
  /** Of the findings of the report only those of these severities, as "HIGH". */
  readonly severities?: readonly string[];
  /** Of the findings of the report only these. */
  readonly cves?: readonly string[];
  readonly exitOnEol?: boolean;
}

export interface PatchOptions extends PlanOptions {
  /** Tag, or any form of docs/cli.md. */
  readonly tag?: string;
  readonly push?: boolean;
  readonly ociDir?: string;
  readonly loader?: 'docker' | 'podman';
  /** Of `planPatch`: exactly these are applied. */
  readonly plans?: readonly Plan[];
  /** Starts over from the base of an earlier patch, where its tag has moved. */
  readonly rebase?: boolean;
  readonly ignoreErrors?: boolean;
  readonly scripts?: 'report' | 'fail';
  readonly compression?: 'gzip' | 'zstd' | 'none';
  /** Seconds since 1970. */
  readonly sourceDateEpoch?: number;
}

/**
 * Patches an image and writes the result.
 *
 * ```ts
 * const outcome = await patchImage({ image: 'registry.example/web:1.4', push: true });
 * if (outcome.changed) console.log(outcome.image?.digest);
 * ```
 */
export async function patchImage(options: PatchOptions): Promise<Outcome> {
  const destination = {
    tagSuffix: 'patched',
    ...(options.tag !== undefined && { tag: options.tag }),
    ...(options.push !== undefined && { push: options.push }),
    ...(options.ociDir !== undefined && { ociDir: options.ociDir }),
    ...(options.loader !== undefined && { loader: options.loader }),
  };
  requireDestination(destination);
  const flags = planFlags(options);
  if (options.plans) {
    refuseDecisions(flags);
    requireSigned(options.plans, flags);
  }
  const epoch = options.sourceDateEpoch;
  const sourceDateEpoch = parseEpoch(epoch === undefined ? {} : { sourceDateEpoch: String(epoch) }, {});
  await using session = await open(options);
  const inputs = await readPlanInputs(flags, session);
  await using source = await openSource(options.image, session, destination);
  await using target = await openTarget(destination, source, session);
  await using moved = options.rebase ? await openMovedBase(source, session) : undefined;
  const { source: image, rebased } = moved ?? { source, rebased: undefined };
  const run = await patch({
    ...inputs,
    source: image,
    baseName: image.baseName,
    rebased,
    target,
    plans: options.plans,
    sourceDateEpoch,
    scripts: options.scripts ?? 'report',
    ignoreErrors: options.ignoreErrors === true,
    dryRun: false,
    compression: options.compression ?? 'gzip',
  });
  if (run.failure) throw run.failure;
  return run.outcome;
}

/** Everything up to the plan, for each platform; nothing is written. */
export async function planPatch(options: PlanOptions): Promise<readonly Plan[]> {
  await using session = await open(options);
  const inputs = await readPlanInputs(planFlags(options), session);
  await using source = await openSource(options.image, session);
  const run = await patch({ ...inputs, ...planOnly(source) });
  if (run.failure) throw run.failure;
  return run.plans;
}

/** What is in an image, for each platform. */
export async function inspectImage(
  options: AccessOptions & Pick<PlanOptions, 'image' | 'platforms'>,
): Promise<readonly Inspection[]> {
  await using session = await open(options);
  await using source = await openSource(options.image, session);
  return inspect({
    source,
    platforms: readPlatforms(options.platforms),
    cache: session.cache,
    log: session.terminal.log,
    progress: session.terminal.progress,
    signal: session.signal,
    concurrency: 4,
    onPulled: () => undefined,
  });
}

function open(options: AccessOptions & Pick<PlanOptions, 'mirrors'>): Promise<Session> {
  const { authfile, ca, insecure, plainHttp, trustedRealms, cacheDir, signal } = options;
  const flags = {
    progress: 'quiet' as const,
    timeout: options.timeout ?? '30m',
    cache: cacheDir !== undefined,
    ...(options.mirrors !== undefined && { mirror: options.mirrors }),
    ...(authfile !== undefined && { authfile }),
    ...(ca !== undefined && { ca }),
    ...(insecure !== undefined && { insecure }),
    ...(plainHttp !== undefined && { plainHttp }),
    ...(trustedRealms !== undefined && { trustedRealm: trustedRealms }),
    ...(cacheDir !== undefined && { cacheDir }),
  };
  const { stdin, stdout, stderr } = process;
  const env = options.env ?? process.env;
  const streams = {
    stdin,
    stdout,
    stderr,
    env,
    warnings: [],
    told: {},
    ...(signal !== undefined && { signal }),
  };
  return openSession(flags, streams, terminalOf(options.log ?? silentLog));
}

function planFlags(options: PlanOptions): SourceFlags & PlanFlags {
  return {
    image: options.image,
    scanner: 'trivy',
    pkgTypes: 'os',
    new: options.allowNew !== false,
    onlyTrustKeys: options.onlyTrustKeys === true,
    allowUnsigned: options.allowUnsigned === true,
    exitOnEol: options.exitOnEol === true,
    ...(options.platforms !== undefined && { platform: options.platforms }),
    ...(options.report !== undefined && { report: options.report }),
    ...(options.repositories !== undefined && { repo: options.repositories }),
    ...(options.trustKeys !== undefined && { trustKey: options.trustKeys }),
    ...(options.packages !== undefined && { package: options.packages }),
    ...(options.ignorePackages !== undefined && { ignorePackage: options.ignorePackages }),
    ...(options.severities !== undefined && { severity: options.severities }),
    ...(options.cves !== undefined && { cve: options.cves }),
  };
}
