import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hasTool, runTool } from '../../test/support/tool.ts';
import { collect, type ByteStream } from '../base/streams.ts';
import { decompress, decompressBytes } from './decompress.ts';
import type { CodecName } from './sniff.ts';

// printf 'onlay\n' through xz 5.4.1 (as .xz, with --check=sha256, as .lzma), bzip2 1.0.8, zstd 1.5.4
const ONLAY: readonly (readonly [title: string, codec: CodecName, bytes: Buffer])[] = [
  ['none', 'none', Buffer.from('onlay\n')],
  ['gzip', 'gzip', gzipSync('onlay\n')],
  ['zstd', 'zstd', base64('KLUv/QRYMQAAb25sYXkKytkCFA==')],
  [
    'xz',
    'xz',
    base64('/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAFb25sYXkKAAAAsM3AgXughgUAAR4GwS+kHR+2830BAAAAAARZWg=='),
  ],
  [
    'xz with SHA-256',
    'xz',
    base64(
      '/Td6WFoAAArh+wyhAgAhARYAAAB0L+WjAQAFb25sYXkKAAAAAjR+SYthAoH0rV16NMW4c7/GwzSVBWGSSPpkbgdrMoMAATYGa4H5QBibS5oBAAAAAApZWg==',
    ),
  ],
  ['lzma', 'lzma', base64('XQAAgAD//////////wA3m4nNSS7ohZv///5WAAA=')],
  ['bzip2', 'bzip2', base64('QlpoOTFBWSZTWeceUw0AAAJBgAAQIAWAICAAIhhoMAJSmF3JFOFCQ5x5TDQ=')],
];
const PACKED = ONLAY.filter(([, codec]) => codec !== 'none');

function base64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

const OPTIONS = { limit: 1 << 24, what: 'layer' };

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function streamed(bytes: Uint8Array, size: number, options = OPTIONS): Promise<Uint8Array> {
  return collect(decompress(pieces(bytes, size), options), options);
}

for (const [title, codec, bytes] of ONLAY) {
  test(`${title} is recognised and decoded, as a stream and as bytes`, async () => {
    for (const size of [1, 7, 1000])
      assert.equal(Buffer.from(await streamed(bytes, size)).toString(), 'onlay\n');
    assert.equal(Buffer.from(await decompressBytes(bytes, OPTIONS)).toString(), 'onlay\n');
    assert.equal(Buffer.from(await decompressBytes(bytes, { ...OPTIONS, codec })).toString(), 'onlay\n');
  });

  test(`${title}: content as large as the limit passes, one byte more does not`, async () => {
    const exact = { limit: 6, what: 'layer' };
    const less = { limit: 5, what: 'layer' };
    assert.equal((await streamed(bytes, 1000, exact)).length, 6);
    assert.equal((await decompressBytes(bytes, exact)).length, 6);
    await assert.rejects(streamed(bytes, 1000, less), { code: 'LIMIT_EXCEEDED' });
    await assert.rejects(decompressBytes(bytes, less), { code: 'LIMIT_EXCEEDED' });
  });

  test(`${title}: stopping early closes the source`, async () => {
    let closed = false;
    async function* source(): ByteStream {
      try {
        yield bytes;
        yield new Uint8Array(0);
      } finally {
        closed = true;
      }
    }
    for await (const chunk of decompress(source(), OPTIONS)) if (chunk.length > 0) break;
    assert.ok(closed);
  });

  test(`${title}: a failure of the source comes through as it is`, async () => {
    async function* broken(): ByteStream {
      yield bytes;
      throw new TypeError('digest mismatch');
    }
    const reading = collect(decompress(broken(), OPTIONS), OPTIONS);
    await assert.rejects(reading, { name: 'TypeError', message: 'digest mismatch' });
  });
}

for (const [title, , bytes] of PACKED) {
  test(`${title}: what is cut off, followed by text or damaged is refused`, async () => {
    const variants: Buffer[] = [
      bytes.subarray(0, -1),
      bytes.subarray(0, bytes.length / 2),
      Buffer.concat([bytes, Buffer.from('text after the end')]),
    ];
    for (const variant of variants) {
      await assert.rejects(streamed(variant, 13), { code: 'ARCHIVE_INVALID' });
      await assert.rejects(decompressBytes(variant, OPTIONS), { code: 'ARCHIVE_INVALID' });
    }
  });

  test(`${title}: a flipped bit never crashes, and never comes out as something longer`, async () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 29) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        await decompressBytes(flipped, { limit: 1 << 16, what: 'layer' });
      } catch (error) {
        assert.match(
          String((error as { code?: unknown }).code),
          /^(?:ARCHIVE_INVALID|LIMIT_EXCEEDED)$/,
          `bit ${bit}`,
        );
      }
    }
  });
}

test('a codec that was given is believed', async () => {
  // a .lzma header may ask for any size
  const error = { code: /^(?:ARCHIVE_INVALID|LIMIT_EXCEEDED)$/ };
  for (const codec of ['gzip', 'zstd', 'xz', 'bzip2', 'lzma'] as const) {
    await assert.rejects(
      decompressBytes(Buffer.from('no such thing, and long enough'), { ...OPTIONS, codec }),
      error,
    );
    await assert.rejects(decompressBytes(new Uint8Array(0), { ...OPTIONS, codec }), error);
    await assert.rejects(
      collect(decompress(pieces(new Uint8Array(0), 1), { ...OPTIONS, codec }), OPTIONS),
      error,
    );
  }
});

test('an empty stream that nobody says is compressed is empty', async () => {
  assert.equal((await streamed(new Uint8Array(0), 1)).length, 0);
});

test('the bytes given stay with the caller', async () => {
  for (const [, , bytes] of ONLAY) {
    const before = Buffer.from(bytes);
    await decompressBytes(bytes, OPTIONS);
    assert.ok(before.equals(bytes));
  }
});

const TEXT = Buffer.concat([
  Buffer.from(Array.from({ length: 4_000 }, (_, at) => `${at} ${(at * 48271) % 65537}\n`).join('')),
  ...Array.from({ length: 500 }, (_, at) => createHash('sha256').update(String(at)).digest()),
]);

describe('what the real programs compress comes back', () => {
  const programs: readonly (readonly [name: string, args: readonly string[]])[] = [
    ['gzip', ['-9']],
    ['zstd', ['-q', '-9']],
    ['bzip2', ['-1']],
    ['xz', ['-6']],
    ['xz', ['-1', '--check=sha256']],
    ['xz', ['--check=sha256', '--block-size=65536']],
    ['xz', ['--check=none']],
    ['xz', ['--check=crc32', '--block-size=65536', '-T2']],
    ['xz', ['--lzma2=lc=0,lp=3,pb=0,dict=4KiB']],
    ['xz', ['--format=lzma']],
    ['xz', ['--format=lzma', '--lzma1=lc=0,lp=3,pb=1,dict=4KiB']],
  ];
  for (const [name, args] of programs) {
    test([name, ...args].join(' '), async (t) => {
      if (!hasTool(name)) {
        t.skip(`${name} is not installed`);
        return;
      }
      const pack = (input: Uint8Array): Buffer => runTool(name, ['-c', ...args], { input });
      // lp=3 of .lzma is too rare to be taken for .lzma
      const codec = args.includes('--format=lzma') ? ({ codec: 'lzma' } as const) : {};
      for (const input of [Buffer.alloc(0), TEXT, Buffer.alloc(300_000)]) {
        const bytes = pack(input);
        assert.ok(input.equals(await decompressBytes(bytes, { ...OPTIONS, ...codec })));
        const stream = decompress(pieces(bytes, 5000), { ...OPTIONS, ...codec });
        assert.ok(input.equals(await collect(stream, OPTIONS)));
      }
      if (args.includes('--format=lzma')) return;
      // several streams are one content
      const halves = Buffer.concat([pack(TEXT.subarray(0, 1000)), pack(TEXT.subarray(1000))]);
      assert.ok(TEXT.equals(await decompressBytes(halves, OPTIONS)));
      if (name === 'zstd') return;
      const padded = Buffer.concat([halves, Buffer.alloc(512)]);
      assert.ok(TEXT.equals(await decompressBytes(padded, OPTIONS)));
    });
  }
});

// printf 'onlay\n' | xz --x86 --lzma2, and with --lzma2=dict=192MiB
const UNSUPPORTED: readonly (readonly [title: string, bytes: Buffer, message: RegExp])[] = [
  [
    'a BCJ filter',
    base64('/Td6WFoAAATm1rRGAgEEACEBFgANhjUfAQAFb25sYXkKAAAAsM3AgXughgUAAR4GwS+kHR+2830BAAAAAARZWg=='),
    /filter other than LZMA2/,
  ],
  [
    'a dictionary of 192 MiB',
    base64('/Td6WFoAAATm1rRGAgAhAR8AAAD+YO3eAQAFb25sYXkKAAAAsM3AgXughgUAAR4GwS+kHR+2830BAAAAAARZWg=='),
    /dictionary of more than 64 MiB/,
  ],
];
for (const [title, bytes, message] of UNSUPPORTED) {
  test(`xz with ${title} is refused, and the message says why`, async () => {
    await assert.rejects(decompressBytes(bytes, OPTIONS), { code: 'ARCHIVE_INVALID', message });
    await assert.rejects(streamed(bytes, 10), { code: 'ARCHIVE_INVALID', message });
  });
}

test('a wrong SHA-256 check is found', async () => {
  const [, , bytes] = ONLAY[4] as (typeof ONLAY)[number];
  const damaged = Buffer.from(bytes);
  damaged[50] = (damaged[50] as number) ^ 1;
  await assert.rejects(decompressBytes(damaged, OPTIONS), {
    message: /SHA-256 check of the xz data is wrong/,
  });
});

test('many decodings share the threads, and streams may be read in turn', async () => {
  const xz = (ONLAY[3] as (typeof ONLAY)[number])[2];
  const all = await Promise.all(Array.from({ length: 20 }, () => decompressBytes(xz, OPTIONS)));
  assert.ok(all.every((bytes) => Buffer.from(bytes).toString() === 'onlay\n'));
  // more streams at once than cores: each must advance although none is finished
  const streams = Array.from({ length: 6 }, () =>
    decompress(pieces(xz, 30), OPTIONS)[Symbol.asyncIterator](),
  );
  const first = await Promise.all(streams.map((stream) => stream.next()));
  assert.ok(first.every(({ done }) => done === false));
  await Promise.all(streams.map((stream) => stream.return(undefined)));
});

/** Runs a script with `decompress`, `decompressBytes` and `bytes` (xz and zstd of "onlay") in a process of its own. */
function runScript(script: string, args: readonly string[] = []): { output: string; status: number | null } {
  const module = JSON.stringify(new URL('./index.js', import.meta.url).href);
  const bytes = JSON.stringify(ONLAY.map(([title, , data]) => [title, data.toString('base64')]));
  const prelude = `
    const { codecAvailability, decompress, decompressBytes } = await import(${module});
    const bytes = new Map(${bytes}.map(([title, data]) => [title, Buffer.from(data, 'base64')]));
    const options = { limit: 100, what: 'x' };
    async function* source(title) { yield bytes.get(title); }`;
  const { stdout, status } = spawnSync(
    process.execPath,
    [...args, '--input-type=module', '-e', `${prelude}\n${script}`],
    { timeout: 20_000, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return { output: stdout.toString(), status };
}

test('a process ends although threads wait for work, or a stream was left in the middle', () => {
  const result = runScript(`
    const whole = await decompressBytes(bytes.get('xz'), options);
    const left = decompress(source('xz'), options)[Symbol.asyncIterator]();
    const { value } = await left.next();
    process.stdout.write(Buffer.concat([whole, value]));`);
  assert.deepEqual(result, { output: 'onlay\nonlay\n', status: 0 });
});

test('without the native addon zstd is still decoded', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'onlay-codec-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const preload = join(folder, 'no-addon.cjs');
  writeFileSync(
    preload,
    `const { Module } = require('node:module');
     const load = Module._load;
     Module._load = function (name, ...rest) {
       if (name.startsWith('zstd-napi')) throw new Error('not installed');
       return load.call(this, name, ...rest);
     };`,
  );
  const result = runScript(
    `if (codecAvailability().zstdDecoder === 'zstd-napi') throw new Error('the addon was loaded');
     const chunks = [];
     for await (const chunk of decompress(source('zstd'), options)) chunks.push(chunk);
     process.stdout.write(Buffer.concat([...chunks, await decompressBytes(bytes.get('zstd'), options)]));`,
    ['--require', preload],
  );
  assert.deepEqual(result, { output: 'onlay\nonlay\n', status: 0 });
});
