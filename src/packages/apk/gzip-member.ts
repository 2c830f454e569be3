// The first gzip member of some bytes and what follows it: an .apk is told apart, and its parts are checked, before the
// payload is decoded. RFC 1952.
import { inflateRawSync } from 'node:zlib';
import { OnlayError } from '../../errors.ts';

export interface FirstMember {
  readonly compressed: Uint8Array;
  readonly content: Uint8Array;
  readonly rest: Uint8Array;
}

/** `limit` is of the content. Throws PACKAGE_INVALID and LIMIT_EXCEEDED. The checksum in the trailer is not looked at. */
export function firstMember(
  bytes: Uint8Array,
  { limit, what }: { readonly limit: number; readonly what: string },
): FirstMember {
  const start = headerSize(bytes, what);
  try {
    const { buffer, engine } = inflateRawSync(bytes.subarray(start), {
      maxOutputLength: limit,
      info: true,
    }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    const end = start + engine.bytesWritten + TRAILER_SIZE;
    if (end > bytes.length) throw damaged(what);
    return { compressed: bytes.subarray(0, end), content: buffer, rest: bytes.subarray(end) };
  } catch (error) {
    if (error instanceof OnlayError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new OnlayError('LIMIT_EXCEEDED', `${what} has a part of more than ${limit} bytes`);
    throw damaged(what, error);
  }
}

const TRAILER_SIZE = 8;
const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

function headerSize(bytes: Uint8Array, what: string): number {
  const flags = bytes[3] ?? 0xff;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8 || (flags & FLAG.reserved) !== 0)
    throw damaged(what);
  let at = 10;
  if (flags & FLAG.extra) at += 2 + (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
  for (const text of [FLAG.name, FLAG.comment])
    if (flags & text) {
      const end = bytes.indexOf(0, at);
      if (end === -1) throw damaged(what);
      at = end + 1;
    }
  if (flags & FLAG.headerCrc) at += 2;
  if (at >= bytes.length) throw damaged(what);
  return at;
}

function damaged(what: string, cause?: unknown): OnlayError {
  return new OnlayError('PACKAGE_INVALID', `Cannot read ${what}: it is cut off or no gzip data`, { cause });
}
