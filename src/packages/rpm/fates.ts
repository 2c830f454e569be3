// What a transaction does with every file: which are written, which are left as they are, which are removed. The rules
// are rpm's: files are compared by where they really are, an owner that stays keeps a shared file, and packages that say
// different things of one path cannot be installed.
import type { RootView } from '../../rootfs/root-view.ts';
import { joinPath, type RootPath } from '../../rootfs/path.ts';
import { configFate, isModifiedConfig, type InstallAction } from './config-files.ts';
import { differs, isConfig, isGhost, type PackageFile } from './files.ts';
import { FileFlag, FileState } from './tags.ts';

export interface AddedPackage {
  /** Name, version and arch, for messages. */
  readonly label: string;
  readonly files: readonly PackageFile[];
  /** FILESTATES as they will be stored: changed here where another architecture's file is preferred. */
  readonly states: Uint8Array;
}

export interface PresentPackage {
  readonly label: string;
  readonly files: readonly PackageFile[];
  readonly removed: boolean;
}

export type EraseAction = 'erase' | 'save' | 'keep';

export interface Fates {
  /** Parallel to the packages and their files. */
  readonly added: readonly (readonly InstallAction[])[];
  /** Of the present packages that are removed, in their order; empty lists for those that stay. */
  readonly present: readonly (readonly EraseAction[])[];
  readonly conflicts: readonly FileConflict[];
}

export interface FileConflict {
  readonly path: string;
  readonly label: string;
  readonly other: string;
}

/** 64-bit files win over 32-bit ones at the same path. */
const PREFERRED_COLOR = 2;

interface AddedRecord {
  readonly owner: number;
  readonly file: PackageFile;
}

/** Where a path of a package is in the image; remembers directories. */
export function locator(root: RootView): (file: PackageFile) => RootPath {
  const directories = new Map<string, RootPath>();
  return (file) => {
    if (file.base === '') return '' as RootPath;
    let directory = directories.get(file.directory);
    if (directory === undefined) {
      directory = whereIs(root, file.directory);
      directories.set(file.directory, directory);
    }
    return joinPath(directory, file.base);
  };
}

/** As rpm tells it: the deepest directory that exists, and what is below it as it is written. */
function whereIs(root: RootView, directory: string): RootPath {
  const names = directory.split('/').filter((name) => name !== '');
  for (let depth = names.length; depth > 0; depth--) {
    const node = root.follow(names.slice(0, depth).join('/'));
    if (node?.type === 'directory') return names.slice(depth).reduce(joinPath, node.path);
  }
  return names.reduce(joinPath, '' as RootPath);
}

export function decideFates(
  root: RootView,
  added: readonly AddedPackage[],
  present: readonly PresentPackage[],
  transactionColor: number,
): Fates {
  const locate = locator(root);
  const actions: (InstallAction | undefined)[][] = added.map(({ files }) => files.map(() => undefined));
  const conflicts: FileConflict[] = [];
  const records = new Map<RootPath, AddedRecord[]>();
  const left = (record: AddedRecord): boolean =>
    added[record.owner]?.states[record.file.index] !== FileState.normal;
  added.forEach(({ files }, owner) => {
    for (const file of files) {
      if (left({ owner, file })) actions[owner]![file.index] = 'skip';
      else push(records, locate(file), { owner, file });
    }
  });

  const action = (record: AddedRecord): InstallAction | undefined =>
    actions[record.owner]?.[record.file.index];
  const setAction = (record: AddedRecord, value: InstallAction): void => {
    actions[record.owner]![record.file.index] = value;
  };
  const conflict = (record: AddedRecord, other: string): void => {
    conflicts.push({ path: record.file.path, label: added[record.owner]?.label ?? '', other });
  };
  const leaveColor = (record: AddedRecord): void => {
    setAction(record, 'skip');
    added[record.owner]!.states[record.file.index] = FileState.wrongColor;
  };
  const colorsDiffer = (a: PackageFile, b: PackageFile): boolean => {
    const x = a.color & transactionColor;
    const y = b.color & transactionColor;
    return x !== 0 && y !== 0 && x !== y;
  };

  // against what is installed
  const kept = new Set<RootPath>();
  for (const owner of present)
    for (const other of owner.files) {
      // what was not installed of a package is not there to be compared or kept
      if (other.state === FileState.notInstalled) continue;
      const where = locate(other);
      if (!owner.removed && other.state === FileState.normal) kept.add(where);
      for (const record of records.get(where) ?? []) {
        // what one owner's version settles is not asked again
        if (action(record) === 'skip') continue;
        if (differs(other, record.file)) {
          if (colorsDiffer(other, record.file)) {
            if ((other.color & PREFERRED_COLOR) !== 0 && !owner.removed) leaveColor(record);
          } else if (!owner.removed || changesKind(root, where, other, record.file))
            conflict(record, owner.label);
        }
        if ((isConfig(other) || isConfig(record.file)) && !left(record))
          setAction(record, configFate(root, where, other, record.file));
      }
    }

  // against each other, in the order of the transaction; all but policy is decided of what comes earlier
  for (const [where, list] of records)
    list.forEach((record, position) => {
      if (action(record) === 'skip') return;
      const earlier = list[position - 1];
      if (!earlier) {
        if (action(record) === undefined) setAction(record, firstFate(root, where, record.file));
        return;
      }
      if (differs(earlier.file, record.file)) {
        if (!colorsDiffer(earlier.file, record.file)) conflict(record, added[earlier.owner]?.label ?? '');
        else if ((record.file.color & PREFERRED_COLOR) !== 0) {
          leaveColor(earlier);
          setAction(record, 'create');
        } else leaveColor(record);
      } else if (left(earlier)) leaveColor(record);
      else if (action(earlier) !== 'skip' && !isGhost(earlier.file)) setAction(record, 'skip');
      if (action(record) === 'skip') return;
      if (isModifiedConfig(root, where, record.file))
        setAction(record, (record.file.flags & FileFlag.noReplace) !== 0 ? 'beside' : 'skip');
      else if (action(record) === undefined) setAction(record, isGhost(record.file) ? 'skip' : 'create');
    });

  return {
    added: actions.map((list) => list.map((value) => value ?? 'skip')),
    present: eraseFates(root, present, { locate, kept, written: records }),
    conflicts,
  };
}

/** A file that no installed package has: something may be there all the same. */
function firstFate(root: RootView, where: RootPath, file: PackageFile): InstallAction {
  if (isGhost(file)) return 'skip';
  if (!isModifiedConfig(root, where, file)) return 'create';
  return (file.flags & FileFlag.noReplace) !== 0 ? 'beside' : 'backup';
}

/** A directory that becomes something else, or a symlink to one that becomes one, cannot be replaced in place. */
function changesKind(root: RootView, where: RootPath, old: PackageFile, file: PackageFile): boolean {
  const flips =
    (old.type === 'directory' && file.type !== 'directory') ||
    (old.type === 'symlink' && file.type === 'directory' && root.follow(where)?.type === 'directory');
  if (!flips) return false;
  const disk = root.lookup(where);
  return disk !== undefined && disk.type !== file.type;
}

interface EraseContext {
  readonly locate: (file: PackageFile) => RootPath;
  /** Files that installed packages go on owning. */
  readonly kept: ReadonlySet<RootPath>;
  readonly written: ReadonlyMap<RootPath, unknown>;
}

function eraseFates(
  root: RootView,
  present: readonly PresentPackage[],
  context: EraseContext,
): EraseAction[][] {
  const fates: EraseAction[][] = present.map(() => []);
  /** What was decided last of a path. Of several owners that go, the last one removes the file, if the others would. */
  const earlier = new Map<RootPath, { readonly fates: EraseAction[]; readonly index: number }>();
  present.forEach((owner, i) => {
    if (!owner.removed) return;
    const own = fates[i] as EraseAction[];
    for (const file of owner.files) {
      const where = context.locate(file);
      const other = earlier.get(where);
      const isOthers = other !== undefined && other.fates[other.index] !== 'erase';
      if (other && !isOthers) other.fates[other.index] = 'keep';
      own[file.index] = isOthers ? 'keep' : eraseFate(root, where, file, context);
      earlier.set(where, { fates: own, index: file.index });
    }
  });
  return fates;
}

function eraseFate(root: RootView, where: RootPath, file: PackageFile, context: EraseContext): EraseAction {
  if (context.kept.has(where) || context.written.has(where) || file.state !== FileState.normal) return 'keep';
  // a %ghost %config that exists counts as the user's
  if (isGhost(file) && isConfig(file)) return 'keep';
  return isModifiedConfig(root, where, file) ? 'save' : 'erase';
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
