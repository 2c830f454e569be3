// What a draft really changes: its tree beside the one below, place by place. Directories that nobody looked at are the
// same by construction and are skipped. Hard links: a layer can only link within itself, so a group of names is written
// whole, or not at all when all its names are already there as one inode.
import { compareBytes } from '../base/bytes.ts';
import type { Change, ChangeSet, NewNode } from './change-set.ts';
import { joinPath, type RootPath } from './path.ts';
import type { RootNode, RootView } from './root-view.ts';
import { identityOf, type Inode, type TreeNode } from './tree.ts';
import { sameXattrs } from './xattrs.ts';

/** What the comparison must know of a draft. */
export interface DraftTree {
  readonly base: RootView;
  readonly root: TreeNode;
  /** Names in a directory; undefined if they were never looked at, so that nothing in it can have changed. */
  knownChildren(directory: TreeNode): ReadonlyMap<string, TreeNode> | undefined;
  namesOf(node: TreeNode): readonly RootPath[];
  /** True when exactly this path is a name of the inode. */
  holds(path: RootPath, identity: object): boolean;
  newNode(node: TreeNode): NewNode;
}

export function compareDraft(draft: DraftTree): ChangeSet {
  const { changes, touched } = comparePlaces(draft);
  const claimed = new Set<object>();
  const groups = touched.map((node) => ({ node, names: [...draft.namesOf(node)].sort() }));
  for (const { node, names } of groups.sort((a, b) => compareBytes(first(a.names), first(b.names)))) {
    const below = inPlace(draft, node.inode, names);
    if (below && isSole(draft, node.inode, below) && !claimed.has(below.inode)) {
      claimed.add(below.inode);
      continue;
    }
    const [target, ...links] = names as [RootPath, ...RootPath[]];
    changes.push({ kind: 'put', path: target, node: draft.newNode(node) });
    for (const path of links) changes.push({ kind: 'link', path, target });
  }
  return { changes: changes.sort((a, b) => compareBytes(a.path, b.path)) };
}

/** True when a layer entry for one would do for the other: type, mode, owners, content, link, attributes; not times. */
export function sameNode(a: Inode, b: Inode): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.size === b.size &&
    a.link === b.link &&
    a.devMajor === b.devMajor &&
    a.devMinor === b.devMinor &&
    sameXattrs(a.xattrs, b.xattrs) &&
    a.sha256 === b.sha256
  );
}

/** Removals and directories; of everything else one node of each inode that has a name it does not have below. */
function comparePlaces(draft: DraftTree): { changes: Change[]; touched: TreeNode[] } {
  const { base, root } = draft;
  const changes: Change[] = [];
  const touched = new Map<object, TreeNode>();
  if (!sameNode(root.inode, base.lookup('') as RootNode))
    changes.push({ kind: 'put', path: '' as RootPath, node: draft.newNode(root) });
  const open: { directory: TreeNode; path: RootPath; isBelow: boolean }[] = [
    { directory: root, path: '' as RootPath, isBelow: true },
  ];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const children = draft.knownChildren(at.directory);
    if (!children) continue;
    if (at.isBelow)
      for (const name of base.list(at.path))
        if (!children.has(name)) changes.push({ kind: 'remove', path: joinPath(at.path, name) });
    for (const [name, node] of children) {
      const path = joinPath(at.path, name);
      const below = at.isBelow ? base.lookup(path) : undefined;
      if (node.inode.type === 'directory') {
        const isBelow = below?.type === 'directory';
        if (!isBelow || !sameNode(node.inode, below))
          changes.push({ kind: 'put', path, node: draft.newNode(node) });
        open.push({ directory: node, path, isBelow });
      } else if (below?.inode !== identityOf(node.inode)) touched.set(identityOf(node.inode), node);
    }
  }
  return { changes, touched: [...touched.values()] };
}

/** What is below at all of `names`, if that is one inode which equals `inode`. */
function inPlace(draft: DraftTree, inode: Inode, names: readonly RootPath[]): RootNode | undefined {
  let found: RootNode | undefined;
  for (const name of names) {
    const below = draft.base.lookup(name);
    if (below?.path !== name || (found && below.inode !== found.inode)) return undefined;
    found ??= below;
  }
  if (!found || !sameNode(inode, found) || (inode.exactTime && inode.mtime !== found.mtime)) return undefined;
  return found;
}

/** False when a name of the inode below still stands for it in the draft, and so would be linked to what is put here. */
function isSole(draft: DraftTree, inode: Inode, below: RootNode): boolean {
  if (identityOf(inode) === below.inode) return true;
  return !draft.base.hardLinks(below.path).some((name) => draft.holds(name, below.inode));
}

function first(names: readonly RootPath[]): string {
  return names[0] ?? '';
}
