// What every image store must do (src/oci/image-store.ts), walked over the list of store-kinds.ts.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { collect, streamOf, type ByteStream } from '../../src/base/streams.ts';
import { OnlayError } from '../../src/errors.ts';
import { TarParser } from '../../src/archive/tar-read.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { listImages, readImage, readIndexImage } from '../../src/oci/image.ts';
import type { Document, ImageStore } from '../../src/oci/image-store.ts';
import { makeDescriptor, parseDocument, type Descriptor } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { validateImage, type Problem } from '../../src/oci/validate.ts';
import { documentOf, layerOf, putBytes, putImage } from '../support/images.ts';
import { closeServers, storeKinds, type StorePlace } from './store-kinds.ts';

after(closeServers);

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
// large enough to be asked for before it is sent
const other = Buffer.alloc(100_000, 'other content');
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

/** A store says why it stopped, or the signal does. */
const stopped = (error: unknown): boolean =>
  (error instanceof OnlayError && error.code === 'ABORTED') ||
  (error instanceof Error && error.name === 'AbortError');

for (const kind of storeKinds) {
  const NAME = kind.nameOf('1.0');
  const check = (what: string, run: (place: StorePlace) => Promise<void>): void => {
    void test(`${kind.name}: ${what}`, async (t) => {
      const created = await kind.create();
      if (typeof created === 'string') return t.skip(created);
      await using place = created;
      await run(place);
    });
  };

  check('an image that was put is the same when it is read', async (place) => {
    let document: Document;
    {
      await using store = await place.open({ access: 'write' });
      document = await putImage(store, { layers: [lower, upper] }, NAME);
    }
    await using store = await place.open({ access: 'read' });
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
      await using store = await place.open({ access: 'write' });
      await putImage(store, { family: 'docker', layers: [docker] }, NAME);
    }
    await using store = await place.open({ access: 'read' });
    const { manifest, document } = await readImage(store, { tag: NAME });
    assert.equal(manifest.family, 'docker');
    assert.deepEqual(await problemsOf(store, document), []);
  });

  check('an index is kept with all of its children', async (place) => {
    {
      await using store = await place.open({ access: 'write' });
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
    await using store = await place.open({ access: 'read' });
    const document = await store.resolve({ tag: NAME });
    assert.equal(parseDocument(document).kind, 'index');
    assert.deepEqual(await problemsOf(store, document), []);
    const images = await listImages(store, document);
    assert.equal((await readIndexImage(store, images[1]!)).layers.length, 2);
  });

  check('what is already there is not taken again', async (place) => {
    await using store = await place.open({ access: 'write' });
    const open = (): ByteStream => broken(other);
    await assert.rejects(store.putBlob(otherBlob, { open }), { code: 'NETWORK' });
    await putBytes(store, OCI_LAYER, other);
    assert.deepEqual(await store.putBlob(otherBlob, { open }), { uploaded: false });
  });

  check('the same blob put several times at once is there once', async (place) => {
    await using store = await place.open({ access: 'write' });
    await Promise.all([1, 2, 3, 4].map(() => putBytes(store, OCI_LAYER, other)));
    assert.ok(Buffer.from(await read(store, otherBlob)).equals(other));
  });

  check('content that is not what its descriptor says is refused', async (place) => {
    await using store = await place.open({ access: 'write' });
    const put = (content: Uint8Array): Promise<unknown> =>
      store.putBlob(otherBlob, {
        open: async function* () {
          yield content;
        },
      });
    await assert.rejects(put(other.with(50_000, 0)), { code: 'DIGEST_MISMATCH' });
    await assert.rejects(put(other.subarray(1)), { code: 'SIZE_MISMATCH' });
    await assert.rejects(put(Buffer.concat([other, other])), { code: 'SIZE_MISMATCH' });
    assert.equal(await store.has(otherBlob), false);
    const { descriptor, bytes } = documentOf(OCI_INDEX, {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [],
    });
    const changed = { descriptor, bytes: bytes.with(0, 0x20) };
    await assert.rejects(store.putDocument(changed, NAME), { code: 'DIGEST_MISMATCH' });
    await assert.rejects(store.resolve({ tag: NAME }), { code: 'IMAGE_NOT_FOUND' });
  });

  check('a blob with a wrong size in its descriptor is not handed out', async (place) => {
    await using store = await place.open({ access: 'write' });
    await putBytes(store, OCI_LAYER, other);
    for (const size of [other.length - 1, other.length + 1])
      await assert.rejects(read(store, makeDescriptor(OCI_LAYER, otherBlob.digest, size)), {
        code: 'SIZE_MISMATCH',
      });
  });

  check('a document is refused while a part of it is missing', async (place) => {
    await using store = await place.open({ access: 'write' });
    const config = await putBytes(store, OCI_CONFIG, Buffer.from('{}'));
    const dangling = documentOf(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
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
      await using store = await place.open({ access: 'write' });
      const big = makeDescriptor(OCI_LAYER, digestOf(Buffer.alloc(1 << 20)), 1 << 20);
      await assert.rejects(store.putBlob(big, { open: () => broken(Buffer.alloc(1 << 19)) }), {
        code: 'NETWORK',
      });
      assert.equal(await store.has(big), false);
      await assert.rejects(read(store, big), { code: 'IMAGE_NOT_FOUND' });
    }
    await using store = await place.open({ access: 'write' });
    await assert.rejects(store.resolve({ tag: NAME }), { code: 'IMAGE_NOT_FOUND' });
  });

  check('a run that is called off leaves nothing, and the next one completes the image', async (place) => {
    const controller = new AbortController();
    const spec = { layers: [lower, upper] };
    const size = 2 << 20;
    const endless = makeDescriptor(OCI_LAYER, digestOf(Buffer.alloc(size)), size);
    const aborting = async function* (): ByteStream {
      for (let sent = 0; sent < size; sent += 1 << 16) {
        if (sent === size / 2) controller.abort();
        yield Buffer.alloc(1 << 16);
      }
    };
    {
      await using store = await place.open({ access: 'write', signal: controller.signal });
      await putBytes(store, OCI_LAYER, other);
      await assert.rejects(store.putBlob(endless, { open: aborting }), stopped);
    }
    assert.deepEqual(
      (await place.files?.())?.filter((name) => /tmp|part|lock|\.onlay/.test(name)) ?? [],
      [],
      'temporary files',
    );
    await using store = await place.open({ access: 'write' });
    await assert.rejects(store.resolve({ tag: NAME }), { code: 'IMAGE_NOT_FOUND' });
    assert.equal(await store.has(endless), false);
    assert.equal(await store.has(otherBlob), kind.keepsBlobs);
    const again = await store.putBlob(otherBlob, { open: () => streamOf(other) });
    assert.equal(again.uploaded, !kind.keepsBlobs);
    const document = await putImage(store, spec, NAME);
    assert.deepEqual(await problemsOf(store, document), []);
  });

  check('an image that breaks off while it is named leaves the one that was there', async (place) => {
    if (!kind.severalNames) return;
    let before: Document;
    {
      await using store = await place.open({ access: 'write' });
      before = await putImage(store, { layers: [lower] }, NAME);
    }
    const files = await place.files?.();
    {
      await using store = await place.open({ access: 'write' });
      const config = await putBytes(store, OCI_CONFIG, Buffer.from('{}'));
      const dangling = documentOf(OCI_MANIFEST, {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: config.raw,
        layers: [otherBlob.raw],
      });
      await assert.rejects(store.putDocument(dangling, NAME), (error) => error instanceof OnlayError);
    }
    await using store = await place.open({ access: 'read' });
    const image = await readImage(store, { tag: NAME });
    assert.equal(image.document.descriptor.digest, before.descriptor.digest);
    assert.deepEqual(await problemsOf(store, image.document), []);
    if (!kind.keepsBlobs) assert.deepEqual(await place.files?.(), files);
  });

  check('a download that breaks is taken up where it broke, or begun again', async (place) => {
    const { connection } = place;
    if (!connection) return;
    await using store = await place.open({ access: 'write' });
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => at % 251));
    const blob = await putBytes(store, OCI_LAYER, bytes);
    const get = { method: 'GET', path: /\/blobs\/sha256:/ };
    for (const rules of [
      [{ ...get, fault: { kind: 'cut', bytes: 1_000_000 } }],
      [
        { ...get, fault: { kind: 'cut', bytes: 1_000_000 } },
        { ...get, after: 1, fault: { kind: 'ignore-range' } },
      ],
    ] as const) {
      connection.breakBy(rules);
      const whole = await collect(store.blob(blob), { limit: 1 << 22, what: 'blob' });
      assert.ok(Buffer.from(whole).equals(bytes));
      assert.deepEqual(connection.ranges(), ['bytes=1000000-']);
    }
  });

  check('an image that is not there is not found', async (place) => {
    await using store = await place.open({ access: 'write' });
    await putImage(store, { layers: [lower] }, NAME);
    await assert.rejects(store.resolve({ tag: kind.nameOf('2.0') }), {
      code: 'IMAGE_NOT_FOUND',
    });
    await assert.rejects(store.resolve({ digest: otherBlob.digest }), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(store.document(otherBlob), { code: 'IMAGE_NOT_FOUND' });
  });

  if (kind.severalNames) {
    check('names are listed, and a name moves to what it is put on last', async (place) => {
      const second = kind.nameOf('2.0');
      let moved: Document;
      {
        await using store = await place.open({ access: 'write' });
        const first = await putImage(store, { layers: [lower] }, NAME);
        await store.putDocument(first, second);
        moved = await putImage(store, { layers: [upper] }, NAME);
      }
      await using store = await place.open({ access: 'read' });
      assert.equal((await store.resolve({ tag: NAME })).descriptor.digest, moved.descriptor.digest);
      assert.notEqual((await store.resolve({ tag: second })).descriptor.digest, moved.descriptor.digest);
      if (store.tags) assert.deepEqual([...(await store.tags())].sort(), [NAME, second]);
    });
  }
}
