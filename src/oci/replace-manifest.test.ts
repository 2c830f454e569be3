import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf } from '../../test/support/images.ts';
import { MemoryStore } from '../../test/support/memory-store.ts';
import { digestOf, type Digest } from './digest.ts';
import { parseDocument, type ImageIndex, type JsonObject } from './manifest.ts';
import { DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import { replaceImages, replaceManifests } from './replace-manifest.ts';

const digest = (name: string): Digest => digestOf(Buffer.from(name));
const child = (name: string, extra: JsonObject = {}): JsonObject => ({
  mediaType: OCI_MANIFEST,
  digest: digest(name),
  size: 5,
  annotations: { name },
  platform: { architecture: name, os: 'linux', 'os.features': ['x'] },
  'x-unknown': 1,
  ...extra,
});
const attestation = (name: string): JsonObject =>
  child(`about ${name}`, {
    platform: { architecture: 'unknown', os: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': digest(name),
    },
  });
const indexOf = (manifests: readonly JsonObject[], mediaType: string = OCI_INDEX): ImageIndex =>
  parseDocument(
    documentOf(mediaType, { schemaVersion: 2, mediaType, manifests, annotations: { a: 'b' }, z: 1 }),
  ) as ImageIndex;
const json = (bytes: Uint8Array): JsonObject => JSON.parse(Buffer.from(bytes).toString()) as JsonObject;

test('replaceManifests() changes digest and size of the replaced and nothing of the others', () => {
  const index = indexOf([
    child('amd64', { data: 'e30=' }),
    child('arm64'),
    attestation('amd64'),
    attestation('arm64'),
  ]);
  const { document, dropped } = replaceManifests(
    index,
    new Map([[digest('amd64'), { digest: digest('new'), size: 9 }]]),
  );
  assert.deepEqual(json(document.bytes), {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [child('amd64', { digest: digest('new'), size: 9 }), child('arm64'), attestation('arm64')],
    annotations: { a: 'b' },
    z: 1,
  });
  assert.deepEqual(
    dropped.map((entry) => entry.digest),
    [digest('about amd64')],
  );
  assert.equal(document.descriptor.digest, digestOf(document.bytes));
  assert.equal(document.descriptor.mediaType, OCI_INDEX);
});

test("replaceManifests() keeps Docker's list and its order of fields", () => {
  const entry = { platform: { os: 'linux' }, size: 5, digest: digest('a'), mediaType: DOCKER_MANIFEST };
  const { document } = replaceManifests(
    indexOf([entry], DOCKER_INDEX),
    new Map([[digest('a'), { digest: digest('b'), size: 6 }]]),
  );
  assert.match(
    Buffer.from(document.bytes).toString(),
    /"manifests":\[\{"platform":\{"os":"linux"\},"size":6,"digest":"sha256:[0-9a-f]+","mediaType":"application\/vnd\.docker\.distribution\.manifest\.v2\+json"\}\]/,
  );
});

test('replaceManifests() refuses to replace what is not listed', () => {
  const replacements = new Map([[digest('x'), { digest: digest('y'), size: 1 }]]);
  assert.throws(() => replaceManifests(indexOf([child('a')]), replacements), { code: 'INTERNAL' });
});

test('replaceImages() rewrites nested indexes from the inside out and leaves others alone', async () => {
  const store = new MemoryStore();
  const nested = async (manifests: readonly JsonObject[]): Promise<JsonObject> => {
    const document = documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
    await store.putDocument(document);
    return document.descriptor.raw;
  };
  const touched = await nested([child('amd64')]);
  const untouched = await nested([child('arm64')]);
  const outer = documentOf(OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [touched, untouched],
  });
  const replacements = new Map([[digest('amd64'), { digest: digest('new'), size: 9 }]]);
  const { documents } = await replaceImages(store, outer, replacements);
  assert.equal(documents.length, 2);
  const [inner, top] = documents.map((document) => json(document.bytes)['manifests'] as JsonObject[]);
  assert.equal(inner?.[0]?.['digest'], digest('new'));
  assert.equal(top?.[0]?.['digest'], documents[0]?.descriptor.digest);
  assert.deepEqual(top?.[1], JSON.parse(JSON.stringify(untouched)));
  assert.deepEqual((await replaceImages(store, outer, new Map())).documents, []);
});
