// Reading a file of a package database. Its content was kept while layers were indexed if it lies where the family
// expects it and is of honest size; where a symlink led elsewhere, or a hostile image made it huge, it was not.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import type { RootView } from '../rootfs/root-view.ts';

/** Content of the file at `path` (followed); empty if there is none. Throws DATABASE_INVALID if it was not kept. */
export function readDatabaseFile(root: RootView, path: string): Uint8Array {
  const node = root.follow(path);
  if (node?.type !== 'file') return new Uint8Array();
  if (!root.readable(path))
    throw new OnlayError(
      'DATABASE_INVALID',
      `Cannot read ${displayText(path)}: with ${node.size} bytes at ${displayText(node.path)} it is too large, or not where a package database is looked for`,
    );
  return root.read(path) ?? new Uint8Array();
}
