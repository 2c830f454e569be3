// Which packages change so that wanted ones are upgraded, as `dnf upgrade` with best=False decides: as new as can be had,
// nothing downgraded, nothing removed but by obsoletes. Weak dependencies do not add packages: a patch adds what is
// required and nothing else.
import { clause, type Cause, type Clause } from './clause.ts';
import { InstalledSet, type InstalledSolvable } from './installed.ts';
import type { SolvablePackage } from '../repositories/candidate.ts';
import { Machine } from './machine.ts';
import type { Offer, Offers } from './offers.ts';
import { packageClauses, type PackageClauses } from './package-clauses.ts';
import {
  architectureClauses,
  choiceClauses,
  splitClauses,
  updateCandidates,
  type ChoiceClause,
  type PolicyClausesInput,
} from './policy-clauses.ts';
import { Policy } from './policy.ts';
import { chosen, Search, type Updater } from './search.ts';
import { formatEvr } from '../version.ts';
import { Universe, type Member } from './universe.ts';

export interface SolverInput {
  readonly installed: InstalledSet;
  readonly offers: Offers;
  /** Architectures that may be installed, best first. */
  readonly architectures: readonly string[];
  readonly allowNew: boolean;
  /** Owners of paths that were looked up in file lists. */
  readonly fileOwners: ReadonlyMap<string, readonly Offer[]>;
}

export interface Solution {
  /** Members that come in. */
  readonly added: readonly Offer[];
  /** Installed packages that leave. */
  readonly gone: ReadonlySet<InstalledSolvable>;
  /** Paths that the solution depends on, of which only file lists tell who has them. */
  readonly unknownPaths: readonly string[];
}

export interface Failure {
  readonly kind: 'unsatisfiable' | 'new-package';
  readonly text: string;
}

/** What installed packages shall become: what is named (a package itself: it may stay), or the best there is. */
export type Targets = ReadonlyMap<InstalledSolvable, ReadonlySet<SolvablePackage>> | 'all';

const ANY: ReadonlySet<SolvablePackage> = new Set();

const INCOMPATIBLE = 'it cannot be installed beside what is there';

/** The image and its repositories as clauses; several questions can be asked. */
export class Solver {
  readonly #universe: Universe;
  readonly #policy: Policy;
  readonly #packages: PackageClauses;
  readonly #updates = new Map<Member, readonly Member[]>();
  readonly #rules: PolicyClausesInput;
  readonly #requirements: readonly Clause[];
  readonly #clauses: readonly Clause[];
  readonly #refused: ReadonlySet<number>;
  /** What follows without any choice, for explanations. */
  #settled: Search | undefined;

  constructor({ installed, offers, architectures, allowNew, fileOwners }: SolverInput) {
    const universe = new Universe({ installed, offers, fileOwners });
    const machine = new Machine(architectures);
    const policy = new Policy(universe, machine);
    const rules: PolicyClausesInput = {
      universe,
      machine,
      policy,
      mayReplace: (from, to) => offers.mayReplace(from, to),
    };
    for (const one of universe.installed) this.#updates.set(one, [one, ...updateCandidates(one, rules)]);
    const isNew = ({ solvable, offer }: Member): boolean =>
      offer !== undefined &&
      installed.named(solvable.name).length === 0 &&
      !solvable.obsoletes.some(({ name }) => installed.named(name).length > 0);
    this.#universe = universe;
    this.#policy = policy;
    this.#packages = packageClauses({
      universe,
      machine,
      start: [...universe.installed, ...[...this.#updates.values()].flat()],
      isUnwanted: (member) => !allowNew && isNew(member),
    });
    this.#rules = rules;
    this.#requirements = [clause([]), ...this.#packages.clauses];
    const updaters = universe.installed.map((one) =>
      clause((this.#updates.get(one) ?? [one]).map(({ id }) => id)),
    );
    const held = universe.installed
      .filter((one) => one.installed?.held !== undefined)
      .map((one) => clause([one.id], { cause: { kind: 'held', member: one.id } }));
    const architecture = architectureClauses(this.#packages.members, rules);
    this.#refused = new Set(
      architecture
        .filter(({ literals }) => literals.length === 1)
        .map(({ literals }) => -(literals[0] as number)),
    );
    this.#clauses = [...this.#requirements, ...updaters, ...held, ...architecture, ...splitClauses(rules)];
  }

  /** Upgrades what `targets` names, to what it names; `all` to the best there is. */
  solve(targets: Targets): Solution | undefined {
    const aims = (one: Member): ReadonlySet<SolvablePackage> | undefined =>
      targets === 'all' ? ANY : targets.get(one.installed as InstalledSolvable);
    const search = this.#search(
      aims,
      choiceClauses({
        ...this.#rules,
        requirements: this.#requirements,
        refused: this.#refused,
        updates: this.#updates,
        isTarget: (member) => aims(member) !== undefined,
      }),
    );
    if (!search.run()) return undefined;
    const members = chosen(search.decided).map((id) => this.#universe.member(id));
    const present = new Set(members);
    return {
      added: members.flatMap(({ offer }) => (offer ? [offer] : [])),
      gone: new Set(
        this.#universe.installed.flatMap((one) =>
          one.installed && !present.has(one) ? [one.installed] : [],
        ),
      ),
      unknownPaths: this.#unknownPaths(search.tried, present),
    };
  }

  /** Why an offered package cannot be had. */
  explain(offer: Offer): Failure {
    const { id } = this.#universe.offered(offer);
    if (!this.#settled) {
      this.#settled = this.#search(() => undefined, []);
      this.#settled.settle();
    }
    let reasons: readonly Clause[];
    if ((this.#settled.decided.levels[id] as number) < 0) reasons = this.#settled.grounds(id);
    else {
      const search = this.#search(() => undefined, [], [clause([id])]);
      if (search.run()) return { kind: 'unsatisfiable', text: 'another choice was better' };
      reasons = search.proof();
    }
    const causes = reasons.flatMap(({ cause, literals }) => (cause ? [{ cause, literals }] : []));
    const rank = ({ cause, literals }: (typeof causes)[number]): number =>
      cause.kind === 'requires' && literals.length > 1 ? RANKS.indexOf('needs') : RANKS.indexOf(cause.kind);
    const [first] = causes.sort((a, b) => rank(a) - rank(b));
    const isNew = causes.some(({ cause }) => cause.kind === 'new');
    return {
      kind: isNew ? 'new-package' : 'unsatisfiable',
      text: first ? this.#tell(first.cause, first.literals) : INCOMPATIBLE,
    };
  }

  #search(
    aims: (one: Member) => ReadonlySet<SolvablePackage> | undefined,
    choices: readonly ChoiceClause[],
    further: readonly Clause[] = [],
  ): Search {
    const updaters = this.#universe.installed.map((one, at): Updater => {
      const goals = aims(one);
      const become = this.#updates.get(one) ?? [one];
      const ids = become.filter(({ solvable }) => goals === ANY || goals?.has(solvable)).map(({ id }) => id);
      return { id: one.id, at: this.#requirements.length + at, targets: goals && new Set(ids) };
    });
    const clauses = [...this.#clauses, ...further].map((one) => ({ ...one }));
    const narrowed = new Map(choices.map(({ requirement }, at) => [clauses.length + at, requirement]));
    return new Search({
      size: this.#universe.size,
      clauses: [...clauses, ...choices.map(({ weak }) => weak)],
      updaters,
      policy: this.#policy,
      narrowed,
    });
  }

  /** What was tried may have been rejected, or not, only because it was not known who has a path. */
  #unknownPaths(tried: ReadonlySet<number>, present: ReadonlySet<Member>): readonly string[] {
    const missing = new Set(this.#policy.unknownPaths);
    for (const { member, dependency, paths } of this.#packages.unknown) {
      if (!present.has(member) && !tried.has(member.id)) continue;
      const isMet =
        dependency.kind === 'atom' && this.#universe.matching(dependency).some((one) => present.has(one));
      if (!isMet) for (const path of paths) missing.add(path);
    }
    return [...missing].sort();
  }

  #tell({ kind, member, text, other }: Cause, literals: readonly number[]): string {
    const one = label(this.#universe.member(member).solvable);
    const second = other === undefined ? '' : label(this.#universe.member(other).solvable);
    switch (kind) {
      case 'requires':
        return literals.length === 1
          ? `nothing provides ${text}, which ${one} requires`
          : `${one} requires ${text}`;
      case 'conflicts':
        return second === '' ? `${one} conflicts with ${text}` : `${one} conflicts with ${second}`;
      case 'obsoletes':
        return `${second} is obsoleted by ${one}`;
      case 'same-name':
        return `${one} and ${second} exclude each other`;
      case 'counterpart':
        return `${one} has no counterpart for another architecture`;
      case 'held':
        return `${one} is held (${this.#universe.member(member).installed?.held})`;
      case 'new':
        return `${one} would be new`;
      case 'excluded':
        return `${one} is excluded`;
    }
  }
}

/** What tells most comes first. */
const RANKS: readonly string[] = [
  'new',
  'excluded',
  'requires',
  'held',
  'conflicts',
  'counterpart',
  'obsoletes',
  'needs',
  'same-name',
];

function label({ name, evr, arch }: Member['solvable']): string {
  return `${name}-${formatEvr(evr)}.${arch}`;
}
