// Packages that must stay as they are: dnf's and yum's versionlock lists, zypp's locks.
import type { RootView } from '../../../rootfs/root-view.ts';
import type { Evr } from '../version.ts';
import { readText } from './configuration.ts';
import { matchesGlob } from './glob.ts';

export interface Locks {
  /** False for versions that a lock rules out; versions of names without a lock are all allowed. */
  allows(name: string, evr: Evr, arch: string): boolean;
  /** Why the package is held at any version ('lock'), if it is. */
  held(name: string): string | undefined;
}

const VERSION_LOCKS = ['etc/dnf/plugins/versionlock.list', 'etc/yum/pluginconf.d/versionlock.list'];
const ZYPP_LOCKS = 'etc/zypp/locks';

export function readLocks(root: RootView): Locks {
  const patterns: string[] = [];
  const excluded: string[] = [];
  for (const path of VERSION_LOCKS)
    for (const line of (readText(root, path) ?? '').split('\n')) {
      const pattern = line.replace(/#.*/, '').trim();
      if (pattern.startsWith('!')) excluded.push(pattern.slice(1));
      else if (pattern !== '') patterns.push(pattern);
    }
  const locked = [...(readText(root, ZYPP_LOCKS) ?? '').matchAll(/^solvable_name:\s*(\S+)\s*$/gm)].map(
    ([, name]) => name as string,
  );
  const spellings = (name: string, evr: Evr, arch: string): readonly string[] => {
    const version = `${evr.version}-${evr.release ?? ''}`;
    // dnf writes name-epoch:version-release, yum epoch:name-version-release
    return [
      `${name}-${evr.epoch}:${version}.${arch}`,
      `${name}-${version}.${arch}`,
      `${evr.epoch}:${name}-${version}.${arch}`,
    ];
  };
  const matches = (pattern: string, names: readonly string[]): boolean =>
    names.some((text) => matchesGlob(pattern, text));
  return {
    allows: (name, evr, arch) => {
      const names = spellings(name, evr, arch);
      if (excluded.some((pattern) => matches(pattern, names))) return false;
      const concerning = patterns.filter(
        (pattern) => lockedName(pattern) === name || matches(pattern, names),
      );
      return (
        concerning.length === 0 || concerning.some((pattern) => matches(pattern, names) || pattern === name)
      );
    },
    held: (name) => (locked.some((pattern) => matchesGlob(pattern, name)) ? 'lock' : undefined),
  };
}

/** Name part of `name-0:1.2-3.*` or `0:name-1.2-3.*`. */
function lockedName(pattern: string): string {
  const modern = /^(.+)-\d+:[^-]+-[^-]+$/.exec(pattern)?.[1];
  const older = /^(?:\d+:)?(.+)-[^-]+-[^-]+$/.exec(pattern)?.[1];
  return modern ?? older ?? pattern;
}
