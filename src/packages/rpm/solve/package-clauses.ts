// What packages say of each other, as clauses: requirements, conflicts, obsoletes, one package of a name. Begins with
// what is installed and what may replace it, and follows requirements. What was broken in the image before is left out:
// it is not for a patch to repair.
import { OnlayError } from '../../../errors.ts';
import type { Relation } from '../dependencies.ts';
import { formatRelation } from '../dependencies.ts';
import type { RichDependency } from '../rich.ts';
import { compareEvr } from '../version.ts';
import { clause, compareClauses, type Cause, type Clause } from './clause.ts';
import { namesIn, requirementsOf, toRequirement } from './installed.ts';
import { NOARCH, type Machine } from './machine.ts';
import { richClauses } from './rich-clauses.ts';
import type { Member, Universe } from './universe.ts';

/** A requirement that was left out, because only file lists tell whether it holds. */
export interface Unknown {
  readonly member: Member;
  readonly dependency: RichDependency;
  readonly paths: readonly string[];
}

export interface PackageClauses {
  readonly clauses: readonly Clause[];
  readonly members: ReadonlySet<Member>;
  readonly unknown: readonly Unknown[];
}

export interface PackageClausesInput {
  readonly universe: Universe;
  readonly machine: Machine;
  readonly start: Iterable<Member>;
  /** True for packages that nobody has yet, where such must not be added. */
  readonly isUnwanted: (member: Member) => boolean;
}

export function packageClauses(input: PackageClausesInput): PackageClauses {
  const collector = new Collector(input);
  for (const member of input.start) collector.add(member);
  collector.run();
  return { clauses: collector.sorted(), members: collector.members, unknown: collector.unknown };
}

/** Far more than large distributions need. */
const MAX_LITERALS = 50_000_000;

class Collector {
  readonly members = new Set<Member>();
  readonly unknown: Unknown[] = [];
  readonly #clauses: Clause[] = [];
  #literals = 0;
  readonly #queue: Member[] = [];
  readonly #universe: Universe;
  readonly #machine: Machine;
  readonly #isUnwanted: (member: Member) => boolean;

  constructor({ universe, machine, isUnwanted }: PackageClausesInput) {
    this.#universe = universe;
    this.#machine = machine;
    this.#isUnwanted = isUnwanted;
  }

  add(member: Member): void {
    if (this.members.has(member)) return;
    this.members.add(member);
    this.#queue.push(member);
  }

  run(): void {
    for (let at = 0; at < this.#queue.length; at++) {
      const member = this.#queue[at] as Member;
      if (member.offer?.isExcluded) this.#put([-member.id], { kind: 'excluded', member: member.id });
      else if (this.#isUnwanted(member)) this.#put([-member.id], { kind: 'new', member: member.id });
      for (const { text, dependency } of requirementsOf(member.solvable))
        this.#requirement(member, text, dependency);
      for (const relation of member.solvable.conflicts) this.#conflict(member, relation);
      this.#obsoletes(member);
      if (!member.installed) this.#sameName(member);
      this.#counterparts(member);
    }
  }

  sorted(): readonly Clause[] {
    const sorted = this.#clauses.sort(compareClauses);
    return sorted.filter((one, at) => at === 0 || compareClauses(one, sorted[at - 1] as Clause) !== 0);
  }

  #put(literals: readonly number[], cause: Cause): void {
    this.#literals += literals.length;
    if (this.#literals > MAX_LITERALS)
      throw new OnlayError(
        'LIMIT_EXCEEDED',
        'The packages of the repositories have too many dependencies to solve',
        {
          hint: 'name fewer repositories with --repo',
        },
      );
    this.#clauses.push(clause(literals, { cause }));
  }

  #requirement(member: Member, text: string, dependency: RichDependency): void {
    const cause: Cause = { kind: 'requires', member: member.id, text };
    const unknown = namesIn(dependency).filter((name) => !this.#universe.knowsOwners(name));
    if (unknown.length > 0) {
      this.unknown.push({ member, dependency, paths: unknown });
      // nobody is known to provide it: what could be there is not looked for before it must be
      return;
    }
    if (isRich(dependency)) this.#rich(member, richClauses(this.#universe, dependency, true), cause);
    else {
      const providers = this.#universe.matching(dependency);
      if (member.installed && !providers.some((one) => one.installed)) return;
      if (providers.includes(member)) return;
      this.#put([-member.id, ...providers.map(({ id }) => id)], cause);
      for (const one of providers) this.add(one);
    }
  }

  #rich(member: Member, clauses: readonly (readonly number[])[], cause: Cause): void {
    for (const literals of clauses) {
      const held = (literal: number): boolean =>
        literal > 0 === (this.#universe.member(Math.abs(literal)).installed !== undefined);
      // a clause that does not hold as things are
      if (member.installed && !literals.some(held)) continue;
      if (literals.includes(member.id)) continue;
      if (literals.length === 1 && literals[0] === -member.id && cause.kind === 'conflicts') continue;
      const all = [...new Set([-member.id, ...literals])].sort((a, b) => a - b);
      this.#put(all, cause);
      for (const literal of literals) if (literal > 0) this.add(this.#universe.member(literal));
    }
  }

  #conflict(member: Member, relation: Relation): void {
    const { dependency, text } = toRequirement(relation);
    if (isRich(dependency)) {
      if (namesIn(dependency).every((name) => this.#universe.knowsOwners(name)))
        this.#rich(member, richClauses(this.#universe, dependency, false), {
          kind: 'conflicts',
          member: member.id,
          text,
        });
      return;
    }
    for (const other of this.#universe.matching(dependency)) {
      if (other === member || (member.installed && other.installed)) continue;
      this.#exclude(member, other, 'conflicts', text);
    }
  }

  #obsoletes(member: Member): void {
    for (const relation of member.solvable.obsoletes)
      for (const other of this.#universe.obsoletedBy(member, relation))
        if (!member.installed || !other.installed)
          this.#exclude(member, other, 'obsoletes', formatRelation(relation));
  }

  #sameName(member: Member): void {
    for (const other of this.#universe.named(member.solvable.name))
      if (other !== member && this.#machine.collide(member.solvable.arch, other.solvable.arch))
        this.#exclude(member, other, 'same-name');
  }

  #exclude(member: Member, other: Member, kind: Cause['kind'], text?: string): void {
    const pair = [-member.id, -other.id].sort((a, b) => a - b);
    this.#put(pair, { kind, member: member.id, other: other.id, ...(text === undefined ? {} : { text }) });
  }

  /** The better architecture of the same version, which a worse one may need beside it. */
  #counterparts({ solvable }: Member): void {
    const score = this.#machine.score(solvable.arch);
    if (score === NOARCH) return;
    for (const other of this.#universe.named(solvable.name)) {
      const better = this.#machine.score(other.solvable.arch);
      if (better !== NOARCH && better < score && compareEvr(other.solvable.evr, solvable.evr) === 0)
        this.add(other);
    }
  }
}

/** True where a dependency is more than a choice of one package. */
function isRich(dependency: RichDependency): boolean {
  switch (dependency.kind) {
    case 'and':
    case 'if':
    case 'unless':
      return true;
    case 'or':
      return dependency.parts.some(isRich);
    default:
      return false;
  }
}
