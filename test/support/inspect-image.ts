// Looking at what a run left in a store, without the code that wrote it.
import assert from 'node:assert/strict';
import { TarParser } from '../../src/archive/tar-read.ts';
import { silentLog } from '../../src/base/log.ts';
import { collect } from '../../src/base/streams.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { makeDescriptor, type JsonObject } from '../../src/oci/manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { validateImage } from '../../src/oci/validate.ts';
import { openRegistry } from '../../src/stores/registry/index.ts';
import type { SeenRequest } from './http-server.ts';

export function registryStore(reference: string): ImageStore {
  return openRegistry(parseReference(reference), { env: {}, log: silentLog });
}

export interface RawDescriptor extends JsonObject {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Manifest or index as JSON. */
export interface RawDocument extends JsonObject {
  readonly mediaType: string;
  readonly config: RawDescriptor;
  readonly layers: readonly RawDescriptor[];
  readonly manifests: readonly RawDescriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export function parseRaw({ bytes }: { readonly bytes: Uint8Array }): RawDocument {
  return JSON.parse(Buffer.from(bytes).toString()) as RawDocument;
}

export async function readRaw(
  store: ImageStore,
  point: { readonly tag?: string; readonly digest?: Digest },
): Promise<RawDocument> {
  return parseRaw(await store.resolve(point));
}

export interface RawConfig extends JsonObject {
  readonly created: string;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly created_by: string; readonly comment: string }[];
}

export async function readConfig(store: ImageStore, { config }: RawDocument): Promise<RawConfig> {
  const blob = store.blob(makeDescriptor(config.mediaType, config.digest, config.size));
  const bytes = await collect(blob, { limit: 1 << 20, what: 'config' });
  return JSON.parse(Buffer.from(bytes).toString()) as RawConfig;
}

/** Everything the image refers to is there and says the truth. */
export async function assertSound(store: ImageStore, tag?: string): Promise<void> {
  const document = await store.resolve(tag === undefined ? {} : { tag });
  const problems = await validateImage(store, document, {
    deep: true,
    openScanner: (onEntry, what) => new TarParser({ entry: onEntry, data() {}, end() {} }, { what }),
  });
  assert.deepEqual(problems, []);
}

/** Requests that change something, as "PUT /v2/…". */
export function writesOf(requests: readonly SeenRequest[]): string[] {
  return requests
    .filter(({ method }) => !['GET', 'HEAD'].includes(method))
    .map(({ method, path }) => `${method} ${path}`);
}
