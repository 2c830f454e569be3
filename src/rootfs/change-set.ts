// The difference that becomes one layer: plain data, in terms of real paths of the image below.
import type { NodeType } from './root-view.ts';
import type { RootPath } from './path.ts';

/** Something to be written. */
export interface NewNode {
  readonly type: NodeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  /** A draft writes it also where only the time differs from what is below: rpm verifies times of files. */
  readonly exactTime?: boolean;
  /** Target of a symlink. */
  readonly link?: string;
  /** Content of a file. */
  readonly content?: Uint8Array;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  readonly devMajor?: number;
  readonly devMinor?: number;
}

export type Change =
  | { readonly kind: 'put'; readonly path: RootPath; readonly node: NewNode }
  /** A hard link to `target`, which is a put of the same change set. */
  | { readonly kind: 'link'; readonly path: RootPath; readonly target: RootPath }
  /** A whiteout: `path` exists below and shall not. Covers everything under a directory. */
  | { readonly kind: 'remove'; readonly path: RootPath };

/** Sorted by path in byte order; only what differs from the image below; parents are not listed unless they change. */
export interface ChangeSet {
  readonly changes: readonly Change[];
}
