// Repositories in a directory: file: URLs and directory targets of the mirror map. Only regular files below the
// directory are read; a path that would leave it is refused.
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OnlayError } from '../errors.ts';

/** `rest` (percent-encoded, as in a URL) below `directory`, a path or a file: URL. Throws NETWORK when it would leave. */
export function pathBelow(directory: string, rest: string, what: string): string {
  const below = decode(rest);
  if (below.split(/[/\\]/).includes('..') || below.includes('\0'))
    throw new OnlayError(
      'NETWORK',
      `Cannot read ${what} in ${directory}: the path leaves the directory: ${rest}`,
    );
  return join(resolve(pathOf(directory)), below);
}

/** file:/a, file:///a, copy:/a or a plain path → path. */
function pathOf(directory: string): string {
  const url = /^(?:file|copy):(?:\/\/(?:localhost)?(?=\/))?(.*)$/is.exec(directory);
  return url ? decode(url[1] as string) : directory;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Content of a regular file; undefined if there is none. Throws LIMIT_EXCEEDED, NETWORK. */
export async function readLocal(
  path: string,
  options: { readonly limit: number; readonly what: string },
): Promise<Uint8Array | undefined> {
  try {
    // O_NONBLOCK (by flag number, POSIX): opening a fifo must not wait for a writer
    await using file = await open(path, 0o4000);
    const facts = await file.stat();
    if (!facts.isFile())
      throw new OnlayError('NETWORK', `Cannot read ${options.what} at ${path}: it is no regular file`);
    if (facts.size > options.limit)
      throw new OnlayError(
        'LIMIT_EXCEEDED',
        `${options.what} at ${path} is larger than the limit of ${options.limit} bytes`,
      );
    return await file.readFile();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (error instanceof OnlayError) throw error;
    throw new OnlayError('NETWORK', `Cannot read ${options.what} at ${path}: ${String(code ?? error)}`, {
      cause: error,
    });
  }
}
