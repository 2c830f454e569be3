// R7: indexes that are cheap to write and endless to read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Document } from '../../src/oci/image-store.ts';
import { listImages } from '../../src/oci/image.ts';
import type { JsonObject } from '../../src/oci/manifest.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { documentOf, layerOf, putImage } from '../support/images.ts';
import { MemoryStore } from '../support/memory-store.ts';

async function putIndex(store: MemoryStore, manifests: readonly JsonObject[]): Promise<Document> {
  const document = documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  await store.putDocument(document, undefined);
  return document;
}

test('three indexes that list each other a thousand times are refused, not read a billion times', async () => {
  const store = new MemoryStore();
  let document = await putIndex(store, []);
  for (let depth = 0; depth < 3; depth++)
    document = await putIndex(
      store,
      Array.from({ length: 1000 }, () => document.descriptor.raw),
    );
  await assert.rejects(listImages(store, document), { code: 'LIMIT_EXCEEDED' });
});

test('an index of a hundred thousand entries is refused', async () => {
  const store = new MemoryStore();
  const image = await putImage(store, { layers: [await layerOf([{ name: 'a', content: 'a' }])] });
  const small = { mediaType: image.descriptor.mediaType, digest: image.descriptor.digest, size: 1 };
  const document = await putIndex(
    store,
    Array.from({ length: 50_000 }, () => small),
  );
  await assert.rejects(listImages(store, document), { code: 'LIMIT_EXCEEDED' });
});

test('an image that is listed a hundred times is one image for the patch', async () => {
  const store = new MemoryStore();
  const image = await putImage(store, { layers: [await layerOf([{ name: 'a', content: 'a' }])] });
  const platform = { os: 'linux', architecture: 'amd64' };
  const document = await putIndex(
    store,
    Array.from({ length: 100 }, () => ({ ...image.descriptor.raw, platform })),
  );
  const images = await listImages(store, document);
  assert.equal(new Set(images.map(({ descriptor }) => descriptor.digest)).size, 1);
});
