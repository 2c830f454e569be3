// zstd (RFC 8878): whichever implementation is there. zstd-napi is optional (it needs a compiler or a prebuilt binary),
// node:zlib has zstd since Node 22.15, fzstd decodes everywhere but takes four times as long and cannot encode.
import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import type { ByteStream } from '../base/streams.ts';
import { blocksOf } from './blocks.ts';
import { damaged, type DecodeOptions } from './failure.ts';
import { CHUNK_SIZE } from './gunzip.ts';
import { throughZlib, type ZlibDecoder } from './zlib-stream.ts';
import { MAX_WINDOW_LOG, zstdFrames } from './zstd-frames.ts';

export type ZstdName = 'zstd-napi' | 'node:zlib' | 'fzstd';

/** One implementation. `decode` is given whole frames in pieces that never go past a frame's end. */
export interface Zstd {
  readonly name: ZstdName;
  readonly decode: (frames: ByteStream, what: string) => ByteStream;
  readonly encode?: Compressor;
}

/** Makes a compressed stream; its bytes do not depend on how `source` is cut into chunks. */
export type Compressor = (source: ByteStream, options: { readonly level: number }) => ByteStream;

/** The implementations that work here, the best first. */
export const zstdImplementations: readonly [Zstd, ...Zstd[]] = implementations();

/** Content of a zstd stream of any number of frames. */
export function unzstd(
  source: ByteStream,
  { what }: DecodeOptions,
  zstd: Zstd = zstdImplementations[0],
): ByteStream {
  return zstd.decode(zstdFrames(source, what), what);
}

/** An encoder, or undefined where there is none. */
export function zstdCompressor(): Compressor | undefined {
  return zstdImplementations.find((zstd) => zstd.encode !== undefined)?.encode;
}

function implementations(): [Zstd, ...Zstd[]] {
  const fast = [nativeZstd(), nodeZstd()].filter((zstd) => zstd !== undefined);
  const [first, ...others] = fast;
  return first === undefined ? [pureZstd()] : [first, ...others, pureZstd()];
}

// What input is cut into before it is encoded.
const BLOCK_SIZE = 1024 * 1024;

/** What is used of `zstd-napi/binding`; its own types are absent where the package is. */
interface Binding {
  readonly DCtx: new () => {
    setParameter(parameter: number, value: number): void;
    /** Answers [hint, bytes produced, bytes consumed]. */
    decompressStream(output: Uint8Array, input: Uint8Array): [number, number, number];
  };
  readonly CCtx: new () => {
    setParameter(parameter: number, value: number): void;
    /** Answers [bytes left to flush, bytes produced, bytes consumed]. */
    compressStream2(output: Uint8Array, input: Uint8Array, end: number): [number, number, number];
  };
  readonly DParameter: { readonly windowLogMax: number };
  readonly CParameter: { readonly compressionLevel: number; readonly checksumFlag: number };
  readonly EndDirective: { readonly continue: number; readonly end: number };
}

function nativeZstd(): Zstd | undefined {
  let binding: Binding;
  try {
    binding = createRequire(import.meta.url)('zstd-napi/binding') as Binding;
  } catch {
    return undefined; // not installed, or built for something else: the others take over
  }
  return {
    name: 'zstd-napi',
    async *decode(frames, what) {
      const context = new binding.DCtx();
      context.setParameter(binding.DParameter.windowLogMax, MAX_WINDOW_LOG);
      for await (const piece of frames) {
        let input = piece;
        let more = true;
        while (more) {
          const output = Buffer.allocUnsafeSlow(CHUNK_SIZE);
          const [, produced, consumed] = attempt(what, () => context.decompressStream(output, input));
          input = input.subarray(consumed);
          // a full output may have more behind it
          more = input.length > 0 || produced === output.length;
          if (produced > 0) yield trim(output, produced);
        }
      }
    },
    async *encode(source, { level }) {
      const context = new binding.CCtx();
      context.setParameter(binding.CParameter.compressionLevel, level);
      context.setParameter(binding.CParameter.checksumFlag, 1);
      for await (const { bytes, last } of blocksOf(source, BLOCK_SIZE)) {
        let input = bytes;
        let more = true;
        while (more) {
          const output = Buffer.allocUnsafeSlow(CHUNK_SIZE);
          // the end comes with no input, always: the size of the content must not show in the header or not
          const [, produced, consumed] = context.compressStream2(
            output,
            input,
            binding.EndDirective.continue,
          );
          input = input.subarray(consumed);
          more = input.length > 0;
          if (produced > 0) yield trim(output, produced);
        }
        for (let left = last ? 1 : 0; left > 0;) {
          const output = Buffer.allocUnsafeSlow(CHUNK_SIZE);
          const [remaining, produced] = context.compressStream2(output, NOTHING, binding.EndDirective.end);
          left = remaining;
          if (produced > 0) yield trim(output, produced);
        }
      }
    },
  };
}

/** The part of node:zlib that the types of the oldest supported Node do not have. */
interface ZlibWithZstd {
  readonly createZstdDecompress?: (options: object) => ZlibDecoder;
  readonly createZstdCompress?: (options: object) => ZlibDecoder;
  readonly constants: Readonly<Record<string, number>>;
}

function nodeZstd(): Zstd | undefined {
  const { createZstdDecompress, createZstdCompress, constants } = zlib as unknown as ZlibWithZstd;
  if (createZstdDecompress === undefined || createZstdCompress === undefined) return undefined;
  const parameter = (name: string): number => constants[name] as number;
  return {
    name: 'node:zlib',
    decode: (frames, what) => {
      const params = { [parameter('ZSTD_d_windowLogMax')]: MAX_WINDOW_LOG };
      return throughZlib(frames, createZstdDecompress({ chunkSize: CHUNK_SIZE, params }), {
        rest: () => {
          throw damaged(what, 'the zstd data is damaged');
        },
        translate: (error) =>
          damaged(what, `the zstd data is damaged (${(error as Error).message})`, { cause: error }),
      });
    },
    async *encode(source, { level }) {
      const params = { [parameter('ZSTD_c_compressionLevel')]: level, [parameter('ZSTD_c_checksumFlag')]: 1 };
      const encoder = createZstdCompress({ chunkSize: CHUNK_SIZE, params });
      yield* throughZlib(bytesOf(blocksOf(source, BLOCK_SIZE)), encoder, {
        rest: () => {},
        translate: (error) => error,
      });
    },
  };
}

function pureZstd(): Zstd {
  return {
    name: 'fzstd',
    async *decode(frames, what) {
      let output: Uint8Array[] = [];
      const decoder = new Decompress((chunk) => void output.push(chunk));
      for await (const piece of frames) {
        // a few bytes can be a hundred thousand zeros each: little steps keep the output that waits small
        for (let at = 0; at < piece.length; at += PURE_STEP) {
          attempt(what, () => decoder.push(piece.subarray(at, at + PURE_STEP)));
          yield* output;
          output = [];
        }
      }
      attempt(what, () => decoder.push(NOTHING, true));
      yield* output;
    },
  };
}

const PURE_STEP = 1024;
const NOTHING = new Uint8Array(0);

async function* bytesOf(blocks: AsyncIterable<{ readonly bytes: Uint8Array }>): ByteStream {
  for await (const { bytes } of blocks) yield bytes;
}

// The used part of an output buffer; a copy when keeping it would keep much more.
function trim(output: Buffer, size: number): Uint8Array {
  return size > output.length / 2 ? output.subarray(0, size) : Buffer.from(output.subarray(0, size));
}

function attempt<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw damaged(what, `the zstd data is damaged (${(error as Error).message})`, { cause: error });
  }
}
