// All packages that solving can speak of, under numbers: installed ones first, then those of the repositories in their
// order. Numbers are literals of clauses (negative: not there) and break ties, as they do in libsolv, so that plans are
// those of dnf. Offered packages are parsed only when a name leads to them.
import { formatRelation, rangesOverlap, type Relation } from '../dependencies.ts';
import type { SolvablePackage } from '../repositories/candidate.ts';
import type { RichDependency } from '../rich.ts';
import { formatEvr } from '../version.ts';
import { namesIn, withSelf, type InstalledSet, type InstalledSolvable } from './installed.ts';
import type { Offer, Offers } from './offers.ts';

export interface Member {
  readonly id: number;
  readonly solvable: SolvablePackage;
  readonly installed: InstalledSolvable | undefined;
  readonly offer: Offer | undefined;
}

/** Number 1 is the system itself, 0 is none. */
export const FIRST_INSTALLED = 2;

/** What createrepo_c puts into the package index besides the file lists. */
const IN_PRIMARY = /^\/etc\/|bin\/|^\/usr\/lib\/sendmail$/;

export interface UniverseOptions {
  readonly installed: InstalledSet;
  readonly offers: Offers;
  /** Owners of paths that were looked up in file lists. */
  readonly fileOwners: ReadonlyMap<string, readonly Offer[]>;
}

export class Universe {
  readonly installed: readonly Member[];
  /** One more than the greatest number. */
  readonly size: number;
  readonly offers: Offers;
  readonly #installedSet: InstalledSet;
  readonly #fileOwners: ReadonlyMap<string, readonly Offer[]>;
  readonly #members = new Map<number, Member>();
  readonly #installedMembers = new Map<SolvablePackage, Member>();
  readonly #bases = new Map<Offer['repository'], number>();
  readonly #byName = new Map<string, readonly Member[]>();
  readonly #byProvided = new Map<string, readonly Member[]>();
  readonly #byRelation = new Map<string, readonly Member[]>();

  constructor({ installed, offers, fileOwners }: UniverseOptions) {
    this.#installedSet = installed;
    this.#fileOwners = fileOwners;
    this.offers = offers;
    this.installed = installed.all.map((one, at): Member => {
      const member = { id: FIRST_INSTALLED + at, solvable: one, installed: one, offer: undefined };
      this.#members.set(member.id, member);
      this.#installedMembers.set(one, member);
      return member;
    });
    let next = FIRST_INSTALLED + installed.all.length;
    for (const repository of offers.repositories) {
      this.#bases.set(repository, next);
      next += repository.size;
    }
    this.size = next;
  }

  /** A package that some search has led to. */
  member(id: number): Member {
    const member = this.#members.get(id);
    if (!member) throw new Error(`no package has the number ${id}`);
    return member;
  }

  offered(offer: Offer): Member {
    const id = (this.#bases.get(offer.repository) ?? 0) + offer.candidate.index;
    let member = this.#members.get(id);
    if (!member) {
      member = { id, solvable: offer.candidate, installed: undefined, offer };
      this.#members.set(id, member);
    }
    return member;
  }

  /** Packages of a name, by number. */
  named(name: string): readonly Member[] {
    let members = this.#byName.get(name);
    if (!members) {
      members = this.#sorted(this.#installedSet.named(name), this.offers.named(name));
      this.#byName.set(name, members);
    }
    return members;
  }

  /** Packages that provide a capability or have a file, by number. */
  providers(relation: Relation): readonly Member[] {
    const key = formatRelation(relation);
    let members = this.#byRelation.get(key);
    if (!members) {
      const all = this.#providersOfName(relation.name);
      const owners = relation.name.startsWith('/') ? this.#fileOwners.get(relation.name) : undefined;
      members = all.filter(
        ({ solvable, offer }) =>
          provides(solvable, relation) || (offer !== undefined && owners?.includes(offer) === true),
      );
      this.#byRelation.set(key, members);
    }
    return members;
  }

  /** What a dependency that is no and, if or unless is provided by. */
  matching(dependency: RichDependency): readonly Member[] {
    if (dependency.kind === 'atom') return this.providers(dependency.relation);
    const members = new Map<number, Member>();
    for (const name of namesIn(dependency))
      for (const member of this.#providersOfName(name))
        if (this.#fulfils(member, dependency)) members.set(member.id, member);
    return [...members.values()].sort((a, b) => a.id - b.id);
  }

  /** `with` and `without` speak of one package. */
  #fulfils(one: Member, dependency: RichDependency): boolean {
    switch (dependency.kind) {
      case 'atom':
        return this.providers(dependency.relation).includes(one);
      case 'and':
      case 'with':
        return dependency.parts.every((part) => this.#fulfils(one, part));
      case 'or':
        return dependency.parts.some((part) => this.#fulfils(one, part));
      case 'without': {
        const [first, ...others] = dependency.parts;
        return (
          first !== undefined && this.#fulfils(one, first) && !others.some((part) => this.#fulfils(one, part))
        );
      }
      case 'if':
      case 'unless':
        return false;
    }
  }

  /** Packages of other names that obsolete an installed one, by number. */
  obsoleters(one: Member): readonly Member[] {
    const { solvable } = one;
    const replaces = (other: SolvablePackage): boolean =>
      other.name !== solvable.name && obsoletes(other, solvable);
    return this.#sorted(
      this.#installedSet.all.filter(replaces),
      this.offers.obsoleters(solvable.name).filter(({ candidate }) => replaces(candidate)),
    );
  }

  /** Offered packages that would like to be beside others. */
  supplementing(): readonly Member[] {
    return this.offers.supplementing().map((offer) => this.offered(offer));
  }

  /** Packages that `one` obsoletes by one relation, by number. */
  obsoletedBy(one: Member, relation: Relation): readonly Member[] {
    return this.named(relation.name).filter((other) => other !== one && matchesOwn(other.solvable, relation));
  }

  /** False where only file lists that were not looked into could tell who has a path. */
  knowsOwners(name: string): boolean {
    if (!name.startsWith('/') || this.#fileOwners.has(name)) return true;
    return IN_PRIMARY.test(name) && this.#providersOfName(name).length > 0;
  }

  #providersOfName(name: string): readonly Member[] {
    let members = this.#byProvided.get(name);
    if (!members) {
      members = this.#sorted(this.#installedSet.providers(name), [
        ...this.offers.providers(name),
        // some builders leave out that a package provides its own name
        ...this.offers.named(name),
        ...(this.#fileOwners.get(name) ?? []),
      ]);
      this.#byProvided.set(name, members);
    }
    return members;
  }

  #sorted(installed: readonly InstalledSolvable[], offers: readonly Offer[]): readonly Member[] {
    const members = new Set<Member>();
    for (const one of installed) {
      const member = this.#installedMembers.get(one);
      if (member) members.add(member);
    }
    for (const offer of offers) members.add(this.offered(offer));
    return [...members].sort((a, b) => a.id - b.id);
  }
}

export function provides(one: SolvablePackage, relation: Relation): boolean {
  if (relation.name === one.name && !one.provides.some(({ name }) => name === one.name))
    return rangesOverlap(withSelf([], one.name, formatEvr(one.evr))[0] as Relation, relation);
  return (
    one.provides.some((stated) => stated.name === relation.name && rangesOverlap(stated, relation)) ||
    (relation.name.startsWith('/') && one.hasFile(relation.name))
  );
}

/** Obsoletes go by the package's name, never by what it provides. */
export function obsoletes(one: SolvablePackage, other: SolvablePackage): boolean {
  return one.obsoletes.some((relation) => relation.name === other.name && matchesOwn(other, relation));
}

function matchesOwn(one: SolvablePackage, relation: Relation): boolean {
  return rangesOverlap({ name: one.name, comparison: '=', version: formatEvr(one.evr) }, relation);
}
