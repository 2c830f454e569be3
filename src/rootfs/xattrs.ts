// Which extended attributes belong to an image. Labels of the build host's SELinux policy and the marks of overlayfs are
// left out of layers (umoci and containers/storage leave them out too): the first mean nothing elsewhere, the second would
// be obeyed by the overlayfs that mounts the layer.
import { equalBytes } from '../base/bytes.ts';

export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** The attributes that are written to layers, sorted by name. */
export function layerXattrs(xattrs: Xattrs | undefined): Xattrs {
  if (xattrs === undefined || xattrs.size === 0) return NONE;
  const kept = [...xattrs].filter(
    ([name]) => name !== 'security.selinux' && !name.startsWith('trusted.overlay.'),
  );
  return new Map(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}
const NONE: Xattrs = new Map();

/** True when layers of the two would be the same. */
export function sameXattrs(a: Xattrs, b: Xattrs): boolean {
  if (a.size === 0 && b.size === 0) return true;
  const left = layerXattrs(a);
  const right = layerXattrs(b);
  if (left.size !== right.size) return false;
  for (const [name, value] of left) {
    const other = right.get(name);
    if (other === undefined || !equalBytes(value, other)) return false;
  }
  return true;
}
