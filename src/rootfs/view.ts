// The merge of an image's layers, as container runtimes extract them one upon the other; image-spec layer.md
// "Applying Changesets". Where runtimes differ, umoci's way is taken: an entry whose parent is a symlink of the tree so
// far is followed inside the root (dockerd replaces the symlink by a directory and so breaks usr-merged images).
// https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#applying-changesets
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import type { LayerHardLink, LayerIndex, LayerNode } from './layer-entry.ts';
import { baseName, parentOf, type RootPath } from './path.ts';
import type { RootView } from './root-view.ts';
import { impliedDirectory, isAttached, pathOf, TreeNode, TreeView, type Found, type Inode } from './tree.ts';
import { isAufsLinkTarget } from './whiteout.ts';

/**
 * The tree that a container of `layers` (lowest first) would see. Throws ARCHIVE_INVALID for a hard link to nothing and
 * for an entry below something that is no directory; LIMIT_EXCEEDED for layers made to be slow to merge.
 */
export function mergeLayers(layers: readonly LayerIndex[]): RootView {
  const view = new MergedView();
  for (const [number, layer] of layers.entries()) view.apply(layer, number + 1);
  return view;
}

/** Components of link targets in one merge; 10^6 entries through `lib -> usr/lib` are 2 * 10^6. */
const MAX_DETOURS = 10_000_000;
const NOTHING: ReadonlyMap<string, TreeNode> = new Map();

class MergedView extends TreeView {
  /** Names of inodes that have or had several. */
  readonly #links = new Map<Inode, TreeNode[]>();

  constructor() {
    super(impliedDirectory(0));
  }

  apply(layer: LayerIndex, number: number): void {
    const step = new LayerStep(number);
    const what = `Layer ${layer.digest.algorithm}:${layer.digest.hex}`;
    for (const entry of layer.entries) {
      if (entry.type === 'whiteout' || entry.type === 'opaque')
        this.#remove(entry.path, entry.type, step, what);
      else if (entry.type === 'hardlink') this.#putLink(entry, step, what);
      else if (isAufsLinkTarget(entry.path)) step.aufsLinkTargets.set(entry.path, entry);
      else this.#put(entry.path, entry, step, what);
      if (this.detours > MAX_DETOURS)
        throw new OnlayError(
          'LIMIT_EXCEEDED',
          `${what} leads its paths through too many and too long symlinks`,
        );
    }
  }

  #put(path: RootPath, inode: Inode, step: LayerStep, what: string): TreeNode {
    if (path === '') {
      this.root.inode = inode;
      return this.root;
    }
    const parent = this.#directory(path, inode.mtime, what);
    const name = baseName(path);
    const existing = parent.children?.get(name);
    if (existing?.inode.type === 'directory' && inode.type === 'directory') {
      existing.inode = inode;
      step.touch(existing);
      return existing;
    }
    const node = new TreeNode(parent, name, inode);
    (parent.children ??= new Map()).set(name, node);
    step.touch(node);
    return node;
  }

  #putLink({ path, target }: LayerHardLink, step: LayerStep, what: string): void {
    const copy = step.aufsLinkTargets.get(target);
    if (copy) {
      // docker extracts a copy for each of them
      this.#put(path, { ...copy }, step, what);
      return;
    }
    const { node, exists } = this.find(target, 'parents');
    // docker refuses a target that only a lower layer has, GNU tar and umoci take it
    if (!exists || node.inode.type === 'directory')
      throw new OnlayError(
        'ARCHIVE_INVALID',
        `${what}: ${displayText(path)} is a hard link to ${displayText(target)}, which ${exists ? 'is a directory' : 'does not exist'}`,
      );
    const linked = this.#put(path, node.inode, step, what);
    if (!isAttached(node))
      throw new OnlayError(
        'ARCHIVE_INVALID',
        `${what}: ${displayText(path)} is a hard link that replaces its own target`,
      );
    const names = this.#links.get(node.inode);
    if (names) names.push(linked);
    else this.#links.set(node.inode, [node, linked]);
  }

  /** The directory that `path` is in; missing ones are made. */
  #directory(path: RootPath, mtime: number, what: string): TreeNode {
    const found = this.find(parentOf(path), 'all');
    let { node } = found;
    requireDirectory(path, found, what);
    for (const name of found.missing) {
      const child = new TreeNode(node, name, impliedDirectory(mtime));
      (node.children ??= new Map()).set(name, child);
      node = child;
    }
    return node;
  }

  /** Removes what lower layers have at or in `path`; what this layer has put there stays, whatever came first. */
  #remove(path: RootPath, kind: 'whiteout' | 'opaque', step: LayerStep, what: string): void {
    const found = this.find(path, kind === 'opaque' ? 'all' : 'parents');
    const { node, exists, problem } = found;
    if (problem === 'loop') requireDirectory(path, found, what);
    if (!exists) return;
    if (kind === 'opaque' || step.hasTouched(node)) step.prune(node);
    else node.parent?.children?.delete(node.name);
  }

  protected childrenOf(directory: TreeNode): ReadonlyMap<string, TreeNode> {
    return directory.children ?? NOTHING;
  }

  protected namesOf(node: TreeNode): readonly RootPath[] {
    const names = this.#links.get(node.inode)?.filter(isAttached);
    return names?.map(pathOf) ?? [pathOf(node)];
  }

  protected contentOf(node: TreeNode): Uint8Array | undefined {
    return (node.inode as LayerNode).content;
  }

  protected hasContent(node: TreeNode): boolean {
    return this.contentOf(node) !== undefined;
  }
}

function requireDirectory(path: RootPath, { node, problem }: Found, what: string): void {
  if (problem === undefined && node.inode.type === 'directory') return;
  const why = problem === 'loop' ? 'too many symlinks' : 'something that is not a directory';
  throw new OnlayError('ARCHIVE_INVALID', `${what}: ${displayText(path)} is below ${why}`);
}

/** What is remembered while one layer is applied. */
class LayerStep {
  readonly #number: number;
  /** Directories in which nothing of a lower layer is left. */
  readonly #pruned = new Set<TreeNode>();
  readonly aufsLinkTargets = new Map<RootPath, LayerNode>();

  constructor(number: number) {
    this.#number = number;
  }

  /** Marks what this layer puts, and all directories above it: whiteouts do not reach them. */
  touch(node: TreeNode): void {
    for (let at: TreeNode | undefined = node; at && !this.hasTouched(at); at = at.parent)
      at.layer = this.#number;
  }

  hasTouched(node: TreeNode): boolean {
    return node.layer === this.#number;
  }

  /** Removes everything below `directory` that is not of this layer. */
  prune(directory: TreeNode): void {
    const open = [directory];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#pruned.has(at)) continue;
      this.#pruned.add(at);
      for (const [name, child] of at.children ?? NOTHING)
        if (this.hasTouched(child)) open.push(child);
        else at.children?.delete(name);
    }
  }
}
