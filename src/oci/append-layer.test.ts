import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf, layerOf, putBytes, putImage, type ImageSpec } from '../../test/support/images.ts';
import { MemoryStore } from '../../test/support/memory-store.ts';
import { appendLayer, type AppendedImage, type LayerNote, type NewLayer } from './append-layer.ts';
import { parseConfig } from './config.ts';
import { digestOf } from './digest.ts';
import { readImage, type Image } from './image.ts';
import { findPatchLayer, pointAt, withoutPatchLayer } from './lineage.ts';
import { serialize, type JsonObject } from './manifest.ts';
import { OCI_MANIFEST, type MediaFamily } from './media-types.ts';

const layer = await layerOf([{ name: 'etc/', type: 'directory' }]);
const patch: NewLayer = {
  digest: digestOf(Buffer.from('compressed')),
  size: 10,
  diffId: digestOf(Buffer.from('tar')),
  compression: 'gzip',
};
const base = { digest: digestOf(Buffer.from('base')), name: 'docker.io/library/base:1' };
const note: LayerNote = { createdBy: 'upgrade 3 packages', comment: 'fixes CVE-2024-1', base };

async function imageOf(spec: Partial<ImageSpec> = {}): Promise<Image> {
  const store = new MemoryStore();
  const family: MediaFamily = spec.family ?? 'oci';
  const own = await layerOf([{ name: 'etc/', type: 'directory' }], family);
  return readImage(store, await putImage(store, { layers: [own, own], ...spec }));
}
const text = (value: unknown): string => Buffer.from(serialize(value)).toString();
const asJson = (appended: AppendedImage, part: 'config' | 'manifest'): JsonObject =>
  JSON.parse(Buffer.from(appended[part].bytes).toString()) as JsonObject;

test('appendLayer() changes diff_ids, history and annotations and nothing else', async () => {
  const image = await imageOf({
    config: {
      'x-first': 12345678901234567890n.toString(),
      'os.features': ['win32k'],
      container_config: { Tty: false },
    },
    manifest: { annotations: { 'org.opencontainers.image.version': '1' }, 'x-unknown': [1] },
  });
  const appended = appendLayer(image, patch, note);
  const config = asJson(appended, 'config');
  const source = JSON.parse(Buffer.from(image.configBytes).toString()) as JsonObject;
  assert.deepEqual(Object.keys(config), Object.keys(source));
  assert.deepEqual(
    { ...config, history: (config['history'] as unknown[]).slice(0, -1), rootfs: undefined },
    { ...source, rootfs: undefined },
  );
  assert.deepEqual(config['rootfs'], {
    type: 'layers',
    diff_ids: [layer.diffId, layer.diffId, patch.diffId],
  });
  const entry = (config['history'] as JsonObject[]).at(-1);
  assert.equal(entry?.['created_by'], 'onlay patch: upgrade 3 packages');
  assert.equal(entry?.['created'], source['created']);
  assert.equal(entry?.['empty_layer'], undefined);
  const manifest = asJson(appended, 'manifest');
  assert.deepEqual(manifest['x-unknown'], [1]);
  assert.deepEqual(manifest['annotations'], {
    'org.opencontainers.image.base.digest': base.digest,
    'org.opencontainers.image.base.name': base.name,
    'org.opencontainers.image.version': '1',
  });
  assert.equal((manifest['layers'] as unknown[]).length, 3);
  assert.equal(appended.layerDescriptor.mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip');
  assert.equal(appended.config.descriptor.digest, digestOf(appended.config.bytes));
  assert.equal((manifest['config'] as JsonObject)['digest'], appended.config.descriptor.digest);
  assert.equal(appended.image.layers.at(-1)?.diffId, patch.diffId);
});

test('appendLayer() gives the same bytes each time', async () => {
  const [a, b] = [appendLayer(await imageOf(), patch, note), appendLayer(await imageOf(), patch, note)];
  assert.equal(a.manifest.descriptor.digest, b.manifest.descriptor.digest);
});

test("appendLayer() keeps Docker's family: no annotations, no zstd, Docker's layer type", async () => {
  const image = await imageOf({ family: 'docker' });
  const appended = appendLayer(image, patch, { ...note, annotations: { 'dev.onlay.x': '1' } });
  assert.equal(asJson(appended, 'manifest')['annotations'], undefined);
  assert.equal(appended.layerDescriptor.mediaType, 'application/vnd.docker.image.rootfs.diff.tar.gzip');
  assert.deepEqual(Object.keys(appended.layerDescriptor.raw), ['mediaType', 'digest', 'size']);
  assert.equal(appended.config.descriptor.mediaType, 'application/vnd.docker.container.image.v1+json');
  assert.throws(() => appendLayer(image, { ...patch, compression: 'zstd' }, note), {
    code: 'IMAGE_UNSUPPORTED',
  });
});

test('appendLayer() writes zstd and plain layers in OCI', async () => {
  const image = await imageOf();
  const type = (compression: 'none' | 'zstd'): string =>
    appendLayer(image, { ...patch, compression }, note).layerDescriptor.mediaType;
  assert.equal(type('zstd'), 'application/vnd.oci.image.layer.v1.tar+zstd');
  assert.equal(type('none'), 'application/vnd.oci.image.layer.v1.tar');
});

test('history is extended only where it speaks of every layer', async () => {
  const history = async (value: unknown): Promise<unknown> =>
    asJson(appendLayer(await imageOf({ config: { history: value } }), patch, note), 'config')['history'];
  const step = { created_by: 'a' };
  const empty = { created_by: 'b', empty_layer: true };
  assert.equal(await history(undefined), undefined);
  assert.equal(await history(null), null);
  assert.deepEqual(await history([]), []);
  assert.deepEqual(await history([step]), [step]);
  assert.deepEqual(await history([step, step, step]), [step, step, step]);
  assert.equal(((await history([step, empty, step, empty])) as unknown[]).length, 5);
});

test('appendLayer() writes the mediaType that a manifest may lack', async () => {
  const manifest = asJson(
    appendLayer(await imageOf({ manifest: { mediaType: undefined } }), patch, note),
    'manifest',
  );
  assert.deepEqual(Object.keys(manifest).slice(0, 2), ['schemaVersion', 'mediaType']);
  assert.equal(manifest['mediaType'], OCI_MANIFEST);
});

test('base annotations of the source are kept under our own keys', async () => {
  const annotations = {
    'org.opencontainers.image.base.name': 'docker.io/library/debian:12',
    'org.opencontainers.image.base.digest': digestOf(Buffer.from('debian')),
  };
  const image = await imageOf({ manifest: { annotations } });
  const result = asJson(appendLayer(image, patch, { ...note, base: { digest: base.digest } }), 'manifest');
  assert.deepEqual(result['annotations'], {
    'dev.onlay.original.base.digest': annotations['org.opencontainers.image.base.digest'],
    'dev.onlay.original.base.name': 'docker.io/library/debian:12',
    'org.opencontainers.image.base.digest': base.digest,
  });
});

test('created is replaced when given, else kept to the nanosecond', async () => {
  const image = await imageOf();
  assert.equal(appendLayer(image, patch, note).image.config.created, '2024-05-06T07:08:09.123456789Z');
  const created = '2023-11-14T22:13:20Z';
  assert.equal(appendLayer(image, patch, { ...note, created }).image.config.created, created);
});

test('embedded data of a descriptor does not survive the change of its digest', () => {
  assert.equal(
    text(pointAt({ mediaType: 'a/b', size: 1, data: 'e30=', x: 1 }, base.digest, 2)),
    `{"mediaType":"a/b","size":2,"x":1,"digest":"${base.digest}"}`,
  );
});

const shapes: readonly [note: string, spec: Partial<ImageSpec>][] = [
  ['an OCI image', {}],
  ['a Docker image', { family: 'docker' }],
  ['an image without created', { config: { created: undefined } }],
  ['an OCI image without history', { config: { history: undefined } }],
  [
    'an image with base annotations',
    { manifest: { annotations: { 'org.opencontainers.image.base.name': 'a', b: 'c' } } },
  ],
  ['a manifest without mediaType', { manifest: { mediaType: undefined } }],
];
for (const [name, spec] of shapes)
  test(`patching ${name} again gives what patching it once gives`, async () => {
    const image = await imageOf(spec);
    const created = '2023-11-14T22:13:20Z';
    const first = appendLayer(image, patch, { ...note, created, annotations: { 'dev.onlay.run': '1' } });
    const found = findPatchLayer(first.image);
    assert.deepEqual(found, {
      by: 'onlay',
      at: 2,
      removable: true,
      baseDigest: base.digest,
      baseName: base.name,
    });
    const below = withoutPatchLayer(first.image);
    assert.ok(below);
    assert.deepEqual(below.config.raw, parseConfig(image.configBytes).raw, 'the config is the old one');
    assert.equal(findPatchLayer(below), undefined);
    const again = appendLayer(below, patch, { ...note, created, annotations: { 'dev.onlay.run': '1' } });
    assert.equal(again.manifest.descriptor.digest, first.manifest.descriptor.digest);
  });

test('the mark is found in either place alone', async () => {
  const { image } = appendLayer(await imageOf(), patch, note);
  const store = new MemoryStore();
  const plainLayers = image.layers.map(({ descriptor: { raw } }) => ({ ...raw, annotations: undefined }));
  const config = await putBytes(store, image.manifest.config.mediaType, image.configBytes);
  const stripped = documentOf(OCI_MANIFEST, {
    ...image.manifest.raw,
    layers: plainLayers,
    config: config.raw,
  });
  assert.equal(
    findPatchLayer(await readImage(store, stripped))?.removable,
    true,
    'docker push drops annotations',
  );
  const noHistory = await putBytes(
    store,
    image.manifest.config.mediaType,
    serialize({ ...image.config.raw, history: undefined }),
  );
  const bare = documentOf(OCI_MANIFEST, { ...image.manifest.raw, config: noHistory.raw });
  assert.equal(findPatchLayer(await readImage(store, bare))?.removable, true);
});

test('an image built on a patched one is extended, not cut', async () => {
  const patched = appendLayer(await imageOf(), patch, note).image;
  const built = appendLayer(patched, { ...patch, diffId: digestOf(Buffer.from('app')) }, note);
  const raw = { ...built.image.config.raw };
  const history = (raw['history'] as JsonObject[]).with(3, { created_by: 'COPY app /' });
  const store = new MemoryStore();
  const config = await putBytes(store, built.image.manifest.config.mediaType, serialize({ ...raw, history }));
  const layers = built.image.layers.map(({ descriptor: { raw } }, at) =>
    at === 3 ? { ...raw, annotations: undefined } : raw,
  );
  const image = await readImage(
    store,
    documentOf(OCI_MANIFEST, { ...built.image.manifest.raw, layers, config: config.raw }),
  );
  assert.deepEqual([findPatchLayer(image)?.at, findPatchLayer(image)?.removable], [2, false]);
  assert.equal(withoutPatchLayer(image), undefined);
});

test('settings changed on top of our layer survive its removal', async () => {
  const patched = appendLayer(await imageOf(), patch, note).image;
  const env = { created_by: 'ENV A=1', empty_layer: true };
  const raw = {
    ...patched.config.raw,
    config: { Env: ['A=1'] },
    history: [...(patched.config.raw['history'] as unknown[]), env],
  };
  const store = new MemoryStore();
  const config = await putBytes(store, patched.manifest.config.mediaType, serialize(raw));
  const image = await readImage(
    store,
    documentOf(OCI_MANIFEST, { ...patched.manifest.raw, config: config.raw }),
  );
  const below = withoutPatchLayer(image);
  assert.deepEqual(
    below?.config.history?.map(({ createdBy }) => createdBy),
    ['step 0', 'step 1', 'ENV A=1'],
  );
  assert.equal(text(below?.config.raw['config']), '{"Env":["A=1"]}');
});

test('our layer on other layers than it was made for is not taken off', async () => {
  const { image } = appendLayer(await imageOf(), patch, note);
  const other = digestOf(Buffer.from('other base'));
  const raw = { ...image.config.raw, rootfs: { type: 'layers', diff_ids: [other, other, patch.diffId] } };
  const store = new MemoryStore();
  const config = await putBytes(store, image.manifest.config.mediaType, serialize(raw));
  const rebased = await readImage(
    store,
    documentOf(OCI_MANIFEST, { ...image.manifest.raw, config: config.raw }),
  );
  assert.equal(findPatchLayer(rebased)?.removable, false);
});

test('a damaged record is no mark', async () => {
  const image = await imageOf();
  for (const value of [
    '',
    '{',
    '{}',
    '[]',
    `{"base":"sha256:x","below":"${base.digest}"}`,
    `{"base":"${base.digest}"}`,
  ]) {
    const layers = image.layers.map(({ descriptor: { raw } }) => ({
      ...raw,
      annotations: { 'dev.onlay.patch': value },
    }));
    const store = new MemoryStore();
    await putBytes(store, image.manifest.config.mediaType, image.configBytes);
    const marked = await readImage(store, documentOf(OCI_MANIFEST, { ...image.manifest.raw, layers }));
    assert.equal(findPatchLayer(marked), undefined, value);
  }
});

test("copa's layer is recognised by label and BuildKit's history", async () => {
  const copaStep = {
    created_by: 'mount / from exec sh -c apt-get update',
    comment: 'buildkit.exporter.image.v0',
  };
  const config = {
    config: { labels: { BaseImage: 'docker.io/library/nginx:1.21' } },
    history: [{ created_by: 'a' }, copaStep],
  };
  const image = await imageOf({ config });
  assert.deepEqual(findPatchLayer(image), {
    by: 'copa',
    at: 1,
    removable: true,
    baseName: 'docker.io/library/nginx:1.21',
  });
  const below = withoutPatchLayer(image);
  assert.deepEqual([below?.layers.length, below?.config.history?.length], [1, 1]);
  assert.equal(
    findPatchLayer(await imageOf({ config: { ...config, config: {} } })),
    undefined,
    'no mark of copa',
  );
  const marked = await imageOf({
    config: { ...config, config: {} },
    manifest: { annotations: { 'sh.copa.image.patched': '2024' } },
  });
  assert.equal(findPatchLayer(marked)?.by, 'copa');
  const onTop = await imageOf({ config: { ...config, history: [copaStep, { created_by: 'b' }] } });
  assert.equal(findPatchLayer(onTop)?.removable, false);
});
