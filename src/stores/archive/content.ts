// What an archive holds, in one form for all of its kinds: named images, documents and blobs by digest. OCI layouts in a
// tar (skopeo oci-archive, `docker save` since 25, ours) are read as such, because their digests are the real ones; all
// else that has a manifest.json is `docker save` of old (docker-manifest.ts).
import type { FileHandle } from 'node:fs/promises';
import { collect } from '../../base/streams.ts';
import { OnlayError } from '../../errors.ts';
import { digestOf, type Digest } from '../../oci/digest.ts';
import {
  MAX_DOCUMENT_SIZE,
  makeDescriptor,
  parseDocument,
  serialize,
  type Descriptor,
} from '../../oci/manifest.ts';
import { isIndexType, isManifestType } from '../../oci/media-types.ts';
import { attestationSubject } from '../../oci/platform.ts';
import { verifyBytes } from '../../oci/verify.ts';
import { readRange } from '../file-range.ts';
import { fullName, namesOf, type Named } from '../image-names.ts';
import { INDEX_FILE, LAYOUT_FILE, checkLayoutFile, parseIndexFile } from '../layout/index-file.ts';
import { parseDockerManifest, readDockerImages } from './docker-manifest.ts';
import { indexTar, type Range, type TarIndex } from './tar-index.ts';

/** A tar archive with random access. */
export interface TarFile {
  readonly handle: FileHandle;
  readonly index: TarIndex;
  readonly what: string;
}

export interface ArchiveContent {
  readonly images: readonly Named[];
  /** Documents that are not in the archive but follow from it. */
  readonly made: ReadonlyMap<Digest, Uint8Array>;
  find(digest: Digest): Range | undefined;
}

export const DOCKER_FILE = 'manifest.json';

/** Throws ARCHIVE_INVALID, IMAGE_INVALID, IMAGE_UNSUPPORTED. */
export async function readArchive(handle: FileHandle, size: number, what: string): Promise<ArchiveContent> {
  const tar: TarFile = { handle, index: await indexTar(handle, size, what), what };
  if (tar.index.has(INDEX_FILE) && tar.index.has(LAYOUT_FILE)) return readLayout(tar);
  const manifest = await readMember(tar, DOCKER_FILE);
  if (manifest) return readDockerImages(tar, parseDockerManifest(manifest, `${what}: ${DOCKER_FILE}`));
  if (tar.index.has('repositories'))
    throw new OnlayError('IMAGE_UNSUPPORTED', `${what} was written by Docker before 1.10`, {
      hint: 'load and save it with a current docker',
    });
  throw new OnlayError(
    'ARCHIVE_INVALID',
    `${what} is no image archive: it has neither index.json nor manifest.json`,
  );
}

/** A small file of the archive; undefined when there is none. Throws LIMIT_EXCEEDED. */
export async function readMember(
  tar: TarFile,
  name: string,
  limit: number = MAX_DOCUMENT_SIZE,
): Promise<Uint8Array | undefined> {
  const range = tar.index.get(name);
  return (
    range && collect(readRange(tar.handle, range.start, range.size), { limit, what: `${tar.what}: ${name}` })
  );
}

async function readLayout(tar: TarFile): Promise<ArchiveContent> {
  checkLayoutFile((await readMember(tar, LAYOUT_FILE, 4096)) as Uint8Array, `${tar.what}: ${LAYOUT_FILE}`);
  const index = parseIndexFile(
    (await readMember(tar, INDEX_FILE)) as Uint8Array,
    `${tar.what}: ${INDEX_FILE}`,
  );
  const find = (digest: Digest): Range | undefined => tar.index.get(`blobs/${digest.replace(':', '/')}`);
  const made = new Map<Digest, Uint8Array>();
  const images: Named[] = [];
  for (const descriptor of index.manifests) {
    const whole = isIndexType(descriptor.mediaType)
      ? await withoutMissing(tar, descriptor, find, made)
      : descriptor;
    images.push({ descriptor: whole, names: namesOf(descriptor) });
  }
  return { images: await addRepoTags(tar, images, find), made, find };
}

// Docker with containerd's image store saves the index of an image whole, but of its platforms those it has: then the
// image is the one platform that is there, or an index that is made of those
async function withoutMissing(
  tar: TarFile,
  descriptor: Descriptor,
  find: ArchiveContent['find'],
  made: Map<Digest, Uint8Array>,
): Promise<Descriptor> {
  const parsed = await readDocument(tar, descriptor, find);
  if (parsed?.kind !== 'index') return descriptor;
  const present = parsed.manifests.filter(({ digest }) => find(digest));
  if (present.length === parsed.manifests.length) return descriptor;
  const listed = new Set<string>(present.map(({ digest }) => digest));
  const kept = present.filter((child) => listed.has(attestationSubject(child) ?? child.digest));
  if (kept.length === 1) return kept[0] as Descriptor;
  const bytes = serialize({ ...parsed.raw, manifests: kept.map(({ raw }) => raw) });
  made.set(digestOf(bytes), bytes);
  return makeDescriptor(parsed.mediaType, digestOf(bytes), bytes.length);
}

// `docker save` may name an image in manifest.json only; the config tells which one is meant
async function addRepoTags(
  tar: TarFile,
  images: readonly Named[],
  find: ArchiveContent['find'],
): Promise<readonly Named[]> {
  const bytes = await readMember(tar, DOCKER_FILE);
  if (!bytes) return images;
  const tags = new Map(
    parseDockerManifest(bytes, `${tar.what}: ${DOCKER_FILE}`).map((item) => [item.config, item.repoTags]),
  );
  const result: Named[] = [];
  for (const image of images) {
    const parsed = isManifestType(image.descriptor.mediaType)
      ? await readDocument(tar, image.descriptor, find)
      : undefined;
    const config = parsed?.kind === 'manifest' ? `blobs/${parsed.config.digest.replace(':', '/')}` : '';
    const known = new Set(image.names.map((name) => fullName(name) ?? name));
    const added = (tags.get(config) ?? []).filter((tag) => !known.has(fullName(tag) ?? tag));
    result.push({ ...image, names: [...image.names, ...added] });
  }
  return result;
}

/** A document of the archive; undefined when it is not there. */
async function readDocument(
  tar: TarFile,
  descriptor: Descriptor,
  find: ArchiveContent['find'],
): Promise<ReturnType<typeof parseDocument> | undefined> {
  const range = find(descriptor.digest);
  if (!range) return undefined;
  const what = `${tar.what}: ${descriptor.digest}`;
  const bytes = await collect(readRange(tar.handle, range.start, range.size), {
    limit: MAX_DOCUMENT_SIZE,
    what,
  });
  verifyBytes(bytes, descriptor, what);
  return parseDocument({ descriptor, bytes });
}
