// The pipeline, read top to bottom: open the image, patch each chosen platform in memory, then write the result. A
// failure anywhere before `push` leaves the target as it was.
import { OnlayError, hasCode } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { readIndexImage, listImages } from '../oci/image.ts';
import type { IndexImage } from '../oci/image.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document, ImageStore } from '../oci/image-store.ts';
import { parseDocument } from '../oci/manifest.ts';
import type { Platform } from '../oci/manifest.ts';
import { choosePlatforms } from '../oci/platform.ts';
import { replaceImages } from '../oci/replace-manifest.ts';
import type { Plan } from '../plan/plan.ts';
import type { Report } from '../reports/index.ts';
import type { PlatformOutcome, Outcome } from './outcome.ts';
import { RESULT_VERSION } from './outcome.ts';
import { errorOutcome, failedOutcome, platformOutcome } from './platform-outcome.ts';
import { patchPlatform } from './patch-platform.ts';
import type { PlatformOptions, PlatformResult } from './patch-platform.ts';
import { copyDocument, pushPatched, putDocument } from './push.ts';
import type { PushContext } from './push.ts';
import { chooseReport } from './choose-report.ts';

export interface PatchSource {
  readonly store: ImageStore;
  readonly tag?: string;
  readonly digest?: Digest;
  /** As the user wrote it, for the result. */
  readonly name: string;
}

export interface PatchTarget {
  readonly store: ImageStore;
  readonly tag: string;
  readonly name: string;
}

export interface PatchOptions extends Omit<PlatformOptions, 'report' | 'plan' | 'indexDigests' | 'onPulled'> {
  readonly tool: { readonly name: string; readonly version: string };
  readonly source: PatchSource;
  /** Absent for a dry run. */
  readonly target: PatchTarget | undefined;
  /** Empty: all that can be patched. */
  readonly platforms: readonly Platform[];
  /** One, or one per platform. Absent: update everything. */
  readonly reports: readonly Report[] | undefined;
  readonly plans: readonly Plan[] | undefined;
  readonly warnings: readonly string[];
  readonly fetched: () => number;
}

export interface PatchRun {
  readonly outcome: Outcome;
  readonly plans: readonly Plan[];
  /** What stopped the run; the outcome says how far it came. */
  readonly failure: OnlayError | undefined;
}

type Attempt =
  | { readonly kind: 'done'; readonly listed: IndexImage; readonly result: PlatformResult }
  | { readonly kind: 'failed'; readonly listed: IndexImage; readonly error: OnlayError }
  /** No report is about it. */
  | { readonly kind: 'left'; readonly listed: IndexImage };

export async function patchImage(options: PatchOptions): Promise<PatchRun> {
  const { source, target, stopwatch } = options;
  const bytes = { pulled: 0, pushed: 0 };
  const document = await stopwatch.time('manifest', () => source.store.resolve(source));
  const images = await listImages(source.store, document);
  const attempts: Attempt[] = [];
  for (const listed of choose(images, options))
    attempts.push(await attempt(listed, document, options, (count) => (bytes.pulled += count)));
  const failure = failureOf(attempts, options);
  const changed = attempts.some((item) => item.kind === 'done' && item.result.appended !== undefined);
  let final = document;
  if (!failure && changed && target) {
    const onPushed = (count: number): void => void (bytes.pushed += count);
    const context = { source: source.store, target: target.store, progress: options.progress, onPushed };
    final = await stopwatch.time('push', () => push(context, document, attempts, target.tag));
  }
  return {
    failure,
    plans: attempts.flatMap((item) => (item.kind === 'done' ? [item.result.plan] : [])),
    outcome: {
      schemaVersion: RESULT_VERSION,
      tool: options.tool,
      changed: !failure && changed && target !== undefined,
      image: {
        source: source.name,
        sourceDigest: document.descriptor.digest,
        target: target?.name ?? null,
        digest: final.descriptor.digest,
        mediaType: final.descriptor.mediaType,
        platforms: images.map((listed) => outcomeOf(listed, attempts, options.dryRun)),
      },
      bytes: { ...bytes, fetched: options.fetched() },
      timings: stopwatch.timings,
      warnings: options.warnings,
      ...(failure && { error: errorOutcome(failure) }),
    },
  };
}

function outcomeOf(listed: IndexImage, attempts: readonly Attempt[], dryRun: boolean): PlatformOutcome {
  const found = attempts.find((item) => item.listed === listed);
  if (found?.kind === 'done') return platformOutcome(found.result, dryRun);
  return failedOutcome(listed, found?.kind === 'failed' ? found.error : undefined);
}

/** --platform; else those the plans are about; else every platform that is Linux. */
function choose(
  images: readonly IndexImage[],
  { platforms, plans, source }: PatchOptions,
): readonly IndexImage[] {
  if (images.length === 0) throw new OnlayError('IMAGE_UNSUPPORTED', `${source.name} holds no image`);
  if (platforms.length > 0) return choosePlatforms(images, platforms);
  const planned =
    plans && images.filter(({ descriptor }) => plans.some((plan) => plan.image.digest === descriptor.digest));
  if (planned?.length === 0)
    throw new OnlayError('PLAN_MISMATCH', `The plan is about another image than ${source.name}`, {
      hint: 'make a new plan with `onlay plan`, or give the image by the digest the plan names',
    });
  const candidates = planned ?? images;
  return candidates.length === 1 ? candidates : candidates.filter(({ platform }) => platform?.os === 'linux');
}

async function attempt(
  listed: IndexImage,
  document: Document,
  options: PatchOptions,
  onPulled: (bytes: number) => void,
): Promise<Attempt> {
  const { store } = options.source;
  try {
    const image = await readIndexImage(store, listed);
    const single = listed.path.length === 0 && options.reports?.length === 1 ? options.reports[0] : undefined;
    const report =
      single ?? (options.reports && chooseReport(options.reports, image, document.descriptor.digest));
    if (options.reports && !report) return { kind: 'left', listed };
    const plan = options.plans?.find((candidate) => candidate.image.digest === listed.descriptor.digest);
    const indexDigests = [document.descriptor.digest];
    const result = await patchPlatform(store, image, { ...options, report, plan, indexDigests, onPulled });
    return { kind: 'done', listed, result };
  } catch (error) {
    if (error instanceof OnlayError) return { kind: 'failed', listed, error };
    throw error;
  }
}

function failureOf(attempts: readonly Attempt[], options: PatchOptions): OnlayError | undefined {
  for (const item of attempts)
    if (item.kind === 'failed' && !tolerated(item.error, options, attempts)) return item.error;
  if (!options.reports || attempts.some(({ kind }) => kind !== 'left')) return undefined;
  const files = options.reports.map(({ source }) => source).join(', ');
  return new OnlayError(
    'REPORT_MISMATCH',
    `No report (${files}) is about any platform of ${options.source.name}`,
    {
      hint: 'scan the very image that is to be patched, best by digest',
    },
  );
}

/**
 * With --ignore-errors a platform of several that cannot be patched keeps its original; failures of trust, access or
 * network stop the run all the same.
 */
function tolerated(error: OnlayError, { ignoreErrors }: PatchOptions, attempts: readonly Attempt[]): boolean {
  return ignoreErrors && attempts.length > 1 && hasCode(error, ...UNPATCHABLE);
}

const UNPATCHABLE: readonly ErrorCode[] = [
  'NO_PACKAGE_DATABASE',
  'DATABASE_INVALID',
  'DISTRO_UNSUPPORTED',
  'DISTRO_END_OF_LIFE',
  'IMAGE_UNSUPPORTED',
  'REPOSITORIES_MISSING',
];

async function push(
  context: PushContext,
  document: Document,
  attempts: readonly Attempt[],
  tag: string,
): Promise<Document> {
  const patched = attempts.flatMap((item) =>
    item.kind === 'done' && item.result.appended && item.result.layer
      ? [
          {
            listed: item.listed,
            base: item.result.base,
            appended: item.result.appended,
            layer: item.result.layer,
          },
        ]
      : [],
  );
  const single = patched.length === 1 && patched[0]?.listed.path.length === 0 ? patched[0] : undefined;
  if (single) {
    await pushPatched(context, single.base, single, tag);
    return single.appended.manifest;
  }
  const replaced = new Map(
    patched.map(({ listed, appended }) => [listed.descriptor.digest, appended.manifest.descriptor]),
  );
  for (const item of patched) await pushPatched(context, item.base, item, undefined);
  const { documents } = await replaceImages(context.source, document, replaced);
  await copyKept(context, documents, replaced);
  const outermost = documents.at(-1) as Document;
  for (const index of documents.slice(0, -1)) await putDocument(context, index, undefined);
  await putDocument(context, outermost, tag);
  return outermost;
}

/** Everything the new indexes list and that was not made just now must be in the target too. */
async function copyKept(
  context: PushContext,
  indexes: readonly Document[],
  replaced: ReadonlyMap<Digest, { readonly digest: Digest }>,
): Promise<void> {
  if (context.source.identity === context.target.identity) return;
  const made = new Set<Digest>([
    ...[...replaced.values()].map(({ digest }) => digest),
    ...indexes.map(({ descriptor }) => descriptor.digest),
  ]);
  for (const index of indexes) {
    const parsed = parseDocument(index);
    for (const child of parsed.kind === 'index' ? parsed.manifests : [])
      if (!made.has(child.digest))
        await copyDocument(context, await context.source.document(child), undefined);
  }
}
