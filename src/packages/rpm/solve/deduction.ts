// Deduction from clauses: what is decided, what follows from it, and what is learned where it cannot be. Each clause is
// watched by two of its literals and looked at when one of them becomes false.
import { clause, type Clause } from './clause.ts';
import type { Decided } from './policy.ts';

export class Deduction implements Decided {
  readonly levels: Int32Array;
  readonly trail: number[] = [];
  /** From 1 on; 0 is a dummy. Learned ones come after those that were given. */
  readonly clauses: Clause[];
  /** Clause that decided each literal of the trail, 0 for a choice. */
  readonly #reasons: number[] = [];
  /** First clause of each literal's list; literals are from -size to size. */
  readonly #watches: Int32Array;
  readonly #size: number;
  readonly #learned: number;
  readonly #asserting: number[] = [];
  #propagated = 0;

  /** `size`: one more than the greatest number of a package. */
  constructor(size: number, clauses: Clause[]) {
    this.clauses = clauses;
    this.levels = new Int32Array(size);
    this.#size = size;
    this.#learned = clauses.length;
    this.#watches = new Int32Array(2 * size);
    for (let at = clauses.length - 1; at > 0; at--) if (this.get(at).literals.length > 1) this.#watch(at);
    for (let at = 1; at < clauses.length; at++)
      if (this.get(at).literals.length === 1) this.#asserting.push(at);
  }

  get(at: number): Clause {
    return this.clauses[at] as Clause;
  }

  isTrue(literal: number): boolean {
    return literal > 0 ? (this.levels[literal] as number) > 0 : (this.levels[-literal] as number) < 0;
  }

  isFalse(literal: number): boolean {
    return literal > 0 ? (this.levels[literal] as number) < 0 : (this.levels[-literal] as number) > 0;
  }

  isOpen(literal: number): boolean {
    return this.levels[Math.abs(literal)] === 0;
  }

  decide(literal: number, level: number, reason: number): void {
    this.levels[Math.abs(literal)] = literal > 0 ? level : -level;
    this.trail.push(literal);
    this.#reasons.push(reason);
  }

  #head(literal: number): number {
    return literal + this.#size;
  }

  #watch(at: number): void {
    const one = this.get(at);
    one.next1 = this.#watches[this.#head(one.watch1)] as number;
    this.#watches[this.#head(one.watch1)] = at;
    one.next2 = this.#watches[this.#head(one.watch2)] as number;
    this.#watches[this.#head(one.watch2)] = at;
  }

  /** Clauses of one literal: weak ones after the others, and given up where they contradict. */
  assert(): void {
    for (let again = true; again;) {
      again = false;
      this.undo(0);
      this.decide(1, 1, 0);
      for (const weak of [false, true])
        for (const at of this.#asserting) {
          const one = this.get(at);
          if (!one.enabled || one.weak !== weak || again) continue;
          const literal = one.literals[0] as number;
          if (this.isOpen(literal)) this.decide(literal, 1, at);
          else if (this.isFalse(literal)) {
            one.enabled = false;
            if (one.from) continue;
            this.adaptLearned();
            again = true;
          }
        }
    }
    this.#propagated = 0;
  }

  /** Draws all conclusions; answers the clause that is violated, or 0. */
  propagate(level: number): number {
    const { levels, trail } = this;
    while (this.#propagated < trail.length) {
      const negated = -(trail[this.#propagated++] as number);
      // where the number of the clause under consideration is stored: in a clause, or at the head of the list
      let holder = 0;
      let holdsFirst = false;
      let at = this.#watches[this.#head(negated)] as number;
      while (at !== 0) {
        const one = this.get(at);
        const isFirst = one.watch1 === negated;
        const next = isFirst ? one.next1 : one.next2;
        const other = isFirst ? one.watch2 : one.watch1;
        let moved = false;
        if (one.enabled && !this.isTrue(other)) {
          if (one.literals.length > 2)
            for (const literal of one.literals) {
              if (literal === other || this.isFalse(literal)) continue;
              // watch another literal instead: out of this list, into its
              if (holder === 0) this.#watches[this.#head(negated)] = next;
              else if (holdsFirst) this.get(holder).next1 = next;
              else this.get(holder).next2 = next;
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
            if (this.isFalse(other)) return at;
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

  /** Learns a clause from a violated one, goes back and decides what it says. */
  learn(level: number, conflict: number): number {
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
      for (const literal of this.get(reason).literals) {
        const id = Math.abs(literal);
        if (this.isTrue(literal) || seen.has(id)) continue;
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
        for (const literal of this.get(reason).literals) {
          const id = Math.abs(literal);
          if (this.isTrue(literal) || seen.has(id)) continue;
          seen.add(id);
          base++;
        }
      }
    }
    this.revert(back);
    const learned = this.clauses.length;
    const one = clause([unit, ...others], { from });
    this.clauses.push(one);
    if (others.length === 0) this.#asserting.push(learned);
    else {
      // the second watch is the literal that was decided last
      for (const literal of others)
        if (Math.abs(levels[Math.abs(literal)] as number) > Math.abs(levels[Math.abs(one.watch2)] as number))
          one.watch2 = literal;
      this.#watch(learned);
    }
    this.decide(unit, back, learned);
    return back;
  }

  /** The given clauses from which follows what is decided on a package. */
  groundsOf(id: number): ReadonlySet<number> {
    return this.#collect(new Set([id]), new Set());
  }

  /** The given clauses that led to the violation of one. */
  groundsOfConflict(conflict: number): ReadonlySet<number> {
    const seen = new Set<number>();
    this.#trace(conflict, seen);
    const violated = this.get(conflict).literals.filter((literal) => !this.isTrue(literal));
    return this.#collect(new Set(violated.map(Math.abs)), seen);
  }

  #collect(involved: Set<number>, seen: Set<number>): ReadonlySet<number> {
    for (let position = this.trail.length - 1; position >= 0; position--) {
      const reason = this.#reasons[position] as number;
      if (reason === 0 || !involved.has(Math.abs(this.trail[position] as number))) continue;
      for (const literal of this.get(reason).literals)
        if (!this.isTrue(literal)) involved.add(Math.abs(literal));
      this.#trace(reason, seen);
    }
    return new Set([...seen].filter((at) => !this.get(at).from));
  }

  /** A clause, and all it was learned from. */
  #trace(at: number, seen: Set<number>): void {
    const open = [at];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      open.push(...(this.get(one).from ?? []));
    }
  }

  /** Learned clauses hold as long as those they were learned from. */
  adaptLearned(): void {
    for (let at = this.#learned; at < this.clauses.length; at++) {
      const one = this.get(at);
      one.enabled = (one.from ?? []).every((ground) => this.get(ground).enabled);
    }
  }

  undo(length: number): void {
    while (this.trail.length > length) {
      this.levels[Math.abs(this.trail.pop() as number)] = 0;
      this.#reasons.pop();
    }
    this.#propagated = Math.min(this.#propagated, length);
  }

  /** Takes back what was decided above a level. */
  revert(level: number): void {
    let length = this.trail.length;
    while (length > 0 && Math.abs(this.levels[Math.abs(this.trail[length - 1] as number)] as number) > level)
      length--;
    this.undo(length);
  }
}
