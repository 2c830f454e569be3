// Configuration files of the machine: optional, bounded, read whole. Passed in, so that tests and users of the library do
// not depend on what is installed.
import { readdir, readFile } from 'node:fs/promises';
import { OnlayError } from '../errors.ts';

export interface Files {
  /** A whole file; undefined when there is none. Throws CONFIG_INVALID when it cannot be read or is too large. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  /** Sorted names in a directory; undefined when there is none. */
  readDirectory(path: string): Promise<readonly string[] | undefined>;
}

const FILE_LIMIT = 16 << 20;

export const systemFiles: Files = {
  readFile: (path) => whenPresent(path, () => readBounded(path)),
  readDirectory: (path) => whenPresent(path, async () => (await readdir(path)).sort()),
};

async function readBounded(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path);
  if (bytes.length > FILE_LIMIT)
    throw new OnlayError('CONFIG_INVALID', `Cannot read ${path}: it has more than ${FILE_LIMIT} bytes`);
  return bytes;
}

async function whenPresent<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof OnlayError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new OnlayError('CONFIG_INVALID', `Cannot read ${path}: ${code ?? String(cause)}`, { cause });
  }
}
