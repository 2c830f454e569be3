// manifest.json of `docker save`: https://github.com/moby/docker-image-spec (image v1.2, "combined image JSON"). Such an
// archive has no manifests, so one is made: Docker's family, the config as it is, layers as they lie in the archive.
// Uncompressed layers stay so: their digests are the diff IDs, and the digest of the image is not the one that a
// registry knows for it.
import { createHash } from 'node:crypto';
import { collect } from '../../base/streams.ts';
import { sniff, type CodecName } from '../../codec/index.ts';
import { OnlayError } from '../../errors.ts';
import { MAX_CONFIG_SIZE, parseConfig } from '../../oci/config.ts';
import { digestOf, type DiffId, type Digest } from '../../oci/digest.ts';
import { isObject, parseJson } from '../../oci/json.ts';
import { makeDescriptor, serialize, type Descriptor } from '../../oci/manifest.ts';
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST } from '../../oci/media-types.ts';
import { readRange } from '../file-range.ts';
import { CONTAINERD_NAME, fullName, type Named } from '../image-names.ts';
import type { ArchiveContent, TarFile } from './content.ts';
import type { Range } from './tar-index.ts';

export interface DockerItem {
  readonly config: string;
  readonly repoTags: readonly string[];
  readonly layers: readonly string[];
}

const MAX_ITEMS = 1000;

/** Parses manifest.json. Throws IMAGE_INVALID. */
export function parseDockerManifest(bytes: Uint8Array, what: string): readonly DockerItem[] {
  const items = parseJson(bytes, what);
  if (!Array.isArray(items) || items.length > MAX_ITEMS)
    throw new OnlayError('IMAGE_INVALID', `${what} is not a list of images`);
  return items.map((item, at) => {
    const texts = (value: unknown): value is string[] =>
      Array.isArray(value) && value.every((text) => typeof text === 'string');
    if (
      !isObject(item) ||
      typeof item['Config'] !== 'string' ||
      !texts(item['Layers'] ?? []) ||
      !texts(item['RepoTags'] ?? [])
    )
      throw new OnlayError('IMAGE_INVALID', `${what}: image ${at} has no valid Config, Layers and RepoTags`);
    return {
      config: item['Config'],
      // null for an image without a name
      repoTags: (item['RepoTags'] ?? []) as string[],
      layers: (item['Layers'] ?? []) as string[],
    };
  });
}

/** Makes the manifests. Compressed layers are read once for their digests. Throws IMAGE_INVALID, IMAGE_UNSUPPORTED. */
export async function readDockerImages(tar: TarFile, items: readonly DockerItem[]): Promise<ArchiveContent> {
  const made = new Map<Digest, Uint8Array>();
  const blobs = new Map<Digest, Range>();
  const known = new Map<string, Descriptor>();
  const images: Named[] = [];
  for (const item of items) {
    const config = await describeConfig(tar, item, blobs);
    const layers: Descriptor[] = [];
    for (const [at, name] of item.layers.entries()) {
      const diffId = config.diffIds[at] as DiffId;
      const key = `${diffId} ${name}`;
      const layer = known.get(key) ?? (await describeLayer(tar, name, diffId, blobs));
      known.set(key, layer);
      layers.push(layer);
    }
    const bytes = serialize({
      schemaVersion: 2,
      mediaType: DOCKER_MANIFEST,
      config: config.descriptor.raw,
      layers: layers.map((layer) => layer.raw),
    });
    made.set(digestOf(bytes), bytes);
    images.push({ descriptor: describe(bytes, item.repoTags[0]), names: item.repoTags });
  }
  return { images, made, find: (digest) => blobs.get(digest) };
}

function describe(bytes: Uint8Array, repoTag: string | undefined): Descriptor {
  const name = repoTag === undefined ? undefined : fullName(repoTag);
  const extra = name === undefined ? {} : { annotations: { [CONTAINERD_NAME]: name } };
  return makeDescriptor(DOCKER_MANIFEST, digestOf(bytes), bytes.length, extra);
}

async function describeConfig(
  tar: TarFile,
  item: DockerItem,
  blobs: Map<Digest, Range>,
): Promise<{ descriptor: Descriptor; diffIds: readonly DiffId[] }> {
  const what = `${tar.what}: ${item.config.slice(0, 100)}`;
  const range = tar.index.get(item.config);
  if (!range)
    throw new OnlayError('IMAGE_INVALID', `${what} is named in manifest.json but not in the archive`);
  const bytes = await collect(readRange(tar.handle, range.start, range.size), {
    limit: MAX_CONFIG_SIZE,
    what,
  });
  const { diffIds } = parseConfig(bytes, what);
  if (diffIds.length !== item.layers.length)
    throw new OnlayError(
      'IMAGE_INVALID',
      `${what} lists ${diffIds.length} diff_ids, manifest.json ${item.layers.length} layers`,
    );
  const digest = digestOf(bytes);
  blobs.set(digest, range);
  return { descriptor: makeDescriptor(DOCKER_CONFIG, digest, bytes.length), diffIds };
}

async function describeLayer(
  tar: TarFile,
  name: string,
  diffId: DiffId,
  blobs: Map<Digest, Range>,
): Promise<Descriptor> {
  const what = `${tar.what}: ${name.slice(0, 200)}`;
  const range = tar.index.get(name);
  if (!range)
    throw new OnlayError('IMAGE_INVALID', `${what} is named in manifest.json but not in the archive`);
  const head = await collect(readRange(tar.handle, range.start, Math.min(16, range.size)), {
    limit: 16,
    what,
  });
  const codec = sniff(head);
  const suffix = SUFFIXES[codec];
  if (suffix === undefined) throw new OnlayError('IMAGE_UNSUPPORTED', `${what} is compressed with ${codec}`);
  // an uncompressed layer is checked against its diff ID when it is read
  const digest = codec === 'none' ? diffId : await hashRange(tar, range);
  blobs.set(digest, range);
  return makeDescriptor(`${DOCKER_LAYER}${suffix}`, digest, range.size);
}

const SUFFIXES: Readonly<Partial<Record<CodecName, string>>> = { none: '', gzip: '.gzip', zstd: '.zstd' };

async function hashRange(tar: TarFile, range: Range): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of readRange(tar.handle, range.start, range.size)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}` as Digest;
}
