// rpm writes xz with SHA-256 checks, which xz-decompress does not know. So such a stream is taken apart here, given on
// without checks, and the content of each block is checked against its SHA-256 when it has been decoded. Blocks are found
// by walking over the LZMA2 chunks, whose headers say how long they are.
// The .xz file format 1.1.0: https://tukaani.org/xz/xz-file-format.txt
import { createHash } from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import type { ByteStream } from '../base/streams.ts';
import { crc32 } from './crc32.ts';
import { cutOff, damaged } from './failure.ts';

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
export const XZ_HEADER_SIZE = 12;
const CHECK_NONE = 0;
const CHECK_SHA256 = 10;
const SHA256_SIZE = 32;
const NOTHING = new Uint8Array(0);

/** True when the stream that starts with `head` has SHA-256 checks. */
export function hasSha256Checks(head: Uint8Array): boolean {
  return head[7] === CHECK_SHA256;
}

/** A block: the size of its content, and the SHA-256 that content must have. */
interface Block {
  readonly size: number;
  readonly sha256: Uint8Array;
}

/** What `decode` makes of `source` without its SHA-256 checks, which are done here. */
export async function* checkSha256(
  source: ByteStream,
  what: string,
  decode: (source: ByteStream) => ByteStream,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Blocks get here when all of their input has been read: content beyond them belongs to the one that is not yet known.
  const blocks: Block[] = [];
  let hash = createHash('sha256');
  let size = 0;
  const settle = (): void => {
    const block = blocks.shift() as Block;
    if (!equalBytes(hash.digest(), block.sha256))
      throw damaged(what, 'a SHA-256 check of the xz data is wrong');
    hash = createHash('sha256');
    size = 0;
  };
  for await (const chunk of decode(withoutChecks(source, what, blocks))) {
    let at = 0;
    while (at < chunk.length) {
      while (blocks[0]?.size === size) settle();
      const end = blocks[0] === undefined ? chunk.length : Math.min(chunk.length, at + blocks[0].size - size);
      hash.update(chunk.subarray(at, end));
      size += end - at;
      at = end;
    }
    yield chunk;
  }
  while (blocks[0]?.size === size) settle();
  if (blocks.length > 0) throw cutOff(what, 'xz');
}

async function* withoutChecks(
  source: ByteStream,
  what: string,
  blocks: Block[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new Reader(source, what);
  try {
    do {
      const header = await reader.take(XZ_HEADER_SIZE);
      if (!equalBytes(header, streamHeader(CHECK_SHA256))) throw damaged(what, 'the xz header is damaged');
      yield streamHeader(CHECK_NONE);
      const sizes: { unpadded: number; content: number }[] = [];
      for (let indicator = await reader.byte(); indicator !== 0; indicator = await reader.byte()) {
        const headerSize = (indicator + 1) * 4;
        yield Uint8Array.of(indicator);
        yield await reader.take(headerSize - 1);
        const size = { compressed: 0, content: 0 };
        yield* lzma2Chunks(reader, size, what);
        yield await reader.take((4 - (size.compressed % 4)) % 4);
        blocks.push({ size: size.content, sha256: (await reader.take(SHA256_SIZE)).slice() });
        sizes.push({ unpadded: headerSize + size.compressed, content: size.content });
      }
      // what the index and footer must be is known
      const oldIndex = index(sizes.map((size) => ({ ...size, unpadded: size.unpadded + SHA256_SIZE })));
      const oldEnd = Buffer.concat([oldIndex, footer(CHECK_SHA256, oldIndex.length)]).subarray(1);
      if (!equalBytes(await reader.take(oldEnd.length), oldEnd))
        throw damaged(what, 'the xz index is damaged');
      const newIndex = index(sizes);
      yield newIndex;
      yield footer(CHECK_NONE, newIndex.length);
    } while (await reader.skipPadding());
  } finally {
    await reader.end();
  }
}

const LZMA2_END = 0;
const LZMA2_STORED = [1, 2];
const LZMA2_FIRST_COMPRESSED = 0x80;
const LZMA2_FIRST_WITH_PROPERTIES = 0xc0;

// The LZMA2 data of a block; adds up what it has and what it unpacks to.
async function* lzma2Chunks(
  reader: Reader,
  size: { compressed: number; content: number },
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const control = await reader.byte();
    yield Uint8Array.of(control);
    size.compressed++;
    if (control === LZMA2_END) return;
    const stored = LZMA2_STORED.includes(control);
    if (!stored && control < LZMA2_FIRST_COMPRESSED) throw damaged(what, 'the xz data is damaged');
    const header = (await reader.take(stored ? 2 : control >= LZMA2_FIRST_WITH_PROPERTIES ? 5 : 4)).slice();
    yield header;
    const number = (at: number): number => (header[at] as number) * 256 + (header[at + 1] as number) + 1;
    const dataSize = stored ? number(0) : number(2);
    size.content += stored ? dataSize : (control & 0x1f) * 65536 + number(0);
    size.compressed += header.length + dataSize;
    yield await reader.take(dataSize);
  }
}

function streamHeader(check: number): Uint8Array {
  const flags = Uint8Array.of(0, check);
  return Uint8Array.from([...HEADER_MAGIC, ...flags, ...uint32(crc32(flags))]);
}

function index(sizes: readonly { readonly unpadded: number; readonly content: number }[]): Uint8Array {
  const body = [0, ...integer(sizes.length)];
  for (const { unpadded, content } of sizes) body.push(...integer(unpadded), ...integer(content));
  while (body.length % 4 !== 0) body.push(0);
  const bytes = Uint8Array.from(body);
  return Buffer.concat([bytes, uint32(crc32(bytes))]);
}

function footer(check: number, indexSize: number): Uint8Array {
  const body = Buffer.concat([uint32(indexSize / 4 - 1), Uint8Array.of(0, check)]);
  return Buffer.concat([uint32(crc32(body)), body, Buffer.from('YZ')]);
}

// A number in groups of seven bits, the lowest first.
function integer(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return [...bytes, rest];
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Takes bytes from a stream in the sizes one wants them. */
class Reader {
  readonly #input: AsyncIterator<Uint8Array>;
  readonly #what: string;
  #chunk: Uint8Array = NOTHING;
  #at = 0;

  constructor(source: ByteStream, what: string) {
    this.#input = source[Symbol.asyncIterator]();
    this.#what = what;
  }

  async byte(): Promise<number> {
    return (await this.take(1))[0] as number;
  }

  async take(size: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = size;
    while (missing > 0) {
      if (!(await this.#fill())) throw cutOff(this.#what, 'xz');
      const part = this.#chunk.subarray(this.#at, this.#at + missing);
      this.#at += part.length;
      missing -= part.length;
      parts.push(part);
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  /** Passes the zeros between streams, four at a time; true when something follows. */
  async skipPadding(): Promise<boolean> {
    let zeros = 0;
    while (await this.#fill()) {
      if (this.#chunk[this.#at] !== 0) break;
      this.#at++;
      zeros++;
    }
    if (zeros % 4 !== 0) throw damaged(this.#what, 'the padding of the xz data is damaged');
    return this.#fill();
  }

  async end(): Promise<void> {
    await this.#input.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      const { value, done } = await this.#input.next();
      if (done) return false;
      this.#chunk = value;
      this.#at = 0;
    }
    return true;
  }
}
