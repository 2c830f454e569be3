// Small files that unpack to much more than they should: every decoder stops at the limit, before the memory is gone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decompress, decompressBytes, gunzipMembers } from '../../src/codec/index.ts';
import { unzstd, zstdImplementations } from '../../src/codec/zstd.ts';
import { hasTool, runTool } from '../support/tool.ts';

const MIB = 1 << 20;
const LIMIT = { limit: MIB, what: 'bomb' };
const TOO_LARGE = { code: 'LIMIT_EXCEEDED', message: /bomb is larger than the limit of 1048576 bytes/ };

/** Reads until something is thrown; never gets more than the limit. */
async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    assert.ok(size <= MIB, `${size} bytes came through`);
  }
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096);
}

/** A zstd frame of zeros: each block of 128 KiB takes four bytes. */
function zstdZeros(blocks: number): Buffer {
  const parts = [Buffer.from('28b52ffd0058', 'hex')];
  for (let at = 1; at <= blocks; at++) {
    const block = Buffer.alloc(4);
    block.writeUIntLE((at === blocks ? 1 : 0) + (1 << 1) + (131072 << 3), 0, 3);
    parts.push(block);
  }
  return Buffer.concat(parts);
}

const GZIP_ZEROS = gzipSync(Buffer.alloc(64 * MIB));

function packed(program: string, args: readonly string[], size: number): () => Buffer {
  return () => runTool(program, ['-c', ...args], { input: Buffer.alloc(size) });
}

const BOMBS: readonly (readonly [title: string, program: string | undefined, make: () => Buffer])[] = [
  ['gzip, 1000 to 1', undefined, () => GZIP_ZEROS],
  [
    'gzip, a thousand members',
    undefined,
    () => Buffer.concat(Array<Buffer>(1000).fill(gzipSync(Buffer.alloc(65536)))),
  ],
  ['zstd, one frame of 8 GiB', undefined, () => zstdZeros(65536)],
  ['zstd, ten thousand frames', undefined, () => Buffer.concat(Array<Buffer>(10_000).fill(zstdZeros(2)))],
  ['zstd', 'zstd', packed('zstd', ['-q', '-9'], 64 * MIB)],
  ['xz', 'xz', packed('xz', ['-0'], 64 * MIB)],
  ['xz with SHA-256', 'xz', packed('xz', ['-0', '--check=sha256'], 64 * MIB)],
  ['lzma', 'xz', packed('xz', ['-0', '--format=lzma'], 64 * MIB)],
  ['bzip2', 'bzip2', packed('bzip2', ['-9'], 32 * MIB)],
];

for (const [title, program, make] of BOMBS) {
  test(`${title}: stopped as a stream and as bytes`, async (t) => {
    if (program !== undefined && !hasTool(program)) {
      t.skip(`${program} is not installed`);
      return;
    }
    const bomb = make();
    await assert.rejects(drain(decompress(pieces(bomb), LIMIT)), TOO_LARGE);
    await assert.rejects(decompressBytes(bomb, LIMIT), TOO_LARGE);
  });
}

describe('every zstd decoder gives out its output bit by bit', () => {
  for (const zstd of zstdImplementations) {
    test(zstd.name, async () => {
      let largest = 0;
      let size = 0;
      for await (const chunk of unzstd(pieces(zstdZeros(65536)), LIMIT, zstd)) {
        largest = Math.max(largest, chunk.length);
        size += chunk.length;
        if (size > 64 * MIB) break;
      }
      assert.ok(size > 64 * MIB);
      assert.ok(largest <= MIB);
    });
  }
});

test('gzip members together count for one limit', () => {
  const member = gzipSync(Buffer.alloc(MIB - 1));
  assert.equal(gunzipMembers(member, LIMIT).length, 1);
  assert.throws(() => gunzipMembers(Buffer.concat([member, member]), LIMIT), TOO_LARGE);
  assert.throws(() => gunzipMembers(GZIP_ZEROS, LIMIT), TOO_LARGE);
});

test('a bomb in a bomb is only unpacked once', async () => {
  const inner = gzipSync(GZIP_ZEROS);
  assert.ok(inner.length < 1000);
  assert.ok(GZIP_ZEROS.equals(await decompressBytes(inner, LIMIT)));
});

test('a .lzma header that states 100 GiB is refused at once', async () => {
  const header = Buffer.from('5d0000800000000000190000000000000000', 'hex');
  await assert.rejects(decompressBytes(header, LIMIT), TOO_LARGE);
});

test('no more of the source is read than the limit needs', async () => {
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      read += GZIP_ZEROS.length;
      yield GZIP_ZEROS;
    }
  }
  await assert.rejects(drain(decompress(endless(), LIMIT)), TOO_LARGE);
  assert.ok(read < 10 * GZIP_ZEROS.length);
});
