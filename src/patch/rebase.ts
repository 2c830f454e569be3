// --rebase: an image that was patched is made anew from its base as that is now. The base is found by the name and digest
// that our layer recorded; copa recorded the name only, there the layers tell whether it moved. A record is the claim of
// whoever wrote the image, so nothing but a registry is ever opened for it.
import { OnlayError, hasCode } from '../errors.ts';
import type { Digest, DiffId } from '../oci/digest.ts';
import type { ImageStore } from '../oci/image-store.ts';
import { listImages, readIndexImage } from '../oci/image.ts';
import type { IndexImage } from '../oci/image.ts';
import { findPatchLayer } from '../oci/lineage.ts';
import type { PatchLayer } from '../oci/lineage.ts';
import type { Platform } from '../oci/manifest.ts';
import { choosePlatforms, formatPlatform } from '../oci/platform.ts';
import { formatReference, parseReference, referenceTo } from '../oci/reference.ts';
import type { RegistryReference } from '../oci/reference.ts';
import type { PatchSource } from './options.ts';

/** What the patch layers of an image say of the image below them. */
export interface Origin {
  /** Where it was, with a tag. */
  readonly reference: RegistryReference;
  /** Of the patched image, as it was opened. */
  readonly digest: Digest;
  /** The patched image is no index: of the base, too, only its platform counts. */
  readonly single: boolean;
  readonly bases: readonly Base[];
}

interface Base {
  readonly platform: Platform;
  readonly digest: Digest | undefined;
  readonly diffIds: readonly DiffId[];
}

/** Throws IMAGE_UNSUPPORTED when no base is recorded, several are, or something was built on the patch layer. */
export async function findOrigin({ store, name, ...point }: PatchSource): Promise<Origin> {
  const document = await store.resolve(point);
  const references = new Map<string, RegistryReference>();
  const bases: Base[] = [];
  const listed = await listImages(store, document);
  for (const item of listed.filter(({ platform }) => platform?.os === 'linux')) {
    const image = await readIndexImage(store, item);
    const patch = findPatchLayer(image);
    if (!patch) continue;
    const what = `${name} (${formatPlatform(image.platform)})`;
    if (!patch.removable)
      throw refused(
        `${what} has layers on top of its patch layer`,
        'rebuild what was built on the patched image',
      );
    const reference = recordedName(patch, what);
    references.set(formatReference(reference), reference);
    const diffIds = image.layers.slice(0, patch.at).map(({ diffId }) => diffId);
    bases.push({ platform: image.platform, digest: patch.baseDigest, diffIds });
  }
  const [reference, ...others] = references.values();
  if (!reference) throw refused(`${name} has no patch layer`, 'run without --rebase');
  if (others.length > 0)
    throw refused(
      `the platforms of ${name} have different bases: ${[...references.keys()].join(', ')}`,
      'patch their bases one by one',
    );
  const single = listed.every(({ path }) => path.length === 0);
  return { reference, digest: document.descriptor.digest, single, bases };
}

/** The base as it is now, when it is not what was patched. Throws PLATFORM_NOT_FOUND, IMAGE_UNSUPPORTED. */
export async function findMovedBase(base: PatchSource, origin: Origin): Promise<Digest | undefined> {
  const document = await base.store.resolve(base);
  const listed = await listImages(base.store, document);
  if (!origin.single && listed.every(({ path }) => path.length === 0))
    throw refused(`${base.name} is for one platform now, and what was made from it for several`);
  const now = origin.bases.flatMap((known) => choosePlatforms(listed, [known.platform]).slice(0, 1));
  const same = await Promise.all(now.map((item, at) => isSame(base.store, origin.bases[at] as Base, item)));
  if (same.every(Boolean)) return undefined;
  return origin.single ? now[0]?.descriptor.digest : document.descriptor.digest;
}

async function isSame(store: ImageStore, known: Base, now: IndexImage): Promise<boolean> {
  if (known.digest !== undefined) return known.digest === now.descriptor.digest;
  const { diffIds } = (await readIndexImage(store, now)).config;
  return diffIds.join() === known.diffIds.join();
}

function recordedName({ baseName }: PatchLayer, what: string): RegistryReference {
  if (baseName === undefined)
    throw refused(
      `the patch layer of ${what} does not say where its base was`,
      'bases in registries are recorded, bases in layouts and archives are not',
    );
  const reference = parseRecorded(baseName, what);
  if (reference.tag === undefined && reference.digest !== undefined)
    throw refused(`${what} was made from ${baseName}, and a digest does not move`);
  return referenceTo(reference, { tag: reference.tag ?? 'latest' });
}

function parseRecorded(baseName: string, what: string): RegistryReference {
  try {
    return parseReference(baseName);
  } catch (error) {
    if (!hasCode(error, 'REFERENCE_INVALID')) throw error;
    throw refused(`the patch layer of ${what} names its base in a way that cannot be read: ${error.message}`);
  }
}

function refused(why: string, hint?: string): OnlayError {
  return new OnlayError('IMAGE_UNSUPPORTED', `Cannot rebase: ${why}`, { hint });
}
