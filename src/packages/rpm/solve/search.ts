// Search for a consistent set of packages: a choice that fails teaches a new clause, and the search goes back to where
// that clause decides something (conflict-driven clause learning). The order of decisions is that of libsolv, whose choices dnf shows: first packages that shall be updated, then the other installed ones are
// kept, then what they lack is added.
// https://github.com/openSUSE/libsolv/blob/master/src/solver.c
import type { Clause } from './clause.ts';
import { Deduction } from './deduction.ts';
import type { Decided, Policy } from './policy.ts';
import { FIRST_INSTALLED } from './universe.ts';

/** An installed package, the clause of what it may become, and what it should become. */
export interface Updater {
  readonly id: number;
  /** Position of its clause. */
  readonly at: number;
  /** Undefined: it is to be kept where that is possible. */
  readonly targets: ReadonlySet<number> | undefined;
}

export interface SearchInput {
  readonly size: number;
  /** From 1 on; 0 is a dummy. */
  readonly clauses: Clause[];
  readonly updaters: readonly Updater[];
  readonly policy: Policy;
  /** Weak clauses by position, with the position of the clause each one narrows. */
  readonly narrowed: ReadonlyMap<number, number>;
}

/** Alternatives to a choice. */
interface Branch {
  /** Those that were tried are negative. */
  readonly options: number[];
  level: number;
}

/** Bounds the work on hostile metadata. */
const MAX_CONFLICTS = 20_000;

const UNSOLVABLE = -1;

export class Search {
  readonly decided: Deduction;
  /** Packages that were there at some time of the search. */
  readonly tried: Set<number> = new Set();
  readonly #input: SearchInput;
  readonly #levels: Int32Array;
  readonly #wantsUpdates: boolean;
  #branches: Branch[] = [];
  #installedAt = 0;
  #conflicts = 0;
  /** Clauses that cannot hold together, where there is no solution. */
  #proof: ReadonlySet<number> = new Set();

  constructor(input: SearchInput) {
    this.#input = input;
    this.decided = new Deduction(input.size, input.clauses);
    this.#levels = this.decided.levels;
    this.#wantsUpdates = input.updaters.some(({ targets }) => targets);
  }

  /** True if there is a solution; `decided` tells it. */
  run(): boolean {
    let level = 0;
    let systemLevel = 1;
    for (;;) {
      if (level <= 0) {
        if (level < 0) return false;
        this.decided.assert();
        level = 1;
        const conflict = this.decided.propagate(level);
        if (conflict !== 0) {
          level = this.#giveUp(conflict);
          continue;
        }
        systemLevel = level + 1;
      }
      if (level < systemLevel) {
        const before = level;
        level = this.#decideInstalled(level);
        if (level < before) continue;
        systemLevel = level;
      }
      const before = level;
      level = this.#decideDependencies(level);
      if (level < before) continue;
      if (this.#giveUpNeedless()) {
        this.#restart();
        level = 0;
        continue;
      }
      const better = this.#superfluous();
      if (!better) return true;
      level = this.#take(better.branch, better.option);
    }
  }

  /** Draws the conclusions that need no choice. */
  settle(): void {
    this.decided.assert();
    this.decided.propagate(1);
  }

  /** The clauses from which follows what is decided on a package. */
  grounds(id: number): readonly Clause[] {
    return this.#clausesAt(this.decided.groundsOf(id));
  }

  /** Where there is no solution: the clauses that exclude each other. */
  proof(): readonly Clause[] {
    return this.#clausesAt(this.#proof);
  }

  #clausesAt(positions: ReadonlySet<number>): readonly Clause[] {
    return [...positions].sort((a, b) => a - b).map((at) => this.decided.get(at));
  }

  /** Decides on a literal (0: on none) and draws conclusions, learning as often as that fails. Answers the new level. */
  #choose(level: number, literal: number): number {
    let current = level;
    if (literal !== 0) {
      current++;
      this.decided.decide(literal, current, 0);
    }
    for (;;) {
      const before = this.decided.trail.length - 1;
      const conflict = this.decided.propagate(current);
      for (const decided of this.decided.trail.slice(before)) if (decided > 0) this.tried.add(decided);
      if (conflict === 0) return current;
      if (current === 1 || ++this.#conflicts > MAX_CONFLICTS) return this.#giveUp(conflict);
      current = this.decided.learn(current, conflict);
      this.#dropBranches(current);
    }
  }

  /** A contradiction that no choice leads to: gives up the last weak clause of it, or finds that there is no solution. */
  #giveUp(conflict: number): number {
    const grounds = this.decided.groundsOfConflict(conflict);
    const weak = [...grounds].filter((at) => this.decided.get(at).weak && this.decided.get(at).enabled);
    if (weak.length === 0 || this.#conflicts > MAX_CONFLICTS) {
      this.#proof = grounds;
      return UNSOLVABLE;
    }
    const last = Math.max(...weak);
    this.#giveUpChoice(last);
    this.#restart();
    return 0;
  }

  /** Gives up a weak clause, and those that would still keep off what it kept off. */
  #giveUpChoice(at: number): void {
    const { narrowed } = this.#input;
    const requirementOf = (choice: number): readonly number[] =>
      this.decided.get(narrowed.get(choice) ?? 0).literals;
    const kept = new Set(this.decided.get(at).literals);
    const keptOff = new Set(requirementOf(at).filter((literal) => literal > 0 && !kept.has(literal)));
    this.decided.get(at).enabled = false;
    for (const choice of narrowed.keys())
      if (requirementOf(choice).some((literal) => keptOff.has(literal)))
        this.decided.get(choice).enabled = false;
  }

  /** Gives up weak clauses that kept off what came in all the same. True if there were any. */
  #giveUpNeedless(): boolean {
    let found = false;
    for (const [choice, requirement] of this.#input.narrowed) {
      const { enabled, literals } = this.decided.get(choice);
      if (!enabled) continue;
      const isNeedless = this.decided
        .get(requirement)
        .literals.some(
          (literal) => literal > 0 && this.decided.isTrue(literal) && !literals.includes(literal),
        );
      if (!isNeedless) continue;
      this.#giveUpChoice(choice);
      found = true;
    }
    return found;
  }

  #restart(): void {
    this.decided.undo(0);
    this.#branches = [];
    this.decided.adaptLearned();
  }

  #dropBranches(level: number): void {
    while ((this.#branches.at(-1)?.level ?? -1) >= level) this.#branches.pop();
  }

  /** Takes the best of several packages, and remembers the others. */
  #chooseBest(level: number, ids: readonly number[]): number {
    const options = ids.length > 1 ? this.#input.policy.choose(ids, this.decided, { reorder: true }) : ids;
    const [best] = options as [number];
    if (options.length > 1) this.#branches.push({ options: [-best, ...options.slice(1)], level });
    return this.#choose(level, best);
  }

  /** Updates what shall be updated, then keeps what is still open. */
  #decideInstalled(start: number): number {
    const { updaters } = this.#input;
    const firstPass = this.#wantsUpdates ? 0 : 1;
    let level = start;
    for (let pass = firstPass; pass < 2;) {
      const passLevel = level;
      let done = 0;
      let at = this.#installedAt;
      while (done < updaters.length) {
        if (at >= updaters.length) at = 0;
        const updater = updaters[at] as Updater;
        if ((this.#levels[updater.id] as number) > 0 || (pass === 0 && !updater.targets)) {
          at++;
          done++;
          continue;
        }
        let before = level;
        const options = this.#updatesOf(updater);
        if (options.length > 0) level = this.#chooseBest(level, options);
        let isDecided = options.length === 0 || level > before;
        if (isDecided && this.#levels[updater.id] === 0) {
          before = level;
          level = this.#choose(level, updater.id);
          isDecided = level > before;
        }
        if (isDecided) {
          at++;
          done++;
        } else if (level < passLevel) break;
        else if (level < before) done = 0;
      }
      if (done < updaters.length) {
        // it is looked at first the next time
        this.#installedAt = at;
        if (level < start) return level;
        pass = firstPass;
      } else {
        this.#installedAt = 0;
        pass++;
      }
    }
    return level;
  }

  #updatesOf({ id, at, targets }: Updater): readonly number[] {
    const level = this.#levels[id] as number;
    if (level >= 0 && !targets) return [];
    const { literals } = this.decided.get(at);
    if (literals.some((literal) => (this.#levels[literal] as number) > 0)) return [];
    const open = literals.filter((literal) => this.#levels[literal] === 0);
    return targets ? open.filter((literal) => targets.has(literal)) : open;
  }

  /** Adds what clauses still lack. Where there is a choice it is put off, until nothing else is left to do. */
  #decideDependencies(start: number): number {
    let level = start;
    let putOff = 0;
    let at = 1;
    for (let looked = 1; ; at++, looked++) {
      if (looked >= this.decided.clauses.length) {
        if (putOff <= 0) return level;
        at = putOff;
        putOff = -1;
        looked = 1;
      }
      if (at >= this.decided.clauses.length) at = 1;
      const options = this.#lacking(this.decided.get(at));
      if (options.length === 0) continue;
      let ids = options;
      if (ids.length > 1 && putOff >= 0) {
        ids = this.#input.policy.choose(ids, this.decided, { reorder: false });
        if (ids.length > 1) {
          if (putOff === 0) putOff = at;
          continue;
        }
      }
      level = this.#chooseBest(level, ids);
      if (level < start) return level;
      looked = 0;
    }
  }

  /** Packages of which one must be added so that a clause holds; none where it holds or will. */
  #lacking({ enabled, literals }: Clause): readonly number[] {
    if (!enabled) return [];
    const [first = 0, second = 0] = literals;
    if (literals.length <= 2) {
      if (first < 0 || second <= 0 || !this.decided.isOpen(first) || !this.decided.isOpen(second)) return [];
      return [first, second];
    }
    if (first < 0 && (this.#levels[-first] as number) <= 0) return [];
    const open: number[] = [];
    for (const literal of literals) {
      if (literal < 0) {
        if ((this.#levels[-literal] as number) <= 0) return [];
      } else if ((this.#levels[literal] as number) > 0) return [];
      else if (this.#levels[literal] === 0) open.push(literal);
    }
    return open;
  }

  /**
   * An alternative that came in for another reason, so that the choice made beside it was needless; or one that is
   * recommended where what was chosen is not.
   */
  #superfluous(): { branch: Branch; option: number } | undefined {
    const isRecommended = (id: number): boolean => this.#input.policy.isRecommended(id, this.decided);
    for (const branch of this.#branches) {
      const { options, level } = branch;
      const there = options.findIndex((id) => id > 0 && (this.#levels[id] as number) > level);
      if (there !== -1) return { branch, option: there };
      const better = options.findIndex((id) => id > 0 && isRecommended(id));
      if (better === -1) continue;
      const isChosen = (id: number): boolean => id < 0 && this.#levels[-id] === level + 1;
      if (options.some((id) => isChosen(id) && !isRecommended(-id))) return { branch, option: better };
    }
    return undefined;
  }

  #take(branch: Branch, option: number): number {
    const id = branch.options[option] as number;
    branch.options[option] = -id;
    const { level } = branch;
    // the branch itself stays
    branch.level = -1;
    this.decided.revert(level);
    this.#dropBranches(level);
    branch.level = level;
    return this.#choose(level, id);
  }
}

/** All packages that are there in the end. */
export function chosen({ levels }: Decided): readonly number[] {
  const ids: number[] = [];
  for (let id = FIRST_INSTALLED; id < levels.length; id++) if ((levels[id] as number) > 0) ids.push(id);
  return ids;
}
