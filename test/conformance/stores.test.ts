// What every image store must do (src/oci/image-store.ts), walked over the list of store-kinds.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, type ByteStream } from '../../src/base/streams.ts';
import { OnlayError } from '../../src/errors.ts';
import { TarParser } from '../../src/archive/tar-read.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { listImages, readImage, readIndexImage } from '../../src/oci/image.ts';
import type { Document, ImageStore } from '../../src/oci/image-store.ts';
import { makeDescriptor, parseDocument, type Descriptor } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER } from '../../src/oci/media-types.ts';
import { validateImage, type Problem } from '../../src/oci/validate.ts';
import { documentOf, layerOf, putBytes, putImage } from '../support/images.ts';
import { storeKinds, type StorePlace } from './store-kinds.ts';

const lower = await layerOf([
  { name: 'etc/', type: 'directory' },
  { name: 'etc/a', content: 'a'.repeat(300_000) },
]);
const upper = await layerOf(
  [
    { name: 'etc/', type: 'directory' },
    { name: 'etc/b', content: 'b' },
  ],
  'oci',
  'none',
);
const docker = await layerOf([{ name: 'x', content: 'x' }], 'docker');
const NAME = 'registry.example/team/app:1.0';
const other = Buffer.from('other content');
const otherBlob = makeDescriptor(OCI_LAYER, digestOf(other), other.length);

const problemsOf = (store: ImageStore, document: Document): Promise<readonly Problem[]> =>
  validateImage(store, document, {
    deep: true,
    openScanner: (onEntry, what) => new TarParser({ entry: onEntry, data() {}, end() {} }, { what }),
  });
const read = (store: ImageStore, descriptor: Descriptor): Promise<Uint8Array> =>
  collect(store.blob(descriptor), { limit: 1 << 20, what: 'blob' });
async function* broken(...chunks: readonly Uint8Array[]): ByteStream {
  yield* chunks;
  throw new OnlayError('NETWORK', 'The connection broke');
}

for (const kind of storeKinds) {
  const check = (what: string, run: (place: StorePlace) => Promise<void>): void => {
    void test(`${kind.name}: ${what}`, async () => {
      await using place = await kind.create();
      await run(place);
    });
  };

  check('an image that was put is the same when it is read', async (place) => {
    let document: Document;
    {
      await using store = await place.open('write');
      document = await putImage(store, { layers: [lower, upper] }, NAME);
    }
    await using store = await place.open('read');
    const image = await readImage(store, { tag: NAME });
    assert.deepEqual(Buffer.from(image.document.bytes), Buffer.from(document.bytes));
    assert.deepEqual(Buffer.from(await read(store, image.layers[0]!.descriptor)), Buffer.from(lower.bytes));
    assert.deepEqual(await problemsOf(store, image.document), []);
    assert.equal(
      (await store.resolve({ digest: document.descriptor.digest })).descriptor.digest,
      document.descriptor.digest,
    );
    assert.ok(await store.has(image.layers[1]!.descriptor));
  });

  check("an image of Docker's family stays one", async (place) => {
    {
      await using store = await place.open('write');
      await putImage(store, { family: 'docker', layers: [docker] }, NAME);
    }
    await using store = await place.open('read');
    const { manifest, document } = await readImage(store, { tag: NAME });
    assert.equal(manifest.family, 'docker');
    assert.deepEqual(await problemsOf(store, document), []);
  });

  check('an index is kept with all of its children', async (place) => {
    {
      await using store = await place.open('write');
      const amd64 = await putImage(store, { layers: [lower] });
      const arm64 = await putImage(store, { layers: [lower, upper], config: { architecture: 'arm64' } });
      const entry = ({ descriptor }: Document, architecture: string): object => ({
        ...descriptor.raw,
        platform: { os: 'linux', architecture },
      });
      const manifests = [entry(amd64, 'amd64'), entry(arm64, 'arm64')];
      await store.putDocument(
        documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
        NAME,
      );
    }
    await using store = await place.open('read');
    const document = await store.resolve({ tag: NAME });
    assert.equal(parseDocument(document).kind, 'index');
    assert.deepEqual(await problemsOf(store, document), []);
    const images = await listImages(store, document);
    assert.equal((await readIndexImage(store, images[1]!)).layers.length, 2);
  });

  check('what is already there is not taken again', async (place) => {
    await using store = await place.open('write');
    const open = (): ByteStream => broken(other);
    await assert.rejects(store.putBlob(otherBlob, { open }), { code: 'NETWORK' });
    await putBytes(store, OCI_LAYER, other);
    assert.deepEqual(await store.putBlob(otherBlob, { open }), { uploaded: false });
  });

  check('the same blob put several times at once is there once', async (place) => {
    await using store = await place.open('write');
    await Promise.all([1, 2, 3, 4].map(() => putBytes(store, OCI_LAYER, other)));
    assert.deepEqual(Buffer.from(await read(store, otherBlob)), other);
  });

  check('content that is not what its descriptor says is refused', async (place) => {
    await using store = await place.open('write');
    const put = (content: Uint8Array): Promise<unknown> =>
      store.putBlob(otherBlob, {
        open: async function* () {
          yield content;
        },
      });
    await assert.rejects(put(Buffer.from('othet content')), { code: 'DIGEST_MISMATCH' });
    await assert.rejects(put(Buffer.from('other')), { code: 'SIZE_MISMATCH' });
    await assert.rejects(put(Buffer.from('other content and more')), { code: 'SIZE_MISMATCH' });
    assert.equal(await store.has(otherBlob), false);
    const { descriptor, bytes } = documentOf(OCI_INDEX, {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [],
    });
    const changed = { descriptor, bytes: bytes.with(0, 0x20) };
    await assert.rejects(store.putDocument(changed, NAME), { code: 'DIGEST_MISMATCH' });
  });

  check('a blob with a wrong size in its descriptor is not handed out', async (place) => {
    await using store = await place.open('write');
    await putBytes(store, OCI_LAYER, other);
    for (const size of [other.length - 1, other.length + 1])
      await assert.rejects(read(store, makeDescriptor(OCI_LAYER, otherBlob.digest, size)), {
        code: 'SIZE_MISMATCH',
      });
  });

  check('a document is refused while a part of it is missing', async (place) => {
    await using store = await place.open('write');
    const config = await putBytes(store, OCI_CONFIG, Buffer.from('{}'));
    const dangling = documentOf('application/vnd.oci.image.manifest.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: config.raw,
      layers: [otherBlob.raw],
    });
    await assert.rejects(store.putDocument(dangling, NAME), (error) => error instanceof OnlayError);
    const index = documentOf(OCI_INDEX, {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [dangling.descriptor.raw],
    });
    await assert.rejects(store.putDocument(index, NAME), (error) => error instanceof OnlayError);
    await assert.rejects(store.resolve({ tag: NAME }), { code: 'IMAGE_NOT_FOUND' });
  });

  check('what breaks off in the middle leaves nothing visible', async (place) => {
    {
      await using store = await place.open('write');
      const big = makeDescriptor(OCI_LAYER, digestOf(Buffer.alloc(1 << 20)), 1 << 20);
      await assert.rejects(store.putBlob(big, { open: () => broken(Buffer.alloc(1 << 19)) }), {
        code: 'NETWORK',
      });
      assert.equal(await store.has(big), false);
      await assert.rejects(read(store, big), { code: 'IMAGE_NOT_FOUND' });
    }
    await using store = await place.open('write');
    await assert.rejects(store.resolve({ tag: NAME }), { code: 'IMAGE_NOT_FOUND' });
  });

  check('an image that is not there is not found', async (place) => {
    await using store = await place.open('write');
    await putImage(store, { layers: [lower] }, NAME);
    await assert.rejects(store.resolve({ tag: 'registry.example/team/app:2.0' }), {
      code: 'IMAGE_NOT_FOUND',
    });
    await assert.rejects(store.resolve({ digest: otherBlob.digest }), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(store.document(otherBlob), { code: 'IMAGE_NOT_FOUND' });
  });

  if (kind.severalNames) {
    check('names are listed, and a name moves to what it is put on last', async (place) => {
      const second = 'registry.example/team/app:2.0';
      let moved: Document;
      {
        await using store = await place.open('write');
        const first = await putImage(store, { layers: [lower] }, NAME);
        await store.putDocument(first, second);
        moved = await putImage(store, { layers: [upper] }, NAME);
      }
      await using store = await place.open('read');
      assert.equal((await store.resolve({ tag: NAME })).descriptor.digest, moved.descriptor.digest);
      assert.notEqual((await store.resolve({ tag: second })).descriptor.digest, moved.descriptor.digest);
      if (store.tags) assert.deepEqual([...(await store.tags())].sort(), [NAME, second]);
    });
  }
}
