// A read-only root file system as a container sees it: the merge of an image's layers (rootfs/view.ts), or that with
// changes on top (rootfs/draft.ts). Nothing is on disk; of most files only facts are known, of some the content.
import type { RootPath } from './path.ts';

export type NodeType = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo';

/** What a path is. Hard links are several paths with one `inode`. */
export interface RootNode {
  /** Where it really is: no component but the last is a symlink. */
  readonly path: RootPath;
  readonly type: NodeType;
  /** Permission bits with setuid, setgid, sticky: 0o0000 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content of a file, else 0. */
  readonly size: number;
  /** Modification time, whole seconds since 1970. */
  readonly mtime: number;
  /** Target of a symlink as written (byte string), else ''. */
  readonly link: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly devMajor: number;
  readonly devMinor: number;
  /** SHA-256 of the content of a file, lower-case hex, else ''. */
  readonly sha256: string;
  /** Same object for all hard links of one file. */
  readonly inode: object;
  /** What inspectors (layer-index.ts) said of the content, by inspector name. */
  readonly facts: ReadonlyMap<string, unknown>;
}

export interface RootView {
  /** As lstat: symlinks in parent components are followed, the last component is not. '' is the root directory. */
  lookup(path: string): RootNode | undefined;
  /** As stat: symlinks are followed to the end, inside the root, 40 at most; undefined if dangling or looping. */
  follow(path: string): RootNode | undefined;
  /**
   * The path with every parent component resolved through symlinks, the last kept as it is; also for paths that do not
   * exist (missing parents are kept as spelled). This is where something written to `path` lands. Never throws: below
   * a file or a loop of symlinks, where nothing can land, the rest is kept as spelled.
   */
  resolve(path: string): RootPath;
  /** Names in a directory (followed), sorted by byte; empty if it is not a directory. */
  list(path: string): readonly string[];
  /** True when `read` can answer: a file (followed) whose content was kept. */
  readable(path: string): boolean;
  /** Content of a file (followed); undefined if there is none. Throws INTERNAL if it exists but was not kept. */
  read(path: string): Uint8Array | undefined;
  /** Everything at `path` (followed) and below it (not followed), parents first, sorted by the bytes of whole paths. */
  walk(path: string): Iterable<RootNode>;
  /** All paths of the inode of `path`, sorted; one element for a file without other hard links. */
  hardLinks(path: string): readonly RootPath[];
}
