// Search for a consistent set of packages: clauses are propagated, a choice that fails teaches a new clause, and the
// search goes back to where that clause decides something (conflict-driven clause learning). The order of decisions is
// that of libsolv, whose choices dnf shows: first packages that shall be updated, then the other installed ones are
// kept, then what they lack is added.
// https://github.com/openSUSE/libsolv/blob/master/src/solver.c
import type { Clause } from './clause.ts';
import { clause } from './clause.ts';
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

export class Search implements Decided {
  readonly levels: Int32Array;
  readonly trail: number[] = [];
  /** Packages that were there at some time of the search. */
  readonly tried: Set<number> = new Set();
  /** Clause that decided each literal of the trail, 0 for a choice. */
  readonly #reasons: number[] = [];
  readonly #watches: Int32Array;
  readonly #input: SearchInput;
  readonly #clauses: Clause[];
  readonly #learned: number;
  readonly #asserting: number[] = [];
  readonly #wantsUpdates: boolean;
  #branches: Branch[] = [];
  #propagated = 0;
  #installedAt = 0;
  #conflicts = 0;
  /** Clauses that cannot hold together, where there is no solution. */
  #proof: ReadonlySet<number> = new Set();

  constructor(input: SearchInput) {
    this.#input = input;
    this.#clauses = input.clauses;
    this.#learned = input.clauses.length;
    this.levels = new Int32Array(input.size);
    this.#watches = new Int32Array(2 * input.size);
    this.#wantsUpdates = input.updaters.some(({ targets }) => targets);
    for (let at = this.#clauses.length - 1; at > 0; at--)
      if (this.#get(at).literals.length > 1) this.#watch(at);
    for (let at = 1; at < this.#clauses.length; at++)
      if (this.#get(at).literals.length === 1) this.#asserting.push(at);
  }

  /** True if there is a solution; `levels` tells it. */
  run(): boolean {
    let level = 0;
    let systemLevel = 1;
    for (;;) {
      if (level <= 0) {
        if (level < 0) return false;
        this.#assert();
        level = 1;
        const conflict = this.#propagate(level);
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
    this.#assert();
    this.#propagate(1);
  }

  /** The clauses from which follows what is decided on a package. */
  grounds(id: number): readonly Clause[] {
    return [...this.#collectGrounds(new Set([id]), new Set())]
      .sort((a, b) => a - b)
      .map((at) => this.#get(at));
  }

  /** Where there is no solution: the clauses that exclude each other. */
  proof(): readonly Clause[] {
    return [...this.#proof].sort((a, b) => a - b).map((at) => this.#get(at));
  }

  #get(at: number): Clause {
    return this.#clauses[at] as Clause;
  }

  #isTrue(literal: number): boolean {
    return literal > 0 ? (this.levels[literal] as number) > 0 : (this.levels[-literal] as number) < 0;
  }

  #isFalse(literal: number): boolean {
    return literal > 0 ? (this.levels[literal] as number) < 0 : (this.levels[-literal] as number) > 0;
  }

  #isOpen(literal: number): boolean {
    return this.levels[Math.abs(literal)] === 0;
  }

  #decide(literal: number, level: number, reason: number): void {
    this.levels[Math.abs(literal)] = literal > 0 ? level : -level;
    this.trail.push(literal);
    this.#reasons.push(reason);
  }

  #head(literal: number): number {
    return literal + this.#input.size;
  }

  #watch(at: number): void {
    const one = this.#get(at);
    one.next1 = this.#watches[this.#head(one.watch1)] as number;
    this.#watches[this.#head(one.watch1)] = at;
    one.next2 = this.#watches[this.#head(one.watch2)] as number;
    this.#watches[this.#head(one.watch2)] = at;
  }

  /** Clauses of one literal: weak ones after the others, and given up where they contradict. */
  #assert(): void {
    for (let again = true; again;) {
      again = false;
      this.#undo(0);
      this.#decide(1, 1, 0);
      for (const weak of [false, true])
        for (const at of this.#asserting) {
          const one = this.#get(at);
          if (!one.enabled || one.weak !== weak || again) continue;
          const literal = one.literals[0] as number;
          if (this.#isOpen(literal)) this.#decide(literal, 1, at);
          else if (this.#isFalse(literal)) {
            one.enabled = false;
            if (one.from) continue;
            this.#adaptLearned();
            again = true;
          }
        }
    }
    this.#propagated = 0;
  }

  /** Draws all conclusions; answers the clause that is violated, or 0. */
  #propagate(level: number): number {
    const { levels, trail } = this;
    while (this.#propagated < trail.length) {
      const negated = -(trail[this.#propagated++] as number);
      // where the number of the clause under consideration is stored: in a clause, or at the head of the list
      let holder = 0;
      let holdsFirst = false;
      let at = this.#watches[this.#head(negated)] as number;
      while (at !== 0) {
        const one = this.#get(at);
        const isFirst = one.watch1 === negated;
        const next = isFirst ? one.next1 : one.next2;
        const other = isFirst ? one.watch2 : one.watch1;
        let moved = false;
        if (one.enabled && !this.#isTrue(other)) {
          if (one.literals.length > 2)
            for (const literal of one.literals) {
              if (literal === other || this.#isFalse(literal)) continue;
              // watch another literal instead: out of this list, into its
              if (holder === 0) this.#watches[this.#head(negated)] = next;
              else if (holdsFirst) this.#get(holder).next1 = next;
              else this.#get(holder).next2 = next;
              const head = this.#head(literal);
              if (isFirst) {
                one.watch1 = literal;
                one.next1 = this.#watches[head] as number;
              } else {
                one.watch2 = literal;
                one.next2 = this.#watches[head] as number;
              }
              this.#watches[head] = at;
              moved = true;
              break;
            }
          if (!moved) {
            if (this.#isFalse(other)) return at;
            levels[Math.abs(other)] = other > 0 ? level : -level;
            trail.push(other);
            this.#reasons.push(at);
          }
        }
        if (!moved) {
          holder = at;
          holdsFirst = isFirst;
        }
        at = next;
      }
    }
    return 0;
  }

  /** Decides on a literal (0: on none) and draws conclusions, learning as often as that fails. Answers the new level. */
  #choose(level: number, literal: number): number {
    let current = level;
    if (literal !== 0) {
      current++;
      this.#decide(literal, current, 0);
    }
    for (;;) {
      const before = this.trail.length - 1;
      const conflict = this.#propagate(current);
      for (const decided of this.trail.slice(before)) if (decided > 0) this.tried.add(decided);
      if (conflict === 0) return current;
      if (current === 1 || ++this.#conflicts > MAX_CONFLICTS) return this.#giveUp(conflict);
      current = this.#learn(current, conflict);
    }
  }

  /** Learns a clause from a violated one, goes back and decides what it says. */
  #learn(level: number, conflict: number): number {
    const { levels, trail } = this;
    const seen = new Set<number>();
    const from: number[] = [];
    const others: number[] = [];
    let back = 1;
    let pending = 0;
    let base = 0;
    let unit = 0;
    let at = conflict;
    let position = trail.length;
    const consider = (reason: number): void => {
      from.push(reason);
      for (const literal of this.#get(reason).literals) {
        const id = Math.abs(literal);
        if (this.#isTrue(literal) || seen.has(id)) continue;
        seen.add(id);
        const decidedAt = Math.abs(levels[id] as number);
        if (decidedAt === 1) base++;
        else if (decidedAt === level) pending++;
        else {
          others.push(literal);
          back = Math.max(back, decidedAt);
        }
      }
    };
    const previous = (): number => {
      for (;;) {
        const literal = trail[--position] as number;
        if (seen.delete(Math.abs(literal))) return literal;
      }
    };
    for (;;) {
      consider(at);
      const literal = previous();
      if (--pending === 0) {
        unit = -literal;
        break;
      }
      at = this.#reasons[position] as number;
    }
    // what was concluded at the start belongs to the grounds as well
    for (const literal of others) seen.delete(Math.abs(literal));
    while (base > 0) {
      previous();
      base--;
      const reason = this.#reasons[position] as number;
      if (reason > 0) {
        from.push(reason);
        for (const literal of this.#get(reason).literals) {
          const id = Math.abs(literal);
          if (this.#isTrue(literal) || seen.has(id)) continue;
          seen.add(id);
          base++;
        }
      }
    }
    this.#revert(back);
    const learned = this.#clauses.length;
    const one = clause([unit, ...others], { from });
    this.#clauses.push(one);
    if (others.length === 0) this.#asserting.push(learned);
    else {
      // the second watch is the literal that was decided last
      for (const literal of others)
        if (Math.abs(levels[Math.abs(literal)] as number) > Math.abs(levels[Math.abs(one.watch2)] as number))
          one.watch2 = literal;
      this.#watch(learned);
    }
    this.#decide(unit, back, learned);
    return back;
  }

  /** A contradiction that no choice leads to: gives up the last weak clause of it, or finds that there is no solution. */
  #giveUp(conflict: number): number {
    const seen = new Set<number>();
    this.#groundsOf(conflict, seen);
    const involved = new Set(
      this.#get(conflict)
        .literals.filter((literal) => !this.#isTrue(literal))
        .map(Math.abs),
    );
    const grounds = this.#collectGrounds(involved, seen);
    const weak = [...grounds].filter((at) => this.#get(at).weak && this.#get(at).enabled);
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
      this.#get(narrowed.get(choice) ?? 0).literals;
    const kept = new Set(this.#get(at).literals);
    const keptOff = new Set(requirementOf(at).filter((literal) => literal > 0 && !kept.has(literal)));
    this.#get(at).enabled = false;
    for (const choice of narrowed.keys())
      if (requirementOf(choice).some((literal) => keptOff.has(literal))) this.#get(choice).enabled = false;
  }

  /** Gives up weak clauses that kept off what came in all the same. True if there were any. */
  #giveUpNeedless(): boolean {
    let found = false;
    for (const [choice, requirement] of this.#input.narrowed) {
      const { enabled, literals } = this.#get(choice);
      if (!enabled) continue;
      const isNeedless = this.#get(requirement).literals.some(
        (literal) => literal > 0 && this.#isTrue(literal) && !literals.includes(literal),
      );
      if (!isNeedless) continue;
      this.#giveUpChoice(choice);
      found = true;
    }
    return found;
  }

  #restart(): void {
    this.#undo(0);
    this.#branches = [];
    this.#adaptLearned();
  }

  /** The given clauses that lead to decisions on `involved`, besides those in `seen`. */
  #collectGrounds(involved: Set<number>, seen: Set<number>): ReadonlySet<number> {
    for (let position = this.trail.length - 1; position >= 0; position--) {
      const reason = this.#reasons[position] as number;
      if (reason === 0 || !involved.has(Math.abs(this.trail[position] as number))) continue;
      for (const literal of this.#get(reason).literals)
        if (!this.#isTrue(literal)) involved.add(Math.abs(literal));
      this.#groundsOf(reason, seen);
    }
    return new Set([...seen].filter((at) => !this.#get(at).from));
  }

  /** A clause, and all it was learned from. */
  #groundsOf(at: number, seen: Set<number>): void {
    const open = [at];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      open.push(...(this.#get(one).from ?? []));
    }
  }

  /** Learned clauses hold as long as those they were learned from. */
  #adaptLearned(): void {
    for (let at = this.#learned; at < this.#clauses.length; at++) {
      const one = this.#get(at);
      one.enabled = (one.from ?? []).every((ground) => this.#get(ground).enabled);
    }
  }

  #undo(length: number): void {
    while (this.trail.length > length) {
      this.levels[Math.abs(this.trail.pop() as number)] = 0;
      this.#reasons.pop();
    }
    this.#propagated = Math.min(this.#propagated, length);
  }

  #revert(level: number): void {
    let length = this.trail.length;
    while (length > 0 && Math.abs(this.levels[Math.abs(this.trail[length - 1] as number)] as number) > level)
      length--;
    this.#undo(length);
    while ((this.#branches.at(-1)?.level ?? -1) >= level) this.#branches.pop();
  }

  /** Takes the best of several packages, and remembers the others. */
  #chooseBest(level: number, ids: readonly number[]): number {
    const options = ids.length > 1 ? this.#input.policy.choose(ids, this, { reorder: true }) : ids;
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
        if ((this.levels[updater.id] as number) > 0 || (pass === 0 && !updater.targets)) {
          at++;
          done++;
          continue;
        }
        let before = level;
        const options = this.#updatesOf(updater);
        if (options.length > 0) level = this.#chooseBest(level, options);
        let isDecided = options.length === 0 || level > before;
        if (isDecided && this.levels[updater.id] === 0) {
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
    const level = this.levels[id] as number;
    if (level >= 0 && !targets) return [];
    const { literals } = this.#get(at);
    if (literals.some((literal) => (this.levels[literal] as number) > 0)) return [];
    const open = literals.filter((literal) => this.levels[literal] === 0);
    return targets ? open.filter((literal) => targets.has(literal)) : open;
  }

  /** Adds what clauses still lack. Where there is a choice it is put off, until nothing else is left to do. */
  #decideDependencies(start: number): number {
    let level = start;
    let putOff = 0;
    let at = 1;
    for (let looked = 1; ; at++, looked++) {
      if (looked >= this.#clauses.length) {
        if (putOff <= 0) return level;
        at = putOff;
        putOff = -1;
        looked = 1;
      }
      if (at >= this.#clauses.length) at = 1;
      const options = this.#lacking(this.#get(at));
      if (options.length === 0) continue;
      let ids = options;
      if (ids.length > 1 && putOff >= 0) {
        ids = this.#input.policy.choose(ids, this, { reorder: false });
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
      if (first < 0 || second <= 0 || !this.#isOpen(first) || !this.#isOpen(second)) return [];
      return [first, second];
    }
    if (first < 0 && (this.levels[-first] as number) <= 0) return [];
    const open: number[] = [];
    for (const literal of literals) {
      if (literal < 0) {
        if ((this.levels[-literal] as number) <= 0) return [];
      } else if ((this.levels[literal] as number) > 0) return [];
      else if (this.levels[literal] === 0) open.push(literal);
    }
    return open;
  }

  /**
   * An alternative that came in for another reason, so that the choice made beside it was needless; or one that is
   * recommended where what was chosen is not.
   */
  #superfluous(): { branch: Branch; option: number } | undefined {
    const isRecommended = (id: number): boolean => this.#input.policy.isRecommended(id, this);
    for (const branch of this.#branches) {
      const { options, level } = branch;
      const there = options.findIndex((id) => id > 0 && (this.levels[id] as number) > level);
      if (there !== -1) return { branch, option: there };
      const better = options.findIndex((id) => id > 0 && isRecommended(id));
      if (better === -1) continue;
      const isChosen = (id: number): boolean => id < 0 && this.levels[-id] === level + 1;
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
    this.#revert(level);
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
