import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf } from '../../test/support/images.ts';
import { digestOf, type Digest } from './digest.ts';
import type { Document } from './image-store.ts';
import { isArtifact, makeDescriptor, parseDocument, serialize, type JsonObject } from './manifest.ts';
import * as types from './media-types.ts';

const DIGEST = `sha256:${'a'.repeat(64)}` as Digest;
const config = { mediaType: types.OCI_CONFIG, digest: DIGEST, size: 2 };
const layer = { mediaType: `${types.OCI_LAYER}+gzip`, digest: DIGEST, size: 3 };
const manifest = { schemaVersion: 2, mediaType: types.OCI_MANIFEST, config, layers: [layer] };
const child = {
  mediaType: types.OCI_MANIFEST,
  digest: DIGEST,
  size: 4,
  platform: { os: 'linux', architecture: 'amd64' },
};
const index = { schemaVersion: 2, mediaType: types.OCI_INDEX, manifests: [child] };

function textDocument(text: string, claimed: string): Document {
  const bytes = Buffer.from(text);
  const descriptor = makeDescriptor('a/b', digestOf(bytes), bytes.length);
  return { descriptor: { ...descriptor, mediaType: claimed }, bytes };
}
const documentAs = (claimed: string, value: JsonObject): Document =>
  textDocument(Buffer.from(serialize(value)).toString(), claimed);

test('parseDocument() reads a manifest and an index of both families', () => {
  const parsed = parseDocument(
    documentOf(types.OCI_MANIFEST, { ...manifest, annotations: { a: 'b' }, subject: child }),
  );
  assert.equal(parsed.kind, 'manifest');
  assert.equal(parsed.family, 'oci');
  assert.deepEqual({ ...parsed.annotations }, { a: 'b' });
  assert.equal(parsed.subject?.digest, DIGEST);
  assert.equal(parsed.kind === 'manifest' && parsed.layers[0]?.size, 3);
  const list = parseDocument(
    documentOf(types.DOCKER_INDEX, { schemaVersion: 2, mediaType: types.DOCKER_INDEX, manifests: [child] }),
  );
  assert.equal(list.family, 'docker');
  assert.deepEqual(list.kind === 'index' && list.manifests[0]?.platform, {
    os: 'linux',
    architecture: 'amd64',
  });
});

test('serialize(parseDocument().raw) is the document, unknown fields in their places', () => {
  const text = `{"zeta":[1.0],"schemaVersion":2,"config":{"size":2,"x":{"__proto__":1},"digest":"${DIGEST}","mediaType":"${types.OCI_CONFIG}"},"layers":[],"alpha":12345678901234567890}`;
  const parsed = parseDocument(textDocument(text, types.OCI_MANIFEST));
  assert.equal(Buffer.from(serialize(parsed.raw)).toString(), text);
});

const agreed: readonly [note: string, claimed: string, value: JsonObject, mediaType: string][] = [
  [
    'parameters of the content type are ignored',
    `${types.OCI_MANIFEST}; charset=utf-8`,
    manifest,
    types.OCI_MANIFEST,
  ],
  ['a generic content type lets the field decide', 'application/json', manifest, types.OCI_MANIFEST],
  [
    'no field: the content type decides',
    types.DOCKER_INDEX,
    { ...index, mediaType: undefined },
    types.DOCKER_INDEX,
  ],
  ['neither: an index by its shape', 'text/plain', { ...index, mediaType: undefined }, types.OCI_INDEX],
  [
    'neither: a manifest by its config',
    '',
    { ...manifest, mediaType: undefined, config: { ...config, mediaType: types.DOCKER_CONFIG } },
    types.DOCKER_MANIFEST,
  ],
  [
    'null for no layers, as Go writes it',
    types.OCI_MANIFEST,
    { ...manifest, layers: null },
    types.OCI_MANIFEST,
  ],
];
for (const [note, claimed, value, mediaType] of agreed)
  test(`parseDocument(): ${note}`, () =>
    assert.equal(parseDocument(documentAs(claimed, value)).mediaType, mediaType));

const refused: readonly [note: string, claimed: string, value: JsonObject, code: string, message: RegExp][] =
  [
    [
      'both layers and manifests (CVE-2021-41190)',
      types.OCI_INDEX,
      { ...index, layers: [layer] },
      'IMAGE_INVALID',
      /both/,
    ],
    ['both config and manifests', types.OCI_INDEX, { ...index, config }, 'IMAGE_INVALID', /both/],
    [
      'a second key that differs in case only',
      types.OCI_INDEX,
      { ...index, Layers: [] },
      'IMAGE_INVALID',
      /"Layers" would be "layers"/,
    ],
    [
      'another type in the field than in the content type',
      types.DOCKER_MANIFEST,
      manifest,
      'IMAGE_INVALID',
      /came as .* but says/,
    ],
    [
      'an index that came as a manifest',
      types.OCI_MANIFEST,
      { ...index, mediaType: undefined },
      'IMAGE_INVALID',
      /holds "manifests"/,
    ],
    [
      'a manifest that calls itself an index',
      '',
      { ...manifest, mediaType: types.OCI_INDEX },
      'IMAGE_INVALID',
      /no "manifests"/,
    ],
    ['schema 1 by number', 'text/plain', { schemaVersion: 1, fsLayers: [] }, 'IMAGE_UNSUPPORTED', /schema 1/],
    [
      'schema 1 by content type',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      { schemaVersion: 1 },
      'IMAGE_UNSUPPORTED',
      /schema 1/,
    ],
    ['fsLayers in schema 2', types.OCI_MANIFEST, { ...manifest, fsLayers: [] }, 'IMAGE_INVALID', /fsLayers/],
    [
      'a missing schemaVersion',
      types.OCI_MANIFEST,
      { ...manifest, schemaVersion: undefined },
      'IMAGE_INVALID',
      /schemaVersion/,
    ],
    [
      'a foreign media type',
      types.OCI_MANIFEST,
      { ...manifest, mediaType: 'text/html' },
      'IMAGE_UNSUPPORTED',
      /text\/html/,
    ],
    ['a web page', 'text/html', { ...manifest }, 'IMAGE_UNSUPPORTED', /text\/html/],
    [
      'no layers',
      types.OCI_MANIFEST,
      { ...manifest, layers: undefined },
      'IMAGE_INVALID',
      /"layers" is not a list/,
    ],
    [
      'no config',
      types.OCI_MANIFEST,
      { ...manifest, config: undefined },
      'IMAGE_INVALID',
      /config is not a descriptor/,
    ],
    [
      'too many layers',
      types.OCI_MANIFEST,
      { ...manifest, layers: Array.from({ length: 1001 }, () => layer) },
      'LIMIT_EXCEEDED',
      /1001 layers/,
    ],
    [
      'too many children',
      types.OCI_INDEX,
      { ...index, manifests: Array.from({ length: 4001 }, () => child) },
      'LIMIT_EXCEEDED',
      /4001 manifests/,
    ],
    [
      'annotations that are no texts',
      types.OCI_MANIFEST,
      { ...manifest, annotations: { a: 1 } },
      'IMAGE_INVALID',
      /annotations/,
    ],
  ];
for (const [note, claimed, value, code, message] of refused)
  test(`parseDocument() refuses ${note}`, () => {
    assert.throws(() => parseDocument(documentAs(claimed, value)), { code, message });
  });

const badLayers: readonly [note: string, change: JsonObject, message: RegExp][] = [
  ['a digest that is a path', { digest: 'sha256:../../etc/passwd' }, /digest is not a valid digest/],
  ['a digest in capitals', { digest: `sha256:${'A'.repeat(64)}` }, /digest/],
  ['a digest of an unknown algorithm', { digest: `md5:${'a'.repeat(32)}` }, /digest/],
  ['a negative size', { size: -1 }, /size/],
  ['a size beyond 2^53', { size: 2 ** 53 }, /size/],
  ['a fractional size', { size: 1.5 }, /size/],
  ['a size in quotes', { size: '3' }, /size/],
  ['no media type', { mediaType: undefined }, /mediaType/],
  ['a media type with a line break', { mediaType: 'a/b\r\nX: y' }, /mediaType/],
  ['urls that are no texts', { urls: [1] }, /urls/],
];
for (const [note, change, message] of badLayers)
  test(`parseDocument() refuses a layer with ${note}`, () => {
    const value = { ...manifest, layers: [layer, { ...layer, ...change }] };
    assert.throws(() => parseDocument(documentAs('', value)), { code: 'IMAGE_INVALID', message });
    assert.throws(() => parseDocument(documentAs('', value)), { message: /layers\[1\]/ });
  });

test('isArtifact() tells charts, signatures and attestations from images', () => {
  const kind = (change: JsonObject): boolean => {
    const parsed = parseDocument(documentAs('', { ...manifest, ...change }));
    return parsed.kind === 'manifest' && isArtifact(parsed);
  };
  assert.equal(kind({}), false);
  assert.equal(kind({ layers: [] }), false);
  assert.equal(kind({ artifactType: 'application/x' }), true);
  assert.equal(kind({ config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } }), true);
  assert.equal(kind({ layers: [{ ...layer, mediaType: 'application/vnd.in-toto+json' }] }), true);
});

test('layerType() knows families, compressions, foreign and encrypted layers', () => {
  const rows: readonly [string, types.LayerType | undefined][] = [
    [types.OCI_LAYER, { family: 'oci', compression: 'none', foreign: false, encrypted: false }],
    [`${types.OCI_LAYER}+gzip`, { family: 'oci', compression: 'gzip', foreign: false, encrypted: false }],
    [`${types.OCI_LAYER}+zstd`, { family: 'oci', compression: 'zstd', foreign: false, encrypted: false }],
    [
      `${types.OCI_LAYER}+gzip+encrypted`,
      { family: 'oci', compression: 'gzip', foreign: false, encrypted: true },
    ],
    [`${types.OCI_LAYER}+lz4`, { family: 'oci', compression: undefined, foreign: false, encrypted: false }],
    [
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      { family: 'oci', compression: 'gzip', foreign: true, encrypted: false },
    ],
    [
      `${types.DOCKER_LAYER}.gzip`,
      { family: 'docker', compression: 'gzip', foreign: false, encrypted: false },
    ],
    [
      `${types.DOCKER_LAYER}.zstd`,
      { family: 'docker', compression: 'zstd', foreign: false, encrypted: false },
    ],
    [types.DOCKER_LAYER, { family: 'docker', compression: 'none', foreign: false, encrypted: false }],
    [
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      { family: 'docker', compression: 'gzip', foreign: true, encrypted: false },
    ],
    ['application/vnd.in-toto+json', undefined],
    ['application/vnd.cncf.helm.chart.content.v1.tar+gzip', undefined],
  ];
  for (const [mediaType, expected] of rows) assert.deepEqual(types.layerType(mediaType), expected, mediaType);
  for (const family of ['oci', 'docker'] as const)
    for (const compression of ['none', 'gzip'] as const)
      assert.deepEqual(types.layerType(types.layerMediaType(family, compression)), {
        family,
        compression,
        foreign: false,
        encrypted: false,
      });
});
