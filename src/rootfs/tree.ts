// A tree of names over inodes, and how paths are resolved in it: as the kernel does below a root directory, and as
// umoci's SecureJoin does for what does not exist yet. The merged view (view.ts) and the draft (draft.ts) are such trees.
// Loops, not recursion: hostile layers are 10^4 directories deep.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import { joinPath, type RootPath } from './path.ts';
import type { NodeType, RootNode, RootView } from './root-view.ts';

/** What a name stands for; several names with one inode are hard links. */
export interface Inode {
  readonly type: NodeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  /** Of a draft's inode: its time must be written. */
  readonly exactTime?: boolean;
  readonly link: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly sha256: string;
  readonly facts: ReadonlyMap<string, unknown>;
  /** What stands for it in RootNode.inode, where that is not the object itself. */
  readonly inode?: object;
}

/** Symlinks have no mode of their own on Linux; archives differ in what they write. */
export const SYMLINK_MODE = 0o777;
export const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();
export const NO_FACTS: ReadonlyMap<string, unknown> = new Map();

/** A directory that nobody described: what container runtimes make for missing parents. */
export function impliedDirectory(mtime: number): Inode {
  return {
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtime,
    link: '',
    xattrs: NO_XATTRS,
    devMajor: 0,
    devMinor: 0,
    sha256: '',
    facts: NO_FACTS,
  };
}

export function identityOf(inode: Inode): object {
  return inode.inode ?? inode;
}

/** One name in a directory. */
export class TreeNode {
  readonly parent: TreeNode | undefined;
  readonly name: string;
  inode: Inode;
  /** Names in a directory; undefined where there are none, or where they have not been looked at (draft). */
  children: Map<string, TreeNode> | undefined;
  /** Number of the last layer that put it, or anything below it (merged view). */
  layer: number;

  constructor(parent: TreeNode | undefined, name: string, inode: Inode) {
    this.parent = parent;
    this.name = name;
    this.inode = inode;
    this.children = undefined;
    this.layer = 0;
  }
}

/** O(depth); nodes keep no paths, so that a deep tree is not quadratic in memory. */
export function pathOf(node: TreeNode): RootPath {
  const names: string[] = [];
  for (let at = node; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.reverse().join('/') as RootPath;
}

/** False once the node, or a directory above it, has been replaced or removed. */
export function isAttached(node: TreeNode): boolean {
  for (let at = node; at.parent !== undefined; at = at.parent)
    if (at.parent.children?.get(at.name) !== at) return false;
  return true;
}

/** Where a path leads: to `node`, or to the names `missing` after it. */
export interface Found {
  readonly node: TreeNode;
  readonly missing: readonly string[];
  /** False also for "missing/..", which has nothing missing. */
  readonly exists: boolean;
  /** Why nothing can be there: more than 40 symlinks, or `node` is no directory. */
  readonly problem: 'loop' | 'not-a-directory' | undefined;
}

const MAX_LINKS = 40; // MAXSYMLINKS of Linux

export abstract class TreeView implements RootView {
  protected readonly root: TreeNode;
  /** Components of link targets walked so far: the only work that is not bounded by the length of the paths. */
  protected detours = 0;

  constructor(root: Inode) {
    this.root = new TreeNode(undefined, '', root);
  }

  protected abstract childrenOf(directory: TreeNode): ReadonlyMap<string, TreeNode>;
  /** All paths of the inode of `node`, in any order. */
  protected abstract namesOf(node: TreeNode): readonly RootPath[];
  /** Content of a file, if it was kept. */
  protected abstract contentOf(node: TreeNode): Uint8Array | undefined;
  /** False for a file whose content was not kept. */
  protected abstract hasContent(node: TreeNode): boolean;

  lookup(path: string): RootNode | undefined {
    const node = this.#existing(path, 'parents');
    return node && rootNode(node, pathOf(node));
  }

  follow(path: string): RootNode | undefined {
    const node = this.#existing(path, 'all');
    return node && rootNode(node, pathOf(node));
  }

  resolve(path: string): RootPath {
    const { node, missing } = this.find(path, 'parents');
    return [...(node.parent === undefined ? [] : [pathOf(node)]), ...missing].join('/') as RootPath;
  }

  list(path: string): readonly string[] {
    const node = this.#existing(path, 'all');
    return node?.inode.type === 'directory' ? [...this.childrenOf(node).keys()].sort() : [];
  }

  readable(path: string): boolean {
    const node = this.#existing(path, 'all');
    return node?.inode.type === 'file' && this.hasContent(node);
  }

  read(path: string): Uint8Array | undefined {
    const node = this.#existing(path, 'all');
    if (node?.inode.type !== 'file') return undefined;
    const content = this.contentOf(node);
    if (!content)
      throw new OnlayError(
        'INTERNAL',
        `Content of ${displayText(path)} was not kept when its layer was read`,
      );
    return content;
  }

  *walk(path: string): Generator<RootNode, void, undefined> {
    const start = this.#existing(path, 'all');
    if (!start) return;
    const startPath = pathOf(start);
    yield rootNode(start, startPath);
    if (start.inode.type !== 'directory') return;
    const open: Frame[] = [this.#frame(start, startPath)];
    for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
      const key = frame.keys[frame.next++];
      if (key === undefined) {
        open.pop();
        continue;
      }
      const below = key.endsWith('/');
      const name = below ? key.slice(0, -1) : key;
      const node = frame.children.get(name);
      if (!node) continue; // removed from a draft meanwhile
      const path = joinPath(frame.path, name);
      if (!below) yield rootNode(node, path);
      else if (node.inode.type === 'directory') open.push(this.#frame(node, path));
    }
  }

  hardLinks(path: string): readonly RootPath[] {
    const node = this.#existing(path, 'parents');
    return node ? [...this.namesOf(node)].sort() : [];
  }

  /** Resolves `path`; symlinks are followed in all components but the last, or in all. */
  protected find(path: string, follow: 'parents' | 'all'): Found {
    const pending = components(path);
    const missing: string[] = [];
    let node = this.root;
    let exists = true;
    let problem: Found['problem'];
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (missing.length === 0 && problem === undefined) {
        if (node.inode.type !== 'directory') problem = 'not-a-directory';
        else if (name === '..') {
          node = node.parent ?? node;
          continue;
        } else {
          const child = this.childrenOf(node).get(name);
          if (child?.inode.type === 'symlink' && (follow === 'all' || pending.length > 0)) {
            if (++links <= MAX_LINKS) {
              if (child.inode.link.startsWith('/')) node = this.root;
              const target = components(child.inode.link);
              this.detours += target.length;
              for (const part of target) pending.push(part);
              continue;
            }
            problem = 'loop';
          } else if (child) {
            node = child;
            continue;
          }
        }
      }
      // what is not there is resolved by its spelling, as SecureJoin does
      exists = false;
      if (name === '..') missing.pop();
      else missing.push(name);
    }
    return { node, missing, exists, problem };
  }

  #existing(path: string, follow: 'parents' | 'all'): TreeNode | undefined {
    const found = this.find(path, follow);
    return found.exists ? found.node : undefined;
  }

  #frame(directory: TreeNode, path: RootPath): Frame {
    const children = this.childrenOf(directory);
    const keys: string[] = [];
    // in byte order of whole paths "a-b" stands between "a" and "a/b", so a directory has two places
    for (const [name, { inode }] of children)
      if (inode.type === 'directory') keys.push(name, `${name}/`);
      else keys.push(name);
    return { children, path, keys: keys.sort(), next: 0 };
  }
}

interface Frame {
  readonly children: ReadonlyMap<string, TreeNode>;
  readonly path: RootPath;
  readonly keys: readonly string[];
  next: number;
}

/** Components of a path, last first, without empty ones and '.'. */
function components(path: string): string[] {
  const parts = path.split('/');
  const plain = parts.every((part) => part !== '' && part !== '.');
  return (plain ? parts : parts.filter((part) => part !== '' && part !== '.')).reverse();
}

function rootNode({ inode }: TreeNode, path: RootPath): RootNode {
  return {
    path,
    type: inode.type,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    size: inode.size,
    mtime: inode.mtime,
    link: inode.link,
    xattrs: inode.xattrs,
    devMajor: inode.devMajor,
    devMinor: inode.devMinor,
    // of new content it is computed when first asked for
    get sha256(): string {
      return inode.sha256;
    },
    inode: identityOf(inode),
    facts: inode.facts,
  };
}
