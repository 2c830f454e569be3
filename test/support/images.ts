// Small images for tests: real tar layers, configs and manifests of both families, put into a store.
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { concatBytes } from '../../src/base/bytes.ts';
import { streamOf } from '../../src/base/streams.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Document, ImageStore } from '../../src/oci/image-store.ts';
import { makeDescriptor, serialize, type Descriptor, type JsonObject } from '../../src/oci/manifest.ts';
import * as types from '../../src/oci/media-types.ts';

export type TarEntry = Partial<Header> & { readonly name: string; readonly content?: string | Uint8Array };

/** A tar archive of `entries`, in their order. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Uint8Array> {
  const archive = pack();
  for (const { content, ...header } of entries)
    archive.entry({ mtime: new Date(0), ...header }, Buffer.from(content ?? ''));
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return concatBytes(chunks);
}

/** A layer as it is stored, with the digest of what it holds. */
export interface TestLayer {
  readonly bytes: Uint8Array;
  readonly diffId: Digest;
  readonly mediaType: string;
}

export async function layerOf(
  entries: readonly TarEntry[],
  family: types.MediaFamily = 'oci',
  compression: 'none' | 'gzip' = 'gzip',
): Promise<TestLayer> {
  const tar = await tarOf(entries);
  return {
    bytes: compression === 'gzip' ? gzipSync(tar) : tar,
    diffId: digestOf(tar),
    mediaType: types.layerMediaType(family, compression),
  };
}

export interface ImageSpec {
  readonly family?: types.MediaFamily;
  readonly layers: readonly TestLayer[];
  /** Fields that replace those of the usual config; undefined removes one. */
  readonly config?: JsonObject;
  readonly manifest?: JsonObject;
}

/** Stores an image; nothing about it is checked here, so that it may be wrong in any way. */
export async function putImage(store: ImageStore, spec: ImageSpec, tag?: string): Promise<Document> {
  const family = spec.family ?? 'oci';
  const config = serialize({
    created: '2024-05-06T07:08:09.123456789Z',
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: spec.layers.map((layer) => layer.diffId) },
    history: spec.layers.map((_, at) => ({ created: '2024-05-06T07:08:09Z', created_by: `step ${at}` })),
    ...spec.config,
  });
  const layers: Descriptor[] = [];
  for (const layer of spec.layers) layers.push(await putBytes(store, layer.mediaType, layer.bytes));
  const configType = family === 'oci' ? types.OCI_CONFIG : types.DOCKER_CONFIG;
  const manifestType = family === 'oci' ? types.OCI_MANIFEST : types.DOCKER_MANIFEST;
  const document = documentOf(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: (await putBytes(store, configType, config)).raw,
    layers: layers.map((layer) => layer.raw),
    ...spec.manifest,
  });
  await store.putDocument(document, tag);
  return document;
}

export async function putBytes(store: ImageStore, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const descriptor = makeDescriptor(mediaType, digestOf(bytes), bytes.length);
  await store.putBlob(descriptor, { open: () => streamOf(bytes) });
  return descriptor;
}

export function documentOf(mediaType: string, value: JsonObject): Document {
  const bytes = serialize(value);
  return { descriptor: makeDescriptor(mediaType, digestOf(bytes), bytes.length), bytes };
}
