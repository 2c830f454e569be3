// A root view with changes on top: families and effects read the state so far and write to it; `changes` then yields
// only what really differs from the image below.
import type { ChangeSet, NewNode } from './change-set.ts';
import type { RootView } from './root-view.ts';

export interface Draft extends RootView {
  /** The image below, without the changes. */
  readonly base: RootView;
  /**
   * Writes `node` at `path`; parents are resolved through symlinks and created (0755 root) where missing. What was
   * there is replaced: a directory over a directory updates its attributes, anything else over a directory removes the
   * tree first. Hard links to the old inode keep the old content.
   */
  put(path: string, node: NewNode): void;
  /** Makes `path` a hard link to the file at `target`, which must exist in the draft. */
  link(path: string, target: string): void;
  /**
   * Changes attributes of what exists at `path` (not followed). A file below whose content was not kept cannot be
   * changed so: throws INTERNAL.
   */
  setAttributes(path: string, attributes: Partial<Pick<NewNode, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>>): void;
  /** Removes `path` (not followed) and everything below it; nothing happens if it does not exist. */
  remove(path: string): void;
  /**
   * The difference, sorted. A put that equals what is below (type, mode, owners, content, link, xattrs, hard links;
   * times do not count) is left out; hard links come with all members of their group.
   */
  changes(): ChangeSet;
}
