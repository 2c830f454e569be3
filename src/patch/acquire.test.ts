import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentProgress } from '../base/log.ts';
import type { ByteStream } from '../base/streams.ts';
import { hasCode } from '../errors.ts';
import { readImage } from '../oci/image.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { layerOf, putImage } from '../../test/support/images.ts';
import { MemoryStore } from '../../test/support/memory-store.ts';
import { acquireLayers } from './acquire.ts';

/** Flips a bit of the first blobs it hands out. */
class DamagingStore extends MemoryStore {
  damaged = 0;
  reads = 0;

  override blob(descriptor: Descriptor): ByteStream {
    const whole = this.blobs.get(descriptor.digest);
    if (this.reads++ >= this.damaged || !whole) return super.blob(descriptor);
    const copy = Buffer.from(whole);
    const middle = copy.length >> 1;
    copy[middle] = (copy[middle] ?? 0) ^ 1;
    return (async function* () {
      yield copy;
    })();
  }
}

test('a layer that was damaged on its way is read once more, and no more than that', async () => {
  const store = new DamagingStore();
  await putImage(store, { layers: [await layerOf([{ name: 'a', content: 'x'.repeat(1000) }])] }, '1');
  const { layers } = await readImage(store, await store.resolve({ tag: '1' }));
  const said: string[] = [];
  const acquire = (damaged: number) => {
    Object.assign(store, { damaged, reads: 0 });
    return acquireLayers(store, layers, {
      cache: undefined,
      log: { debug: (message) => void said.push(message), info() {}, warn() {} },
      progress: silentProgress,
      signal: undefined,
      concurrency: 1,
      onPulled: () => undefined,
    });
  };
  const [whole] = await acquire(0);
  assert.deepEqual(said, []);
  assert.deepEqual(await acquire(1), [whole]);
  assert.deepEqual(said, ['reading a layer again']);
  await assert.rejects(acquire(9), (error) => hasCode(error, 'DIGEST_MISMATCH'));
  assert.equal(store.reads, 2);
});
