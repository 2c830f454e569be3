// gzip (RFC 1952) decoding through node:zlib. Several members are one content; zeros after the last one are padding,
// anything else there is an error. The source of a stream is always read to its end, because its digest is checked there.
import { createGunzip, gunzip as gunzipBuffer, inflateRawSync } from 'node:zlib';
import { OnlayError } from '../errors.ts';
import type { ByteStream } from '../base/streams.ts';
import { crc32 } from './crc32.ts';

// The default of 16 KiB costs 1.5 to 1.9 times the time of a layer.
const CHUNK_SIZE = 256 * 1024;

/** Content of a gzip stream. Throws ARCHIVE_INVALID, and what the source throws. */
export async function* gunzip(source: ByteStream, what: string): AsyncGenerator<Uint8Array, void, undefined> {
  const zlib = createGunzip({ chunkSize: CHUNK_SIZE });
  let failure: { readonly error: unknown } | undefined;
  const feeding = feed(source, zlib, what).catch((error: unknown) => {
    failure = { error };
    zlib.destroy();
  });
  try {
    try {
      for await (const chunk of zlib) yield chunk as Uint8Array;
    } catch (error) {
      throw failure ? failure.error : damaged(error, what);
    }
    await feeding;
    if (failure) throw failure.error;
  } finally {
    zlib.destroy();
    await feeding;
  }
}

async function feed(source: ByteStream, zlib: ReturnType<typeof createGunzip>, what: string): Promise<void> {
  let wake = (): void => {};
  zlib.on('close', () => wake());
  let fed = 0;
  let ended = false;
  for await (const chunk of source) {
    if (zlib.errored || (zlib.destroyed && !ended)) return;
    fed += chunk.length;
    if (!ended) {
      // after an error the callback never comes
      await new Promise<void>((resolve) => {
        wake = resolve;
        zlib.write(chunk, () => resolve());
      });
    }
    const rest = Math.min(fed - zlib.bytesWritten, chunk.length);
    ended ||= rest > 0;
    if (ended) requirePadding(chunk.subarray(chunk.length - rest), what);
  }
  if (!ended) zlib.end();
}

/** Content of gzip bytes in memory, decoded on the thread pool. */
export function gunzipBytes(
  bytes: Uint8Array,
  options: { limit: number; what: string },
): Promise<Uint8Array> {
  const { limit, what } = options;
  return new Promise((resolve, reject) => {
    const zlibOptions = { chunkSize: CHUNK_SIZE, maxOutputLength: Math.max(limit, 1), info: true };
    gunzipBuffer(bytes, zlibOptions, (error, result) => {
      try {
        if (error)
          throw hasZlibCode(error, 'ERR_BUFFER_TOO_LARGE') ? tooLarge(limit, what) : damaged(error, what);
        const { buffer, engine } = result as unknown as InflateInfo;
        if (buffer.length > limit) throw tooLarge(limit, what);
        requirePadding(bytes.subarray(engine.bytesWritten), what);
        resolve(buffer);
      } catch (failure) {
        reject(failure as Error);
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

/** The members of gzip bytes, for formats that give each a meaning (.apk, APKINDEX). `limit` is of all content. */
export function gunzipMembers(
  bytes: Uint8Array,
  options: { readonly limit: number; readonly what: string },
): readonly GzipMember[] {
  const { limit, what } = options;
  const members: GzipMember[] = [];
  let room = limit;
  let at = 0;
  while (at < bytes.length) {
    if (members.length > 0 && bytes[at] === 0) {
      requirePadding(bytes.subarray(at), what);
      break;
    }
    const start = at;
    at = skipHeader(bytes, start, what);
    const { buffer, engine } = inflate(bytes.subarray(at), room, options);
    at += engine.bytesWritten;
    if (bytes.length - at < 8) throw new OnlayError('ARCHIVE_INVALID', `${what}: the gzip data is cut off`);
    const trailer = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
    if (
      trailer.getUint32(0, true) !== crc32(buffer) ||
      trailer.getUint32(4, true) !== buffer.length % 2 ** 32
    )
      throw new OnlayError(
        'ARCHIVE_INVALID',
        `${what}: the checksum of gzip member ${members.length + 1} is wrong`,
      );
    at += 8;
    room -= buffer.length;
    members.push({ compressed: bytes.subarray(start, at), content: buffer });
  }
  return members;
}

interface InflateInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function inflate(bytes: Uint8Array, room: number, options: { limit: number; what: string }): InflateInfo {
  let result: InflateInfo;
  try {
    const zlibOptions = { chunkSize: CHUNK_SIZE, maxOutputLength: Math.max(room, 1), info: true };
    result = inflateRawSync(bytes, zlibOptions) as unknown as InflateInfo;
  } catch (error) {
    if (hasZlibCode(error, 'ERR_BUFFER_TOO_LARGE')) throw tooLarge(options.limit, options.what);
    throw damaged(error, options.what);
  }
  if (result.buffer.length > room) throw tooLarge(options.limit, options.what);
  return result;
}

const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED = 0xe0;

// Where the deflate data of the member at `start` begins.
function skipHeader(bytes: Uint8Array, start: number, what: string): number {
  const refuse = (why: string): never => {
    throw new OnlayError('ARCHIVE_INVALID', `${what}: ${why} at byte ${start}`);
  };
  if (bytes[start] !== 0x1f || bytes[start + 1] !== 0x8b) refuse('no gzip member');
  if (bytes.length - start < 18) refuse('a gzip member is cut off');
  const flags = bytes[start + 3] as number;
  if (bytes[start + 2] !== 8 || (flags & RESERVED) !== 0) refuse('a gzip member of an unknown kind');
  let at = start + 10;
  if (flags & FEXTRA) at += 2 + (bytes[at] as number) + (bytes[at + 1] as number) * 256;
  for (const flag of [FNAME, FCOMMENT]) {
    if (!(flags & flag)) continue;
    const end = bytes.indexOf(0, at);
    if (end === -1) refuse('a gzip header is cut off');
    at = end + 1;
  }
  if (flags & FHCRC) {
    const stored = (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
    if (stored !== (crc32(bytes.subarray(start, at)) & 0xffff)) refuse('a gzip header has a wrong checksum');
    at += 2;
  }
  if (at >= bytes.length) refuse('a gzip header is cut off');
  return at;
}

function requirePadding(bytes: Uint8Array, what: string): void {
  if (bytes.some((byte) => byte !== 0))
    throw new OnlayError('ARCHIVE_INVALID', `${what}: something other than gzip follows the gzip data`);
}

function hasZlibCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

function tooLarge(limit: number, what: string): OnlayError {
  return new OnlayError(
    'LIMIT_EXCEEDED',
    `${what} is larger than the limit of ${limit} bytes when decompressed`,
  );
}

function damaged(error: unknown, what: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined || !code.startsWith('Z_')) return error;
  const why =
    code === 'Z_BUF_ERROR'
      ? 'the gzip data is cut off'
      : `the gzip data is damaged (${(error as Error).message})`;
  return new OnlayError('ARCHIVE_INVALID', `${what}: ${why}`, { cause: error });
}
