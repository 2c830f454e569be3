import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf, layerOf, putImage } from '../../test/support/images.ts';
import { MemoryStore } from '../../test/support/memory-store.ts';
import { OnlayError } from '../errors.ts';
import { listImages, readImage, readIndexImage } from './image.ts';
import type { Document } from './image-store.ts';
import type { JsonObject } from './manifest.ts';
import { OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import { parsePlatform } from './platform.ts';

const layer = await layerOf([{ name: 'etc/', type: 'directory' }]);

async function putIndex(
  store: MemoryStore,
  manifests: readonly JsonObject[],
  tag?: string,
): Promise<Document> {
  const document = documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  await store.putDocument(document, tag);
  return document;
}

test('readImage() pairs layers with their diff IDs', async () => {
  const store = new MemoryStore();
  const other = await layerOf([{ name: 'x' }], 'docker', 'none');
  await putImage(store, { family: 'docker', layers: [layer, other] }, 'a');
  const image = await readImage(store, { tag: 'a' });
  assert.equal(image.manifest.family, 'docker');
  assert.deepEqual(
    image.layers.map(({ diffId }) => diffId),
    [layer.diffId, other.diffId],
  );
  assert.equal(image.layers[1]?.descriptor.size, other.bytes.length);
  assert.deepEqual(image.platform, { os: 'linux', architecture: 'amd64' });
  assert.equal(image.index, undefined);
});

test('readImage() chooses from an index, through nested ones, past attestations', async () => {
  const store = new MemoryStore();
  const amd64 = await putImage(store, { layers: [layer] });
  const arm = await putImage(store, { layers: [layer], config: { architecture: 'arm', os: undefined } });
  const platform = { os: 'linux', architecture: 'arm', variant: 'v6' };
  const inner = await putIndex(store, [{ ...arm.descriptor.raw, platform }]);
  const unknown = { os: 'unknown', architecture: 'unknown' };
  const outer = await putIndex(
    store,
    [amd64.descriptor.raw, { ...amd64.descriptor.raw, platform: unknown }, inner.descriptor.raw],
    'a',
  );
  const image = await readImage(store, { tag: 'a' }, parsePlatform('linux/arm/v7'));
  assert.equal(image.document.descriptor.digest, arm.descriptor.digest);
  assert.deepEqual(image.platform, platform, 'the index completes what the config does not say');
  assert.equal(image.index?.descriptor.digest, outer.descriptor.digest);
  const images = await listImages(store, outer);
  assert.deepEqual(
    images.map(({ path }) => path.length),
    [1, 2],
  );
  assert.deepEqual(images[0]?.platform, { os: 'linux', architecture: 'amd64' }, 'asked of the config');
  assert.equal((await readIndexImage(store, images[0])).layers.length, 1);
  await assert.rejects(readImage(store, outer), (error) => {
    assert.ok(error instanceof OnlayError && error.code === 'PLATFORM_NOT_FOUND');
    assert.match(error.hint ?? '', /linux\/amd64, linux\/arm\/v6/);
    return true;
  });
});

test('a single image must match the platform that is asked for', async () => {
  const store = new MemoryStore();
  await putImage(store, { layers: [layer] }, 'a');
  await readImage(store, { tag: 'a' }, parsePlatform('linux/amd64'));
  await assert.rejects(readImage(store, { tag: 'a' }, parsePlatform('linux/arm64')), {
    code: 'PLATFORM_NOT_FOUND',
  });
});

test('an index of one image needs no platform', async () => {
  const store = new MemoryStore();
  const amd64 = await putImage(store, { layers: [layer] });
  await putIndex(store, [amd64.descriptor.raw], 'a');
  assert.equal((await readImage(store, { tag: 'a' })).document.descriptor.digest, amd64.descriptor.digest);
});

test('readImage() refuses an image whose config has another number of layers', async () => {
  const store = new MemoryStore();
  await putImage(store, { layers: [layer], config: { rootfs: { type: 'layers', diff_ids: [] } } }, 'a');
  await assert.rejects(readImage(store, { tag: 'a' }), {
    code: 'IMAGE_INVALID',
    message: /1 layers but .* 0 diff_ids/,
  });
});

test('readImage() refuses artifacts and an index without images', async () => {
  const store = new MemoryStore();
  await putImage(store, { layers: [layer], manifest: { artifactType: 'application/vnd.example' } }, 'chart');
  await assert.rejects(readImage(store, { tag: 'chart' }), {
    code: 'IMAGE_UNSUPPORTED',
    message: /vnd\.example/,
  });
  await putIndex(store, [], 'empty');
  await assert.rejects(readImage(store, { tag: 'empty' }), {
    code: 'IMAGE_UNSUPPORTED',
    message: /no image/,
  });
});

test('readImage() refuses indexes that are nested too deep', async () => {
  const store = new MemoryStore();
  let document = await putImage(store, { layers: [layer] });
  for (let depth = 0; depth < 6; depth++) document = await putIndex(store, [document.descriptor.raw]);
  await assert.rejects(readImage(store, document), { code: 'LIMIT_EXCEEDED' });
});

test('a child that is not what its descriptor says is refused', async () => {
  const store = new MemoryStore();
  const amd64 = await putImage(store, { layers: [layer] });
  const platform = { os: 'linux', architecture: 'amd64' };
  await putIndex(store, [{ ...amd64.descriptor.raw, size: amd64.descriptor.size + 1, platform }], 'size');
  await assert.rejects(readImage(store, { tag: 'size' }), { code: 'SIZE_MISMATCH' });
  const inner = await putIndex(store, [amd64.descriptor.raw]);
  await putIndex(store, [{ ...inner.descriptor.raw, mediaType: OCI_MANIFEST, platform }], 'type');
  await assert.rejects(readImage(store, { tag: 'type' }), { code: 'IMAGE_INVALID' });
});
