// Images that are wrong in one way each, or odd and yet sound, as `validateImage` and `onlay verify` are tried on.
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Document } from '../../src/oci/image-store.ts';
import type { JsonObject } from '../../src/oci/manifest.ts';
import * as types from '../../src/oci/media-types.ts';
import {
  documentOf,
  layerOf,
  putImage,
  tarOf,
  type ImageSpec,
  type TarEntry,
  type TestLayer,
} from './images.ts';
import { MemoryStore } from './memory-store.ts';

export interface CraftedImage {
  readonly store: MemoryStore;
  readonly document: Document;
  /** false: told without reading layers, which would tell more. */
  readonly deep: boolean;
}

export const etc: TarEntry = { name: 'etc/', type: 'directory' };
export function file(name: string): TarEntry {
  return { name, content: 'x' };
}
export const plain: TestLayer = await layerOf([etc, file('etc/a')]);
export const plainDocker: TestLayer = await layerOf([etc, file('etc/a')], 'docker');
export const rawTar: Uint8Array = await tarOf([etc, file('etc/a')]);
export function withBytes(bytes: Uint8Array, mediaType: string = plain.mediaType): TestLayer {
  return { ...plain, bytes, mediaType };
}

export async function craft(spec: Partial<ImageSpec>, deep = true): Promise<CraftedImage> {
  const store = new MemoryStore();
  return { store, document: await putImage(store, { layers: [plain], ...spec }), deep };
}
export async function craftLayers(...layers: readonly (readonly TarEntry[])[]): Promise<CraftedImage> {
  return craft({ layers: await Promise.all(layers.map((entries) => layerOf(entries))) });
}
/** A manifest whose layer or config descriptor says something else than what is stored. */
export async function craftDescriptor(
  part: 'layers' | 'config',
  change: JsonObject,
  deep = true,
): Promise<CraftedImage> {
  const store = new MemoryStore();
  const document = await putImage(store, { layers: [plain] });
  const manifest = JSON.parse(Buffer.from(document.bytes).toString()) as {
    layers: JsonObject[];
    config: JsonObject;
  };
  const changed =
    part === 'config'
      ? { ...manifest, config: { ...manifest.config, ...change } }
      : { ...manifest, layers: [{ ...manifest.layers[0], ...change }] };
  return { store, document: documentOf(types.OCI_MANIFEST, changed), deep };
}
export async function craftIndex(
  children: (image: JsonObject) => readonly JsonObject[],
  spec: Partial<ImageSpec> = {},
): Promise<CraftedImage> {
  const store = new MemoryStore();
  const image = await putImage(store, { layers: [plain], ...spec });
  const raw = { ...image.descriptor.raw, platform: { os: 'linux', architecture: 'amd64' } };
  const index = { schemaVersion: 2, mediaType: types.OCI_INDEX, manifests: children(raw) };
  return { store, document: documentOf(types.OCI_INDEX, index), deep: true };
}
export const other: Digest = digestOf(Buffer.from('other'));
/** What makes a child of an index an attestation of something else. */
export const attestation: { readonly platform: JsonObject; readonly annotations: JsonObject } = {
  platform: { os: 'unknown', architecture: 'unknown' },
  annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': other },
};
