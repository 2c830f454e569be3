// Reading files of a store: regular files only, in large pieces. What lies in a layout or archive directory may have been
// made by anyone, so a final symlink is never followed and a pipe or device never waited for.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { OnlayError } from '../errors.ts';

// the default of 64 KiB costs a third of the speed of a digest
const CHUNK_SIZE = 256 * 1024;

/** Opens a regular file without following it; undefined when there is none. Throws IMAGE_INVALID for anything else. */
export async function openRegular(path: string, what: string): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errno(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'ELOOP') throw new OnlayError('IMAGE_INVALID', `${what} is a symlink`, { cause: error });
    throw new OnlayError('IMAGE_NOT_FOUND', `${what} cannot be read: ${code ?? String(error)}`, {
      cause: error,
    });
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new OnlayError('IMAGE_INVALID', `${what} is not a regular file`);
}

/** A whole small file; undefined when there is none. Throws LIMIT_EXCEEDED past `limit`. */
export async function readSmallFile(
  path: string,
  limit: number,
  what: string,
): Promise<Uint8Array | undefined> {
  await using handle = await openRegular(path, what);
  if (!handle) return undefined;
  const { size } = await handle.stat();
  if (size > limit) throw new OnlayError('LIMIT_EXCEEDED', `${what} has ${size} bytes, more than ${limit}`);
  return handle.readFile();
}

/** `length` bytes from `start`; ends early where the file does. Each chunk is memory of its own. */
export async function* readRange(
  handle: FileHandle,
  start: number,
  length: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = start;
  const end = start + length;
  while (at < end) {
    signal?.throwIfAborted();
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_SIZE, end - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The `code` of a system error. */
export function errno(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
