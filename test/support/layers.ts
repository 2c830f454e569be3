// Small layers for tests: entries → tar → index, and a merged tree as plain lines to compare.
import { createHash } from 'node:crypto';
import { collect, streamOf } from '../../src/base/streams.ts';
import { fromByteString } from '../../src/base/bytes.ts';
import { TAR_END, tarHeader, tarPadding, type TarInput } from '../../src/archive/tar-write.ts';
import type { ChangeSet } from '../../src/rootfs/change-set.ts';
import { indexLayer, type IndexLayerOptions, type LayerIndex } from '../../src/rootfs/layer-index.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { writeLayer } from '../../src/rootfs/write-layer.ts';

export type Entry = TarInput & { readonly content?: string };
type Attributes = Partial<Omit<Entry, 'path' | 'type'>>;

const PLAIN = { uid: 0, gid: 0, mtime: 1_700_000_000 };

export function file(path: string, content = '', attributes: Attributes = {}): Entry {
  return { path, type: 'file', mode: 0o644, ...PLAIN, content, ...attributes };
}
export function dir(path: string, attributes: Attributes = {}): Entry {
  return { path, type: 'directory', mode: 0o755, ...PLAIN, ...attributes };
}
export function symlink(path: string, link: string, attributes: Attributes = {}): Entry {
  return { path, type: 'symlink', mode: 0o777, ...PLAIN, link, ...attributes };
}
export function hardLink(path: string, link: string, attributes: Attributes = {}): Entry {
  return { path, type: 'hardlink', mode: 0o644, ...PLAIN, link, ...attributes };
}

export function tarOf(entries: readonly Entry[]): Uint8Array {
  const pieces = entries.flatMap((entry) => {
    const content = fromByteString(entry.content ?? '');
    return [tarHeader({ ...entry, size: content.length }), content, tarPadding(content.length)];
  });
  return Buffer.concat([...pieces, TAR_END]);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Indexes `blob` with its own digest and size; every content is kept unless `options` says otherwise. */
export function indexBlob(blob: Uint8Array, options: Partial<IndexLayerOptions> = {}): Promise<LayerIndex> {
  return indexLayer(streamOf(blob), {
    what: 'the layer',
    digest: { algorithm: 'sha256', hex: sha256(blob) },
    size: blob.length,
    captures: () => true,
    inspectors: [],
    ...options,
  });
}

export function layer(...entries: readonly Entry[]): Promise<LayerIndex> {
  return indexBlob(tarOf(entries));
}

export async function layerOfChanges(changes: ChangeSet, base: RootView): Promise<LayerIndex> {
  return indexBlob(await collect(writeLayer(changes, base), { limit: 2 ** 30, what: 'the layer' }));
}

/** Everything of a tree but times, one line a path. */
export function snapshot(root: RootView): string[] {
  return [...root.walk('')].map((node) => {
    const { path, type, mode, uid, gid, size, link, devMajor, devMinor, sha256 } = node;
    const xattrs = [...node.xattrs]
      .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
      .sort();
    const links = type === 'directory' ? [] : root.hardLinks(path);
    return JSON.stringify({
      path,
      type,
      mode,
      uid,
      gid,
      size,
      link,
      devMajor,
      devMinor,
      sha256,
      xattrs,
      links,
    });
  });
}
