// Packages of an image and of an upgrade with their dependencies, as apt's cache has them: every alternative is a
// dependency of its own, and those on a package are known in the order in which apt meets them (apt-pkg/pkgcachegen.cc).
import { compareBytes } from '../../base/bytes.ts';
import type { Stanza } from './control.ts';
import { dependencyGroups, relationList } from './dependencies.ts';
import { satisfiesVersion } from './relations.ts';
import type { Relation } from './relations.ts';
import type { MultiArch } from './status.ts';

export interface GraphVersion {
  readonly version: string;
  readonly multiArch: MultiArch;
  readonly stanza: Pick<Stanza, 'get'>;
  readonly provides: readonly Relation[];
}

export interface GraphPackage {
  readonly name: string;
  /** `all` counts as native. */
  readonly arch: string;
  readonly source: string;
  /** What is installed, and what will be: the same one if nothing changes. */
  readonly current: GraphVersion | undefined;
  readonly next: GraphVersion | undefined;
  readonly changes: boolean;
}

export interface Dependency {
  readonly type: 'Pre-Depends' | 'Depends' | 'Conflicts' | 'Breaks';
  readonly relation: Relation;
  readonly parent: GraphPackage;
}

export interface Target {
  readonly item: GraphPackage;
  readonly version: GraphVersion;
}

const TYPES = ['Pre-Depends', 'Depends', 'Conflicts', 'Breaks'] as const;

export function graphVersion(
  version: string,
  multiArch: MultiArch,
  stanza: GraphVersion['stanza'],
): GraphVersion {
  return { version, multiArch, stanza, provides: relationList(stanza.get('Provides')) };
}

/** Packages that are not installed, but in apt's lists: they decide which dependency comes first (#linkDependents). */
export interface Bystander {
  readonly name: string;
  readonly source: string;
  readonly version: GraphVersion;
}

export class UpgradeGraph {
  readonly packages: readonly GraphPackage[];
  readonly changing: readonly GraphPackage[];
  readonly #native: string;
  readonly #named = new Map<string, GraphPackage[]>();
  readonly #providing = new Map<string, Set<GraphPackage>>();
  readonly #dependents = new Map<string, Dependency[]>();
  readonly #groups = new Map<GraphVersion, readonly (readonly Dependency[])[]>();
  readonly #targets = new Map<Dependency, readonly Target[]>();

  constructor(packages: readonly GraphPackage[], bystanders: readonly Bystander[], native: string) {
    this.packages = [...packages].sort(asListed);
    this.changing = this.packages.filter(({ changes }) => changes);
    this.#native = native;
    for (const item of this.packages) {
      append(this.#named, item.name, item);
      for (const version of new Set([item.current, item.next])) {
        if (!version) continue;
        for (const { name } of version.provides)
          this.#providing.set(name, (this.#providing.get(name) ?? new Set()).add(item));
        this.#groups.set(version, this.#read(item, version));
      }
    }
    this.#linkDependents(
      bystanders.map(({ name, source, version }) => ({
        name,
        source,
        arch: native,
        current: version,
        next: undefined,
        changes: false,
      })),
    );
  }

  /**
   * apt's lists of dependencies on a package: one whose version was met later than that of the first becomes the first,
   * any other the second.
   */
  #linkDependents(bystanders: readonly GraphPackage[]): void {
    const met = new Map<string, number>([['', 0]]);
    const age = (version: string): number => {
      if (!met.has(version)) met.set(version, met.size);
      return met.get(version) ?? 0;
    };
    for (const item of [...this.packages, ...bystanders].sort(asListed)) {
      if (!item.current) continue;
      age(item.current.version);
      for (const dependency of this.#read(item, item.current).flat()) {
        const { name, arch, version = '' } = dependency.relation;
        const key = arch === 'any' ? `${name}:any` : name;
        // in reverse: the first comes last
        const list = this.#dependents.get(key) ?? [];
        this.#dependents.set(key, list);
        const first = list.at(-1);
        if (!first || age(version) > age(first.relation.version ?? '')) list.push(dependency);
        else list.splice(-1, 0, dependency);
      }
    }
    const strangers = new Set(bystanders);
    for (const [key, list] of this.#dependents)
      this.#dependents.set(key, list.filter(({ parent }) => !strangers.has(parent)).reverse());
  }

  groups(version: GraphVersion | undefined): readonly (readonly Dependency[])[] {
    return (version && this.#groups.get(version)) ?? [];
  }

  dependencies(version: GraphVersion | undefined): readonly Dependency[] {
    return this.groups(version).flat();
  }

  /** Dependencies, of what is installed, on a name or on `name:any`. */
  dependents(name: string): readonly Dependency[] {
    return this.#dependents.get(name) ?? [];
  }

  /** The package that a dependency names, rather than those that provide it. */
  named(dependency: Dependency): GraphPackage | undefined {
    return this.#named.get(dependency.relation.name)?.find((item) => this.isNamed(dependency, item));
  }

  /** `name:any` is a name of its own, which packages of any architecture provide. */
  isNamed({ relation, parent }: Dependency, { name, arch, current, next }: GraphPackage): boolean {
    if (name !== relation.name || relation.arch === 'any') return false;
    if ([current, next].some((version) => version?.multiArch === 'foreign')) return true;
    if (relation.arch === undefined) return arch === parent.arch;
    return arch === (relation.arch === 'native' ? this.#native : relation.arch);
  }

  siblings(item: GraphPackage): readonly GraphPackage[] {
    return (this.#named.get(item.name) ?? []).filter((other) => other !== item);
  }

  /** Versions that satisfy a dependency, or that it objects to: of the package itself, then of those that provide it. */
  targets(dependency: Dependency): readonly Target[] {
    const known = this.#targets.get(dependency);
    if (known) return known;
    const { type, relation, parent } = dependency;
    const isNegative = type === 'Conflicts' || type === 'Breaks';
    const found: Target[] = [];
    for (const item of this.#named.get(relation.name) ?? []) {
      const fits = relation.arch === 'any' || this.isNamed(dependency, item);
      if (!fits || (isNegative && item.name === parent.name)) continue;
      for (const version of new Set([item.next, item.current]))
        if (version && satisfiesVersion(relation, version.version)) found.push({ item, version });
    }
    for (const item of this.#providing.get(relation.name) ?? []) {
      if (isNegative && item.name === parent.name) continue;
      for (const version of new Set([item.next, item.current]))
        if (
          version?.provides.some(
            ({ name, version: provided }) =>
              name === relation.name &&
              (relation.version === undefined ||
                (provided !== undefined && satisfiesVersion(relation, provided))),
          )
        )
          found.push({ item, version });
    }
    this.#targets.set(dependency, found);
    return found;
  }

  #read(parent: GraphPackage, { stanza }: GraphVersion): readonly (readonly Dependency[])[] {
    return TYPES.flatMap((type) =>
      dependencyGroups(stanza.get(type)).map((group) =>
        group.map((relation) => ({ type, relation, parent })),
      ),
    );
  }
}

/** As archives list them. */
function asListed(a: GraphPackage, b: GraphPackage): number {
  return compareBytes(a.source, b.source) || compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch);
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
