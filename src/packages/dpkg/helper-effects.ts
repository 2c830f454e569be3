// What dpkg-maintscript-helper would have done, at the two moments it acts: before the new files come (preinst) and after
// they are configured (postinst). Its backups (.dpkg-backup, .dpkg-remove) are not made; the outcome is the same.
import { hexDigest } from '../../base/hash.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { moveFile } from './conffiles.ts';
import { dereference } from './dereference.ts';
import type { HelperCommand } from './maintscript-helper.ts';
import { removePath } from './transaction.ts';
import type { Transaction, Unit } from './transaction.ts';

type LinkCommand = Extract<HelperCommand, { readonly target: string }>;

/** Directories that wait, empty, to become symlinks. */
export function beforeUnpack(
  transaction: Transaction,
  unit: Unit,
  commands: readonly HelperCommand[],
): string[] {
  const staged: string[] = [];
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
        if (stageDirectory(transaction, unit, command)) staged.push(command.path);
        break;
      default:
        command satisfies never;
    }
  }
  return staged;
}

/** `staged` is what `beforeUnpack` answered. */
export function afterConfigure(
  transaction: Transaction,
  unit: Unit,
  { commands, staged }: { readonly commands: readonly HelperCommand[]; readonly staged: readonly string[] },
): void {
  for (const command of commands) {
    if (command.command === 'mv_conffile') moveConffile(transaction, unit, command);
    if (command.command === 'dir_to_symlink' && staged.includes(command.path))
      replaceDirectory(transaction, command);
  }
}

/** Unmodified, a conffile goes; modified, it is saved as .dpkg-bak, or left to `moveConffile`. */
function dropConffile(
  transaction: Transaction,
  unit: Unit,
  command: HelperCommand,
  modified: 'save' | 'leave',
): void {
  const { draft, packages, conffileOutcomes, warnings } = transaction;
  const node = draft.follow(command.path);
  const existing = draft.lookup(command.path);
  if (!node || !existing || !owns(transaction, unit, command)) return;
  if (node.type !== 'file' || !draft.readable(command.path)) {
    const why = node.type === 'file' ? 'its content was not kept' : `it is a ${node.type}`;
    warnings.push(`${command.path} was to be removed as an obsolete conffile, but ${why}; it stays`);
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

/** What the administrator changed goes to the new name; what the package brought there is put aside. */
function moveConffile(
  transaction: Transaction,
  unit: Unit,
  command: Extract<HelperCommand, { readonly to: string }>,
): void {
  const { draft, conffileOutcomes } = transaction;
  const old = draft.lookup(command.path);
  if (!old || !draft.follow(command.path) || !owns(transaction, unit, command)) return;
  if (old.type !== 'symlink' && !draft.readable(old.path)) return;
  const present = draft.lookup(command.to);
  if (present?.type === 'directory') return;
  if (present && draft.follow(command.to)) moveFile(draft, present, `${command.to}.dpkg-new`);
  moveFile(draft, old, command.to);
  transaction.removed.add(old.path);
  conffileOutcomes.push({ path: command.to.slice(1), package: unit.name, action: 'kept' });
}

function owns({ ownership, packages }: Transaction, unit: Unit, { path, owner }: HelperCommand): boolean {
  if (!ownership.list(unit.id)) return true;
  return ownership.owners(path).some((id) => packages.get(id)?.name === owner);
}

function matchesLink({ draft }: Transaction, { path, target }: LinkCommand): boolean {
  const node = draft.lookup(path);
  return node?.type === 'symlink' && (node.link === target || `/${dereference(draft, path)}` === target);
}

/** Empties the directory, unless it holds conffiles or what is not the package's: then it stays a directory. */
function stageDirectory(transaction: Transaction, unit: Unit, { path, owner }: LinkCommand): boolean {
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
    const reason = conffile ? `conffile ${conffile.path}` : `/${foreign?.path}, which is not the package's`;
    warnings.push(
      `${path} stays a directory, which package ${unit.name} wants as a symlink: it holds ${reason}`,
    );
    return false;
  }
  for (const node of draft.walk(path)) transaction.removed.add(node.path);
  draft.remove(path);
  draft.put(path, { type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: epoch });
  return true;
}

/** The symlink takes the directory's place; what has been unpacked into that goes where it leads. */
function replaceDirectory({ draft, epoch }: Transaction, { path, target }: LinkCommand): void {
  if (draft.lookup(path)?.type !== 'directory') return;
  const spelling = target.startsWith('/') ? target : `${path.slice(0, path.lastIndexOf('/'))}/${target}`;
  const destination = dereference(draft, spelling) ?? draft.resolve(spelling);
  for (const name of draft.list(path)) moveTree(draft, `${path}/${name}`, `${destination}/${name}`);
  draft.remove(path);
  draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: epoch, link: target });
}

/** Everything in the tree is of this run, so its content is there. */
function moveTree(draft: Draft, from: string, to: string): void {
  const root = draft.lookup(from) as RootNode;
  // walk() would follow a symlink
  const nodes = root.type === 'directory' ? [...draft.walk(from)] : [root];
  for (const node of nodes) {
    const { type, mode, uid, gid, mtime, link, xattrs, devMajor, devMinor } = node;
    const path = spelled(to, root, node);
    if (type === 'file') draft.link(path, node.path);
    else if (type !== 'directory' || draft.follow(path)?.type !== 'directory')
      draft.put(path, { type, mode, uid, gid, mtime, link, xattrs, devMajor, devMinor });
  }
  draft.remove(from);
}

/** The path of `node`, which is at or below `root`, where `root` is spelled `path`. */
function spelled(path: string, root: RootNode, node: RootNode): string {
  return path + node.path.slice(root.path.length);
}
