// Is an image what it claims to be? Every digest, size and diff ID is recomputed, layers are checked for what runtimes
// disagree on, and package databases are held against the files. With `rebuild` our layer is made once more.
import { OnlayError, hasCode } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import { TarParser } from '../archive/tar-read.ts';
import type { Image } from '../oci/image.ts';
import type { Document } from '../oci/image-store.ts';
import { findPatchLayer } from '../oci/lineage.ts';
import { formatPlatform } from '../oci/platform.ts';
import { validateImage } from '../oci/validate.ts';
import { openImage, readImages } from './open-tree.ts';
import type { OpenedImage } from './open-tree.ts';
import { rebuildLayer } from './rebuild.ts';
import type { RebuildOptions } from './rebuild.ts';

export interface Finding {
  /** "image", or the platform it concerns. */
  readonly where: string;
  /** Of oci/problem.ts, or "package-file", "rebuild". */
  readonly kind: string;
  /** 'warning': it works everywhere that is known, but is not as it should be. */
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

export interface VerifyOptions extends RebuildOptions {
  readonly rebuild: boolean;
}

/** Everything that is wrong; empty for a sound image. Throws only what keeps it from looking. */
export async function verifyImage(options: VerifyOptions): Promise<readonly Finding[]> {
  const { source } = options;
  let document: Document;
  try {
    document = await source.store.resolve(source);
  } catch (error) {
    return [unreadableDocument(error)];
  }
  const problems = await validateImage(source.store, document, {
    deep: true,
    openScanner: (onEntry, what) => new TarParser({ entry: onEntry, data() {}, end() {} }, { what }),
  });
  const found: Finding[] = problems.map((problem) => ({ where: 'image', ...problem }));
  // what cannot be read as layers cannot be read as a tree either
  if (found.some(({ severity }) => severity === 'error')) return found;
  const images = await readImages(source, options.platforms);
  if (options.rebuild) requirePatchLayer(images, source.name);
  for (const image of images) {
    const where = formatPlatform(image.platform);
    const add = (kind: string, message: string): void =>
      void found.push({ where, kind, severity: 'error', message });
    for (const line of await audit(image, options)) add('package-file', displayText(line));
    if (!options.rebuild || findPatchLayer(image)?.by !== 'onlay') continue;
    const failure = await rebuildLayer(image, options);
    if (failure !== undefined) add('rebuild', failure);
  }
  return found;
}

async function audit(image: Image, options: VerifyOptions): Promise<readonly string[]> {
  let opened: OpenedImage;
  try {
    opened = await openImage(options.source, image, { ...options, audit: true });
  } catch (error) {
    // layers that are encrypted or kept elsewhere have been named above
    if (hasCode(error, 'IMAGE_UNSUPPORTED', 'IMAGE_NOT_FOUND')) return [];
    throw error;
  }
  return (await opened.tree?.database.audit?.()) ?? [];
}

function unreadableDocument(error: unknown): Finding {
  const kind = hasCode(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH')
    ? 'document-digest'
    : hasCode(error, 'IMAGE_UNSUPPORTED')
      ? 'document-unsupported'
      : hasCode(error, 'IMAGE_INVALID', 'LIMIT_EXCEEDED')
        ? 'document-invalid'
        : undefined;
  if (kind === undefined || !(error instanceof OnlayError)) throw error;
  return { where: 'image', kind, severity: 'error', message: error.message };
}

function requirePatchLayer(images: readonly Image[], name: string): void {
  if (images.some((image) => findPatchLayer(image)?.by === 'onlay')) return;
  throw new OnlayError('IMAGE_UNSUPPORTED', `${name} has no patch layer of onlay that could be rebuilt`);
}
