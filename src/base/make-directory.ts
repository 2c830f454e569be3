// A directory with its parents. Not by mkdir's `recursive`, which in Node 20 never ends below a directory that exists and
// takes no entries (/proc, /sys): it goes on trying.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Throws what the system says: ENOENT, EACCES, ENOTDIR, EROFS, ENOSPC, … */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  const make = (): Promise<void> => mkdir(path, { mode }).catch((error: unknown) => accept(path, error));
  try {
    await make();
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    await makeDirectory(parent, mode);
    await make();
  }
}

/** Somebody else's directory will do. */
async function accept(path: string, error: unknown): Promise<void> {
  const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
  if (!exists || !(await stat(path)).isDirectory()) throw error;
}
