// Directories of packages: made where they are missing, their attributes changed only where they are as the database
// said before; a directory that the user replaced by a symlink is written through.
import { displayText } from '../../base/bytes.ts';
import type { NewNode } from '../../rootfs/change-set.ts';
import { parentOf } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { Owner } from './installed.ts';
import type { LedgerRecord } from './ledger.ts';
import type { Transaction } from './transaction.ts';

/** A package that is coming in has this directory. */
export function prepareDirectory(transaction: Transaction, path: RootPath, owner: Owner, name: string): void {
  const { draft, managed, warnings } = transaction;
  if (path === '') return;
  const node = draft.lookup(path);
  if (node?.type === 'directory') return considerDirectory(transaction, path);
  if (node?.type === 'symlink' && draft.follow(path)?.type === 'directory') return;
  if (node)
    warnings.push(
      `/${displayText(path)} was no directory and is one in ${name}; apk would have failed to replace it`,
    );
  draft.put(path, directoryNode(owner, transaction.epoch));
  managed.set(path, true);
}

/** Whether its attributes are for packages to say: decided once, while its owners are those of before. */
export function considerDirectory({ draft, ledger, managed }: Transaction, path: RootPath): void {
  if (managed.has(path)) return;
  const node = draft.lookup(path);
  const before = ledger.ownerAt(path);
  const matches =
    node?.type === 'directory' &&
    before !== undefined &&
    before.mode === node.mode &&
    before.uid === node.uid &&
    before.gid === node.gid;
  managed.set(path, matches);
}

/**
 * A record has left the ledger: its directories that have no owner any more, nor anything owned below them, leave if
 * they are empty, and so do directories above them that nobody owns.
 */
export function releaseDirectories(transaction: Transaction, record: LedgerRecord): void {
  const { draft, ledger, managed, removed } = transaction;
  const lost = new Set<RootPath>();
  for (const path of record.directories.keys())
    for (let at = path; at !== '' && !lost.has(at) && ledger.ownerAt(at) === undefined; at = parentOf(at))
      lost.add(at);
  if (lost.size === 0) return;
  const needed = new Set<RootPath>();
  for (const path of ledger.directories())
    for (let at = path; at !== '' && !needed.has(at); at = parentOf(at)) needed.add(at);
  for (const path of [...lost].sort().reverse()) {
    managed.delete(path);
    if (needed.has(path) || draft.lookup(path)?.type !== 'directory' || draft.list(path).length > 0) continue;
    draft.remove(path);
    removed.push(path);
  }
}

/** At the end, when all owners are known. */
export function applyDirectoryOwners({ draft, ledger, managed }: Transaction): void {
  for (const [path, isManaged] of managed) {
    const owner = isManaged ? ledger.ownerAt(path) : undefined;
    if (!owner || draft.lookup(path)?.type !== 'directory') continue;
    draft.setAttributes(path, { mode: owner.mode, uid: owner.uid, gid: owner.gid });
  }
}

function directoryNode({ uid, gid, mode }: Owner, mtime: number): NewNode {
  return { type: 'directory', uid, gid, mode, mtime };
}
