// Files that leave with an old version or a removed package.
import { displayText } from '../../base/bytes.ts';
import { parentOf } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import { holds } from './compare-file.ts';
import { filesOf } from './ledger.ts';
import type { LedgerRecord } from './ledger.ts';
import type { Transaction } from './transaction.ts';

/**
 * Removes the files of `record` that are not in `kept`. In protected directories only what is as the database says;
 * what the user changed stays, without an owner. This runs before the new version is written: a path may be reached by
 * two names (lib/x and usr/lib/x), or be something else in the new version.
 */
export function removeFiles(
  transaction: Transaction,
  record: LedgerRecord,
  kept: ReadonlySet<RootPath>,
): void {
  const { draft, ledger, protectedPaths } = transaction;
  const truncated = (record.fields.get('f') ?? '').includes('S');
  for (const path of filesOf(record)) {
    if (kept.has(path) || ledger.ownerOf(path) !== record) continue;
    const node = draft.lookup(path);
    if (!node || node.type === 'directory') continue;
    const checksum = record.directories
      .get(parentOf(path))
      ?.files.get(path.slice(path.lastIndexOf('/') + 1))?.checksum;
    if (
      protectedPaths.isProtected(path) &&
      checksum !== undefined &&
      holds(draft, node, checksum, truncated) !== true
    ) {
      transaction.conffiles.push({ path, package: record.name, action: 'obsolete' });
      continue;
    }
    draft.remove(path);
    transaction.touched.add(parentOf(path));
    transaction.removed.push(path);
    if (protectedPaths.isProtected(path))
      transaction.conffiles.push({ path, package: record.name, action: 'removed' });
  }
}

/** An empty directory may make way for a file; anything in it is the user's or another package's. */
export function clearDirectory({ draft, warnings }: Transaction, path: RootPath, name: string): boolean {
  const node = draft.lookup(path);
  if (node?.type !== 'directory') return true;
  removeEmptyTree(draft, path);
  const cleared = draft.lookup(path) === undefined;
  warnings.push(
    cleared
      ? `/${displayText(path)} was a directory and is no longer one in ${name}; apk would have failed to replace it`
      : `/${displayText(path)} of ${name} was left out: in its place is a directory with other files`,
  );
  return cleared;
}

function removeEmptyTree(draft: Transaction['draft'], path: RootPath): void {
  for (const name of draft.list(path)) {
    const child = `${path}/${name}` as RootPath;
    if (draft.lookup(child)?.type === 'directory') removeEmptyTree(draft, child);
  }
  if (draft.list(path).length === 0) draft.remove(path);
}
