import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  attestation,
  craft,
  craftIndex,
  craftLayers,
  file,
  other,
  plain,
  plainDocker,
  rawTar,
  withBytes,
  type CraftedImage,
} from '../../test/support/craft-image.ts';
import { defects } from '../../test/support/image-defects.ts';
import { documentOf, putBytes, putImage } from '../../test/support/images.ts';
import { MemoryStore } from '../../test/support/memory-store.ts';
import { TarParser } from '../archive/tar-read.ts';
import { digestOf } from './digest.ts';
import { makeDescriptor } from './manifest.ts';
import * as types from './media-types.ts';
import { PROBLEM_KINDS, validateImage, type ProblemKind } from './validate.ts';

async function kindsOf({ store, document, deep }: CraftedImage): Promise<ProblemKind[]> {
  const problems = await validateImage(store, document, {
    deep,
    openScanner: (onEntry, what) => new TarParser({ entry: onEntry, data() {}, end() {} }, { what }),
  });
  for (const { message } of problems) assert.match(message, /sha256:[0-9a-f]{64}/);
  return problems.map(({ kind }) => kind);
}

for (const [kind, note, craft] of defects)
  test(`validateImage() finds ${kind}: ${note}`, async () =>
    assert.deepEqual([...new Set(await kindsOf(await craft()))], [kind]));

test('every kind of problem is crafted', () => {
  assert.deepEqual([...new Set(defects.map(([kind]) => kind))].sort(), [...PROBLEM_KINDS].sort());
});

const sound: readonly [note: string, craft: () => Promise<CraftedImage>][] = [
  ['an OCI image', () => craft({})],
  ['a Docker image', () => craft({ family: 'docker', layers: [plainDocker] })],
  ['an image without history', () => craft({ config: { history: undefined } })],
  ['an uncompressed layer', () => craft({ layers: [withBytes(rawTar, types.OCI_LAYER)] })],
  [
    'several gzip members',
    () =>
      craft({
        layers: [
          withBytes(Buffer.concat([gzipSync(rawTar.subarray(0, 700)), gzipSync(rawTar.subarray(700))])),
        ],
      }),
  ],
  [
    'a last gzip member without content',
    () => craft({ layers: [withBytes(Buffer.concat([gzipSync(rawTar), gzipSync('')]))] }),
  ],
  [
    'a tar without its end',
    async () => {
      const cut = rawTar.subarray(0, rawTar.length - 1024);
      return craft({ layers: [{ bytes: cut, diffId: digestOf(cut), mediaType: types.OCI_LAYER }] });
    },
  ],
  [
    'names with "./", whiteouts of nothing, opaque directories',
    () =>
      craftLayers([
        { name: './etc/', type: 'directory' },
        { name: './etc/.wh.none' },
        { name: 'etc/.wh..wh..opq' },
      ]),
  ],
  ['hard links in one layer', () => craftLayers([file('a'), { name: './b', type: 'link', linkname: '/a' }])],
  [
    'a directory in place of a lower symlink',
    () =>
      craftLayers(
        [{ name: 'bin', type: 'symlink', linkname: 'x' }],
        [{ name: 'bin/', type: 'directory' }, file('bin/a')],
      ),
  ],
  [
    'a directory where a symlink was removed',
    () =>
      craftLayers([{ name: 'bin', type: 'symlink', linkname: 'x' }], [{ name: '.wh.bin' }], [file('bin/a')]),
  ],
  [
    'an index with platforms and attestations',
    () =>
      craftIndex((image) => [
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
    () => craftIndex((image) => [image], { config: { variant: 'v2' } }),
  ],
];
for (const [note, craft] of sound)
  test(`validateImage() finds nothing wrong with ${note}`, async () =>
    assert.deepEqual(await kindsOf(await craft()), []));

test('without `deep` no layer is read', async () => {
  const store = new MemoryStore();
  const document = await putImage(store, {
    layers: [plain],
    config: { rootfs: { type: 'layers', diff_ids: [other] } },
  });
  assert.deepEqual(await kindsOf({ store, document, deep: false }), []);
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
  assert.deepEqual(await kindsOf({ store, document: index, deep: true }), ['blob-missing']);
});

test('a failure of the store is no problem of the image', async () => {
  const store = new MemoryStore();
  const document = await putImage(store, { layers: [plain] });
  store.blob = () => {
    throw new Error('the network is down');
  };
  await assert.rejects(validateImage(store, document, { deep: true }), /network is down/);
});
