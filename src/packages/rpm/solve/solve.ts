// Which packages must change together so that one may be upgraded: newest version first, what it requires is upgraded or
// added, what it breaks is upgraded along, what it obsoletes goes. Nothing is downgraded, nothing is removed otherwise.
// Depth-first with a budget; the result of one root is the ground for the next. Weak dependencies are not followed: a
// patch adds what is required and nothing else.
import { compareBytes } from '../../../base/bytes.ts';
import { rangesOverlap, type Relation } from '../dependencies.ts';
import type { SolvablePackage } from '../repositories/candidate.ts';
import type { RichDependency } from '../rich.ts';
import { compareEvr, formatEvr } from '../version.ts';
import type { PlanReason } from '../../package.ts';
import {
  namesIn,
  requirementsOf,
  toRequirement,
  withSelf,
  type InstalledSet,
  type InstalledSolvable,
  type Requirement,
} from './installed.ts';
import { sameArchitecture, type Offer, type Offers } from './offers.ts';

export interface Choice {
  readonly offer: Offer;
  /** The installed package it replaces. */
  readonly replaces: InstalledSolvable | undefined;
  readonly reason: PlanReason;
  /** Name of the package that pulled it in. */
  readonly by: string | undefined;
}

export interface Obsoleted {
  readonly installed: InstalledSolvable;
  readonly by: string;
}

/** What changes so far. Never mutated. */
export interface State {
  readonly choices: readonly Choice[];
  readonly obsoleted: readonly Obsoleted[];
}

export const EMPTY_STATE: State = { choices: [], obsoleted: [] };

export interface Failure {
  readonly kind: 'unsatisfiable' | 'new-package';
  readonly text: string;
}

export type Solution = { readonly state: State } | { readonly failure: Failure };

/** Thrown by the search when it must know who has a file that the package indexes do not list. */
export class FileListsNeeded extends Error {
  readonly path: string;

  constructor(path: string) {
    super(path);
    this.path = path;
  }
}

export interface SolverOptions {
  readonly installed: InstalledSet;
  readonly offers: Offers;
  readonly allowNew: boolean;
  /** Owners of paths that were looked up in file lists. */
  readonly fileOwners: ReadonlyMap<string, readonly Offer[]>;
}

const INCOMPATIBLE: Failure = {
  kind: 'unsatisfiable',
  text: 'it cannot be installed beside what is there',
};
const BUDGET = 4000;
const MAX_DISTURBED = 30;
const MAX_OPTIONS = 12;

interface Problem {
  readonly text: string;
  /** Ways to repair it, best first; each is a set of choices. */
  readonly options: readonly (readonly Choice[])[];
  readonly needsNew: boolean;
}

export class Solver {
  readonly #options: SolverOptions;
  #budget = BUDGET;
  /** How many installed packages may be upgraded because they are in the way; whether that was not enough. */
  #disturbed = 0;
  #tooFew = false;
  #failure: Failure | undefined;

  constructor(options: SolverOptions) {
    this.#options = options;
  }

  /**
   * Adds `choice` to a consistent state, with all that follows from it. Of several ways the one that upgrades the fewest
   * packages only because they are in the way is taken, as dnf does by keeping what is installed first.
   */
  add(state: State, choice: Choice): Solution {
    this.#failure = undefined;
    const next = this.#apply(state, [choice]);
    if (!next) return { failure: this.#failure ?? INCOMPATIBLE };
    for (let disturbed = 0; disturbed <= MAX_DISTURBED; disturbed++) {
      this.#budget = BUDGET;
      this.#disturbed = disturbed;
      this.#tooFew = false;
      const solved = this.#close(next, state);
      if (solved) return { state: solved };
      if (!this.#tooFew) break;
    }
    return { failure: this.#failure ?? INCOMPATIBLE };
  }

  /** The state with choices made, obsoleted packages gone; undefined if that is not possible at all. */
  #apply(state: State, choices: readonly Choice[]): State | undefined {
    const made = [...state.choices];
    const obsoleted = [...state.obsoleted];
    for (const choice of choices) {
      const { candidate } = choice.offer;
      if (made.some((other) => other.offer.candidate === candidate)) continue;
      const same = made.find(
        ({ offer }) =>
          offer.candidate.name === candidate.name && sameArchitecture(offer.candidate.arch, candidate.arch),
      );
      if (same)
        return this.#fail(`${label(candidate)} and ${label(same.offer.candidate)} exclude each other`);
      const held = choice.replaces?.held;
      if (held !== undefined) return this.#fail(`${candidate.name} is held (${held})`);
      const refuser =
        this.#options.installed.all.find(
          (other) =>
            other.name !== candidate.name && obsoletes(other, candidate) && !leaves(made, obsoleted, other),
        ) ??
        made
          .map(({ offer }) => offer.candidate)
          .find((other) => other.name !== candidate.name && obsoletes(other, candidate));
      if (refuser) return this.#fail(`${label(candidate)} is obsoleted by ${label(refuser)}`);
      for (const relation of candidate.obsoletes)
        for (const installed of this.#options.installed.named(relation.name)) {
          if (installed.name === candidate.name || !obsoletes(candidate, installed)) continue;
          if (leaves(made, obsoleted, installed)) continue;
          if (installed.held !== undefined)
            return this.#fail(`${installed.name} is held (${installed.held})`);
          obsoleted.push({ installed, by: candidate.name });
        }
      made.push(choice);
    }
    // a newer version of what was obsoleted takes its place after all
    return {
      choices: made,
      obsoleted: obsoleted.filter(({ installed }) => !made.some(({ replaces }) => replaces === installed)),
    };
  }

  /** Repairs what `state` breaks beyond `ground`; undefined with `#failure` set if that cannot be done. */
  #close(state: State, ground: State): State | undefined {
    const problem = this.#firstProblem(state, ground);
    if (!problem) return state;
    for (const option of problem.options.slice(0, MAX_OPTIONS)) {
      if (this.#budget-- <= 0) return this.#fail('too many possibilities');
      const made = [...state.choices.slice(ground.choices.length), ...option];
      if (disturbing(made, made) > this.#disturbed) {
        this.#tooFew = true;
        continue;
      }
      const next = this.#apply(state, option);
      const solved = next && this.#close(next, ground);
      if (solved) return solved;
    }
    if (problem.options.length === 0)
      this.#failure ??= { kind: problem.needsNew ? 'new-package' : 'unsatisfiable', text: problem.text };
    return undefined;
  }

  #fail(text: string): undefined {
    this.#failure ??= { kind: 'unsatisfiable', text };
    return undefined;
  }

  #firstProblem(state: State, ground: State): Problem | undefined {
    const fresh = state.choices.slice(ground.choices.length);
    const left = [
      ...fresh.flatMap(({ replaces }) => (replaces ? [replaces] : [])),
      ...state.obsoleted.slice(ground.obsoleted.length).map(({ installed }) => installed),
    ];
    for (const choice of fresh)
      for (const requirement of requirementsOf(choice.offer.candidate))
        if (!this.#satisfied(state, requirement.dependency))
          return this.#requirementProblem(state, choice.offer.candidate, requirement);
    for (const choice of fresh) {
      const sibling = this.#siblingProblem(state, choice);
      if (sibling) return sibling;
    }
    for (const choice of fresh) {
      const conflict = this.#conflictProblem(state, choice);
      if (conflict) return conflict;
    }
    return this.#brokenProblem(state, ground, fresh, left);
  }

  #requirementProblem(state: State, requirer: SolvablePackage, { text, dependency }: Requirement): Problem {
    const found = this.#waysTo(state, dependency, requirer);
    const allowed = found.filter(
      (option) =>
        this.#options.allowNew || option.every(({ replaces, reason }) => replaces || reason === 'obsoletes'),
    );
    const needsNew = allowed.length === 0 && found.length > 0;
    return {
      text: needsNew
        ? `${label(requirer)} requires ${text}, for which ${found[0]?.map(({ offer }) => offer.candidate.name).join(', ')} would be new`
        : `nothing provides ${text}, which ${label(requirer)} requires`,
      options: allowed,
      needsNew,
    };
  }

  /** Another architecture of the same package goes along, because they share files. */
  #siblingProblem(state: State, { offer, replaces }: Choice): Problem | undefined {
    if (!replaces) return undefined;
    for (const sibling of this.#options.installed.named(replaces.name)) {
      if (sibling === replaces || sibling.arch === replaces.arch || gone(state, sibling)) continue;
      if (compareEvr(sibling.evr, offer.candidate.evr) === 0 || compareEvr(sibling.evr, replaces.evr) !== 0)
        continue;
      const twin = this.#options.offers
        .upgrades(sibling)
        .filter(
          ({ candidate }) =>
            candidate.arch === sibling.arch && compareEvr(candidate.evr, offer.candidate.evr) === 0,
        );
      return {
        text: `${label(offer.candidate)} has no counterpart for ${sibling.arch}`,
        options: twin.map((other) => [
          { offer: other, replaces: sibling, reason: 'sibling', by: offer.candidate.name },
        ]),
        needsNew: false,
      };
    }
    return undefined;
  }

  #conflictProblem(state: State, { offer: { candidate } }: Choice): Problem | undefined {
    const others = this.#present(state).filter((other) => other !== candidate);
    for (const other of others) {
      const clash =
        candidate.conflicts.find((relation) =>
          conflicts(relation, other, (one) => this.#satisfied(state, one)),
        ) ??
        other.conflicts.find((relation) =>
          conflicts(relation, candidate, (one) => this.#satisfied(state, one)),
        );
      if (!clash) continue;
      const installed = this.#options.installed.all.find((one) => one === other);
      return {
        text: `${label(candidate)} conflicts with ${label(other)}`,
        options: installed ? this.#upgradesOf(installed, 'breaks', candidate.name) : [],
        needsNew: false,
      };
    }
    return undefined;
  }

  /** Packages that stay and lost what they require, or whose condition has come true. */
  #brokenProblem(
    state: State,
    ground: State,
    fresh: readonly Choice[],
    left: readonly InstalledSolvable[],
  ): Problem | undefined {
    const { installed } = this.#options;
    const touched = new Map<SolvablePackage, string>();
    for (const one of left) {
      const cause = fresh.find(({ replaces }) => replaces === one)?.offer.candidate.name ?? one.name;
      for (const { name } of one.provides)
        for (const requirer of installed.requirers(name)) touched.set(requirer, cause);
      for (const requirer of installed.requirersOfFiles(one)) touched.set(requirer, cause);
    }
    for (const { offer } of fresh)
      for (const { name } of offer.candidate.provides)
        for (const requirer of installed.requirers(name))
          if (!touched.has(requirer)) touched.set(requirer, offer.candidate.name);
    for (const { offer } of ground.choices)
      if (requiresOneOf(offer.candidate, left, fresh)) touched.set(offer.candidate, offer.candidate.name);
    for (const [requirer, cause] of touched) {
      const kept = installed.all.find((one) => one === requirer);
      if (kept && gone(state, kept)) continue;
      for (const requirement of requirementsOf(requirer)) {
        // what was broken before is not ours to repair
        if (
          this.#satisfied(state, requirement.dependency) ||
          !this.#satisfied(ground, requirement.dependency)
        )
          continue;
        const repaired = this.#waysTo(state, requirement.dependency, requirer).filter(
          (option) => this.#options.allowNew || option.every(({ replaces }) => replaces),
        );
        return {
          text: `${label(requirer)} requires ${requirement.text}`,
          options: [...(kept ? this.#upgradesOf(kept, 'breaks', cause) : []), ...repaired],
          needsNew: false,
        };
      }
    }
    return undefined;
  }

  #upgradesOf(installed: InstalledSolvable, reason: PlanReason, by: string): readonly (readonly Choice[])[] {
    const upgrades = this.#options.offers
      .upgrades(installed)
      .map((offer): readonly Choice[] => [{ offer, replaces: installed, reason, by }]);
    const obsoleters = this.#options.offers
      .obsoleters(installed.name)
      .filter(({ candidate }) => candidate.name !== installed.name && obsoletes(candidate, installed))
      .map((offer): readonly Choice[] => [this.#choose(offer, 'obsoletes', by)]);
    return [...upgrades, ...obsoleters];
  }

  #choose(offer: Offer, reason: PlanReason, by: string): Choice {
    const { candidate } = offer;
    const replaces = this.#options.installed
      .named(candidate.name)
      .find((one) => sameArchitecture(one.arch, candidate.arch) && compareEvr(candidate.evr, one.evr) > 0);
    return { offer, replaces, reason, by };
  }

  /** Sets of choices that satisfy a dependency, best first. */
  #waysTo(
    state: State,
    dependency: RichDependency,
    requirer: SolvablePackage,
  ): readonly (readonly Choice[])[] {
    switch (dependency.kind) {
      case 'atom':
        return this.#providersOf(state, dependency.relation, requirer).map((choice) => [choice]);
      case 'or':
        return this.#sorted(
          dependency.parts.flatMap((part) => this.#waysTo(state, part, requirer)),
          requirer,
        );
      case 'and': {
        // the first part that is missing; the others are looked at again afterwards
        const missing = dependency.parts.find((part) => !this.#satisfied(state, part));
        return missing ? this.#waysTo(state, missing, requirer) : [];
      }
      case 'with':
      case 'without': {
        const [first] = dependency.parts;
        return (first ? this.#waysTo(state, first, requirer) : []).filter(([choice]) =>
          choice ? matchesOne(dependency, choice.offer.candidate) : false,
        );
      }
      case 'if':
      case 'unless': {
        const holds = this.#satisfied(state, dependency.condition) === (dependency.kind === 'if');
        const part = holds ? dependency.what : dependency.otherwise;
        return part ? this.#waysTo(state, part, requirer) : [];
      }
    }
  }

  #providersOf(state: State, relation: Relation, requirer: SolvablePackage): readonly Choice[] {
    const { offers, installed, fileOwners } = this.#options;
    let found = offers.providers(relation.name).filter(({ candidate }) => provides(candidate, relation));
    if (relation.name.startsWith('/')) {
      const owners = fileOwners.get(relation.name);
      if (found.length === 0 && !owners) throw new FileListsNeeded(relation.name);
      found = [...found, ...(owners ?? [])];
    }
    const choices = [...new Set(found)].flatMap((offer): readonly Choice[] => {
      const { candidate } = offer;
      const same = installed
        .named(candidate.name)
        .filter((one) => sameArchitecture(one.arch, candidate.arch));
      const choice = this.#choose(offer, 'dependency', requirer.name);
      // what is installed and not older, or of another vendor, is no way
      if (same.length > 0 && !choice.replaces) return [];
      if (choice.replaces && !offers.mayReplace(choice.replaces.vendor, candidate.vendor)) return [];
      return [choice];
    });
    const possible = choices.filter(
      ({ replaces }) => !replaces || !state.choices.some((other) => other.replaces === replaces),
    );
    return this.#sorted(
      possible.map((choice) => [choice]),
      requirer,
    ).flat();
  }

  /** Upgrades before new packages, better repositories and the requirer's architecture first, newest first, by name. */
  #sorted(
    options: readonly (readonly Choice[])[],
    requirer: SolvablePackage,
  ): readonly (readonly Choice[])[] {
    const native = (choice: Choice): number => {
      const { arch } = choice.offer.candidate;
      return arch === requirer.arch || arch === 'noarch' ? 0 : 1 + this.#options.offers.rank(arch);
    };
    const order = (a: Choice, b: Choice): number =>
      Number(a.replaces === undefined) - Number(b.replaces === undefined) ||
      a.offer.repository.config.priority - b.offer.repository.config.priority ||
      native(a) - native(b) ||
      compareBytes(a.offer.candidate.name, b.offer.candidate.name) ||
      compareEvr(b.offer.candidate.evr, a.offer.candidate.evr);
    return options.toSorted(([a], [b]) => (a && b ? order(a, b) : 0));
  }

  /** All packages there are in a state. */
  #present(state: State): readonly SolvablePackage[] {
    return [
      ...this.#options.installed.all.filter((one) => !gone(state, one)),
      ...state.choices.map(({ offer }) => offer.candidate),
    ];
  }

  #satisfied(state: State, dependency: RichDependency): boolean {
    switch (dependency.kind) {
      case 'atom':
        return this.#hasProvider(state, dependency.relation);
      case 'and':
        return dependency.parts.every((part) => this.#satisfied(state, part));
      case 'or':
        return dependency.parts.some((part) => this.#satisfied(state, part));
      case 'with':
      case 'without':
        return this.#present(state).some((one) => matchesOne(dependency, one));
      case 'if':
        if (!this.#satisfied(state, dependency.condition))
          return dependency.otherwise ? this.#satisfied(state, dependency.otherwise) : true;
        return this.#satisfied(state, dependency.what);
      case 'unless':
        if (this.#satisfied(state, dependency.condition))
          return dependency.otherwise ? this.#satisfied(state, dependency.otherwise) : true;
        return this.#satisfied(state, dependency.what);
    }
  }

  #hasProvider(state: State, relation: Relation): boolean {
    const { installed, fileOwners } = this.#options;
    if (installed.providers(relation.name).some((one) => !gone(state, one) && provides(one, relation)))
      return true;
    const owners = relation.name.startsWith('/') ? fileOwners.get(relation.name) : undefined;
    if (
      viewOf(state)
        .providers.get(relation.name)
        ?.some((one) => provides(one, relation))
    )
      return true;
    if (relation.name.startsWith('/'))
      for (const { offer } of state.choices)
        if (
          offer.candidate.hasFile(relation.name) ||
          owners?.some(({ candidate }) => candidate === offer.candidate)
        )
          return true;
    // a package that is replaced had the file: whether its new version has it, only the file lists say
    if (
      relation.name.startsWith('/') &&
      !owners &&
      state.choices.length > 0 &&
      installed.providers(relation.name).length > 0
    )
      throw new FileListsNeeded(relation.name);
    return false;
  }
}

/** Installed packages that are upgraded only because new packages are in their way. */
function disturbing(choices: readonly Choice[], all: readonly Choice[]): number {
  const isNew = (name: string | undefined): boolean =>
    all.some(({ offer, replaces }) => offer.candidate.name === name && replaces === undefined);
  return choices.filter(({ reason, by }) => reason === 'breaks' && isNew(by)).length;
}

function leaves(
  choices: readonly Choice[],
  obsoleted: readonly Obsoleted[],
  installed: InstalledSolvable,
): boolean {
  return (
    choices.some(({ replaces }) => replaces === installed) ||
    obsoleted.some((one) => one.installed === installed)
  );
}

interface StateView {
  readonly gone: ReadonlySet<InstalledSolvable>;
  /** Chosen packages by what they provide. */
  readonly providers: ReadonlyMap<string, readonly SolvablePackage[]>;
}

const views = new WeakMap<State, StateView>();

function viewOf(state: State): StateView {
  let view = views.get(state);
  if (!view) {
    const left = new Set<InstalledSolvable>(state.obsoleted.map(({ installed }) => installed));
    const providers = new Map<string, SolvablePackage[]>();
    for (const { offer, replaces } of state.choices) {
      if (replaces) left.add(replaces);
      for (const name of new Set([
        offer.candidate.name,
        ...offer.candidate.provides.map((relation) => relation.name),
      ])) {
        const list = providers.get(name);
        if (list) list.push(offer.candidate);
        else providers.set(name, [offer.candidate]);
      }
    }
    view = { gone: left, providers };
    views.set(state, view);
  }
  return view;
}

function gone(state: State, installed: InstalledSolvable): boolean {
  return viewOf(state).gone.has(installed);
}

/** True when a requirement of `one` may be touched by packages that left or came. */
function requiresOneOf(
  one: SolvablePackage,
  left: readonly SolvablePackage[],
  fresh: readonly Choice[],
): boolean {
  const names = new Set(requirementsOf(one).flatMap(({ dependency }) => namesIn(dependency)));
  const concerns = (other: SolvablePackage): boolean =>
    other.provides.some(({ name }) => names.has(name)) ||
    [...names].some((name) => name.startsWith('/') && other.hasFile(name));
  return left.some(concerns) || fresh.some(({ offer }) => concerns(offer.candidate));
}

function provides(one: SolvablePackage, relation: Relation): boolean {
  if (relation.name === one.name && !one.provides.some(({ name }) => name === one.name))
    return rangesOverlap(withSelf([], one.name, formatEvr(one.evr))[0] as Relation, relation);
  return (
    one.provides.some((stated) => stated.name === relation.name && rangesOverlap(stated, relation)) ||
    (relation.name.startsWith('/') && one.hasFile(relation.name))
  );
}

/** Obsoletes go by the package's name, never by what it provides. */
export function obsoletes(one: SolvablePackage, other: SolvablePackage): boolean {
  return one.obsoletes.some(
    (relation) =>
      relation.name === other.name &&
      rangesOverlap({ name: other.name, comparison: '=', version: formatEvr(other.evr) }, relation),
  );
}

/** `with` and `without` speak of one package. */
function matchesOne(dependency: RichDependency, one: SolvablePackage): boolean {
  switch (dependency.kind) {
    case 'atom':
      return provides(one, dependency.relation);
    case 'and':
    case 'with':
      return dependency.parts.every((part) => matchesOne(part, one));
    case 'or':
      return dependency.parts.some((part) => matchesOne(part, one));
    case 'without': {
      const [first, ...others] = dependency.parts;
      return first !== undefined && matchesOne(first, one) && !others.some((part) => matchesOne(part, one));
    }
    case 'if':
    case 'unless':
      return false;
  }
}

/** True when `relation`, a conflict, is with `other`. */
function conflicts(
  relation: Relation,
  other: SolvablePackage,
  holds: (dependency: RichDependency) => boolean,
): boolean {
  if (!relation.name.startsWith('(')) return provides(other, relation);
  const { dependency } = toRequirement(relation);
  if (!namesIn(dependency).some((name) => other.provides.some((stated) => stated.name === name)))
    return false;
  if (dependency.kind === 'unless')
    return holds(dependency.condition)
      ? dependency.otherwise !== undefined && holds(dependency.otherwise)
      : holds(dependency.what);
  return holds(dependency);
}

export function label({ name, evr, arch }: SolvablePackage): string {
  return `${name}-${formatEvr(evr)}.${arch}`;
}
