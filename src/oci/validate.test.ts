import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  documentOf,
  layerOf,
  putBytes,
  putImage,
  tarOf,
  type ImageSpec,
  type TarEntry,
  type TestLayer,
} from '../../test/support/images.ts';
import { MemoryStore } from '../../test/support/memory-store.ts';
import { TarParser } from '../archive/tar-read.ts';
import { digestOf } from './digest.ts';
import type { Document } from './image-store.ts';
import { makeDescriptor, type JsonObject } from './manifest.ts';
import * as types from './media-types.ts';
import { PROBLEM_KINDS, validateImage, type OpenScanner, type ProblemKind } from './validate.ts';

const openScanner: OpenScanner = (onEntry, what) =>
  new TarParser({ entry: onEntry, data() {}, end() {} }, { what });
const etc: TarEntry = { name: 'etc/', type: 'directory' };
const file = (name: string): TarEntry => ({ name, content: 'x' });
const plain = await layerOf([etc, file('etc/a')]);
const plainDocker = await layerOf([etc, file('etc/a')], 'docker');
const rawTar = await tarOf([etc, file('etc/a')]);
const withBytes = (bytes: Uint8Array, mediaType = plain.mediaType): TestLayer => ({
  ...plain,
  bytes,
  mediaType,
});

async function kindsOf(store: MemoryStore, document: Document, deep = true): Promise<ProblemKind[]> {
  const problems = await validateImage(store, document, { deep, openScanner });
  for (const { message } of problems) assert.match(message, /sha256:[0-9a-f]{64}/);
  return problems.map(({ kind }) => kind);
}
async function check(spec: Partial<ImageSpec>, deep = true): Promise<ProblemKind[]> {
  const store = new MemoryStore();
  return kindsOf(store, await putImage(store, { layers: [plain], ...spec }), deep);
}
async function checkLayers(...layers: readonly (readonly TarEntry[])[]): Promise<ProblemKind[]> {
  return check({ layers: await Promise.all(layers.map((entries) => layerOf(entries))) });
}
/** A manifest whose layer or config descriptor says something else than what is stored. */
async function checkDescriptor(
  part: 'layers' | 'config',
  change: JsonObject,
  deep = true,
): Promise<ProblemKind[]> {
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
  return kindsOf(store, documentOf(types.OCI_MANIFEST, changed), deep);
}
async function checkIndex(
  children: (image: JsonObject) => readonly JsonObject[],
  spec: Partial<ImageSpec> = {},
): Promise<ProblemKind[]> {
  const store = new MemoryStore();
  const image = await putImage(store, { layers: [plain], ...spec });
  const raw = { ...image.descriptor.raw, platform: { os: 'linux', architecture: 'amd64' } };
  return kindsOf(
    store,
    documentOf(types.OCI_INDEX, { schemaVersion: 2, mediaType: types.OCI_INDEX, manifests: children(raw) }),
  );
}
const other = digestOf(Buffer.from('other'));
const attestation = {
  platform: { os: 'unknown', architecture: 'unknown' },
  annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': other },
};

const defects: readonly [kind: ProblemKind, note: string, found: () => Promise<ProblemKind[]>][] = [
  [
    'document-digest',
    'the manifest is not what its digest says',
    async () => {
      const store = new MemoryStore();
      const { descriptor, bytes } = await putImage(store, { layers: [plain] });
      return kindsOf(store, { descriptor, bytes: bytes.with(bytes.length - 1, 0x20) });
    },
  ],
  [
    'document-invalid',
    'a digest string that is none',
    () => checkDescriptor('config', { digest: 'sha256:../x' }),
  ],
  ['document-invalid', 'layers and manifests in one document', () => check({ manifest: { manifests: [] } })],
  ['document-unsupported', 'schema 1', () => check({ manifest: { schemaVersion: 1 } })],
  ['media-type-missing', 'no mediaType', () => check({ manifest: { mediaType: undefined } })],
  [
    'child-missing',
    'a child is not there',
    () => checkIndex((image) => [image, { ...image, digest: other, platform: undefined }]),
  ],
  ['child-mismatch', 'a child has another size', () => checkIndex((image) => [{ ...image, size: 1 }])],
  ['platform-duplicate', 'one platform twice', () => checkIndex((image) => [image, image])],
  [
    'platform-mismatch',
    'index and config name different platforms',
    () => checkIndex((image) => [image], { config: { architecture: 'arm64' } }),
  ],
  [
    'attestation-orphan',
    'an attestation of nothing listed',
    () => checkIndex((image) => [image, { ...image, ...attestation }]),
  ],
  ['family-mixed', "Docker's layer in an OCI manifest", () => check({ layers: [plainDocker] })],
  ['family-mixed', "OCI's layer in a Docker manifest", () => check({ family: 'docker', layers: [plain] })],
  [
    'zstd-in-docker',
    'a zstd layer in a Docker manifest',
    () => check({ family: 'docker', layers: [withBytes(rawTar, `${types.DOCKER_LAYER}.zstd`)] }, false),
  ],
  [
    'annotations-in-docker',
    'annotations in a Docker manifest',
    () => check({ family: 'docker', layers: [plainDocker], manifest: { annotations: {} } }),
  ],
  [
    'layer-type-unknown',
    'a layer of an unknown type',
    () => check({ layers: [plain, withBytes(plain.bytes, 'application/vnd.oci.image.layer.v1.tar+lz4')] }),
  ],
  ['layers-too-many', '126 layers', () => check({ layers: Array.from({ length: 126 }, () => plain) }, false)],
  ['blob-missing', 'a layer is not there', () => checkDescriptor('layers', { digest: other }, false)],
  [
    'blob-missing',
    'a layer is not there, found by reading',
    () => checkDescriptor('layers', { digest: other }),
  ],
  ['blob-missing', 'the config is not there', () => checkDescriptor('config', { digest: other })],
  [
    'blob-digest',
    'a layer was changed in the store',
    async () => {
      const store = new MemoryStore();
      const document = await putImage(store, { layers: [plain] });
      store.blobs.set(digestOf(plain.bytes), plain.bytes.with(20, plain.bytes[20]! ^ 1));
      return kindsOf(store, document);
    },
  ],
  ['blob-size', 'a wrong layer size', () => checkDescriptor('layers', { size: plain.bytes.length + 1 })],
  [
    'layer-foreign',
    'a layer that is kept elsewhere',
    () =>
      checkDescriptor(
        'layers',
        { digest: other, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' },
        false,
      ),
  ],
  [
    'layer-encrypted',
    'an encrypted layer',
    () => check({ layers: [withBytes(rawTar, `${types.OCI_LAYER}+gzip+encrypted`)] }),
  ],
  ['config-invalid', 'a config without rootfs', () => check({ config: { rootfs: undefined } }, false)],
  [
    'config-invalid',
    'a diff_id that is no digest',
    () => check({ config: { rootfs: { type: 'layers', diff_ids: ['sha256:x'] } } }, false),
  ],
  ['platform-missing', 'no os', () => check({ config: { os: undefined } })],
  ['platform-missing', 'no architecture', () => check({ config: { architecture: '' } })],
  ['created-invalid', 'created is no date', () => check({ config: { created: 'yesterday' } })],
  [
    'layer-count',
    'fewer diff_ids than layers',
    () =>
      check({
        layers: [plain, plain],
        config: { rootfs: { type: 'layers', diff_ids: [plain.diffId] }, history: undefined },
      }),
  ],
  ['history-long', 'too many history entries', () => check({ config: { history: [{}, {}] } })],
  ['history-short', 'too few history entries', () => check({ config: { history: [] } })],
  ['diff-id', 'a wrong diff_id', () => check({ config: { rootfs: { type: 'layers', diff_ids: [other] } } })],
  ['compression-mismatch', 'a plain layer that is called gzip', () => check({ layers: [withBytes(rawTar)] })],
  [
    'layer-damaged',
    'a layer that is cut off',
    () => check({ layers: [withBytes(plain.bytes.subarray(0, -10))] }),
  ],
  [
    'layer-damaged',
    'something behind the gzip data',
    () => check({ layers: [withBytes(Buffer.concat([plain.bytes, Buffer.from('trailer')]))] }),
  ],
  [
    'gzip-padding',
    'one zero behind the gzip data',
    () => check({ layers: [withBytes(Buffer.concat([plain.bytes, Buffer.alloc(1)]))] }),
  ],
  [
    'gzip-padding',
    'a block of zeros behind the gzip data',
    () => check({ layers: [withBytes(Buffer.concat([plain.bytes, Buffer.alloc(512)]))] }),
  ],
  [
    'tar-invalid',
    'no tar in the layer',
    async () => {
      const bytes = Buffer.alloc(1024, 'no tar');
      return check({
        layers: [{ bytes: gzipSync(bytes), diffId: digestOf(bytes), mediaType: plain.mediaType }],
      });
    },
  ],
  ['path-duplicate', 'one path twice in a layer', () => checkLayers([etc, file('etc/a'), file('./etc//a')])],
  [
    'hardlink-outside',
    'a hard link to a file of a lower layer',
    () => checkLayers([file('a')], [{ name: 'b', type: 'link', linkname: 'a' }]),
  ],
  [
    'hardlink-outside',
    'a hard link before its file',
    () => checkLayers([{ name: 'a', type: 'link', linkname: 'b' }, file('b')]),
  ],
  [
    'path-through-symlink',
    'a file below a symlink of a lower layer',
    () => checkLayers([{ name: 'bin', type: 'symlink', linkname: 'usr/bin' }], [file('bin/newx')]),
  ],
  ['path-outside', 'a path that leaves the root', () => checkLayers([file('a/../../b')])],
  ['whiteout-invalid', 'a whiteout of nothing at all', () => checkLayers([{ name: 'etc/.wh.' }])],
  ['whiteout-invalid', 'a whiteout with content', () => checkLayers([file('etc/.wh.a')])],
];

for (const [kind, note, found] of defects)
  test(`validateImage() finds ${kind}: ${note}`, async () =>
    assert.deepEqual([...new Set(await found())], [kind]));

test('every kind of problem is crafted above', () => {
  assert.deepEqual([...new Set(defects.map(([kind]) => kind))].sort(), [...PROBLEM_KINDS].sort());
});

const sound: readonly [note: string, found: () => Promise<ProblemKind[]>][] = [
  ['an OCI image', () => check({})],
  ['a Docker image', () => check({ family: 'docker', layers: [plainDocker] })],
  ['an image without history', () => check({ config: { history: undefined } })],
  ['an uncompressed layer', () => check({ layers: [withBytes(rawTar, types.OCI_LAYER)] })],
  [
    'several gzip members',
    () =>
      check({
        layers: [
          withBytes(Buffer.concat([gzipSync(rawTar.subarray(0, 700)), gzipSync(rawTar.subarray(700))])),
        ],
      }),
  ],
  [
    'a last gzip member without content',
    () => check({ layers: [withBytes(Buffer.concat([gzipSync(rawTar), gzipSync('')]))] }),
  ],
  [
    'a tar without its end',
    async () => {
      const cut = rawTar.subarray(0, rawTar.length - 1024);
      return check({ layers: [{ bytes: cut, diffId: digestOf(cut), mediaType: types.OCI_LAYER }] });
    },
  ],
  [
    'names with "./", whiteouts of nothing, opaque directories',
    () =>
      checkLayers([
        { name: './etc/', type: 'directory' },
        { name: './etc/.wh.none' },
        { name: 'etc/.wh..wh..opq' },
      ]),
  ],
  ['hard links in one layer', () => checkLayers([file('a'), { name: './b', type: 'link', linkname: '/a' }])],
  [
    'a directory in place of a lower symlink',
    () =>
      checkLayers(
        [{ name: 'bin', type: 'symlink', linkname: 'x' }],
        [{ name: 'bin/', type: 'directory' }, file('bin/a')],
      ),
  ],
  [
    'a directory where a symlink was removed',
    () =>
      checkLayers([{ name: 'bin', type: 'symlink', linkname: 'x' }], [{ name: '.wh.bin' }], [file('bin/a')]),
  ],
  [
    'an index with platforms and attestations',
    () =>
      checkIndex((image) => [
        image,
        {
          ...image,
          ...attestation,
          annotations: { ...attestation.annotations, 'vnd.docker.reference.digest': image['digest'] },
        },
      ]),
  ],
  [
    'an index that is silent on the variant',
    () => checkIndex((image) => [image], { config: { variant: 'v2' } }),
  ],
];
for (const [note, found] of sound)
  test(`validateImage() finds nothing wrong with ${note}`, async () => assert.deepEqual(await found(), []));

test('without `deep` no layer is read', async () => {
  const store = new MemoryStore();
  const document = await putImage(store, {
    layers: [plain],
    config: { rootfs: { type: 'layers', diff_ids: [other] } },
  });
  assert.deepEqual(await kindsOf(store, document, false), []);
});

test('an artifact in an index is checked for its blobs only', async () => {
  const store = new MemoryStore();
  const config = await putBytes(store, types.OCI_EMPTY, Buffer.from('{}'));
  const layer = makeDescriptor('application/vnd.example', other, 5);
  const artifact = documentOf(types.OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: types.OCI_MANIFEST,
    config: config.raw,
    layers: [layer.raw],
  });
  await store.putDocument(artifact);
  const index = documentOf(types.OCI_INDEX, {
    schemaVersion: 2,
    mediaType: types.OCI_INDEX,
    manifests: [artifact.descriptor.raw],
  });
  assert.deepEqual(await kindsOf(store, index), ['blob-missing']);
});

test('a failure of the store is no problem of the image', async () => {
  const store = new MemoryStore();
  const document = await putImage(store, { layers: [plain] });
  store.blob = () => {
    throw new Error('the network is down');
  };
  await assert.rejects(validateImage(store, document, { deep: true }), /network is down/);
});
