// A root view with changes on top: families and effects read the state so far and write to it; `changes` then yields
// only what really differs from the image below.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import type { ChangeSet, NewNode } from './change-set.ts';
import { compareDraft, sameNode } from './draft-changes.ts';
import { NewInode, newNode } from './new-inode.ts';
import { baseName, joinPath, parentOf, rootPath, type RootPath } from './path.ts';
import type { RootNode, RootView } from './root-view.ts';
import { identityOf, impliedDirectory, isAttached, pathOf, TreeNode, TreeView, type Inode } from './tree.ts';
import { isWhiteoutName } from './whiteout.ts';

export interface Draft extends RootView {
  /** The image below, without the changes. */
  readonly base: RootView;
  /**
   * Writes `node` at `path`; parents are resolved through symlinks and created (0755 root) where missing. What was
   * there is replaced: a directory over a directory updates its attributes, anything else over a directory removes the
   * tree first. Hard links to the old inode keep the old content. A file needs its content. Throws CONFLICT when a
   * parent is no directory, and for names like `.wh.x`, which a layer cannot hold.
   */
  put(path: string, node: NewNode): void;
  /**
   * Makes `path` a hard link to the file at `target`, which must exist in the draft. Throws INTERNAL if it does not, or
   * if it is a file below whose content was not kept: a layer cannot link to a lower one.
   */
  link(path: string, target: string): void;
  /**
   * Changes attributes of what exists at `path` (not followed). A file below whose content was not kept cannot be
   * changed so: throws INTERNAL.
   */
  setAttributes(
    path: string,
    attributes: Partial<Pick<NewNode, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>>,
  ): void;
  /** Removes `path` (not followed) and everything below it; nothing happens if it does not exist. */
  remove(path: string): void;
  /**
   * The difference, sorted. A put that equals what is below (type, mode, owners, content, link, xattrs, hard links;
   * times do not count unless `exactTime`) is left out; hard links come with all members of their group.
   */
  changes(): ChangeSet;
}

export function createDraft(base: RootView): Draft {
  return new DraftView(base);
}

const NOTHING: ReadonlyMap<string, TreeNode> = new Map();

/** Inodes are NewInodes, implied directories, or the RootNodes that `base` gave. */
class DraftView extends TreeView implements Draft {
  readonly base: RootView;
  /** Directories of the image below whose names have not been looked at. */
  readonly #unread = new Set<TreeNode>();
  /** Names, beyond those of the image below, of inodes that got names here. */
  readonly #links = new Map<object, TreeNode[]>();

  constructor(base: RootView) {
    const root = base.lookup('') as RootNode;
    super(root);
    this.base = base;
    this.#unread.add(this.root);
  }

  put(path: string, node: NewNode): void {
    if (node.type === 'file' && node.content === undefined)
      throw new OnlayError('INTERNAL', `File ${displayText(path)} was put into the draft without content`);
    this.#place(path, new NewInode(node));
  }

  link(path: string, target: string): void {
    const { node, exists } = this.find(target, 'parents');
    if (!exists || node.inode.type === 'directory')
      throw new OnlayError(
        'INTERNAL',
        `Cannot link ${displayText(path)} to ${displayText(target)}, which ${exists ? 'is a directory' : 'does not exist'}`,
      );
    const present = this.find(path, 'parents');
    if (present.exists && identityOf(present.node.inode) === identityOf(node.inode)) return;
    this.#requireContent(node);
    const { inode } = node;
    const linked = this.#place(path, inode);
    const names = this.#links.get(identityOf(inode));
    if (names) names.push(linked);
    else this.#links.set(identityOf(inode), [node, linked]);
  }

  setAttributes(
    path: string,
    attributes: Partial<Pick<NewNode, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>>,
  ): void {
    const { node, exists } = this.find(path, 'parents');
    if (!exists)
      throw new OnlayError(
        'INTERNAL',
        `Cannot change attributes of ${displayText(path)}, which does not exist`,
      );
    const { inode } = node;
    if (!this.hasContent(node) && sameNode(inode, { ...inode, ...attributes })) return;
    this.#requireContent(node);
    const changed = new NewInode({ ...newNode(inode, this.contentOf(node)), ...attributes });
    const names = this.#nodesOf(node);
    for (const name of names) name.inode = changed;
    if (names.length > 1) this.#links.set(changed, [...names]);
  }

  remove(path: string): void {
    const { node, exists } = this.find(path, 'parents');
    if (!exists) return;
    if (node.parent === undefined) throw new OnlayError('INTERNAL', 'The root directory cannot be removed');
    node.parent.children?.delete(node.name);
  }

  changes(): ChangeSet {
    return compareDraft({
      base: this.base,
      root: this.root,
      knownChildren: (directory) =>
        this.#unread.has(directory) ? undefined : (directory.children ?? NOTHING),
      namesOf: (node) => this.namesOf(node),
      newNode: (node) => newNode(node.inode, this.contentOf(node)),
      holds: (path, identity) => this.#holds(path, identity),
    });
  }

  #place(path: string, inode: Inode): TreeNode {
    const normal = rootPath(path, 'path of the draft');
    if (isWhiteoutName(normal))
      throw new OnlayError(
        'CONFLICT',
        `Cannot write ${displayText(normal)}: in a layer its name means a deletion`,
      );
    if (normal === '') {
      if (inode.type !== 'directory') throw new OnlayError('INTERNAL', 'The root must stay a directory');
      this.root.inode = inode;
      return this.root;
    }
    const parent = this.#directory(normal, inode.mtime);
    const name = baseName(normal);
    const children = this.childrenOf(parent) as Map<string, TreeNode>;
    const existing = children.get(name);
    if (existing?.inode.type === 'directory' && inode.type === 'directory') {
      existing.inode = inode;
      return existing;
    }
    const node = new TreeNode(parent, name, inode);
    children.set(name, node);
    return node;
  }

  /** The directory that `path` is in, with a map of its names; missing ones are made. */
  #directory(path: RootPath, mtime: number): TreeNode {
    const found = this.find(parentOf(path), 'all');
    let { node } = found;
    if (found.problem !== undefined || node.inode.type !== 'directory') {
      const why = found.problem === 'loop' ? 'a loop of symlinks' : 'no directory';
      throw new OnlayError(
        'CONFLICT',
        `Cannot write ${displayText(path)}: ${displayText(pathOf(node))} is ${why}`,
      );
    }
    this.childrenOf(node);
    for (const name of found.missing) {
      const child = new TreeNode(node, name, impliedDirectory(mtime));
      (node.children ??= new Map()).set(name, child);
      node = child;
    }
    node.children ??= new Map();
    return node;
  }

  protected childrenOf(directory: TreeNode): ReadonlyMap<string, TreeNode> {
    if (!this.#unread.delete(directory)) return directory.children ?? NOTHING;
    const path = pathOf(directory);
    const children = new Map<string, TreeNode>();
    for (const name of this.base.list(path)) {
      const node = new TreeNode(directory, name, this.base.lookup(joinPath(path, name)) as RootNode);
      if (node.inode.type === 'directory') this.#unread.add(node);
      children.set(name, node);
    }
    directory.children = children;
    return children;
  }

  protected namesOf(node: TreeNode): readonly RootPath[] {
    return this.#nodesOf(node).map(pathOf);
  }

  #nodesOf(node: TreeNode): readonly TreeNode[] {
    const identity = identityOf(node.inode);
    const nodes = new Set<TreeNode>([node]);
    for (const name of this.#links.get(identity) ?? [])
      if (isAttached(name) && identityOf(name.inode) === identity) nodes.add(name);
    if (!(node.inode instanceof NewInode) && node.inode.type !== 'directory')
      for (const path of this.base.hardLinks((node.inode as RootNode).path)) {
        const below = this.#at(path);
        if (below && identityOf(below.inode) === identity) nodes.add(below);
      }
    return [...nodes];
  }

  #holds(path: RootPath, identity: object): boolean {
    const node = this.#at(path);
    return node !== undefined && identityOf(node.inode) === identity;
  }

  /** What has exactly this path; symlinks are not followed. */
  #at(path: RootPath): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of path.split('/')) node = node && this.childrenOf(node).get(name);
    return node;
  }

  #requireContent(node: TreeNode): void {
    if (!this.hasContent(node))
      throw new OnlayError(
        'INTERNAL',
        `Cannot change or link ${displayText(pathOf(node))}: its content was not kept when its layer was read`,
      );
  }

  protected contentOf({ inode }: TreeNode): Uint8Array | undefined {
    if (inode instanceof NewInode) return inode.content;
    const { type, path } = inode as RootNode;
    return type === 'file' ? this.base.read(path) : undefined;
  }

  protected hasContent({ inode }: TreeNode): boolean {
    return inode instanceof NewInode || inode.type !== 'file' || this.base.readable((inode as RootNode).path);
  }
}
