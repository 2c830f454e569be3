// index.json of a layout: which images it holds, under which names. https://github.com/opencontainers/image-spec,
// image-layout.md. Entries and fields of others are kept as they are.
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../base/make-directory.ts';
import { streamOf } from '../../base/streams.ts';
import { OnlayError } from '../../errors.ts';
import { parseJsonObject, serialize } from '../../oci/json.ts';
import {
  MAX_DOCUMENT_SIZE,
  documentMediaType,
  parseDescriptor,
  type Descriptor,
  type JsonObject,
} from '../../oci/manifest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { errno, readSmallFile } from '../file-range.ts';
import { REF_NAME, nameAnnotations } from '../image-names.ts';
import { refusal, replaceFile } from '../replace-file.ts';
import { withLock } from './lock.ts';

export const LAYOUT_FILE = 'oci-layout';
export const LAYOUT_TEXT = '{"imageLayoutVersion":"1.0.0"}';
export const INDEX_FILE = 'index.json';

export interface IndexFile {
  readonly raw: JsonObject;
  readonly manifests: readonly Descriptor[];
}

/** Parses index.json. Throws IMAGE_INVALID. */
export function parseIndexFile(bytes: Uint8Array, what: string): IndexFile {
  const raw = parseJsonObject(bytes, what);
  if (documentMediaType(raw, '', what) !== OCI_INDEX || !Array.isArray(raw['manifests']))
    throw new OnlayError('IMAGE_INVALID', `${what} is not an OCI index`);
  return {
    raw,
    manifests: raw['manifests'].map((entry, at) => parseDescriptor(entry, `${what}: manifests[${at}]`)),
  };
}

/** Throws IMAGE_UNSUPPORTED when the content of `oci-layout` is of a version we do not know. */
export function checkLayoutFile(bytes: Uint8Array, what: string): void {
  const version = parseJsonObject(bytes, what)['imageLayoutVersion'];
  if (typeof version === 'string' && version.startsWith('1.')) return;
  throw new OnlayError(
    'IMAGE_UNSUPPORTED',
    `${what} is of layout version ${JSON.stringify(version)?.slice(0, 40)}, not 1`,
  );
}

/** index.json of a directory; undefined when there is none. Throws IMAGE_INVALID, IMAGE_UNSUPPORTED. */
export async function readIndexFile(directory: string): Promise<IndexFile | undefined> {
  const layout = await readSmallFile(join(directory, LAYOUT_FILE), 4096, join(directory, LAYOUT_FILE));
  if (layout) checkLayoutFile(layout, join(directory, LAYOUT_FILE));
  const path = join(directory, INDEX_FILE);
  const bytes = await readSmallFile(path, MAX_DOCUMENT_SIZE, path);
  return bytes && parseIndexFile(bytes, path);
}

/** Makes `directory` an empty layout unless it is one. Throws TARGET_REFUSED when something else is there. */
export async function createLayout(directory: string): Promise<void> {
  try {
    await makeDirectory(join(directory, 'blobs', 'sha256'));
    for (const part of ['blobs', join('blobs', 'sha256')])
      if (!(await lstat(join(directory, part))).isDirectory())
        throw new OnlayError('IMAGE_INVALID', `${join(directory, part)} is not a directory`);
    // the file that tells a layout is written when there is none; it never changes
    if (!(await readSmallFile(join(directory, LAYOUT_FILE), 4096, LAYOUT_FILE)))
      await replaceFile(join(directory, LAYOUT_FILE), streamOf(Buffer.from(LAYOUT_TEXT)), directory);
  } catch (error) {
    if (errno(error) === 'EEXIST')
      throw new OnlayError('TARGET_REFUSED', `Cannot write ${directory}: it is not a directory`, {
        cause: error,
      });
    throw refusal(error, directory);
  }
}

/** Lets `name` point at `descriptor`: in the place of the entry it had, else at the end. Other entries stay. */
export async function writeName(directory: string, name: string, descriptor: Descriptor): Promise<void> {
  await withLock(join(directory, '.onlay.lock'), async () => {
    const { raw, manifests } = (await readIndexFile(directory)) ?? EMPTY;
    const entry = indexEntry(descriptor, name);
    const annotations = entry['annotations'] as Readonly<Record<string, string>>;
    const taken = (old: Descriptor): boolean => old.annotations[REF_NAME] === annotations[REF_NAME];
    const at = manifests.findIndex(taken);
    const kept = manifests.map((old, position) =>
      position === at ? entry : taken(old) ? undefined : old.raw,
    );
    const entries = [...kept.filter((old) => old !== undefined), ...(at === -1 ? [entry] : [])];
    const bytes = serialize({ ...raw, manifests: entries });
    await replaceFile(join(directory, INDEX_FILE), streamOf(bytes), directory);
  });
}

const EMPTY: IndexFile = { raw: { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, manifests: [] };

/** The descriptor of an image as it stands in index.json. */
export function indexEntry(
  descriptor: Descriptor,
  name: string | undefined,
  style: 'oci' | 'docker' = 'oci',
): JsonObject {
  const { mediaType, digest, size } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(descriptor.raw['platform'] !== undefined && { platform: descriptor.raw['platform'] }),
    ...(name !== undefined && { annotations: nameAnnotations(name, style) }),
  };
}
