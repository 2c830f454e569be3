// gzip (RFC 1952) decoding through node:zlib. Several members are one content; zeros after the last one are padding,
// anything else there is refused.
import { createGunzip, gunzip as gunzipBuffer, inflateRawSync } from 'node:zlib';
import type { ByteStream } from '../base/streams.ts';
import { crc32 } from './crc32.ts';
import { cutOff, damaged, tooLarge, type DecodeOptions } from './failure.ts';
import { throughZlib } from './zlib-stream.ts';

// The default of 16 KiB costs 1.5 to 1.9 times the time of a layer.
export const CHUNK_SIZE: number = 256 * 1024;

/** Content of a gzip stream. */
export function gunzip(source: ByteStream, { what }: DecodeOptions): ByteStream {
  return throughZlib(source, createGunzip({ chunkSize: CHUNK_SIZE }), {
    rest: (bytes) => requirePadding(bytes, what),
    translate: (error) => translate(error, what),
  });
}

/** Content of gzip bytes in memory, decoded on the thread pool. */
export function gunzipBytes(bytes: Uint8Array, options: DecodeOptions): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gunzipBuffer(bytes, memoryOptions(options.limit), (error, result) => {
      try {
        if (error) throw translate(error, options.what, options);
        const { buffer, engine } = result as unknown as InflateInfo;
        if (buffer.length > options.limit) throw tooLarge(options);
        requirePadding(bytes.subarray(engine.bytesWritten), options.what);
        resolve(buffer);
      } catch (failure) {
        reject(failure);
      }
    });
  });
}

/** One member of a gzip file, as stored and decoded. */
export interface GzipMember {
  /** Shares the memory of the input. */
  readonly compressed: Uint8Array;
  readonly content: Uint8Array;
}

/**
 * The members of gzip bytes, for formats in which each has a meaning (.apk, APKINDEX.tar.gz). `limit` is of all
 * contents together.
 */
export function gunzipMembers(bytes: Uint8Array, options: DecodeOptions): readonly GzipMember[] {
  const { what } = options;
  const members: GzipMember[] = [];
  let room = options.limit;
  let at = 0;
  do {
    const start = at;
    at = skipHeader(bytes, start, what);
    const { buffer, engine } = inflate(bytes.subarray(at), room, options);
    at += engine.bytesWritten;
    if (bytes.length - at < TRAILER_SIZE) throw cutOff(what, 'gzip');
    const trailer = new DataView(bytes.buffer, bytes.byteOffset + at, TRAILER_SIZE);
    if (
      trailer.getUint32(0, true) !== crc32(buffer) ||
      trailer.getUint32(4, true) !== buffer.length % 2 ** 32
    )
      throw damaged(what, `the checksum of gzip member ${members.length + 1} is wrong`);
    at += TRAILER_SIZE;
    room -= buffer.length;
    members.push({ compressed: bytes.subarray(start, at), content: buffer });
  } while (at < bytes.length && bytes[at] !== 0);
  requirePadding(bytes.subarray(at), what);
  return members;
}

/** What node:zlib gives with `info: true`, which its types do not know. */
interface InflateInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function memoryOptions(limit: number): { chunkSize: number; maxOutputLength: number; info: true } {
  return { chunkSize: CHUNK_SIZE, maxOutputLength: Math.min(Math.max(limit, 1), MAX_BUFFER), info: true };
}
const MAX_BUFFER = 2 ** 32;
const TRAILER_SIZE = 8;

function inflate(bytes: Uint8Array, room: number, options: DecodeOptions): InflateInfo {
  let result: InflateInfo;
  try {
    result = inflateRawSync(bytes, memoryOptions(room)) as unknown as InflateInfo;
  } catch (error) {
    throw translate(error, options.what, options);
  }
  if (result.buffer.length > room) throw tooLarge(options);
  return result;
}

const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

// Where the deflate data of the member at `start` begins.
function skipHeader(bytes: Uint8Array, start: number, what: string): number {
  if (bytes[start] !== 0x1f || bytes[start + 1] !== 0x8b)
    throw damaged(what, `no gzip member at byte ${start}`);
  const flags = bytes[start + 3] ?? 0;
  if (bytes[start + 2] !== 8 || (flags & FLAG.reserved) !== 0)
    throw damaged(what, `the gzip member at byte ${start} is of an unknown kind`);
  let at = start + 10;
  if (flags & FLAG.extra) at += 2 + (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
  for (const text of [FLAG.name, FLAG.comment]) {
    if (!(flags & text)) continue;
    const end = bytes.indexOf(0, at);
    if (end === -1) throw cutOff(what, 'gzip');
    at = end + 1;
  }
  if (flags & FLAG.headerCrc) {
    const stored = (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
    if (stored !== (crc32(bytes.subarray(start, at)) & 0xffff))
      throw damaged(what, `the header of the gzip member at byte ${start} has a wrong checksum`);
    at += 2;
  }
  if (at >= bytes.length) throw cutOff(what, 'gzip');
  return at;
}

function requirePadding(bytes: Uint8Array, what: string): void {
  if (bytes.some((byte) => byte !== 0))
    throw damaged(what, 'something other than gzip follows the gzip data');
}

function translate(error: unknown, what: string, options?: DecodeOptions): unknown {
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? '') : '';
  if (options !== undefined && code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(options);
  if (code === 'Z_BUF_ERROR') return cutOff(what, 'gzip', error);
  if (!code.startsWith('Z_')) return error;
  return damaged(
    what,
    `the gzip data is damaged or followed by something else (${(error as Error).message})`,
    {
      cause: error,
    },
  );
}
