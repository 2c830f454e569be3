// Where a file of a package goes: over what is there, or beside it as X.apk-new, or nowhere because it is there already.
import type { NewNode } from '../../rootfs/change-set.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { ApkEntry } from './apk-file.ts';
import { holds, sameContent } from './compare-file.ts';
import { clearDirectory } from './remove-files.ts';
import type { Transaction } from './transaction.ts';

/** What the database said of the path before. */
export interface Before {
  readonly checksum: string | undefined;
  readonly truncatedSha256: boolean;
}

export interface Placement {
  readonly entry: ApkEntry;
  readonly package: string;
  /** undefined: no package owned it. */
  readonly before: Before | undefined;
  readonly node: NewNode;
  /** For a hard link: where its target was placed, if it was; and the owners its own header names, which win. */
  readonly linkTo: RootPath | undefined;
  readonly linkOwner: { readonly uid: number; readonly gid: number };
}

/**
 * The path at which the file of the package lies now; undefined when it lies nowhere, because the path holds the same
 * already ('same') or cannot be replaced ('blocked').
 */
export function placeFile(transaction: Transaction, placement: Placement): RootPath | 'same' | 'blocked' {
  const { draft, protectedPaths, conffiles } = transaction;
  const { entry, package: name, before } = placement;
  const path = entry.path as RootPath;
  const existing = draft.lookup(path);
  const outcome = (action: 'replaced' | 'kept' | 'kept-new-beside' | 'restored', beside?: string): void => {
    conffiles.push({ path, package: name, action, ...(beside === undefined ? {} : { beside }) });
  };
  if (protectedPaths.isProtected(path)) {
    const unmodified =
      existing &&
      before?.checksum !== undefined &&
      holds(draft, existing, before.checksum, before.truncatedSha256) === true;
    if (existing && !unmodified) {
      if (sameContent(existing, entry)) {
        outcome('kept');
        return 'same';
      }
      const beside = `${path}.apk-new` as RootPath;
      if (!clearDirectory(transaction, beside, name)) return 'blocked';
      write(transaction, beside, placement);
      outcome('kept-new-beside', beside);
      return beside;
    }
    if (before && !existing) outcome('restored');
    else if (existing && !sameContent(existing, entry)) outcome('replaced');
  }
  if (!clearDirectory(transaction, path, name)) return 'blocked';
  write(transaction, path, placement);
  return path;
}

function write({ draft }: Transaction, path: RootPath, { node, linkTo, linkOwner }: Placement): void {
  if (linkTo === undefined) {
    draft.put(path, node);
    return;
  }
  draft.link(path, linkTo);
  if (linkOwner.uid !== node.uid || linkOwner.gid !== node.gid) draft.setAttributes(path, linkOwner);
}
