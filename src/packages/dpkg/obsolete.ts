// What the old version of a package had and the new one has not: pkg_remove_old_files of dpkg (src/main/unpack.c).
// Files go; directories go when nobody else has them and nothing is left in them; conffiles stay, marked obsolete.
// Beyond dpkg, which has lost files so, nothing is removed that another package has under another spelling ("/lib/x" and
// "/usr/lib/x" of a merged /usr), nor a symlink of the root such as /lib itself.
import type { RootPath } from '../../rootfs/path.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { NEW_CONFFILE } from './conffiles.ts';
import type { PackageId } from './ownership.ts';
import { removePath } from './transaction.ts';
import type { PackageFacts, Transaction, Unit } from './transaction.ts';
import type { UnpackedFiles } from './unpack.ts';

/** A conffile that stays although the new version does not have it. */
export interface ObsoleteConffile {
  readonly name: string;
  readonly hash: string;
}

/** Removes what is obsolete; `list` is the old version's, `staged` are directories that will become symlinks. */
export function removeObsolete(
  transaction: Transaction,
  unit: Unit,
  {
    files,
    list,
    staged,
  }: { readonly files: UnpackedFiles; readonly list: readonly string[]; readonly staged: readonly string[] },
): ObsoleteConffile[] {
  const { draft, ownership, packages, rules, triggers } = transaction;
  const stays = new Set(files.names.filter((name) => !files.filtered.has(name)));
  for (const { name } of files.conffiles) stays.add(name);
  const oldHashes = new Map(
    (packages.get(unit.id) as PackageFacts).conffiles.map(({ path, hash }) => [path, hash] as const),
  );
  const shipped = new ShippedNodes(transaction, files);
  const obsolete: ObsoleteConffile[] = [];
  for (const name of [...list].reverse()) {
    if (stays.has(name) || staged.includes(name)) continue;
    const target = rules.diversions.redirect(name, unit.name);
    const isDirectory = draft.follow(target)?.type === 'directory';
    if (isDirectory && (ownership.owners(name, unit.id).length > 0 || isComing(transaction, name))) continue;
    const node = draft.lookup(target);
    if (!node) continue;
    if (node.type === 'directory') {
      triggers.activatePath(target);
      if (node.path === '' || draft.list(target).length > 0) continue;
      removePath(transaction, target);
      continue;
    }
    const same = shipped.nameOf(node);
    const oldHash = oldHashes.get(name);
    if (oldHash !== undefined) {
      const conffile =
        same === undefined ? undefined : files.conffiles.find((candidate) => candidate.name === same);
      if (same === undefined) obsolete.push({ name, hash: oldHash });
      else if (conffile?.recorded === NEW_CONFFILE) conffile.recorded = oldHash;
      continue;
    }
    if (same !== undefined || isNeeded(transaction, unit.id, name, node.path)) continue;
    if (isDirectory && !node.path.includes('/')) continue;
    triggers.activatePath(target);
    removePath(transaction, target);
  }
  return obsolete;
}

/** True when a package that is yet to be unpacked ships the directory `name`. */
function isComing({ incoming }: Transaction, name: string): boolean {
  for (const { directories } of incoming.values()) if (directories.has(name)) return true;
  return false;
}

/** True when a package to come, or another package under another spelling, has what really is at `path`. */
function isNeeded(transaction: Transaction, id: PackageId, name: string, path: RootPath): boolean {
  for (const { unchanged } of transaction.incoming.values()) if (unchanged.has(path)) return true;
  return spellings(transaction, path).some(
    (other) =>
      other !== name &&
      transaction.ownership.owners(other, id).some((owner) => isOther(transaction, owner, id)),
  );
}

/** Other architectures of the package do not count: dpkg removes what the one being upgraded no longer ships. */
function isOther({ packages, incoming }: Transaction, other: PackageId, id: PackageId): boolean {
  return (
    packages.get(other)?.name !== packages.get(id)?.name &&
    packages.get(other)?.installed === true &&
    !incoming.has(other)
  );
}

/** `path` as packages may spell it: through symlinks of the root directory that lead to where it is. */
function spellings({ draft }: Transaction, path: RootPath): string[] {
  const names = [`/${path}`];
  for (const entry of draft.list('')) {
    if (draft.lookup(entry)?.type !== 'symlink') continue;
    const directory = draft.follow(entry);
    if (directory?.type === 'directory' && path.startsWith(`${directory.path}/`))
      names.push(`/${entry}${path.slice(directory.path.length)}`);
  }
  return names;
}

/** What the new version ships and is there, by identity; computed when first asked for. */
class ShippedNodes {
  readonly #transaction: Transaction;
  readonly #files: UnpackedFiles;
  #names: Map<object, string> | undefined;

  constructor(transaction: Transaction, files: UnpackedFiles) {
    this.#transaction = transaction;
    this.#files = files;
  }

  /** The name under which the new version ships `node`: it may be spelled otherwise, or be a hard link. */
  nameOf(node: RootNode): string | undefined {
    this.#names ??= this.#index();
    return this.#names.get(node.inode);
  }

  #index(): Map<object, string> {
    const { names, filtered } = this.#files;
    const byInode = new Map<object, string>();
    for (const name of names) {
      const node = filtered.has(name) ? undefined : this.#transaction.draft.lookup(name);
      if (node) byInode.set(node.inode, name);
    }
    return byInode;
  }
}
