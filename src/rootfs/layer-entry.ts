// One layer as plain data: what its tar says, with digests, kept contents and facts instead of bodies.
// Made by layer-index.ts, kept in caches by layer-index-format.ts, merged by view.ts.
import type { RootPath } from './path.ts';
import type { Inode } from './tree.ts';

export interface LayerDigest {
  readonly algorithm: 'sha256' | 'sha512';
  /** Lower case. */
  readonly hex: string;
}

/** A file, directory, symlink, device or fifo. */
export interface LayerNode extends Inode {
  readonly path: RootPath;
  /** Content of a file, where it was captured. */
  readonly content: Uint8Array | undefined;
}

export interface LayerHardLink {
  readonly type: 'hardlink';
  readonly path: RootPath;
  readonly target: RootPath;
}

/** `path` is what is removed; of an opaque directory only what is in it. */
export type LayerDeletion =
  | { readonly type: 'whiteout'; readonly path: RootPath }
  | { readonly type: 'opaque'; readonly path: RootPath };

export type LayerEntry = LayerNode | LayerHardLink | LayerDeletion;

export interface LayerIndex {
  /** Names what was captured and inspected; an index of another policy lacks or has other contents and facts. */
  readonly policy: string;
  /** Of the compressed bytes. */
  readonly digest: LayerDigest;
  readonly size: number;
  /** Of the uncompressed bytes. */
  readonly diffId: LayerDigest;
  readonly uncompressedSize: number;
  /** In the order of the archive. */
  readonly entries: readonly LayerEntry[];
}
