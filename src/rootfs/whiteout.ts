// Deletions in a layer, image-spec layer.md#whiteouts: an entry `.wh.NAME` removes NAME of the layers below, and
// `.wh..wh..opq` everything in its directory. Other names that start with `.wh..wh.` are aufs's own files.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#whiteouts
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import { baseName, joinPath, parentOf, type RootPath } from './path.ts';

const PREFIX = '.wh.';
const AUFS_PREFIX = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';
const AUFS_LINKS = '.wh..wh.plnk/';

/** What the name of a layer entry means. `path` of the deletions is what goes, or whose content goes. */
export type EntryMeaning =
  { readonly kind: 'content' | 'aufs' } | { readonly kind: 'whiteout' | 'opaque'; readonly path: RootPath };

/** Throws ARCHIVE_INVALID for whiteouts of '', '.' and '..', with which runtimes removed whole directories. */
export function meaningOf(path: RootPath, what: string): EntryMeaning {
  // the type of the entry does not matter, the spec leaves it open
  if (path.startsWith(AUFS_PREFIX) && path !== OPAQUE) return AUFS;
  const name = baseName(path);
  if (!name.startsWith(PREFIX)) return CONTENT;
  if (name === OPAQUE) return { kind: 'opaque', path: parentOf(path) };
  if (name.startsWith(AUFS_PREFIX)) return AUFS;
  const hidden = name.slice(PREFIX.length);
  if (hidden === '' || hidden === '.' || hidden === '..')
    throw new OnlayError('ARCHIVE_INVALID', `${what} has a whiteout of nothing: ${displayText(path)}`);
  return { kind: 'whiteout', path: joinPath(parentOf(path), hidden) };
}
const CONTENT: EntryMeaning = { kind: 'content' };
const AUFS: EntryMeaning = { kind: 'aufs' };

/** True for names that no file of an image can have, because a layer would take them for deletions. */
export function isWhiteoutName(path: RootPath): boolean {
  return baseName(path).startsWith(PREFIX);
}

/** The entry that removes `path`. */
export function whiteoutPath(path: RootPath): RootPath {
  return joinPath(parentOf(path), `${PREFIX}${baseName(path)}`);
}

/** True for the files that docker on aufs wrote for hard links to point at. They are not in the tree themselves. */
export function isAufsLinkTarget(path: RootPath): boolean {
  return path.startsWith(AUFS_LINKS);
}
