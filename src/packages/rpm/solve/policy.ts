// Which of several packages is taken, as libsolv chooses: the best repository, architecture and version, what others
// recommend, what is installed already, by name.
import { compareBytes } from '../../../base/bytes.ts';
import { compareLoose } from '../dependencies.ts';
import { compareEvr } from '../version.ts';
import type { RichDependency } from '../rich.ts';
import { namesIn, toRequirement } from './installed.ts';
import { NOARCH, type Machine } from './machine.ts';
import { obsoletes, type Member, type Universe } from './universe.ts';

/** What is decided so far. */
export interface Decided {
  /** Positive: is there; negative: is not; 0: open. */
  readonly levels: Int32Array;
  /** Literals in the order they were decided in. */
  readonly trail: readonly number[];
}

const DEFAULT_PRIORITY = 99;

export class Policy {
  /** Paths that preferences depended on, of which only file lists tell who has them. */
  readonly unknownPaths: Set<string> = new Set();
  readonly #universe: Universe;
  readonly #machine: Machine;

  constructor(universe: Universe, machine: Machine) {
    this.#universe = universe;
    this.#machine = machine;
  }

  /** The candidates worth trying, best first. Never empty if `ids` is not. */
  choose(ids: readonly number[], decided: Decided, { reorder }: { readonly reorder: boolean }): number[] {
    let members = ids.map((id) => this.#universe.member(id));
    for (const prune of [bestRepository, this.#bestArchitecture, this.bestVersions])
      if (members.length > 1) members = prune(members);
    if (members.length > 1) members = this.#recommended(members, decided);
    if (members.length > 1 && reorder) {
      members = this.#outdatedLast(members);
      members = lowerCapabilitiesLast(members);
      members = partition(
        members,
        ({ solvable, installed }) =>
          installed !== undefined || this.#universe.named(solvable.name).some((other) => other.installed),
      );
      members = this.#suggestedFirst(members, decided);
    }
    return members.map(({ id }) => id);
  }

  readonly #bestArchitecture = (members: Member[]): Member[] => {
    const scores = members.map(({ solvable }) => this.#machine.score(solvable.arch));
    const best = Math.min(...scores.filter((score) => score > NOARCH));
    if (!Number.isFinite(best)) return members;
    const kept = members.filter((_, at) => {
      const score = scores[at] as number;
      return score === NOARCH || this.#machine.related(score, best);
    });
    return kept.length > 0 ? kept : members;
  };

  /** One of each name, without those that others obsolete. */
  readonly bestVersions = (members: Member[]): Member[] => {
    const sorted = members.toSorted((a, b) => this.#byName(a, b));
    const best: Member[] = [];
    for (const member of sorted) {
      const last = best.at(-1);
      if (!last || last.solvable.name !== member.solvable.name) best.push(member);
      else if (compareEvr(last.solvable.evr, member.solvable.evr) < 0) best[best.length - 1] = member;
    }
    return withoutObsoleted(best);
  };

  #byName(a: Member, b: Member): number {
    const name = compareBytes(a.solvable.name, b.solvable.name);
    if (name !== 0) return name;
    const x = this.#machine.score(a.solvable.arch);
    const y = this.#machine.score(b.solvable.arch);
    if (x !== y && x > NOARCH && y > NOARCH) return x - y;
    if ((a.installed !== undefined) !== (b.installed !== undefined)) return a.installed ? -1 : 1;
    return costOf(a) - costOf(b) || a.id - b.id;
  }

  #recommended(members: Member[], decided: Decided): Member[] {
    const fresh = members.filter(({ installed }) => !installed);
    if (fresh.length < 2) return members;
    const liked = fresh.filter(({ id }) => this.isRecommended(id, decided));
    return liked.length === 0 ? members : members.filter((one) => one.installed || liked.includes(one));
  }

  /** True where something that is there recommends it, or is supplemented by it. */
  isRecommended(id: number, decided: Decided): boolean {
    const member = this.#universe.member(id);
    return this.#wanted(member, decided, 'recommends') || this.#fulfilled(member, decided, 'supplements');
  }

  #suggestedFirst(members: Member[], decided: Decided): Member[] {
    return partition(
      members,
      (member) =>
        member.installed !== undefined ||
        this.#wanted(member, decided, 'suggests') ||
        this.#fulfilled(member, decided, 'enhances'),
    );
  }

  /** True where a package that is there recommends or suggests this one. */
  #wanted(member: Member, { trail, levels }: Decided, kind: 'recommends' | 'suggests'): boolean {
    const wants = (id: number): boolean => {
      const { [kind]: relations } = this.#universe.member(id).solvable.weak();
      return relations.some((relation) => this.#names(toRequirement(relation).dependency, member, levels));
    };
    return trail.some((literal) => literal > 1 && wants(literal));
  }

  #names(dependency: RichDependency, member: Member, levels: Int32Array): boolean {
    switch (dependency.kind) {
      case 'atom':
        return this.#matching(dependency).includes(member);
      case 'and':
      case 'or':
        return dependency.parts.some((part) => this.#names(part, member, levels));
      case 'with':
      case 'without':
        return this.#matching(dependency).includes(member);
      case 'if':
        return this.#holds(dependency.condition, levels)
          ? this.#names(dependency.what, member, levels)
          : dependency.otherwise !== undefined && this.#names(dependency.otherwise, member, levels);
      case 'unless':
        return false;
    }
  }

  /** True where what this package supplements or enhances is there. */
  #fulfilled({ solvable }: Member, { levels }: Decided, kind: 'supplements' | 'enhances'): boolean {
    return solvable.weak()[kind].some((relation) => this.#holds(toRequirement(relation).dependency, levels));
  }

  #holds(dependency: RichDependency, levels: Int32Array): boolean {
    switch (dependency.kind) {
      case 'and':
        return dependency.parts.every((part) => this.#holds(part, levels));
      case 'or':
        return dependency.parts.some((part) => this.#holds(part, levels));
      case 'if':
        return this.#holds(dependency.condition, levels)
          ? this.#holds(dependency.what, levels)
          : dependency.otherwise === undefined || this.#holds(dependency.otherwise, levels);
      case 'unless':
        return this.#holds(dependency.condition, levels)
          ? dependency.otherwise !== undefined && this.#holds(dependency.otherwise, levels)
          : this.#holds(dependency.what, levels);
      default:
        return this.#matching(dependency).some(({ id }) => (levels[id] ?? 0) > 0);
    }
  }

  #matching(dependency: RichDependency): readonly Member[] {
    for (const name of namesIn(dependency))
      if (!this.#universe.knowsOwners(name)) this.unknownPaths.add(name);
    return this.#universe.matching(dependency);
  }

  /** What a newer version or a better repository has is taken last. */
  #outdatedLast(members: Member[]): Member[] {
    return partition(members, (member) => {
      const { solvable, installed } = member;
      if (installed) return true;
      const priority = priorityOf(member);
      return !this.#universe.named(solvable.name).some((other) => {
        if (other === member || other.solvable.arch !== solvable.arch) return false;
        const theirs = priorityOf(other);
        return theirs === priority ? compareEvr(other.solvable.evr, solvable.evr) > 0 : theirs < priority;
      });
    });
  }
}

function priorityOf({ offer }: Member): number {
  return offer?.repository.config.priority ?? DEFAULT_PRIORITY;
}

function costOf({ offer }: Member): number {
  return offer?.repository.config.cost ?? 0;
}

function bestRepository(members: Member[]): Member[] {
  const best = Math.min(...members.filter(({ offer }) => offer).map(priorityOf));
  return members.filter((member) => member.installed || priorityOf(member) === best);
}

/** What is obsoleted by another one, directly or through a chain, and does not obsolete that one in turn, goes. */
function withoutObsoleted(members: Member[]): Member[] {
  if (!members.some(({ solvable }) => solvable.obsoletes.length > 0)) return members;
  const reached = members.map((from) => {
    const seen = new Set([from]);
    for (const one of seen)
      for (const other of members)
        if (one.solvable.name !== other.solvable.name && obsoletes(one.solvable, other.solvable))
          seen.add(other);
    return seen;
  });
  return members.filter(
    (member, at) =>
      !members.some((_, by) => reached[by]?.has(member) && !reached[at]?.has(members[by] as Member)),
  );
}

interface Stated {
  readonly at: number;
  readonly version: string;
  readonly below: boolean;
}

/** Of packages that provide one capability in several versions, those with lower ones come last. */
function lowerCapabilitiesLast(members: Member[]): Member[] {
  const stated = new Map<string, Stated[]>();
  members.forEach(({ solvable }, at) => {
    for (const { name, comparison, version } of solvable.provides) {
      if (version === undefined || comparison === undefined || comparison.startsWith('>')) continue;
      // what looks like a digest is no version
      if (comparison === '=' && /^[0-9a-f]{4,}$/.test(version)) continue;
      const list = stated.get(name);
      const entry = { at, version, below: comparison === '<' };
      if (list) list.push(entry);
      else stated.set(name, [entry]);
    }
  });
  const badness = members.map(() => 0);
  for (const list of stated.values()) {
    const order = (a: Stated, b: Stated): number =>
      compareLoose(b.version, a.version) || Number(a.below) - Number(b.below);
    const descending = list.toSorted(order);
    let bad = 0;
    descending.forEach((entry, i) => {
      const before = descending[i - 1];
      if (before && before.at !== entry.at && order(before, entry) < 0) bad++;
      badness[entry.at] = (badness[entry.at] as number) + bad;
    });
  }
  members.forEach(({ installed }, at) => {
    if (installed) badness[at] = 0;
  });
  return members
    .map((member, at) => ({ member, bad: badness[at] as number }))
    .sort((a, b) => a.bad - b.bad)
    .map(({ member }) => member);
}

function partition(members: readonly Member[], isFirst: (member: Member) => boolean): Member[] {
  const first: Member[] = [];
  const last: Member[] = [];
  for (const member of members) (isFirst(member) ? first : last).push(member);
  return [...first, ...last];
}
