// Which packages are installed after an upgrade: the choice that `apk upgrade [NAMES]` makes. A deduction without
// backtracking: every required name has options; constraints take options away; a name whose options all need another
// name requires that one too; when nothing more follows, one name is decided by preference and deduction goes on.
// Verified against apk 2.14 (test/oracle/alpine-solver). The order in which the changes happen is change-order.ts.
import { formatDependency, isSatisfied } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { compareNames } from './installed.ts';
import { Graph } from './solve-graph.ts';
import type { Choice, GraphFacts, Name, Option } from './solve-graph.ts';
import { isBefore, prefer } from './solve-prefer.ts';
import { label } from './universe.ts';
import type { Candidate, Carrier } from './universe.ts';

export interface SolveRequest extends GraphFacts {
  readonly world: readonly Dependency[];
  /** What is not in `upgrade` changes only where it must: how apk upgrades itself first. */
  readonly keepInstalled?: boolean;
}

export interface Solution {
  /** Name → what carries it; undefined: decided to be carried by nothing. */
  readonly chosen: ReadonlyMap<string, Carrier | undefined>;
  /** Tag a chosen package is installed under. */
  readonly tagOf: (candidate: Candidate) => string;
  /** Why there is no solution, a sentence each; empty: it is one. */
  readonly errors: readonly string[];
  /** Why a candidate was not an option; undefined: it was one. */
  readonly whyNot: (candidate: Candidate) => string | undefined;
}

export function solve(request: SolveRequest): Solution {
  const solver = new Solver(request);
  solver.run();
  return solver.solution();
}

class Solver {
  readonly #request: SolveRequest;
  readonly #graph: Graph;
  /** To be deduced from again, oldest first. */
  readonly #dirty = new Set<Name>();
  /** To be decided, newest last. */
  readonly #waiting = new Set<Name>();
  readonly #errors = new Set<string>();

  constructor(request: SolveRequest) {
    this.#request = request;
    this.#graph = new Graph(request);
  }

  run(): void {
    const world = [...this.#request.world].sort((a, b) => compareNames(a.name, b.name));
    for (const { name } of world) this.#graph.name(name);
    for (const dependency of world) this.#require(undefined, dependency);
    for (;;) {
      for (const name of this.#dirty) {
        this.#dirty.delete(name);
        this.#deduce(name);
      }
      const next = this.#next();
      if (!next) break;
      this.#decide(next);
    }
    this.#check(world);
  }

  solution(): Solution {
    const carrier = ({ choice }: Name): Carrier | undefined =>
      choice && { candidate: choice.option.candidate, version: choice.version };
    return {
      chosen: new Map(
        [...this.#graph.names()].filter(({ decided }) => decided).map((name) => [name.name, carrier(name)]),
      ),
      tagOf: (candidate) => {
        const option = this.#graph.optionOf(candidate);
        return option ? this.#request.tags.pick(option.allowedTags, candidate.tags) : '';
      },
      errors: [...this.#errors],
      whyNot: (candidate) => {
        const option = this.#graph.optionOf(candidate);
        return option && !option.selectable ? option.excludedBy : undefined;
      },
    };
  }

  // --- constraints

  /** `by` (undefined: world) depends on `dependency`. */
  #require(by: Option | undefined, dependency: Dependency): void {
    const name = this.#graph.name(dependency.name);
    if (!dependency.conflict && ++name.required === 1) this.#becameRequired(name, by);
    for (const choice of name.choices) {
      const { option } = choice;
      if (!satisfies(dependency, choice, by)) {
        option.conflicts++;
        if (option.selectable)
          this.#exclude(
            option,
            `${by ? label(by.candidate) : 'world'} wants ${formatDependency(dependency)}`,
          );
      } else this.#inherit(option, by, dependency.tag);
    }
  }

  #becameRequired(name: Name, by: Option | undefined): void {
    name.requiredBy = by ? label(by.candidate) : 'world';
    this.#enqueue(name);
    this.#recheckTriggersOf(name);
    this.#markDirty(name);
  }

  /** What is chosen because of `by` shares its tags and, in an upgrade of everything, its wish for the newest. */
  #inherit(option: Option, by: Option | undefined, worldTag: string): void {
    if (by) {
      option.upgrade ||= by.spreads;
      option.spreads ||= by.spreads;
      option.allowedTags |= by.allowedTags;
    } else {
      const all = this.#request.upgrade === 'all';
      option.upgrade ||= all;
      option.spreads ||= all;
      const tag = this.#request.tags.bit(worldTag);
      option.allowedTags |= tag;
      option.tagPreferred = (option.candidate.tags & tag) !== 0;
    }
    option.tagAllowed ||= (option.candidate.tags & option.allowedTags) !== 0;
  }

  #exclude(option: Option, why: string): void {
    option.selectable = false;
    option.excludedBy ??= why;
    const { candidate } = option;
    for (const name of [candidate.name, ...candidate.provides.map((provided) => provided.name)]) {
      const known = this.#graph.known(name);
      if (known) this.#recheckDependantsOf(known);
      if (known) this.#recheckTriggersOf(known);
    }
  }

  #recheckDependantsOf(name: Name): void {
    for (const dependant of name.dependants) {
      dependant.checkDependencies = true;
      this.#markDirty(dependant);
    }
  }

  #recheckTriggersOf(name: Name): void {
    for (const triggered of name.triggers) {
      if (triggered.untriggerable) continue;
      triggered.checkTriggers = true;
      this.#markDirty(triggered);
    }
  }

  #markDirty(name: Name): void {
    if (!name.decided && (name.required > 0 || name.checkTriggers)) this.#dirty.add(name);
  }

  #enqueue(name: Name): void {
    if (name.decided) return;
    if (name.required > 0 || name.triggered || name.needed) this.#waiting.add(name);
    else this.#waiting.delete(name);
  }

  // --- deduction

  #deduce(name: Name): void {
    const { checkDependencies, checkTriggers } = name;
    name.checkDependencies = name.checkTriggers = false;
    name.triggered = false;
    name.untriggerable = true;
    const group: Choice[] = [];
    for (const choice of name.choices) {
      const { option } = choice;
      if (checkDependencies && option.selectable) this.#excludeIfUnmet(option);
      if (!option.selectable) continue;
      if (checkTriggers) this.#checkTrigger(option);
      name.triggered ||= option.trigger === 'met';
      name.untriggerable &&= option.trigger === 'failed';
      if (name.required > 0) group.push(choice);
    }
    name.hasOptions = group.length > 1 || group.some(({ option }) => !option.tagAllowed);
    if (group.length > 0) {
      const members = new Set(group.map(({ option }) => option));
      for (const { option } of name.choices) option.merged = members.has(option);
      this.#requireCommon(group);
      this.#excludeRivals(name, group);
    }
    name.dependantsDecided = [...name.dependants].every((dependant) => dependant.decided);
    this.#enqueue(name);
  }

  #excludeIfUnmet(option: Option): void {
    const unmet = option.candidate.depends.find((dependency) => !this.#satisfiable(option, dependency));
    if (unmet)
      this.#exclude(
        option,
        `${label(option.candidate)} needs ${formatDependency(unmet)}${this.#because(unmet)}`,
      );
  }

  #satisfiable(by: Option, dependency: Dependency): boolean {
    const name = this.#graph.name(dependency.name);
    if (name.decided) return satisfies(dependency, name.choice, by);
    if (name.required === 0 && dependency.conflict) return true;
    return name.choices.some((choice) => choice.option.selectable && satisfies(dependency, choice, by));
  }

  #because(dependency: Dependency): string {
    const name = this.#graph.known(dependency.name);
    if (!name || name.choices.length === 0) return ', which no package provides';
    const best = name.choices.find((choice) => satisfies(dependency, choice, undefined));
    if (!best) return `, which no package provides in that version`;
    const why = best.option.excludedBy;
    return why === undefined || why.length > 300 ? '' : `; ${why}`;
  }

  #checkTrigger(option: Option): void {
    const conditions = option.candidate.installIf;
    if (option.trigger === 'open') {
      let state: Option['trigger'] = 'met';
      for (const condition of conditions) {
        const name = this.#graph.name(condition.name);
        if (!name.decided) {
          state = 'open';
          if (condition.conflict) {
            name.needed = true;
            this.#enqueue(name);
          }
        }
        if (name.decided && !satisfies(condition, name.choice, option)) state = 'failed';
        if (state !== 'met') break;
      }
      option.trigger = state;
    }
    if (option.trigger === 'met')
      for (const condition of conditions) {
        const cause = this.#graph.name(condition.name).choice?.option;
        if (cause) this.#inherit(option, cause, '');
      }
  }

  /** What every option needs is needed; of a single option all that it needs. */
  #requireCommon(group: readonly Choice[]): void {
    const [first, ...others] = group as [Choice, ...Choice[]];
    const rest = others.map(({ option }) => new Set(needed(option).map((dependency) => dependency.name)));
    const done = new Set<string>();
    for (const dependency of needed(first.option)) {
      if (done.has(dependency.name) || !rest.every((names) => names.has(dependency.name))) continue;
      done.add(dependency.name);
      if (others.length === 0) {
        this.#require(first.option, dependency);
        continue;
      }
      const name = this.#graph.name(dependency.name);
      if (name.required > 0) continue;
      name.required++;
      this.#becameRequired(name, first.option);
      for (const { option } of name.choices) this.#inherit(option, first.option, '');
    }
  }

  /** A name that all options carry leaves no room for candidates that carry it without carrying `name`. */
  #excludeRivals(name: Name, group: readonly Choice[]): void {
    const carried = group.map(({ option, version }) => carriedNames(option.candidate, name.name, version));
    for (const [other] of carried[0] ?? []) {
      if (other === name.name || !carried.every((names) => names.has(other))) continue;
      const virtual = carried.some((names) => names.get(other) === '');
      for (const { option, version } of this.#graph.name(other).choices) {
        const { candidate } = option;
        if (candidate.name === name.name || !option.selectable || (virtual && version === '')) continue;
        if (
          candidate.provides.some(
            (provided) => provided.name === name.name || (virtual && provided.version === ''),
          )
        )
          continue;
        this.#exclude(option, `${name.name} is wanted, and whatever carries it also carries ${other}`);
      }
    }
  }

  // --- decision

  /** A name whose dependants have all spoken and left one option goes first; else rank, depth and age decide. */
  #next(): Name | undefined {
    let best: Name | undefined;
    for (const name of [...this.#waiting].reverse()) {
      if (name.dependantsDecided && name.required > 0 && !name.hasOptions) return name;
      if (!best || isBefore(name, best)) best = name;
    }
    return best;
  }

  #decide(name: Name): void {
    let best: Choice | undefined;
    if (name.required > 0 || name.triggered)
      for (const choice of name.choices) {
        const { option } = choice;
        if (name.required === 0 && (option.trigger !== 'met' || !option.tagAllowed || !option.selectable))
          continue;
        if (!this.#isAutomatic(choice)) continue;
        if (!best || prefer(choice, best, this.#request.keepInstalled === true) > 0) best = choice;
      }
    if (!best) {
      this.#assign(name, undefined);
      if (name.required > 0) this.#errors.add(this.#unprovided(name));
      return;
    }
    const { option } = best;
    if (!option.selectable || !option.tagAllowed)
      this.#fail(
        option,
        option.excludedBy ?? `${label(option.candidate)} is only in a repository with a tag`,
      );
    this.#assign(this.#graph.name(option.candidate.name), { option, version: option.candidate.version });
    for (const { name: provided, version } of option.candidate.provides)
      this.#assign(this.#graph.name(provided), { option, version });
    for (const dependency of option.candidate.depends) this.#require(option, dependency);
  }

  /** What provides a name without a version must be wanted under its own name or have a priority. */
  #isAutomatic({ option, version }: Choice): boolean {
    if (version !== '' || option.candidate.priority !== 0) return true;
    return this.#graph.name(option.candidate.name).required > 0;
  }

  #unprovided(name: Name): string {
    const providers = [...new Set(name.choices.map(({ option }) => option.candidate.name))].sort();
    const wish = `${name.name} is required by ${name.requiredBy}`;
    if (providers.length === 0) return `${wish}, but no package provides it`;
    if (name.choices.every(({ option }) => option.selectable))
      return `${wish} and provided by ${providers.join(', ')}, none of which is preferred`;
    const why = name.choices.find(({ option }) => option.excludedBy !== undefined)?.option.excludedBy;
    return `${wish}, but no candidate fits${why === undefined ? '' : `: ${why}`}`;
  }

  #assign(name: Name, choice: Choice | undefined): void {
    if (name.decided) {
      if (choice?.version === '' && name.choice?.version === '') return;
      const other = name.choice?.option;
      const why = `${name.name} would be carried by ${[choice?.option, other].map((option) => (option ? label(option.candidate) : 'nothing')).join(' and ')}`;
      if (choice) this.#fail(choice.option, why);
      if (other) this.#fail(other, why);
      return;
    }
    name.decided = true;
    name.choice = choice;
    this.#waiting.delete(name);
    this.#dirty.delete(name);
    for (const { option, version } of name.choices) {
      if (option === choice?.option || (choice?.version === '' && version === '')) continue;
      this.#exclude(
        option,
        choice
          ? `${name.name} is carried by ${label(choice.option.candidate)}`
          : `nothing requires ${name.name}`,
      );
    }
    this.#recheckDependantsOf(name);
    this.#recheckTriggersOf(name);
  }

  #fail(option: Option, why: string): void {
    if (option.failed) return;
    option.failed = true;
    this.#errors.add(why);
  }

  /** Every dependency of what was chosen must hold; deduction can miss those of options chosen against a constraint. */
  #check(world: readonly Dependency[]): void {
    const chosen = new Set([...this.#graph.names()].flatMap(({ choice }) => (choice ? [choice.option] : [])));
    const verify = (by: Option | undefined, dependency: Dependency): void => {
      const name = this.#graph.known(dependency.name);
      if (satisfies(dependency, name?.choice, by)) return;
      if (by?.failed || name?.choice?.option.failed) return;
      const why = `${by ? label(by.candidate) : 'world'} wants ${formatDependency(dependency)}${this.#because(dependency)}`;
      if (by) this.#fail(by, why);
      else this.#errors.add(why);
    };
    for (const dependency of world) verify(undefined, dependency);
    for (const option of chosen)
      for (const dependency of option.candidate.depends) verify(option, dependency);
  }
}

function needed({ candidate }: Option): readonly Dependency[] {
  return candidate.depends.filter((dependency) => !dependency.conflict);
}

/** Names a candidate carries → version under that name; `name` itself counts with the version it was found under. */
function carriedNames(candidate: Candidate, name: string, version: string): Map<string, string> {
  const names = new Map([[candidate.name, candidate.name === name ? version : candidate.version]]);
  for (const provided of candidate.provides) names.set(provided.name, provided.version);
  return names;
}

/** A package never conflicts with itself. */
function satisfies(dependency: Dependency, choice: Choice | undefined, by: Option | undefined): boolean {
  if (dependency.conflict && choice !== undefined && choice.option === by) return true;
  return isSatisfied(
    dependency,
    choice && { version: choice.version, checksum: choice.option.candidate.checksum },
  );
}
