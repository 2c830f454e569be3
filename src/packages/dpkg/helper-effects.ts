// What dpkg-maintscript-helper would have done, at the two moments it acts: before the new files come (preinst) and after
// (postinst). Its detours (.dpkg-backup, .dpkg-remove, the staging directory) are not taken; the outcome is the same.
import { hexDigest } from '../../base/hash.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import type { HelperCommand } from './maintscript-helper.ts';
import { moveFile } from './conffiles.ts';
import { removePath } from './transaction.ts';
import type { Transaction, Unit } from './transaction.ts';

/** What is left to do after unpacking. */
export interface PreparedHelpers {
  /** Directories that were replaced by symlinks: what the old version had below them is gone. */
  readonly replaced: readonly string[];
}

export function beforeUnpack(
  transaction: Transaction,
  unit: Unit,
  commands: readonly HelperCommand[],
): PreparedHelpers {
  const replaced: string[] = [];
  for (const command of commands) {
    switch (command.command) {
      case 'rm_conffile':
        dropConffile(transaction, unit, command, 'save');
        break;
      case 'mv_conffile':
        dropConffile(transaction, unit, command, 'leave');
        break;
      case 'symlink_to_dir':
        if (matchesLink(transaction, command)) removePath(transaction, command.path);
        break;
      case 'dir_to_symlink':
        if (replaceDirectory(transaction, unit, command)) replaced.push(command.path);
        break;
      default:
        command satisfies never;
    }
  }
  return { replaced };
}

/** mv_conffile, second part: what the administrator changed moves to the new name. */
export function afterConfigure(
  transaction: Transaction,
  unit: Unit,
  commands: readonly HelperCommand[],
): void {
  const { draft, conffileOutcomes } = transaction;
  for (const command of commands) {
    if (command.command !== 'mv_conffile') continue;
    const old = draft.follow(command.path);
    if (old?.type !== 'file' || !owns(transaction, unit, command) || !draft.readable(old.path)) continue;
    const present = draft.lookup(command.to);
    if (present?.type === 'file') moveFile(draft, present, `${command.to}.dpkg-new`);
    moveFile(draft, old, command.to);
    transaction.removed.add(old.path);
    conffileOutcomes.push({ path: command.to.slice(1), package: unit.name, action: 'kept' });
  }
}

/** Unmodified, a conffile goes; modified, it is saved as .dpkg-bak or left to `afterConfigure`. */
function dropConffile(
  transaction: Transaction,
  unit: Unit,
  command: HelperCommand,
  modified: 'save' | 'leave',
): void {
  const { draft, packages, conffileOutcomes, warnings } = transaction;
  const node = draft.follow(command.path);
  const existing = draft.lookup(command.path);
  if (!node || existing?.type !== 'file' || !owns(transaction, unit, command)) return;
  if (!draft.readable(command.path)) {
    warnings.push(
      `${command.path} was to be removed as an obsolete conffile, but its content was not kept; it stays`,
    );
    return;
  }
  const recorded = [...packages.values()]
    .filter(({ name }) => name === command.owner)
    .flatMap(({ conffiles }) => conffiles)
    .find(({ path }) => path === command.path)?.hash;
  const path = command.path.slice(1);
  if (hexDigest('md5', draft.read(command.path) as Uint8Array) === recorded) {
    removePath(transaction, command.path);
    conffileOutcomes.push({ path, package: unit.name, action: 'removed' });
  } else if (modified === 'save') {
    transaction.removed.add(existing.path);
    moveFile(draft, existing, `${command.path}.dpkg-bak`);
    conffileOutcomes.push({ path, package: unit.name, action: 'saved', beside: `${path}.dpkg-bak` });
  }
}

function owns({ ownership, packages }: Transaction, unit: Unit, { path, owner }: HelperCommand): boolean {
  if (!ownership.list(unit.id)) return true;
  return ownership.owners(path).some((id) => packages.get(id)?.name === owner);
}

function matchesLink(
  { draft }: Transaction,
  { path, target }: Extract<HelperCommand, { target: string }>,
): boolean {
  const node = draft.lookup(path);
  if (node?.type !== 'symlink') return false;
  const real = draft.follow(path);
  return node.link === target || (real !== undefined && `/${real.path}` === target);
}

/** The directory gives way to the symlink, unless it holds conffiles or what is not the package's. */
function replaceDirectory(
  transaction: Transaction,
  unit: Unit,
  { path, target, owner }: Extract<HelperCommand, { target: string }>,
): boolean {
  const { draft, ownership, packages, warnings, epoch } = transaction;
  const directory = draft.lookup(path);
  if (directory?.type !== 'directory') return false;
  const ids = [...packages.values()].filter(({ name }) => name === owner).map(({ id }) => id);
  const conffile = packages
    .get(unit.id)
    ?.conffiles.find((candidate) => candidate.path.startsWith(`${path}/`));
  const foreign = [...draft.walk(path)].find(
    (node) => !ids.some((id) => ownership.has(id, spelled(path, directory, node))),
  );
  if (conffile || foreign) {
    warnings.push(
      `${path} stays a directory, which package ${unit.name} wants as a symlink: it holds ${conffile ? `conffile ${conffile.path}` : `/${foreign?.path}, which is not the package's`}`,
    );
    return false;
  }
  for (const node of draft.walk(path)) transaction.removed.add(node.path);
  draft.remove(path);
  transaction.removed.delete(directory.path);
  draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: epoch, link: target });
  return true;
}

function spelled(path: string, directory: RootNode, node: RootNode): string {
  return path + node.path.slice(directory.path.length);
}
