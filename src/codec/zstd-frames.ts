// The frame structure of a zstd stream (RFC 8878), without decoding: finds where frames end, refuses windows that want
// too much memory, blocks that are too long, what is cut off and what is not zstd. Decoders differ in all of these:
// node:zlib does not notice a missing end and stops after a frame, fzstd allocates whatever window a header asks for.
import type { ByteStream } from '../base/streams.ts';
import { cutOff, damaged } from './failure.ts';

/** The largest window that is decoded, as in the zstd program without --long. */
export const MAX_WINDOW_LOG = 27;

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAX_BLOCK_SIZE = 128 * 1024;
const RLE = 1;
const RESERVED = 3;

/** The same bytes in pieces that never go past the end of a frame. */
export async function* zstdFrames(
  source: ByteStream,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const scanner = new FrameScanner(what);
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      const end = scanner.scan(chunk, at);
      yield chunk.subarray(at, end);
      at = end;
    }
  }
  if (!scanner.betweenFrames) throw cutOff(what, 'zstd');
}

class FrameScanner {
  readonly #what: string;
  /** What the header in `#head` is one of. */
  #expects: 'frame' | 'block' = 'frame';
  readonly #head: Buffer = Buffer.alloc(18);
  #headSize = 0;
  /** Bytes to pass over, and whether the frame ends after them. */
  #skip = 0;
  #lastSkip = false;
  #checksumSize = 0;
  #maxBlockSize = 0;
  #frames = 0;

  constructor(what: string) {
    this.#what = what;
  }

  get betweenFrames(): boolean {
    return this.#frames > 0 && this.#expects === 'frame' && this.#headSize === 0 && this.#skip === 0;
  }

  /** Reads on from `start`; answers with where the frame or the chunk ends. */
  scan(bytes: Uint8Array, start: number): number {
    let at = start;
    while (at < bytes.length) {
      if (this.#skip === 0) {
        this.#head[this.#headSize++] = bytes[at++] as number;
        const complete = this.#expects === 'frame' ? this.#frameHeader() : this.#blockHeader();
        if (complete) this.#headSize = 0;
      } else {
        const passed = Math.min(this.#skip, bytes.length - at);
        this.#skip -= passed;
        at += passed;
      }
      if (this.#skip === 0 && this.#lastSkip) {
        this.#lastSkip = false;
        this.#expects = 'frame';
        this.#frames++;
        return at;
      }
    }
    return at;
  }

  #frameHeader(): boolean {
    if (this.#headSize < 5) return false;
    const magic = this.#head.readUInt32LE(0);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      if (this.#headSize < 8) return false;
      this.#skip = this.#head.readUInt32LE(4);
      this.#lastSkip = true;
      return true;
    }
    if (magic !== MAGIC)
      throw damaged(this.#what, 'something other than zstd follows or precedes the zstd data');
    const descriptor = this.#head[4] as number;
    if (descriptor & 8) throw damaged(this.#what, 'the zstd frame is of an unknown kind');
    const singleSegment = (descriptor & 32) !== 0;
    const dictionarySize = [0, 1, 2, 4][descriptor & 3] as number;
    const contentSizeSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
    const contentSizeAt = 5 + (singleSegment ? 0 : 1) + dictionarySize;
    if (this.#headSize < contentSizeAt + contentSizeSize) return false;
    const windowSize = singleSegment
      ? this.#contentSize(contentSizeAt, contentSizeSize)
      : windowSizeOf(this.#head[5] as number);
    if (windowSize > 2 ** MAX_WINDOW_LOG)
      throw damaged(this.#what, `the zstd frame needs a window of ${windowSize} bytes`, {
        hint: `compress it again without --long or --ultra: at most ${2 ** MAX_WINDOW_LOG} bytes are allowed`,
      });
    this.#maxBlockSize = Math.min(windowSize, MAX_BLOCK_SIZE);
    this.#checksumSize = descriptor & 4 ? 4 : 0;
    this.#expects = 'block';
    return true;
  }

  #contentSize(at: number, size: number): number {
    if (size === 8) return Number(this.#head.readBigUInt64LE(at));
    return this.#head.readUIntLE(at, size) + (size === 2 ? 256 : 0);
  }

  #blockHeader(): boolean {
    if (this.#headSize < 3) return false;
    const header = this.#head.readUIntLE(0, 3);
    const last = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === RESERVED || size > this.#maxBlockSize) throw damaged(this.#what, 'a zstd block is invalid');
    this.#skip = (type === RLE ? 1 : size) + (last ? this.#checksumSize : 0);
    this.#lastSkip = last;
    return true;
  }
}

function windowSizeOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
