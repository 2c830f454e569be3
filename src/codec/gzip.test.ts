import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { hasTool, runTool } from '../../test/support/tool.ts';
import { collect, type ByteStream } from '../base/streams.ts';
import { blocksOf } from './blocks.ts';
import { gunzipMembers } from './gunzip.ts';
import { gzip } from './gzip.ts';

const MIB = 1 << 20;

/** Bytes that compress to about a third, the same in every run. */
function sample(size: number): Buffer {
  const words = Array.from({ length: 512 }, (_, at) =>
    createHash('md5')
      .update(String(at))
      .digest('hex')
      .slice(at % 20),
  );
  let seed = 1;
  const parts: string[] = [];
  for (let length = 0; length < size;) {
    seed = (seed * 48271) % 0x7fffffff;
    const word = words[seed % words.length] as string;
    parts.push(word);
    length += word.length;
  }
  return Buffer.from(parts.join('').slice(0, size), 'latin1');
}
const SAMPLE = sample(2.2 * MIB);

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function compressed(source: ByteStream, level = 6): Promise<Buffer> {
  return Buffer.from(await collect(gzip(source, { level }), { limit: 1 << 30, what: 'gzip' }));
}

for (const size of [0, 1, MIB - 1, MIB, MIB + 1, SAMPLE.length]) {
  test(`${size} bytes come back from node:zlib, in one member`, async () => {
    const bytes = SAMPLE.subarray(0, size);
    const result = await compressed(pieces(bytes, 100_000));
    assert.ok(gunzipSync(result).equals(bytes));
    assert.equal(gunzipMembers(result, { limit: 1 << 30, what: 'gzip' }).length, 1);
  });
}

test('the bytes do not depend on how the input is cut', async () => {
  const whole = await compressed(pieces(SAMPLE, SAMPLE.length));
  for (const size of [4097, 65536, MIB, MIB + 1])
    assert.ok(whole.equals(await compressed(pieces(SAMPLE, size))), `cut into pieces of ${size}`);
});

test('blocks lose next to nothing against one deflate stream', async () => {
  const whole = gzipSync(SAMPLE, { level: 6 }).length;
  assert.ok((await compressed(pieces(SAMPLE, MIB))).length < whole * 1.005);
});

test('a higher level makes fewer bytes, and the header says what kind it was', async () => {
  const results = await Promise.all([1, 6, 9].map((level) => compressed(pieces(SAMPLE, MIB), level)));
  assert.deepEqual(
    results.map((result) => result.toString('hex', 0, 10)),
    ['1f8b08000000000004ff', '1f8b08000000000000ff', '1f8b08000000000002ff'],
  );
  assert.ok((results[0]?.length ?? 0) > (results[1]?.length ?? 0));
});

test('gzip reads what was written', async (t) => {
  if (!hasTool('gzip')) {
    t.skip('gzip is not installed');
    return;
  }
  const result = await compressed(pieces(SAMPLE, MIB));
  assert.ok(runTool('gzip', ['-dc'], { input: result }).equals(SAMPLE));
});

test('a failure of the source comes through, and stopping early closes it', async () => {
  async function* broken(): ByteStream {
    yield SAMPLE;
    throw new Error('no more');
  }
  await assert.rejects(compressed(broken()), { message: 'no more' });
  let closed = false;
  async function* endless(): ByteStream {
    try {
      for (;;) yield SAMPLE;
    } finally {
      closed = true;
    }
  }
  let chunks = 0;
  for await (const chunk of gzip(endless(), { level: 1 })) if (chunk.length > 0 && ++chunks === 3) break;
  assert.ok(closed);
});

test('blocksOf() marks the last block, also when it is full or the stream empty', async () => {
  const shape = async (size: number): Promise<[number, boolean][]> => {
    const blocks: [number, boolean][] = [];
    for await (const { bytes, last } of blocksOf(pieces(SAMPLE.subarray(0, size), 3), 4))
      blocks.push([bytes.length, last]);
    return blocks;
  };
  assert.deepEqual(await shape(0), [[0, true]]);
  assert.deepEqual(await shape(4), [[4, true]]);
  assert.deepEqual(await shape(5), [
    [4, false],
    [1, true],
  ]);
  assert.deepEqual(await shape(8), [
    [4, false],
    [4, true],
  ]);
});
