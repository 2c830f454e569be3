import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { hasTool, runTool } from '../../test/support/tool.ts';
import { collect, streamOf, type ByteStream } from '../base/streams.ts';
import { codecAvailability } from './availability.ts';
import { unzstd, zstdCompressor, zstdImplementations } from './zstd.ts';

// printf 'onlay\n' | zstd, zstd 1.5.4
const ONLAY = Buffer.from('KLUv/QRYMQAAb25sYXkKytkCFA==', 'base64');
const SKIPPABLE = Buffer.from('502a4d1804000000deadbeef', 'hex');
const OPTIONS = { limit: 1 << 24, what: 'layer' };

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const TEXT = Buffer.from(
  Array.from({ length: 40_000 }, (_, at) => `line ${at} ${(at * 2654435761) % 4294967296}\n`).join(''),
);

/** A frame header: magic, descriptor, then what is given. */
function frame(descriptor: number, ...rest: readonly number[]): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...rest]);
}

const REFUSED: readonly (readonly [title: string, bytes: Uint8Array, message: RegExp])[] = [
  ['nothing', Buffer.alloc(0), /cut off/],
  ['a cut magic number', ONLAY.subarray(0, 3), /cut off/],
  ['a cut block', ONLAY.subarray(0, 12), /cut off/],
  ['a cut checksum', ONLAY.subarray(0, -1), /cut off/],
  ['a cut second frame', Buffer.concat([ONLAY, ONLAY.subarray(0, 9)]), /cut off/],
  ['a cut skippable frame', Buffer.concat([ONLAY, SKIPPABLE.subarray(0, 10)]), /cut off/],
  ['text after a frame', Buffer.concat([ONLAY, Buffer.from('some text')]), /other than zstd|Unknown frame/],
  ['zeros after a frame', Buffer.concat([ONLAY, Buffer.alloc(512)]), /other than zstd|Unknown frame/],
  ['a reserved block', frame(0, 0x58, 7, 0, 0), /block is invalid/],
  ['a block of 2 MiB', frame(0, 0x58, 0xfb, 0xff, 0xff, 0), /block is invalid/],
  ['a window of 2 GiB', frame(0, 0xa8, 1, 0, 0), /window of 2147483648 bytes/],
  ['a window of 129 MiB', frame(0, 0x89, 1, 0, 0), /window of \d+ bytes/],
  ['a single segment of 4 EiB', frame(0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0), /window of/],
  ['a reserved bit', frame(8, 0x58, 1, 0, 0), /unknown kind/],
];

for (const zstd of zstdImplementations) {
  const decode = (bytes: Uint8Array, size = 1000): Promise<Uint8Array> =>
    collect(unzstd(pieces(bytes, size), OPTIONS, zstd), OPTIONS);

  describe(`decoding with ${zstd.name}`, () => {
    test('frames, empty ones and skippable ones are one content', async () => {
      const empty = Buffer.from('28b52ffd2000010000', 'hex');
      const bytes = Buffer.concat([SKIPPABLE, ONLAY, empty, ONLAY, SKIPPABLE]);
      for (const size of [1, 5, 22, bytes.length])
        assert.equal(Buffer.from(await decode(bytes, size)).toString(), 'onlay\nonlay\n');
    });

    for (const [title, bytes, message] of REFUSED) {
      test(`${title} is refused`, async () => {
        for (const size of [1, 1000])
          await assert.rejects(decode(bytes, size), { code: 'ARCHIVE_INVALID', message });
      });
    }

    test('a damaged block is refused', async () => {
      const bytes = Buffer.from([...frame(0, 0x58), 0x25, 0, 0, 0xff, 0xff, 0xff, 0xff]);
      await assert.rejects(decode(bytes), { code: 'ARCHIVE_INVALID', message: /damaged/ });
    });

    test('what zstd compresses comes back', async (t) => {
      if (!hasTool('zstd')) {
        t.skip('zstd is not installed');
        return;
      }
      for (const [input, options] of [
        [TEXT, ['-3']],
        [TEXT, ['-12', '--long=20']],
        [randomBytes(150_000), ['-1', '--no-check']],
        [Buffer.alloc(1_000_000), ['-3']],
      ] as const) {
        const bytes = runTool('zstd', ['-q', '-c', ...options], { input });
        for (const size of [4096, bytes.length]) assert.ok(input.equals(await decode(bytes, size)));
      }
    });

    test('stopping early closes the source', async () => {
      let closed = false;
      async function* endless(): ByteStream {
        try {
          for (;;) yield ONLAY;
        } finally {
          closed = true;
        }
      }
      for await (const chunk of unzstd(endless(), OPTIONS, zstd)) if (chunk.length > 0) break;
      assert.ok(closed);
    });
  });

  const { encode } = zstd;
  if (encode === undefined) continue;
  describe(`encoding with ${zstd.name}`, () => {
    const compress = (bytes: Uint8Array, size: number): Promise<Uint8Array> =>
      collect(encode(pieces(bytes, size), { level: 3 }), OPTIONS);

    test('all decoders read it, and its bytes do not depend on how the input is cut', async () => {
      const big = Buffer.concat([TEXT, TEXT]);
      assert.ok(big.length > 1 << 20, 'more than one block');
      for (const input of [Buffer.alloc(0), Buffer.from('x'), big]) {
        const whole = await compress(input, Math.max(1, input.length));
        for (const size of [777, 131_072]) assert.deepEqual(await compress(input, size), whole);
        for (const decoder of zstdImplementations)
          assert.ok(
            input.equals(await collect(unzstd(streamOf(whole), OPTIONS, decoder), OPTIONS)),
            decoder.name,
          );
        if (hasTool('zstd')) assert.ok(runTool('zstd', ['-dc'], { input: whole }).equals(input));
      }
    });
  });
}

test('availability names the first decoder, and the first that can encode', () => {
  const { zstdDecoder, zstdEncoder } = codecAvailability();
  assert.equal(zstdDecoder, zstdImplementations[0].name);
  assert.equal(zstdCompressor(), zstdImplementations.find(({ name }) => name === zstdEncoder)?.encode);
  assert.equal(zstdImplementations.at(-1)?.name, 'fzstd', 'there always is a decoder');
});
