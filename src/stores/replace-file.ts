// Files that appear whole or not at all: written beside their place and renamed.
import { randomBytes } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteStream } from '../base/streams.ts';
import { OnlayError } from '../errors.ts';
import { errno } from './file-range.ts';

/**
 * Writes `content` to `path`, through a temporary file in `directory` (of the same file system). What was there is
 * replaced at once; nothing is left behind when `content` throws. Throws TARGET_REFUSED.
 */
export async function replaceFile(path: string, content: ByteStream, directory: string): Promise<void> {
  const temporary = temporaryPath(directory);
  try {
    await using handle = await open(temporary, 'wx');
    await writeAll(handle, content);
  } catch (error) {
    await rm(temporary, { force: true });
    throw refusal(error, path);
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw refusal(error, path);
  }
}

/** A name that no other run uses; leftovers of a killed run are told by it. */
export function temporaryPath(directory: string): string {
  return join(directory, `.onlay-${randomBytes(8).toString('hex')}.tmp`);
}

export async function writeAll(handle: FileHandle, content: ByteStream): Promise<number> {
  let size = 0;
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length;)
      at += (await handle.write(chunk, at, chunk.length - at, null)).bytesWritten;
    size += chunk.length;
  }
  return size;
}

/** What to throw when writing at `path` failed: system errors become TARGET_REFUSED, all else stays. */
export function refusal(error: unknown, path: string): unknown {
  const [why, hint] = REASONS[errno(error) ?? ''] ?? [];
  if (why === undefined || error instanceof OnlayError) return error;
  return new OnlayError('TARGET_REFUSED', `Cannot write ${path}: ${why}`, { hint, cause: error });
}

const NOT_WRITABLE = 'choose another place with -t, or change its permissions';
const REASONS: Readonly<Record<string, readonly [why: string, hint?: string]>> = {
  EACCES: ['permission denied', NOT_WRITABLE],
  EPERM: ['operation not permitted', NOT_WRITABLE],
  EROFS: ['the file system is read-only', 'choose another place with -t'],
  ENOSPC: ['no space left on the device'],
  EDQUOT: ['the disk quota is exceeded'],
  ENOENT: ['the directory does not exist', 'create the directory first'],
  ENOTDIR: ['a part of the path is not a directory'],
  EISDIR: ['it is a directory'],
  ENOTEMPTY: ['it is a directory'],
  ENAMETOOLONG: ['the name is too long'],
  EPIPE: ['the reader has closed the pipe'],
};
