// gzip (RFC 1952) encoding on all cores, and yet always the same bytes: the input is cut into blocks of 1 MiB, each
// deflated on the thread pool with the last 32 KiB before it as its dictionary and ended by a sync flush, so that all
// blocks are one deflate stream in one member (as pigz does). How the input is cut and how many blocks are in flight
// does not show. The bytes still depend on the deflate of the running Node: only the digest of the content, not of the
// compressed layer, is the same everywhere.
import { availableParallelism } from 'node:os';
import { constants, deflateRaw, type ZlibOptions } from 'node:zlib';
import type { ByteStream } from '../base/streams.ts';
import { blocksOf } from './blocks.ts';
import { crc32 } from './crc32.ts';

const BLOCK_SIZE = 1024 * 1024;
const WINDOW_SIZE = 32 * 1024;
const MAX_IN_FLIGHT = 8; // the thread pool has four threads by default

/** The gzip stream of `source`. Level 6 is the usual; 4 costs 40 % less time for 3 % more bytes. */
export async function* gzip(
  source: ByteStream,
  options: { readonly level: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { level } = options;
  const width = Math.min(Math.max(2, availableParallelism()), MAX_IN_FLIGHT);
  const inFlight: Promise<Uint8Array>[] = [];
  let crc = 0;
  let size = 0;
  let dictionary: Uint8Array | undefined;
  yield header(level);
  for await (const { bytes, last } of blocksOf(source, BLOCK_SIZE)) {
    crc = crc32(bytes, crc);
    size += bytes.length;
    const deflated = deflate(bytes, { level, dictionary, last });
    deflated.catch(() => {}); // it is awaited in its turn; until then a failure must not be an unhandled one
    inFlight.push(deflated);
    dictionary = bytes.subarray(-WINDOW_SIZE);
    if (inFlight.length >= width) yield (await inFlight.shift()) as Uint8Array;
  }
  for (const deflated of inFlight) yield await deflated;
  yield trailer(crc, size);
}

function deflate(
  bytes: Uint8Array,
  options: { level: number; dictionary: Uint8Array | undefined; last: boolean },
): Promise<Uint8Array> {
  const { level, dictionary, last } = options;
  const zlibOptions: ZlibOptions = {
    level,
    finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    // room for the whole block: where output buffers end shows in the bytes of a sync flush
    chunkSize: BLOCK_SIZE + BLOCK_SIZE / 8,
  };
  if (dictionary !== undefined) zlibOptions.dictionary = dictionary;
  return new Promise((resolve, reject) => {
    deflateRaw(bytes, zlibOptions, (error, result) => {
      // a copy, so that a reader who keeps it does not keep the whole buffer
      if (error) reject(error);
      else resolve(Buffer.from(result));
    });
  });
}

// No name, no time; the byte that tells how hard it was tried; operating system unknown.
function header(level: number): Uint8Array {
  return Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level >= 9 ? 2 : level === 1 ? 4 : 0, 0xff);
}

function trailer(crc: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(crc, 0);
  bytes.writeUInt32LE(size % 2 ** 32, 4);
  return bytes;
}
