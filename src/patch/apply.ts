// From a plan to a change set: packages are fetched, verified, unpacked in memory and installed into a draft of the
// tree; then effects stand in for maintainer scripts.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import { mapConcurrent } from '../base/concurrency.ts';
import type { Log, Progress } from '../base/log.ts';
import { makeEarlyAccounts, runEffects } from '../effects/index.ts';
import type { ScriptVerdict } from '../effects/index.ts';
import type { ChangedPackage, ScriptRun } from '../effects/effect.ts';
import type { ConfigFileOutcome, PackageFamily, TrustOptions, UnpackedPackage } from '../packages/family.ts';
import type { Fetch } from '../packages/fetch.ts';
import type { FamilyName, PlannedPackage } from '../packages/package.ts';
import type { Plan } from '../plan/plan.ts';
import type { ChangeSet } from '../rootfs/change-set.ts';
import { createDraft } from '../rootfs/draft.ts';
import { families } from '../packages/index.ts';
import type { Tree } from './plan-platform.ts';

export interface ApplyOptions extends TrustOptions {
  readonly fetch: Fetch;
  /** --repo: whose logins count instead of those of the image's repositories. */
  readonly repositories: readonly string[];
  readonly log: Log;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly imageArch: string;
  readonly epoch: number;
  /** 'fail': a script that is neither emulated nor a no-op stops the run. */
  readonly scripts: 'report' | 'fail';
}

export interface Applied {
  readonly changes: ChangeSet;
  readonly scripts: readonly ScriptVerdict[];
  readonly conffiles: readonly ConfigFileOutcome[];
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
}

/** Packages in flight: enough to keep the mirror and the decoders busy, few enough to bound memory. */
const CONCURRENCY = 4;
/** A package is held in memory; the largest .deb of Debian is 1.3 GB of debug symbols. */
const PACKAGE_LIMIT = 1024 ** 3;

export async function applyPlan(tree: Tree, plan: Plan, options: ApplyOptions): Promise<Applied> {
  const unpacked = await mapConcurrent(plan.packages, CONCURRENCY, (planned) =>
    acquire(tree, planned, options),
  );
  const draft = createDraft(tree.root);
  const warnings: string[] = [];
  const own = scriptRuns(unpacked);
  const context = {
    family: tree.database.family,
    draft,
    packages: changedPackages(plan),
    imageArch: options.imageArch,
    epoch: options.epoch,
    log: options.log,
    compareVersions: compareVersionsOf(tree.database.family),
    warn: (message: string) => warnings.push(message),
  };
  const early = scriptRuns(tree.database.inOrder?.(unpacked) ?? unpacked);
  const made = makeEarlyAccounts({ ...context, scripts: early });
  const installation = await tree.database.install({
    draft,
    packages: unpacked,
    removals: plan.removals,
    epoch: options.epoch,
    log: options.log,
  });
  const runs: ScriptRun[] = [
    ...own,
    ...installation.scripts.map(({ package: owner, script }) => ({
      package: owner,
      script: script.name,
      interpreter: script.interpreter,
      body: script.body,
    })),
  ];
  const scripts = await runEffects({ ...context, scripts: runs }, made);
  refuseScripts(scripts, options.scripts);
  return {
    changes: draft.changes(),
    scripts,
    conffiles: installation.conffiles.map((item) => ({ ...item, path: displayText(item.path) })),
    removed: [...installation.removed].sort().map(displayText),
    warnings: [...[...installation.warnings, ...warnings].map(displayText), ...strangers(scripts, plan)],
  };
}

function scriptRuns(packages: readonly UnpackedPackage[]): readonly ScriptRun[] {
  return packages.flatMap(({ planned, scripts }) =>
    scripts.map(({ name, interpreter, body }) => ({
      package: planned.name,
      arch: planned.arch,
      script: name,
      interpreter,
      body,
    })),
  );
}

async function acquire(tree: Tree, planned: PlannedPackage, options: ApplyOptions): Promise<UnpackedPackage> {
  options.signal?.throwIfAborted();
  const sha256 = planned.digests.find(
    ({ algorithm, over }) => algorithm === 'sha256' && over === 'file',
  )?.value;
  const bytes = await options.fetch.get({
    ...tree.database.access(planned, options.repositories),
    url: planned.url,
    limit: planned.size ?? PACKAGE_LIMIT,
    what: `package ${displayText(planned.name)} ${planned.to}`,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(planned.size === undefined ? {} : { size: planned.size }),
  });
  const verified = await tree.database.verify(planned, bytes, options);
  return tree.database.unpack(verified);
}

/** Scripts that were not run of packages which are not in the plan (triggers): the result has no other place for them. */
function strangers(scripts: readonly ScriptVerdict[], plan: Plan): readonly string[] {
  const planned = new Set([...plan.packages, ...plan.removals].map(({ name }) => name));
  return scripts
    .filter((script) => script.action === 'not-run' && !planned.has(script.package))
    .map((script) => `${displayText(script.package)}: ${script.name} was not run, ${script.by}`);
}

function compareVersionsOf(name: FamilyName): PackageFamily['compareVersions'] {
  const family = families.find((candidate) => candidate.name === name) as PackageFamily;
  return (a, b) => family.compareVersions(a, b);
}

function changedPackages(plan: Plan): readonly ChangedPackage[] {
  return [
    ...plan.packages.map(({ name, arch, from, to }) => ({ name, arch, from, to })),
    ...plan.removals.map(({ name, arch, version }) => ({
      name,
      arch,
      from: version,
      to: version,
      removed: true as const,
    })),
  ];
}

function refuseScripts(scripts: readonly ScriptVerdict[], policy: ApplyOptions['scripts']): void {
  const notRun = scripts.filter(({ action }) => action === 'not-run');
  if (policy === 'report' || notRun.length === 0) return;
  const named = notRun.map((script) => `${script.name} of ${script.package}`).join(', ');
  throw new OnlayError('SCRIPT_REFUSED', `Maintainer scripts would not be run: ${named}`, {
    hint: 'with --scripts report the image is patched without them, and the result names them',
  });
}
