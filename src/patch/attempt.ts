// Every chosen image of a source is tried, each with an outcome of its own. What one platform cannot have is kept apart
// from what stops the run.
import { OnlayError, hasCode } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { codecAvailability } from '../codec/index.ts';
import type { Document } from '../oci/image-store.ts';
import { readIndexImage } from '../oci/image.ts';
import type { Image, IndexImage } from '../oci/image.ts';
import { formatPlatform } from '../oci/platform.ts';
import { mergeReports, reportsAbout } from './choose-report.ts';
import { patchPlatform } from './patch-platform.ts';
import type { PlatformResult } from './patch-platform.ts';
import type { PatchOptions } from './options.ts';

export type Attempt =
  | { readonly kind: 'done'; readonly listed: IndexImage; readonly result: PlatformResult }
  | { readonly kind: 'failed'; readonly listed: IndexImage; readonly error: OnlayError }
  /** No report is about it. */
  | { readonly kind: 'left'; readonly listed: IndexImage };

type Opened =
  { readonly listed: IndexImage; readonly image: Image } | Extract<Attempt, { readonly kind: 'failed' }>;

/** Patches `chosen` in memory, one after the other. Throws USAGE for what is wrong before any layer is read. */
export async function attemptAll(
  chosen: readonly IndexImage[],
  document: Document,
  options: PatchOptions,
  onPulled: (bytes: number) => void,
): Promise<readonly Attempt[]> {
  const opened: Opened[] = [];
  for (const listed of chosen)
    opened.push(
      await guarded(listed, async () => ({
        listed,
        image: await readIndexImage(options.source.store, listed),
      })),
    );
  const images = opened.flatMap((item) => ('image' in item ? [item] : []));
  if (options.compression === 'zstd') for (const { image } of images) requireZstd(image, options.source.name);
  warnOfUnusedReports(images, document, options);
  const attempts: Attempt[] = [];
  for (const item of opened)
    attempts.push(
      'image' in item ? await guarded(item.listed, () => attempt(item, document, options, onPulled)) : item,
    );
  return attempts;
}

/** Throws CONFIG_INVALID when this installation cannot write what is asked for. */
export function requireEncoder(compression: PatchOptions['compression']): void {
  if (compression !== 'zstd' || codecAvailability().zstdEncoder !== undefined) return;
  throw new OnlayError('CONFIG_INVALID', 'Cannot write a zstd layer: this installation has no zstd encoder', {
    hint: 'install the optional dependency zstd-napi, use Node 22.15 or later, or choose --compression gzip',
  });
}

async function guarded<T>(
  listed: IndexImage,
  work: () => Promise<T>,
): Promise<T | Extract<Attempt, { readonly kind: 'failed' }>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OnlayError) return { kind: 'failed', listed, error };
    throw error;
  }
}

async function attempt(
  { listed, image }: { readonly listed: IndexImage; readonly image: Image },
  document: Document,
  options: PatchOptions,
  onPulled: (bytes: number) => void,
): Promise<Attempt> {
  const { digest } = document.descriptor;
  const { reports, plans, source } = options;
  // one report for one image is taken at its word here, so that a mismatch is explained later
  const single = listed.path.length === 0 && reports?.length === 1 ? reports[0] : undefined;
  const report = single ?? (reports && mergeReports(reportsAbout(reports, image, digest)));
  if (reports && !report) return { kind: 'left', listed };
  const plan = plans?.find((candidate) => candidate.image.digest === listed.descriptor.digest);
  const result = await patchPlatform(source.store, image, {
    ...options,
    report,
    plan,
    indexDigests: [digest],
    onPulled,
  });
  return { kind: 'done', listed, result };
}

function requireZstd({ manifest, platform }: Image, name: string): void {
  if (manifest.family === 'oci') return;
  throw new OnlayError(
    'USAGE',
    `${name} (${formatPlatform(platform)}) is of Docker's media types, which have no zstd layers`,
    { hint: 'choose --compression gzip, or convert the image to OCI types first' },
  );
}

function warnOfUnusedReports(
  images: readonly { readonly image: Image }[],
  { descriptor }: Document,
  { reports = [], log }: PatchOptions,
): void {
  if (reports.length < 2) return;
  const used = new Set(images.flatMap(({ image }) => reportsAbout(reports, image, descriptor.digest)));
  for (const report of reports)
    if (!used.has(report))
      log.warn('A report is about none of the images to be patched', { report: report.source });
}

/** What stops the run: nothing is written then. */
export function failureOf(attempts: readonly Attempt[], options: PatchOptions): OnlayError | undefined {
  const failed = attempts.flatMap((item) => (item.kind === 'failed' ? [item.error] : []));
  const fatal = failed.find((error) => !options.ignoreErrors || !hasCode(error, ...KEEPS_ORIGINAL));
  if (fatal || failed.length === attempts.length) return fatal ?? failed[0];
  if (!options.reports || attempts.some(({ kind }) => kind !== 'left')) return undefined;
  const files = options.reports.map(({ source }) => source).join(', ');
  return new OnlayError(
    'REPORT_MISMATCH',
    `No report (${files}) is about any platform of ${options.source.name}`,
    { hint: 'scan the very image that is to be patched, best by digest' },
  );
}

/**
 * With --ignore-errors a platform of several that cannot be patched keeps its original. Failures of trust, access or
 * network stop the run all the same: they are no property of the image.
 */
const KEEPS_ORIGINAL: readonly ErrorCode[] = [
  'IMAGE_INVALID',
  'IMAGE_UNSUPPORTED',
  'ARCHIVE_INVALID',
  'NO_PACKAGE_DATABASE',
  'DATABASE_INVALID',
  'DISTRO_UNSUPPORTED',
  'DISTRO_END_OF_LIFE',
  'REPOSITORIES_MISSING',
  'REPORT_MISMATCH',
  'SCRIPT_REFUSED',
];
