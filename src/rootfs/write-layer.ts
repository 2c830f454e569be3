// A change set as the tar of a layer that every runtime extracts to the same tree: no path twice, none through a symlink,
// parents with the attributes they have, hard links after their target, whiteouts before their siblings and only of what
// is there. image-spec layer.md "Representing Changes"; what docker does otherwise is in the comments.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#representing-changes
import { OnlayError } from '../errors.ts';
import { compareBytes, concatBytes, displayText } from '../base/bytes.ts';
import { TAR_END, tarHeader, tarPadding, type TarInput } from '../archive/tar-write.ts';
import type { ChangeSet, NewNode } from './change-set.ts';
import { baseName, joinPath, parentOf, type RootPath } from './path.ts';
import type { RootView } from './root-view.ts';
import { isWhiteoutName, whiteoutPath } from './whiteout.ts';
import { layerXattrs } from './xattrs.ts';

export { sealLayer, type LayerCompression, type SealedLayer } from './seal-layer.ts';

export interface WriteLayerOptions {
  /** Later modification times are set back to this one; seconds since 1970. */
  readonly epoch?: number;
}

/**
 * The uncompressed layer of `changeSet` over `base`. The bytes depend on the two alone. Throws INTERNAL for a change set
 * that no layer can say: a path twice, below a symlink or in a directory that is nowhere, a link to nothing.
 */
export async function* writeLayer(
  changeSet: ChangeSet,
  base: RootView,
  options: WriteLayerOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const entries = layerEntries(changeSet, base).sort((a, b) => compareBytes(a.order, b.order));
  yield* inBlocks(pieces(entries, options.epoch ?? Infinity));
}

interface LayerTarEntry {
  /** What it is sorted by. */
  readonly order: string;
  readonly input: TarInput;
  readonly content?: Uint8Array;
}

function layerEntries(changeSet: ChangeSet, base: RootView): LayerTarEntry[] {
  const { puts, links, removals } = sortOut(changeSet);
  const entries: LayerTarEntry[] = [];
  for (const [path, node] of puts) {
    const [first, ...others] = [path, ...(links.get(path) ?? [])].sort() as [RootPath, ...RootPath[]];
    entries.push(nodeEntry(first, node));
    for (const name of others) entries.push(linkEntry(name, first, node));
  }
  const hidden = removals.filter((path) => base.lookup(path)?.path === path);
  const named = [...puts.keys(), ...[...links.values()].flat()];
  const parents = [...parentsOf([...named, ...hidden], puts)];
  for (const path of [...named, ...parents])
    if (isWhiteoutName(path)) throw impossible(path, 'has a name that means a deletion in a layer');
  for (const path of hidden) entries.push(whiteoutEntry(path));
  for (const path of parents) entries.push(parentEntry(path, base));
  return entries;
}

interface SortedChanges {
  readonly puts: ReadonlyMap<RootPath, NewNode>;
  /** Further names by the path of the put that holds the content. */
  readonly links: ReadonlyMap<RootPath, readonly RootPath[]>;
  readonly removals: readonly RootPath[];
}

function sortOut({ changes }: ChangeSet): SortedChanges {
  const seen = new Set<RootPath>();
  const puts = new Map<RootPath, NewNode>();
  const links = new Map<RootPath, RootPath[]>();
  const removals: RootPath[] = [];
  for (const change of changes) {
    if (seen.has(change.path)) throw impossible(change.path, 'is changed twice');
    seen.add(change.path);
    if (change.kind === 'put') puts.set(change.path, change.node);
    else if (change.kind === 'remove') removals.push(change.path);
    else {
      const names = links.get(change.target);
      if (names) names.push(change.path);
      else links.set(change.target, [change.path]);
    }
  }
  for (const [target, [name]] of links)
    if ((puts.get(target)?.type ?? 'directory') === 'directory')
      throw impossible(
        name as RootPath,
        `links to ${displayText(target)}, which is no file of the change set`,
      );
  return { puts, links, removals };
}

/** Directories above `paths` that are not put themselves. The root is never repeated: runtimes make it anyway. */
function parentsOf(paths: readonly RootPath[], puts: ReadonlyMap<RootPath, NewNode>): Iterable<RootPath> {
  const seen = new Set<RootPath>();
  const parents: RootPath[] = [];
  for (const path of paths)
    for (let parent = parentOf(path); parent !== '' && !seen.has(parent); parent = parentOf(parent)) {
      seen.add(parent);
      const put = puts.get(parent);
      if (!put) parents.push(parent);
      else if (put.type !== 'directory')
        throw impossible(path, `is below ${displayText(parent)}, which is put as a ${put.type}`);
    }
  return parents;
}

function nodeEntry(path: RootPath, node: NewNode): LayerTarEntry {
  const { type, mode, uid, gid, mtime, link, content, devMajor, devMinor } = node;
  if (type === 'file' && content === undefined) throw impossible(path, 'is a file without content');
  const input: TarInput = {
    path: path === '' ? './' : path,
    type,
    mode,
    uid,
    gid,
    mtime,
    size: content?.length ?? 0,
    xattrs: layerXattrs(node.xattrs),
    ...(link === undefined ? {} : { link }),
    ...(devMajor === undefined ? {} : { devMajor }),
    ...(devMinor === undefined ? {} : { devMinor }),
  };
  return { order: path, input, ...(content === undefined ? {} : { content }) };
}

/** Attributes are repeated: docker sets those of every entry, and the change of owner drops a capability of the file. */
function linkEntry(path: RootPath, target: RootPath, node: NewNode): LayerTarEntry {
  const { mode, uid, gid, mtime, xattrs } = node;
  const input: TarInput = {
    path,
    type: 'hardlink',
    link: target,
    mode,
    uid,
    gid,
    mtime,
    xattrs: layerXattrs(xattrs),
  };
  return { order: path, input };
}

function whiteoutEntry(path: RootPath): LayerTarEntry {
  const input: TarInput = { path: whiteoutPath(path), type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  return { order: joinPath(parentOf(path), `\0${baseName(path)}`), input };
}

/** docker makes directories that are not in the layer 0755 root, and resets those that are to what the layer says. */
function parentEntry(path: RootPath, base: RootView): LayerTarEntry {
  const node = base.lookup(path);
  if (!node) throw impossible(path, 'is changed below, but it does not exist');
  // an entry through a symlink makes docker replace the symlink by a directory
  if (node.path !== path || node.type !== 'directory')
    throw impossible(path, 'is changed below, but it is no directory');
  const { mode, uid, gid, mtime, xattrs } = node;
  const input: TarInput = { path, type: 'directory', mode, uid, gid, mtime, xattrs: layerXattrs(xattrs) };
  return { order: path, input };
}

function* pieces(entries: readonly LayerTarEntry[], epoch: number): Generator<Uint8Array> {
  for (const { input, content } of entries) {
    yield tarHeader({ ...input, mtime: Math.min(input.mtime, epoch) });
    if (content === undefined || content.length === 0) continue;
    yield content;
    yield tarPadding(content.length);
  }
  yield TAR_END;
}

const BLOCK = 256 * 1024;

/** Small pieces put together; large ones pass as they are. */
function* inBlocks(source: Iterable<Uint8Array>): Generator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let size = 0;
  for (const piece of source) {
    if (piece.length < BLOCK) {
      pending.push(piece);
      size += piece.length;
      if (size < BLOCK) continue;
    }
    if (size > 0) yield concatBytes(pending);
    pending = [];
    size = 0;
    if (piece.length >= BLOCK) yield piece;
  }
  if (size > 0) yield concatBytes(pending);
}

function impossible(path: RootPath, why: string): OnlayError {
  return new OnlayError('INTERNAL', `Cannot write a layer: ${displayText(path)} ${why}`);
}
