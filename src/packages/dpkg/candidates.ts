// Which versions of a package there are, and which one apt would install: apt_preferences(5), "Default Priority
// Assignments" and "Effect of APT Preferences". Versions of all loaded indexes count; nothing is ever downgraded.
import { compareBytes } from '../../base/bytes.ts';
import type { Stanza } from './control.ts';
import { dependencyGroups, relationList } from './dependencies.ts';
import type { PackagesIndex } from './packages-index.ts';
import type { PinIndex, Pins } from './preferences.ts';
import type { Relation, RelationGroup } from './relations.ts';
import type { Repository } from './repository.ts';
import type { MultiArch } from './status.ts';
import { compareVersions } from './version.ts';

/** What solving knows of a package at one version, installed or in an index. */
export interface PackageVersion {
  readonly name: string;
  /** As its control data says: may be "all". */
  readonly arch: string;
  readonly version: string;
  readonly source: string;
  readonly sourceVersion: string;
  readonly multiArch: MultiArch;
  /** Pre-Depends and Depends. */
  readonly depends: readonly RelationGroup[];
  /** Conflicts and Breaks. */
  readonly conflicts: readonly Relation[];
  readonly provides: readonly Relation[];
}

export interface LoadedIndex extends PinIndex {
  readonly repository: Repository;
  readonly packages: PackagesIndex;
}

export interface AvailableVersion extends PackageVersion {
  readonly stanza: Stanza;
  readonly index: LoadedIndex;
  readonly priority: number;
}

/** All that repositories offer, as far as it is loaded. */
export interface Universe {
  /** True when any index names the package. */
  knows(name: string): boolean;
  /** Every version for `arch` (a Debian architecture, not "all"), highest first; of equal ones the first index's. */
  versions(name: string, arch: string): readonly AvailableVersion[];
  /** The version that apt would install, if that is another than the installed one. */
  candidate(name: string, arch: string): AvailableVersion | undefined;
  /** Candidates that provide `name`, sorted by their own name. */
  providers(name: string, arch: string): readonly AvailableVersion[];
}

export interface UniverseOptions {
  readonly indexes: readonly LoadedIndex[];
  readonly pins: Pins;
  /** The version installed for name and Debian architecture. */
  readonly installed: (name: string, arch: string) => PackageVersion | undefined;
  readonly native: string;
}

export function universeOf({ indexes, pins, installed, native }: UniverseOptions): Universe {
  const memory = new Map<string, readonly AvailableVersion[]>();
  const provided = new Map<string, readonly AvailableVersion[]>();
  const universe: Universe = {
    knows: (name) => indexes.some(({ packages }) => packages.has(name)),
    versions(name, arch) {
      const key = `${name}:${arch}`;
      let found = memory.get(key);
      if (!found) {
        found = collect(name, arch);
        memory.set(key, found);
      }
      return found;
    },
    candidate(name, arch) {
      const current = installed(name, arch);
      const available = universe.versions(name, arch);
      let best: AvailableVersion | undefined;
      for (const version of available) {
        // lower versions would be downgrades, whatever their priority
        if (current && compareVersions(version.version, current.version) <= 0) break;
        if (version.priority > 0 && (!best || version.priority > best.priority)) best = version;
      }
      if (!best || !current) return best;
      return best.priority >= priorityOfInstalled(current, available) ? best : undefined;
    },
    providers(name, arch) {
      const key = `${name}:${arch}`;
      let found = provided.get(key);
      if (!found) {
        found = collectProviders(name, arch);
        provided.set(key, found);
      }
      return found;
    },
  };
  return universe;

  function collectProviders(name: string, arch: string): readonly AvailableVersion[] {
    const names = new Set<string>();
    for (const { packages } of indexes)
      for (const stanza of packages.providers(name)) names.add(stanza.get('Package') ?? '');
    return [...names]
      .sort(compareBytes)
      .flatMap((provider) => universe.candidate(provider, arch) ?? [])
      .filter(({ provides }) => provides.some((provided) => provided.name === name));
  }

  function collect(name: string, arch: string): readonly AvailableVersion[] {
    const found: AvailableVersion[] = [];
    for (const index of indexes)
      for (const stanza of index.packages.find(name)) {
        const own = stanza.get('Architecture') ?? '';
        if (own !== arch && !(own === 'all' && arch === native)) continue;
        const version = availableVersion(stanza, index, pins);
        if (version) found.push(version);
      }
    found.sort((a, b) => compareVersions(b.version, a.version));
    // equal versions count once: with the first index's package and the highest priority
    const distinct: AvailableVersion[] = [];
    for (const version of found) {
      const last = distinct.at(-1);
      if (!last || compareVersions(last.version, version.version) !== 0) distinct.push(version);
      else if (version.priority > last.priority)
        distinct[distinct.length - 1] = { ...last, priority: version.priority };
    }
    return distinct;
  }

  function priorityOfInstalled(current: PackageVersion, available: readonly AvailableVersion[]): number {
    const pinned = pins.installedPriority({ ...subjectOf(current), index: undefined });
    if (pinned !== undefined) return pinned;
    const same = available.find((version) => compareVersions(version.version, current.version) === 0);
    return Math.max(100, same?.priority ?? 0);
  }
}

function availableVersion(stanza: Stanza, index: LoadedIndex, pins: Pins): AvailableVersion | undefined {
  const name = stanza.get('Package');
  const version = stanza.get('Version');
  if (!name || !version) return undefined;
  const described = versionOf(stanza, name, version);
  const priority = pins.priority({ ...subjectOf(described), index });
  return Object.assign(described, { stanza, index, priority });
}

/** A version from control data. */
export function versionOf(stanza: Stanza, name: string, version: string): PackageVersion {
  const source = /^(\S+)(?:\s*\(\s*([^\s)]+)\s*\))?/.exec(stanza.get('Source') ?? '');
  const multiArch = stanza.get('Multi-Arch');
  return {
    name,
    arch: stanza.get('Architecture') ?? '',
    version,
    source: source?.[1] ?? name,
    sourceVersion: source?.[2] ?? version,
    multiArch: multiArch === 'same' || multiArch === 'foreign' || multiArch === 'allowed' ? multiArch : 'no',
    depends: [...dependencyGroups(stanza.get('Pre-Depends')), ...dependencyGroups(stanza.get('Depends'))],
    conflicts: [...relationList(stanza.get('Conflicts')), ...relationList(stanza.get('Breaks'))],
    provides: relationList(stanza.get('Provides')),
  };
}

function subjectOf({ name, arch, version, source }: PackageVersion): {
  name: string;
  arch: string;
  version: string;
  source: string;
} {
  return { name, arch, version, source };
}
