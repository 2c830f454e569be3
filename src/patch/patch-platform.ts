// One image of one platform, from its layers to its new documents. Nothing is written to a store here.
import { OnlayError } from '../errors.ts';
import type { Log, Progress } from '../base/log.ts';
import { appendLayer } from '../oci/append-layer.ts';
import type { AppendedImage } from '../oci/append-layer.ts';
import { parseDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { Image } from '../oci/image.ts';
import type { ImageStore } from '../oci/image-store.ts';
import { findPatchLayer } from '../oci/lineage.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { TrustOptions } from '../packages/family.ts';
import type { Fetch } from '../packages/fetch.ts';
import { isEmpty } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import type { Policy } from '../plan/policy.ts';
import { mismatch } from '../reports/index.ts';
import type { Report } from '../reports/index.ts';
import { sealLayer, writeLayer } from '../rootfs/write-layer.ts';
import type { SealedLayer } from '../rootfs/write-layer.ts';
import { mergeLayers } from '../rootfs/view.ts';
import { acquireLayers } from './acquire.ts';
import { applyPlan } from './apply.ts';
import type { Applied } from './apply.ts';
import { createdAt, fileEpoch } from './clock.ts';
import { checkEndOfLife } from './end-of-life.ts';
import { findGround } from './ground.ts';
import type { LayerCache } from './layer-cache.ts';
import { planTree, readTree } from './plan-platform.ts';
import type { Tree } from './plan-platform.ts';
import type { Stopwatch } from './stopwatch.ts';

export interface PlatformOptions extends TrustOptions {
  readonly fetch: Fetch;
  readonly log: Log;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly cache: LayerCache | undefined;
  readonly concurrency: number;
  readonly stopwatch: Stopwatch;
  readonly onPulled: (bytes: number) => void;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly sourceDateEpoch: number | undefined;
  readonly report: Report | undefined;
  /** Apply this instead of solving. */
  readonly plan: Plan | undefined;
  readonly policy: Policy;
  readonly repositories: readonly string[];
  readonly allowNew: boolean;
  readonly scripts: 'report' | 'fail';
  readonly exitOnEol: boolean;
  readonly ignoreErrors: boolean;
  readonly dryRun: boolean;
  readonly compression: 'gzip' | 'zstd' | 'none';
  /** Fully qualified name of the image for the base annotation; absent for local stores. */
  readonly baseName: string | undefined;
  /** Digests of the indexes the image came from, for reports that name them. */
  readonly indexDigests: readonly string[];
}

/** What became of one platform's image; `appended` and `layer` only when something changed and it was no dry run. */
export interface PlatformResult {
  readonly image: Image;
  readonly plan: Plan;
  readonly tree: Tree;
  readonly applied: Applied | undefined;
  readonly layer: SealedLayer | undefined;
  readonly appended: AppendedImage | undefined;
  /** The manifest the new layer lies on; for a replaced patch layer the one below it. */
  readonly baseDigest: Digest;
  /** The layers that must be in the target besides the new one. */
  readonly base: Image;
}

export async function patchPlatform(
  store: ImageStore,
  image: Image,
  options: PlatformOptions,
): Promise<PlatformResult> {
  const { stopwatch, log } = options;
  const name = `${store.name} (${formatPlatform(image.platform)})`;
  const described = { name, architecture: image.platform.architecture, variant: image.platform.variant };
  const anyDistro = options.repositories.length > 0 || options.plan !== undefined;
  const indexes = await stopwatch.time('layers', () => acquireLayers(store, image.layers, options));
  const whole = await readTree(mergeLayers(indexes), described, { log, anyDistro });
  bindReport(options.report, image, whole, options);
  checkEndOfLife(whole.distro, { name, now: options.now, fail: options.exitOnEol, log });
  const facts = { digest: image.document.descriptor.digest, platform: formatPlatform(image.platform) };
  const current = await stopwatch.time('plan', () => options.plan ?? planTree(whole, options, facts));
  const patched = findPatchLayer(image);
  const nothing = {
    image,
    plan: current,
    tree: whole,
    applied: undefined,
    layer: undefined,
    appended: undefined,
  };
  const unpatched = {
    ...nothing,
    baseDigest: patched?.baseDigest ?? image.document.descriptor.digest,
    base: image,
  };
  const refuseMissing = (plan: Plan): void => {
    const missing = options.ignoreErrors ? undefined : missingFixes(plan);
    if (missing) throw missing;
  };
  if (isEmpty(current)) {
    refuseMissing(current);
    return unpatched;
  }

  const { base, tree, plan, origin } = await findGround(image, whole, current, {
    log,
    baseName: options.baseName,
    locked: options.plan !== undefined,
    readBelow: (layers) => readTree(mergeLayers(indexes.slice(0, layers)), described, { log, anyDistro }),
    plan: (below, keep) => stopwatch.time('plan', () => planTree(below, { ...options, keep }, facts)),
  });
  refuseMissing(plan);
  if (options.dryRun) return { ...unpatched, plan, tree };

  const epoch = fileEpoch(base.config.created, options.sourceDateEpoch);
  const applied = await stopwatch.time('packages', () =>
    applyPlan(tree, plan, { ...options, imageArch: image.platform.architecture, epoch }),
  );
  if (applied.changes.changes.length === 0) return { ...unpatched, plan, tree, applied };
  const clamp = options.sourceDateEpoch === undefined ? {} : { epoch: options.sourceDateEpoch };
  const task = options.progress.start('new layer');
  const layer = await stopwatch.time('layer', () =>
    sealLayer(writeLayer(applied.changes, tree.root, clamp), { compression: options.compression }),
  );
  task.advance(layer.size);
  task.done();
  const appended = appendLayer(
    base,
    {
      digest: parseDigest(`sha256:${layer.digest}`, 'New layer'),
      size: layer.size,
      diffId: parseDigest(`sha256:${layer.diffId}`, 'New layer'),
      compression: options.compression,
    },
    {
      createdBy: summary(plan),
      comment: '',
      created: createdAt(applied.changes, epoch, options.sourceDateEpoch),
      base: origin,
    },
  );
  return { image, plan, tree, applied, layer, appended, baseDigest: origin.digest, base };
}

function bindReport(report: Report | undefined, image: Image, tree: Tree, options: PlatformOptions): void {
  if (!report) return;
  const reason = mismatch(report, {
    diffIds: image.layers.map(({ diffId }) => diffId),
    configDigest: image.manifest.config.digest,
    manifestDigests: [image.document.descriptor.digest, ...options.indexDigests],
    architecture: image.platform.architecture,
    distroIds: tree.distro ? [tree.distro.osRelease.id, tree.distro.id] : [],
  });
  if (reason !== undefined)
    throw new OnlayError('REPORT_MISMATCH', `Report ${report.source} is about another image: ${reason}`, {
      hint: 'scan the very image that is to be patched, best by digest',
    });
  if (report.languageFindings > 0)
    options.log.info('Findings about language packages are left alone', {
      report: report.source,
      findings: report.languageFindings,
    });
}

/** FIX_UNAVAILABLE when something that is wanted cannot be had. */
export function missingFixes(plan: Plan): OnlayError | undefined {
  const failures = plan.skipped.filter(({ failure }) => failure);
  if (failures.length === 0) return undefined;
  const shown = failures.slice(0, 5).map(({ name, detail }) => `${name} (${detail})`);
  const rest = failures.length - shown.length;
  return new OnlayError(
    'FIX_UNAVAILABLE',
    `${failures.length} wanted fixes cannot be applied: ${shown.join('; ')}${rest > 0 ? ` and ${rest} more` : ''}`,
    {
      hint: 'with --ignore-errors the other fixes are applied and these are named in the result',
    },
  );
}

function summary(plan: Plan): string {
  const names = plan.packages.map(({ name, to }) => `${name}=${to}`);
  const text = names.slice(0, 20).join(' ');
  return names.length > 20 ? `${text} and ${names.length - 20} more` : text;
}
