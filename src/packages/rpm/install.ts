// Installs unpacked packages into a draft of the image: files by their fates, removals, then the database. The order is
// rpm's: everything that is new is written before what is old is removed.
import { OnlayError } from '../../errors.ts';
import { byteString, compareBytes, displayText } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { NewNode } from '../../rootfs/change-set.ts';
import { joinPath, parentOf, rootPath, type RootPath } from '../../rootfs/path.ts';
import type { ConfigFileOutcome } from '../family.ts';
import { readAccounts, type Accounts } from './accounts.ts';
import { CAPABILITY_XATTR, capabilityXattr } from './capabilities.ts';
import type { InstallAction } from './config-files.ts';
import { copyOf } from './copy-node.ts';
import { makeAccounts, type AccountSource } from './new-accounts.ts';
import { decideFates, locator, type EraseAction, type Fates } from './fates.ts';
import { isConfig, isGhost, type PackageFile } from './files.ts';

export interface IncomingPackage {
  readonly name: string;
  readonly label: string;
  readonly files: readonly PackageFile[];
  /** FILESTATES by install policy; colours that lose are marked here. */
  readonly states: Uint8Array;
  /** Content by position in the file list. */
  readonly contents: ReadonlyMap<number, Uint8Array>;
}

export interface OutgoingPackage {
  readonly name: string;
  readonly label: string;
  readonly files: readonly PackageFile[];
  readonly removed: boolean;
}

export interface FileOutcome {
  readonly conffiles: readonly ConfigFileOutcome[];
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
}

/** Writes and removes files. Throws CONFLICT where rpm would refuse the transaction. */
export function installFiles(
  draft: Draft,
  incoming: readonly IncomingPackage[],
  present: readonly OutgoingPackage[],
  { transactionColor, epoch }: { readonly transactionColor: number; readonly epoch: number },
): FileOutcome {
  const fates = decideFates(draft.base, incoming, present, transactionColor);
  refuseConflicts(fates);
  const made = makeAccounts(draft, incoming.map(accountSource), epoch);
  const installation = new FileInstallation(
    draft,
    made.map((account) => `${account} was made for the files of a package`),
  );
  incoming.forEach((one, i) => installation.add(one, fates.added[i] ?? []));
  present.forEach((one, i) => {
    if (one.removed) installation.remove(one, fates.present[i] ?? []);
  });
  return installation.outcome();
}

function accountSource({ files, states, contents }: IncomingPackage): AccountSource {
  const written = files.filter((file) => states[file.index] === 0 && !isGhost(file));
  const sysusers = files.filter(
    ({ directory, base }) => directory === '/usr/lib/sysusers.d/' && base.endsWith('.conf'),
  );
  return {
    users: new Set(written.map(({ user }) => user)),
    groups: new Set(written.map(({ group }) => group)),
    sysusers: sysusers.map(({ index }) => byteString(contents.get(index) ?? new Uint8Array())),
  };
}

function refuseConflicts({ conflicts }: Fates): void {
  const [first] = conflicts;
  if (!first) return;
  const more = conflicts.length > 1 ? ` (and ${conflicts.length - 1} more)` : '';
  throw new OnlayError(
    'CONFLICT',
    `File ${displayText(first.path)} of ${displayText(first.label)} conflicts with ${displayText(first.other)}${more}`,
    { hint: 'rpm refuses this upgrade too; leave the package out with --ignore-package' },
  );
}

class FileInstallation {
  readonly #draft: Draft;
  readonly #locate: (file: PackageFile) => RootPath;
  readonly #conffiles: ConfigFileOutcome[] = [];
  readonly #removed: string[] = [];
  readonly #warnings = new Set<string>();

  constructor(draft: Draft, warnings: readonly string[]) {
    for (const warning of warnings) this.#warnings.add(warning);
    this.#draft = draft;
    this.#locate = locator(draft.base);
  }

  outcome(): FileOutcome {
    return {
      conffiles: this.#conffiles.toSorted((a, b) => compareBytes(a.path, b.path)),
      removed: this.#removed.toSorted(compareBytes),
      warnings: [...this.#warnings],
    };
  }

  add(incoming: IncomingPackage, actions: readonly InstallAction[]): void {
    const accounts = readAccounts(this.#draft);
    const first = new Map<string, string>();
    for (const file of incoming.files) {
      const where = this.#locate(file);
      const action = this.#possible(actions[file.index] ?? 'skip', where);
      if (isConfig(file)) this.#report(incoming, action, where);
      if (action === 'skip') continue;
      this.#requireDirectory(incoming, file, where);
      if (file.type === 'directory') {
        // a changed %config file that becomes a directory
        if (action === 'save') this.#keepOld(where, action);
        this.#putDirectory(file, where, accounts);
      } else this.#putFile(incoming, file, { action, where, accounts, first });
    }
  }

  /** What is there can only be renamed if its content is at hand; else the new version goes beside it. */
  #possible(action: InstallAction, where: RootPath): InstallAction {
    if (action !== 'save' && action !== 'backup') return action;
    const node = this.#draft.lookup(where);
    if (!node || [...this.#tree(where)].every((path) => this.#isAtHand(path))) return action;
    this.#warnings.add(
      `${where} was changed in the image; it is kept and the new version is ${where}.rpmnew, where rpm would have renamed it`,
    );
    return 'beside';
  }

  /** A symlink that leads nowhere is no directory to write into, and is not replaced by one. */
  #requireDirectory(incoming: IncomingPackage, file: PackageFile, where: RootPath): void {
    for (let at = parentOf(where); at !== ''; at = parentOf(at)) {
      const type = this.#draft.lookup(at)?.type;
      if (type === 'directory') return;
      if (type === 'symlink' && this.#draft.follow(at) === undefined)
        throw new OnlayError(
          'CONFLICT',
          `File ${displayText(file.path)} of ${displayText(incoming.label)} cannot be written: /${displayText(at)} is a symlink that leads nowhere`,
          { hint: 'rpm fails here too; remove the symlink in an own build step' },
        );
    }
  }

  /** A path and, if it is a directory, everything below it. */
  *#tree(path: RootPath): Iterable<RootPath> {
    yield path;
    if (this.#draft.lookup(path)?.type !== 'directory') return;
    for (const name of this.#draft.list(path)) yield* this.#tree(joinPath(path, name));
  }

  #isAtHand(path: RootPath): boolean {
    return this.#draft.lookup(path)?.type !== 'file' || this.#draft.readable(path);
  }

  #putDirectory(file: PackageFile, where: RootPath, accounts: Accounts): void {
    const present = this.#draft.lookup(where);
    // a symlink to a directory stays if root or the owner of the directory made it
    if (present?.type === 'symlink') {
      const target = this.#draft.follow(where);
      if (target?.type === 'directory' && (present.uid === 0 || present.uid === target.uid)) return;
    }
    this.#draft.put(where, this.#node(file, accounts));
  }

  #putFile(
    incoming: IncomingPackage,
    file: PackageFile,
    {
      action,
      where,
      accounts,
      first,
    }: { action: InstallAction; where: RootPath; accounts: Accounts; first: Map<string, string> },
  ): void {
    const replaced = action === 'create' || action === 'touch';
    if (replaced && this.#draft.lookup(where)?.type === 'directory')
      throw new OnlayError(
        'CONFLICT',
        `File ${displayText(file.path)} of ${displayText(incoming.label)} cannot be written: the image has a directory there`,
        {
          hint: 'rpm fails here too; remove the directory in an own build step, or leave the package out with --ignore-package',
        },
      );
    let target: string = where;
    if (action === 'beside') target = `${where}.rpmnew`;
    else if (action === 'save' || action === 'backup') this.#keepOld(where, action);
    const known = file.type === 'file' && action !== 'touch' ? first.get(file.inode) : undefined;
    if (known !== undefined) {
      this.#draft.link(target, known);
      return;
    }
    // the file stays the one it is, with all its names
    const names = action === 'touch' ? this.#draft.hardLinks(where).filter((name) => name !== where) : [];
    this.#draft.put(target, this.#node(file, accounts, this.#content(incoming, file)));
    for (const name of names) this.#draft.link(name, target);
    if (action !== 'touch') first.set(file.inode, target);
  }

  /** Renames what is there, a directory with everything in it. */
  #keepOld(where: RootPath, action: 'save' | 'backup'): void {
    const beside = `${where}${action === 'save' ? '.rpmsave' : '.rpmorig'}`;
    for (const path of this.#tree(where)) {
      const node = this.#draft.lookup(path);
      if (!node) continue;
      const moved = `${beside}${path.slice(where.length)}`;
      // other names of a file stay names of it
      if (node.type === 'file') this.#draft.link(moved, path);
      else this.#draft.put(moved, copyOf(node, undefined));
    }
    this.#draft.remove(where);
  }

  #content(incoming: IncomingPackage, file: PackageFile): Uint8Array | undefined {
    if (file.type !== 'file') return undefined;
    const content = incoming.contents.get(file.index);
    if (!content)
      throw new OnlayError('INTERNAL', `File ${displayText(file.path)} of ${incoming.label} has no content`);
    return content;
  }

  #node(file: PackageFile, accounts: Accounts, content?: Uint8Array): NewNode {
    const uid = accounts.uid(file.user);
    const gid = accounts.gid(file.group);
    let mode = file.permissions;
    // owners that do not exist become root, and then the file must not run with its rights
    if (uid === undefined) {
      mode &= ~0o4000;
      this.#warnings.add(`user ${file.user} does not exist - using root`);
    }
    if (gid === undefined) {
      mode &= ~0o2000;
      this.#warnings.add(`group ${file.group} does not exist - using root`);
    }
    const capability = file.type === 'file' && file.caps !== '' ? capabilityXattr(file.caps) : undefined;
    return {
      type: file.type,
      mode: file.type === 'symlink' ? 0o777 : mode,
      uid: uid ?? 0,
      gid: gid ?? 0,
      mtime: file.mtime,
      // `rpm -V` compares the times of files, not of directories and symlinks
      ...(file.type === 'file' ? { exactTime: true } : {}),
      ...(file.type === 'symlink' ? { link: file.link } : {}),
      ...(content ? { content } : {}),
      ...(capability ? { xattrs: new Map([[CAPABILITY_XATTR, capability]]) } : {}),
      ...(file.type === 'character' || file.type === 'block'
        ? { devMajor: (file.rdev >> 8) & 0xfff, devMinor: (file.rdev & 0xff) | ((file.rdev >> 12) & 0xfff00) }
        : {}),
    };
  }

  #report(incoming: IncomingPackage, action: InstallAction, where: RootPath): void {
    const disk = this.#draft.base.lookup(where);
    const outcome = (done: ConfigFileOutcome['action'], beside?: string): void => {
      this.#conffiles.push({
        path: where,
        package: incoming.name,
        action: done,
        ...(beside ? { beside } : {}),
      });
    };
    switch (action) {
      case 'create':
        outcome(disk ? 'replaced' : 'restored');
        break;
      case 'beside':
        outcome('kept-new-beside', `${where}.rpmnew`);
        break;
      case 'save':
        outcome('saved', `${where}.rpmsave`);
        break;
      case 'backup':
        outcome('saved', `${where}.rpmorig`);
        break;
      case 'skip':
        if (disk) outcome('kept');
        break;
      case 'touch':
        break;
    }
  }

  /** Files of a package that goes, last to first: contents before their directory. */
  remove(outgoing: OutgoingPackage, actions: readonly EraseAction[]): void {
    for (const file of outgoing.files.toReversed()) {
      const action = actions[file.index] ?? 'keep';
      const where = this.#locate(file);
      const node = action === 'keep' || where === '' ? undefined : this.#draft.lookup(where);
      if (!node) continue;
      if (node.type === 'directory') {
        if (file.type !== 'directory' || this.#draft.list(where).length > 0) continue;
      } else if (action === 'save') {
        if (node.type === 'file' && !this.#draft.readable(where)) {
          this.#warnings.add(
            `${where} was changed in the image and is kept, where rpm would have renamed it`,
          );
          continue;
        }
        this.#keepOld(where, 'save');
        this.#conffiles.push({
          path: where,
          package: outgoing.name,
          action: 'saved',
          beside: `${where}.rpmsave`,
        });
      } else if (isConfig(file)) {
        this.#conffiles.push({ path: where, package: outgoing.name, action: 'removed' });
      }
      this.#draft.remove(where);
      this.#removed.push(where);
    }
  }
}

/** Puts the files of a database; those that exist keep owner and mode. */
export function putDatabaseFiles(
  draft: Draft,
  files: { readonly written: ReadonlyMap<RootPath, Uint8Array>; readonly removed: readonly RootPath[] },
  mainFile: RootPath,
  epoch: number,
): void {
  for (const path of files.removed) draft.remove(path);
  for (const [path, content] of files.written) {
    const model = draft.lookup(path) ?? draft.lookup(mainFile);
    draft.put(rootPath(path), {
      type: 'file',
      mode: model?.mode ?? 0o644,
      uid: model?.uid ?? 0,
      gid: model?.gid ?? 0,
      mtime: epoch,
      content,
      ...(model ? { xattrs: model.xattrs } : {}),
    });
  }
}
