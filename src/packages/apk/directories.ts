// Directories of packages: made where they are missing, their attributes changed only where they are as the database
// said before; a directory that the user replaced by a symlink is written through.
import { displayText } from '../../base/bytes.ts';
import type { NewNode } from '../../rootfs/change-set.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { Owner } from './installed.ts';
import type { Transaction } from './transaction.ts';

export function prepareDirectory(transaction: Transaction, path: RootPath, owner: Owner, name: string): void {
  const { draft, directoriesBefore, managed, warnings } = transaction;
  if (path === '' || managed.has(path)) return;
  const node = draft.lookup(path);
  if (node?.type === 'directory') {
    const before = directoriesBefore.get(path);
    if (before && before.mode === node.mode && before.uid === node.uid && before.gid === node.gid)
      managed.add(path);
    return;
  }
  if (node?.type === 'symlink' && draft.follow(path)?.type === 'directory') return;
  if (node)
    warnings.push(
      `/${displayText(path)} was no directory and is one in ${name}; apk would have failed to replace it`,
    );
  draft.put(path, directoryNode(owner, transaction.epoch));
  managed.add(path);
}

/** At the end, when all owners are known. */
export function applyDirectoryOwners({ draft, ledger, managed }: Transaction): void {
  const owners = ledger.directories();
  for (const path of managed) {
    const owner = owners.get(path);
    if (!owner || draft.lookup(path)?.type !== 'directory') continue;
    draft.setAttributes(path, { mode: owner.mode, uid: owner.uid, gid: owner.gid });
  }
}

function directoryNode({ uid, gid, mode }: Owner, mtime: number): NewNode {
  return { type: 'directory', uid, gid, mode, mtime };
}
