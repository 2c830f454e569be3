// Bytes that must be read more than once, or later: a temporary file that has no name any more, so that nothing is left
// behind however the run ends.
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { ByteStream } from '../../base/streams.ts';
import { limited } from '../../base/streams.ts';
import { readRange } from '../file-range.ts';
import { refusal, temporaryPath, writeAll } from '../replace-file.ts';

export interface Spool {
  readonly handle: FileHandle;
  readonly size: number;
}

/** Takes up `content`. The file lies in `directory`. Throws LIMIT_EXCEEDED, TARGET_REFUSED, and what `content` throws. */
export async function spool(
  content: ByteStream,
  options: { readonly directory: string; readonly limit: number; readonly what: string },
): Promise<Spool> {
  const path = temporaryPath(options.directory);
  let handle: FileHandle;
  try {
    handle = await open(path, 'wx+', 0o600);
    await rm(path);
  } catch (error) {
    throw refusal(error, path);
  }
  try {
    return { handle, size: await writeAll(handle, limited(content, options)) };
  } catch (error) {
    await handle.close();
    throw refusal(error, path);
  }
}

export function readSpool({ handle, size }: Spool, signal?: AbortSignal): ByteStream {
  return readRange(handle, 0, size, signal);
}
