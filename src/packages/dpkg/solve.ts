// The closure of an upgrade: what must change along with what is wanted, or why it cannot. The rules are those of
// `apt-get upgrade --with-new-pkgs` and `apt-get install --only-upgrade`, except that nothing is ever removed or
// downgraded: an upgrade that needs that is not done and reported. Every package has one candidate, so each step is
// forced but for alternatives, which are tried in order; test/oracle/apt-*.test.ts compares with the real apt.
import type { PlanReason, SkipReason } from '../package.ts';
import type { AvailableVersion, PackageVersion, Universe } from './candidates.ts';
import { formatRelations } from './relations.ts';
import type { Relation, RelationGroup } from './relations.ts';
import { answersFor, architectureOf, conflictsWith, satisfies } from './satisfies.ts';

export interface InstalledVersion extends PackageVersion {
  /** Why it must stay as it is. */
  readonly held?: string;
}

export interface Upgrade {
  readonly version: AvailableVersion;
  /** undefined: the package is new. */
  readonly from: InstalledVersion | undefined;
  readonly reason: PlanReason;
  /** Name of the package that pulled it in. */
  readonly by: string | undefined;
}

export interface Refusal {
  readonly reason: SkipReason;
  readonly detail: string;
}

export interface SolveInput {
  readonly installed: readonly InstalledVersion[];
  readonly universe: Universe;
  /** Debian architecture that "all" and unqualified names belong to. */
  readonly native: string;
  readonly allowNew: boolean;
  /** Other packages of the same source follow an upgrade: apt's Upgrade-By-Source-Package. */
  readonly bySource: boolean;
}

export interface Solution {
  /** By package key. */
  readonly upgrades: ReadonlyMap<string, Upgrade>;
  /** Seeds that could not be upgraded. */
  readonly refused: ReadonlyMap<string, Refusal>;
}

/** Identity of a package: name and the architecture it occupies. */
export function packageKey(name: string, arch: string, native: string): string {
  return `${name}:${arch === 'all' || arch === '' ? native : arch}`;
}

/**
 * Upgrades `seeds` (installed packages that have a candidate), each with what it needs. A seed that cannot be upgraded
 * takes nothing along; it is tried again after the others, whose upgrades may be what it lacked.
 */
export function solve(
  input: SolveInput,
  seeds: readonly InstalledVersion[],
  reason: 'requested' | 'upgrade',
): Solution {
  const solver = new Solver(input);
  const refused = new Map<string, Refusal>();
  let open = [...seeds];
  for (let progress = true; progress && open.length > 0;) {
    progress = false;
    const left: InstalledVersion[] = [];
    for (const seed of open) {
      const refusal = solver.upgrade(seed, reason);
      if (refusal) {
        left.push(seed);
        refused.set(solver.keyOf(seed), refusal);
      } else {
        progress = true;
        refused.delete(solver.keyOf(seed));
      }
    }
    open = left;
  }
  return { upgrades: solver.upgrades, refused };
}

/** Attempts after which an upgrade counts as unsatisfiable; real ones need some hundreds. */
const MAX_STEPS = 50_000;
/** Upgrades that one leads to, one within the other: an index must not exhaust the stack. */
const MAX_DEPTH = 800;

class Solver {
  readonly upgrades = new Map<string, Upgrade>();
  readonly #input: SolveInput;
  readonly #installed = new Map<string, InstalledVersion>();
  /** Keys of packages, installed or chosen, by name. */
  readonly #named = new Map<string, Set<string>>();
  /** Keys of packages that provide a name, and of those that depend on or conflict with it: supersets of the state. */
  readonly #providing = new Map<string, Set<string>>();
  readonly #concerned = new Map<string, Set<string>>();
  /** Keys of installed packages by name of their source. */
  readonly #built = new Map<string, Set<string>>();
  /** Keys in order of choice, to take choices back. */
  readonly #trail: string[] = [];
  #steps = 0;
  #depth = 0;

  constructor(input: SolveInput) {
    this.#input = input;
    for (const version of input.installed) {
      const key = this.keyOf(version);
      this.#installed.set(key, version);
      add(this.#built, version.source, key);
      this.#register(key, version);
    }
  }

  keyOf(version: PackageVersion): string {
    return packageKey(version.name, version.arch, this.#input.native);
  }

  /** Upgrades one installed package to its candidate, or changes nothing and says why not. */
  upgrade(seed: InstalledVersion, reason: 'requested' | 'upgrade'): Refusal | undefined {
    const key = this.keyOf(seed);
    const known = this.upgrades.get(key);
    if (known) {
      // it was pulled in before its turn came
      this.upgrades.set(key, { ...known, reason, by: undefined });
      return undefined;
    }
    this.#steps = 0;
    const candidate = this.#candidateOf(seed);
    if (!candidate) return { reason: 'no-candidate', detail: 'no repository has a newer version' };
    return this.#choose(candidate, reason, undefined);
  }

  #candidateOf(version: PackageVersion): AvailableVersion | undefined {
    return this.#input.universe.candidate(version.name, this.#archOf(version));
  }

  #archOf(version: PackageVersion): string {
    return architectureOf(version, this.#input.native);
  }

  /** The version in force: chosen, else installed. */
  #at(key: string): PackageVersion | undefined {
    return this.upgrades.get(key)?.version ?? this.#installed.get(key);
  }

  #register(key: string, version: PackageVersion): void {
    add(this.#named, version.name, key);
    for (const { name } of version.provides) add(this.#providing, name, key);
    for (const { name } of version.conflicts) add(this.#concerned, name, key);
    for (const group of version.depends) for (const { name } of group) add(this.#concerned, name, key);
  }

  /** Makes `version` the one in force and mends what that breaks; on refusal everything is as before. */
  #choose(version: AvailableVersion, reason: PlanReason, by: string | undefined): Refusal | undefined {
    const key = this.keyOf(version);
    if (this.upgrades.get(key)) return undefined;
    const from = this.#installed.get(key);
    if (from?.held !== undefined) return { reason: 'held', detail: `${from.name} is held (${from.held})` };
    if (!from && !this.#input.allowNew)
      return {
        reason: 'new-package-not-allowed',
        detail: `${version.name} is not installed, and new packages are not allowed`,
      };
    if (++this.#steps > MAX_STEPS || this.#depth >= MAX_DEPTH)
      return { reason: 'unsatisfiable', detail: 'its dependencies are too entangled' };
    const mark = this.#trail.length;
    this.upgrades.set(key, { version, from, reason, by });
    this.#trail.push(key);
    this.#register(key, version);
    this.#depth++;
    const refusal =
      this.#raiseSiblings(version) ??
      this.#meetDependencies(version, from) ??
      this.#resolveConflicts(version, from) ??
      this.#mendOthers(key, version, from);
    if (refusal) this.#takeBack(mark);
    else if (from && this.#input.bySource) this.#raiseSource(version);
    this.#depth--;
    return refusal;
  }

  /** Other installed packages of one source follow if they can: they hold the same fix, and belong together. */
  #raiseSource(version: AvailableVersion): void {
    for (const key of this.#built.get(version.source) ?? []) {
      const other = this.#installed.get(key);
      const candidate = other && !this.upgrades.has(key) ? this.#candidateOf(other) : undefined;
      if (candidate?.source === version.source && candidate.sourceVersion === version.sourceVersion)
        this.#choose(candidate, 'sibling', version.name);
    }
  }

  /** What was registered for a taken-back choice stays: it is a superset. */
  #takeBack(mark: number): void {
    for (const key of this.#trail.splice(mark)) this.upgrades.delete(key);
  }

  /** `Multi-Arch: same`: all architectures of a package are at one version, or dpkg cannot configure any. */
  #raiseSiblings(version: AvailableVersion): Refusal | undefined {
    const key = this.keyOf(version);
    for (const other of this.#named.get(version.name) ?? []) {
      const sibling = this.#at(other);
      if (other === key || !sibling || sibling.version === version.version) continue;
      if (version.multiArch !== 'same' && sibling.multiArch !== 'same') continue;
      const candidate = this.#candidateOf(sibling);
      if (candidate?.version !== version.version)
        return unsatisfiable(
          `${version.name}:${sibling.arch} has no version ${version.version}, and all architectures must be at one version`,
        );
      const refusal = this.#choose(candidate, 'sibling', version.name);
      if (refusal) return refusal;
    }
    return undefined;
  }

  #meetDependencies(version: AvailableVersion, from: InstalledVersion | undefined): Refusal | undefined {
    for (const group of version.depends) {
      if (this.#isMet(group, version) || (from && this.#wasUnmet(group, from))) continue;
      const refusal = this.#meet(group, version);
      if (refusal) return refusal;
    }
    return undefined;
  }

  /** Images without package managers lack dependencies from the start: what was missing may go on missing. */
  #wasUnmet(group: RelationGroup, from: InstalledVersion): boolean {
    return from.depends.some(
      (old) =>
        old[0]?.name === group[0]?.name &&
        !old.some((relation) => this.#isMetBy(relation, from, 'installed')),
    );
  }

  /** Chooses something that makes `group` hold. */
  #meet(group: RelationGroup, version: PackageVersion): Refusal | undefined {
    let first: Refusal | undefined;
    for (const option of this.#optionsFor(group, version)) {
      const refusal = this.#choose(option, 'dependency', version.name);
      if (!refusal) return undefined;
      first ??= refusal;
    }
    const needs = `${version.name} ${version.version} needs ${formatRelations([group])}`;
    if (!first) return unsatisfiable(`${needs}, which no repository has`);
    return { reason: first.reason, detail: `${needs}: ${first.detail}` };
  }

  /**
   * Candidates that would satisfy an alternative of `group`: upgrades of installed packages before new packages, then in
   * order of the field, packages before those that provide them.
   */
  *#optionsFor(group: RelationGroup, version: PackageVersion): Generator<AvailableVersion, void, undefined> {
    const { universe } = this.#input;
    for (const upgrades of [true, false])
      for (const relation of group) {
        const fits = (option: AvailableVersion | undefined): option is AvailableVersion =>
          option !== undefined &&
          this.#installed.has(this.keyOf(option)) === upgrades &&
          answersFor(relation, version, option, this.#input.native) &&
          satisfies(option, relation);
        const architectures = this.#architecturesFor(relation, version);
        for (const arch of architectures) {
          const named = universe.candidate(relation.name, arch);
          if (fits(named)) yield named;
        }
        for (const arch of architectures)
          for (const provider of universe.providers(relation.name, arch))
            if (provider.name !== relation.name && fits(provider)) yield provider;
      }
  }

  /** Where to look for a package: first where the dependency asks for it, then where an installed one may do. */
  #architecturesFor(relation: Relation, version: PackageVersion): ReadonlySet<string> {
    const { native } = this.#input;
    if (relation.arch !== undefined && relation.arch !== 'any')
      return new Set([relation.arch === 'native' ? native : relation.arch]);
    const installed = [...this.#bearersOf(relation.name)].map((key) => key.slice(key.lastIndexOf(':') + 1));
    return new Set([this.#archOf(version), native, ...installed]);
  }

  /** What `version` conflicts with must move out of its way: by its own upgrade, never by removal. */
  #resolveConflicts(version: AvailableVersion, from: InstalledVersion | undefined): Refusal | undefined {
    for (const relation of version.conflicts)
      for (const key of this.#bearersOf(relation.name)) {
        const victim = this.#at(key);
        if (!victim || !conflictsWith(version, relation, victim, this.#input.native)) continue;
        // they stand together already, against their own words
        const untouched = victim === this.#installed.get(key);
        if (untouched && from?.conflicts.some((old) => conflictsWith(from, old, victim, this.#input.native)))
          continue;
        const refusal = this.#moveOn(key, victim, version, `conflicts with ${formatRelations([[relation]])}`);
        if (refusal) return refusal;
        const moved = this.#at(key);
        if (moved && conflictsWith(version, relation, moved, this.#input.native))
          return unsatisfiable(
            `${version.name} ${version.version} conflicts with ${moved.name} ${moved.version}`,
          );
      }
    return undefined;
  }

  /** Upgrades `victim`, which stands in the way of `version`. */
  #moveOn(key: string, victim: PackageVersion, version: AvailableVersion, why: string): Refusal | undefined {
    const clash = `${version.name} ${version.version} ${why}`;
    const candidate = this.upgrades.has(key) ? undefined : this.#candidateOf(victim);
    if (!candidate)
      return unsatisfiable(
        `${clash}, and there is no other version of ${victim.name} than ${victim.version}`,
      );
    const refusal = this.#choose(candidate, 'breaks', version.name);
    return refusal && { reason: refusal.reason, detail: `${clash}: ${refusal.detail}` };
  }

  /** Packages whose dependencies or conflicts the change of `version` upsets follow with their own upgrade. */
  #mendOthers(
    key: string,
    version: AvailableVersion,
    from: InstalledVersion | undefined,
  ): Refusal | undefined {
    const names = new Set([
      version.name,
      ...version.provides.map(({ name }) => name),
      ...(from?.provides ?? []).map(({ name }) => name),
    ]);
    for (const name of names)
      for (const other of this.#concerned.get(name) ?? []) {
        if (other === key) continue;
        const refusal = this.#mend(other, name, version, from);
        if (refusal) return refusal;
      }
    return undefined;
  }

  #mend(
    other: string,
    name: string,
    version: AvailableVersion,
    from: InstalledVersion | undefined,
  ): Refusal | undefined {
    const affected = this.#at(other);
    if (!affected) return undefined;
    const clash = affected.conflicts.find(
      (relation) =>
        relation.name === name &&
        conflictsWith(affected, relation, version, this.#input.native) &&
        !(from && conflictsWith(affected, relation, from, this.#input.native)),
    );
    if (clash)
      return this.#moveOn(
        other,
        affected,
        version,
        `is in conflict with ${affected.name} ${affected.version} (${formatRelations([[clash]])})`,
      );
    const broken = affected.depends.find(
      (group) =>
        group.some((relation) => relation.name === name) &&
        !this.#isMet(group, affected) &&
        !this.#isOldGap(group, affected, other),
    );
    if (!broken) return undefined;
    const needs = `${affected.name} ${affected.version} needs ${formatRelations([broken])}`;
    if (!this.upgrades.has(other)) {
      const candidate = this.#candidateOf(affected);
      const refusal = candidate ? this.#choose(candidate, 'sibling', version.name) : undefined;
      if (candidate && !refusal) return undefined;
      // no upgrade of its own: another alternative may still do
      if (!this.#meet(broken, affected)) return undefined;
      return refusal
        ? { reason: refusal.reason, detail: `${needs}: ${refusal.detail}` }
        : unsatisfiable(`${needs}, and has no newer version`);
    }
    return this.#meet(broken, affected) && unsatisfiable(needs);
  }

  /** True when the group did not hold before anything was chosen. */
  #isOldGap(group: RelationGroup, affected: PackageVersion, key: string): boolean {
    const installed = this.#installed.get(key);
    if (!installed) return false;
    if (affected !== installed) return this.#wasUnmet(group, installed);
    return !group.some((relation) => this.#isMetBy(relation, installed, 'installed'));
  }

  #isMet(group: RelationGroup, version: PackageVersion): boolean {
    return group.some((relation) => this.#isMetBy(relation, version, 'chosen'));
  }

  /** In the state so far, or in that of the image. */
  #isMetBy(relation: Relation, version: PackageVersion, state: 'chosen' | 'installed'): boolean {
    for (const key of this.#bearersOf(relation.name)) {
      const bearer = state === 'chosen' ? this.#at(key) : this.#installed.get(key);
      if (bearer && answersFor(relation, version, bearer, this.#input.native) && satisfies(bearer, relation))
        return true;
    }
    return false;
  }

  /** Keys of packages that have the name or may provide it; those added meanwhile come as well. */
  *#bearersOf(name: string): Generator<string, void, undefined> {
    yield* this.#named.get(name) ?? [];
    yield* this.#providing.get(name) ?? [];
  }
}

function unsatisfiable(detail: string): Refusal {
  return { reason: 'unsatisfiable', detail };
}

function add(map: Map<string, Set<string>>, name: string, key: string): void {
  const set = map.get(name);
  if (set) set.add(key);
  else map.set(name, new Set([key]));
}
