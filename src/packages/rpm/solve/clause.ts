// Clauses: of their literals at least one must be true. A literal is the number of a package, negative for its absence.

/** Why a clause is there, for explanations; `other` where two packages exclude each other. */
export interface Cause {
  readonly kind:
    'requires' | 'conflicts' | 'obsoletes' | 'same-name' | 'counterpart' | 'held' | 'new' | 'excluded';
  readonly member: number;
  readonly text?: string;
  readonly other?: number;
}

export interface Clause {
  readonly literals: readonly number[];
  readonly cause: Cause | undefined;
  /** May be given up; the last ones first. */
  readonly weak: boolean;
  /** Clauses it was learned from. */
  readonly from: readonly number[] | undefined;
  enabled: boolean;
  /** The two literals it is watched by, and the next clause of each one's list. */
  watch1: number;
  watch2: number;
  next1: number;
  next2: number;
}

export function clause(
  literals: readonly number[],
  { cause, weak, from }: { cause?: Cause; weak?: boolean; from?: readonly number[] } = {},
): Clause {
  return {
    literals,
    cause,
    weak: weak ?? false,
    from,
    enabled: literals.length > 0,
    watch1: literals[0] ?? 0,
    watch2: literals[1] ?? 0,
    next1: 0,
    next2: 0,
  };
}

/** The order in which libsolv keeps dependency clauses, and therefore decides on them. */
export function compareClauses({ literals: a }: Clause, { literals: b }: Clause): number {
  const first = (a[0] ?? 0) - (b[0] ?? 0);
  if (first !== 0) return first;
  if (a.length <= 2 || b.length <= 2) {
    const second = (a[1] ?? 0) - (b[1] ?? 0);
    return second !== 0 ? second : Math.min(a.length, 3) - Math.min(b.length, 3);
  }
  for (let at = 1; at < b.length; at++) {
    const order = (a[at] ?? 0) - (b[at] as number);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
