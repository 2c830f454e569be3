// One package comes in, new or in place of its old version: which of its files it may own, what of the old version
// leaves, what is written.
import { displayText } from '../../base/bytes.ts';
import type { NewNode } from '../../rootfs/change-set.ts';
import { baseName, parentOf } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import { readAccounts, resolveOwner } from './accounts.ts';
import type { Accounts } from './accounts.ts';
import { xattrsChecksum } from './apk-file.ts';
import type { ApkEntry } from './apk-file.ts';
import { isSatisfied, parseDependencies } from './dependencies.ts';
import { considerDirectory, prepareDirectory, releaseDirectories } from './directories.ts';
import { DIRECTORY_OWNER } from './installed.ts';
import type { Owner } from './installed.ts';
import type { LedgerDirectory, LedgerRecord } from './ledger.ts';
import { placeFile } from './place.ts';
import type { Before } from './place.ts';
import { removeFiles } from './remove-files.ts';
import type { Transaction } from './transaction.ts';

/** Writes the files of `entries` and puts `fresh`, a record without files so far, into the ledger. */
export function upgradePackage(
  transaction: Transaction,
  fresh: LedgerRecord,
  entries: readonly ApkEntry[],
): void {
  const { ledger, draft } = transaction;
  const old = ledger.get(fresh.name);
  const accounts = readAccounts(draft);
  const owned = entries.filter((entry) => mayOwn(transaction, fresh, entry));
  const files = new Set(owned.filter(({ type }) => type !== 'directory').map(({ path }) => path as RootPath));
  if (old) removeFiles(transaction, old, files);
  for (const entry of owned)
    if (entry.type === 'directory')
      addDirectory(transaction, fresh, entry.path as RootPath, ownerOf(entry, accounts));
  const sources = new Map(entries.filter(({ type }) => type === 'file').map((entry) => [entry.path, entry]));
  writeFiles(transaction, fresh, { owned, sources, accounts });
  sortDirectories(fresh, owned);
  if (old) for (const path of old.directories.keys()) considerDirectory(transaction, path);
  if (old) ledger.drop(old);
  ledger.add(fresh);
  if (old) releaseDirectories(transaction, old);
}

/** One package leaves and nothing of its name comes in. */
export function removePackage(transaction: Transaction, record: LedgerRecord): void {
  removeFiles(transaction, record, new Set());
  for (const path of record.directories.keys()) considerDirectory(transaction, path);
  transaction.ledger.drop(record);
  releaseDirectories(transaction, record);
}

/** Rules of apk about a file that another package owns; a file that is not to be owned is not written either. */
function mayOwn({ ledger, warnings }: Transaction, fresh: LedgerRecord, { path, type }: ApkEntry): boolean {
  const owner = type === 'directory' ? undefined : ledger.ownerOf(path as RootPath);
  if (!owner || owner.name === fresh.name) return true;
  const origin = fresh.fields.get('o') ?? '';
  if (origin !== '' && origin === owner.fields.get('o')) return true;
  const theirs = replacesPriority(owner, fresh);
  const ours = replacesPriority(fresh, owner);
  if (theirs > ours) return false;
  if (ours >= 0) return true;
  warnings.push(
    `/${displayText(path)} belongs to ${owner.name} and is in ${fresh.name} too; it was left as it is, as apk does`,
  );
  fresh.fields.set('f', 'f');
  return false;
}

/** -1: `record` does not replace the other one. */
function replacesPriority(record: LedgerRecord, other: LedgerRecord): number {
  const carrier = { version: other.fields.get('V') ?? '', checksum: other.fields.get('C') ?? '' };
  const replaces = parseDependencies(record.fields.get('r') ?? '');
  const matches = replaces.some(
    (dependency) => dependency.name === other.name && isSatisfied(dependency, carrier),
  );
  return matches ? Number(record.fields.get('q') ?? 0) || 0 : -1;
}

function addDirectory(
  transaction: Transaction,
  fresh: LedgerRecord,
  path: RootPath,
  owner: Owner,
): LedgerDirectory {
  const known = fresh.directories.get(path);
  if (known) {
    known.owner = owner;
    return known;
  }
  const directory: LedgerDirectory = { path, owner, files: new Map() };
  fresh.directories.set(path, directory);
  prepareDirectory(transaction, path, owner, fresh.name);
  return directory;
}

function writeFiles(
  transaction: Transaction,
  fresh: LedgerRecord,
  {
    owned,
    sources,
    accounts,
  }: {
    readonly owned: readonly ApkEntry[];
    /** Files of the whole package, for hard links. */
    readonly sources: ReadonlyMap<string, ApkEntry>;
    readonly accounts: Accounts;
  },
): void {
  const { ledger, touched } = transaction;
  /** Files of the package by path; hard links share the object of their target. `at`: where one of them lies. */
  const placed = new Map<string, { at: RootPath | undefined; readonly entry: ApkEntry }>();
  for (const entry of owned) {
    if (entry.type === 'directory') continue;
    const path = entry.path as RootPath;
    const parent = parentOf(path);
    const directory =
      fresh.directories.get(parent) ?? addDirectory(transaction, fresh, parent, DIRECTORY_OWNER);
    const linked = entry.type === 'hardlink' ? entry.link : path;
    // a link to a file that was left to another package becomes a file of its own; apk leaves it out
    const file = placed.get(linked) ?? { at: undefined, entry: sources.get(linked) ?? entry };
    const before = ledgerBefore(transaction, path);
    const at = placeFile(transaction, {
      entry: { ...file.entry, path },
      package: fresh.name,
      before,
      node: fileNode(file.entry, accounts, transaction.epoch),
      linkTo: file.at,
      linkOwner: resolveOwner(entry, accounts),
    });
    if (at !== 'same' && at !== 'blocked') file.at ??= at;
    placed.set(linked, file).set(path, file);
    if (at === 'blocked') {
      fresh.fields.set('f', 'f');
      continue;
    }
    if (at !== 'same') touched.add(parent);
    ledger.release(path);
    directory.files.set(baseName(path), {
      name: baseName(path),
      owner: ownerOf(entry, accounts),
      ...(entry.checksum === '' ? {} : { checksum: entry.checksum }),
    });
  }
}

function ledgerBefore({ ledger }: Transaction, path: RootPath): Before | undefined {
  const owner = ledger.ownerOf(path);
  if (!owner) return undefined;
  const file = owner.directories.get(parentOf(path))?.files.get(baseName(path));
  return { checksum: file?.checksum, truncatedSha256: (owner.fields.get('f') ?? '').includes('S') };
}

function fileNode(entry: ApkEntry, accounts: Accounts, epoch: number): NewNode {
  const { uid, gid } = resolveOwner(entry, accounts);
  const common = { uid, gid, mode: entry.mode, xattrs: entry.xattrs };
  switch (entry.type) {
    case 'file':
      return { ...common, type: 'file', mtime: entry.mtime, content: entry.content };
    case 'symlink':
      return { ...common, type: 'symlink', mode: 0o777, mtime: epoch, link: entry.link };
    case 'character':
    case 'block':
      return {
        ...common,
        type: entry.type,
        mtime: entry.mtime,
        devMajor: entry.devMajor,
        devMinor: entry.devMinor,
      };
    default:
      return { ...common, type: 'fifo', mtime: entry.mtime };
  }
}

function ownerOf(entry: ApkEntry, accounts: Accounts): Owner {
  const mode = entry.type === 'symlink' ? 0o777 : entry.mode;
  return { ...resolveOwner(entry, accounts), mode, xattrs: xattrsChecksum(entry.xattrs) };
}

/** Directories are recorded in the order in which the archive first names them or a file at the root. */
function sortDirectories(fresh: LedgerRecord, owned: readonly ApkEntry[]): void {
  const order = new Map<string, number>();
  for (const [index, { path, type }] of owned.entries()) {
    const directory = type === 'directory' ? path : parentOf(path as RootPath);
    if (!order.has(directory)) order.set(directory, index);
  }
  const sorted = [...fresh.directories.values()].sort(
    (a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0),
  );
  fresh.directories.clear();
  for (const directory of sorted) fresh.directories.set(directory.path, directory);
}
