// What differs between two images of one platform: packages by version, files by attributes and content.
import { displayText } from '../base/bytes.ts';
import type { InstalledPackage } from '../packages/package.ts';
import type { RootNode, RootView } from '../rootfs/root-view.ts';

export interface PackageDifference {
  readonly name: string;
  readonly arch: string;
  /** null: not in that image. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface FileDifference {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Which attributes differ: type, mode, owner, content, link, xattrs. */
  readonly fields: readonly string[];
}

/** Sorted by name, then arch. */
export function diffPackages(
  before: readonly InstalledPackage[],
  after: readonly InstalledPackage[],
): readonly PackageDifference[] {
  const versions = (list: readonly InstalledPackage[]): Map<string, string[]> => {
    const found = new Map<string, string[]>();
    for (const { name, arch, version } of list)
      found.set(`${name}\n${arch}`, [...(found.get(`${name}\n${arch}`) ?? []), version].sort());
    return found;
  };
  const [old, fresh] = [versions(before), versions(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])].sort().flatMap((key) => {
    const [name, arch] = key.split('\n') as [string, string];
    const [a, b] = [old.get(key)?.join(', ') ?? null, fresh.get(key)?.join(', ') ?? null];
    return a === b ? [] : [{ name: displayText(name), arch, before: a, after: b }];
  });
}

/** Sorted by path. Times do not count. */
export function diffFiles(before: RootView, after: RootView): readonly FileDifference[] {
  const old = new Map([...before.walk('')].map((node) => [node.path as string, node]));
  const found: FileDifference[] = [];
  for (const node of after.walk('')) {
    const earlier = old.get(node.path);
    old.delete(node.path);
    if (!earlier) found.push({ path: displayText(node.path), change: 'added', fields: [] });
    else {
      const fields = differingFields(earlier, node);
      if (fields.length > 0) found.push({ path: displayText(node.path), change: 'changed', fields });
    }
  }
  for (const path of old.keys()) found.push({ path: displayText(path), change: 'removed', fields: [] });
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function differingFields(a: RootNode, b: RootNode): readonly string[] {
  return [
    ...(a.type === b.type ? [] : ['type']),
    ...(a.mode === b.mode ? [] : ['mode']),
    ...(a.uid === b.uid && a.gid === b.gid ? [] : ['owner']),
    ...(a.sha256 === b.sha256 && a.devMajor === b.devMajor && a.devMinor === b.devMinor ? [] : ['content']),
    ...(a.link === b.link ? [] : ['link']),
    ...(sameXattrs(a, b) ? [] : ['xattrs']),
  ];
}

function sameXattrs({ xattrs: a }: RootNode, { xattrs: b }: RootNode): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, value]) => b.has(name) && Buffer.compare(value, b.get(name) as Uint8Array) === 0)
  );
}
