// Rich dependencies as clauses: all must hold, each is a list of numbers of which one must be there (negative: must not
// be there), ascending. No clauses: always true; an empty clause: never true.
import type { RichDependency } from '../rich.ts';
import type { Universe } from './universe.ts';

type Clauses = readonly (readonly number[])[];

const ALWAYS: Clauses = [];
const NEVER: Clauses = [[]];
/** What nobody writes; distribution grows without bounds otherwise. */
const MAX_LITERALS = 200_000;

export function richClauses(universe: Universe, dependency: RichDependency, holds: boolean): Clauses {
  const of = (one: RichDependency, positive: boolean): Clauses => richClauses(universe, one, positive);
  const all = (parts: readonly Clauses[]): Clauses => parts.reduce(both, ALWAYS);
  const some = (parts: readonly Clauses[]): Clauses => parts.reduce(either, NEVER);
  switch (dependency.kind) {
    case 'and':
      return (holds ? all : some)(dependency.parts.map((part) => of(part, holds)));
    case 'or':
      return (holds ? some : all)(dependency.parts.map((part) => of(part, holds)));
    case 'if': {
      // a if b else c: (a or not b) and (c or b)
      const { what, condition, otherwise } = dependency;
      return holds
        ? both(
            either(of(what, true), of(condition, false)),
            otherwise ? either(of(otherwise, true), of(condition, true)) : ALWAYS,
          )
        : either(
            both(of(what, false), of(condition, true)),
            otherwise ? both(of(otherwise, false), of(condition, false)) : NEVER,
          );
    }
    case 'unless': {
      // a unless b else c: (a and not b) or (c and b)
      const { what, condition, otherwise } = dependency;
      return holds
        ? either(
            both(of(what, true), of(condition, false)),
            otherwise ? both(of(otherwise, true), of(condition, true)) : NEVER,
          )
        : both(
            either(of(what, false), of(condition, true)),
            otherwise ? either(of(otherwise, false), of(condition, false)) : ALWAYS,
          );
    }
    case 'atom':
    case 'with':
    case 'without': {
      const ids = universe.matching(dependency).map(({ id }) => id);
      return holds ? [ids] : ids.map((id) => [-id]);
    }
  }
}

function both(a: Clauses, b: Clauses): Clauses {
  return isNever(a) || isNever(b) ? NEVER : [...a, ...b];
}

function either(a: Clauses, b: Clauses): Clauses {
  if (a.length === 0 || b.length === 0) return ALWAYS;
  const out: (readonly number[])[] = [];
  let literals = 0;
  for (const one of a)
    for (const other of b) {
      const merged = new Set([...one, ...other]);
      if ([...merged].some((literal) => merged.has(-literal))) continue;
      out.push([...merged].sort((x, y) => x - y));
      literals += merged.size;
      if (literals > MAX_LITERALS) return NEVER;
    }
  return out;
}

function isNever(clauses: Clauses): boolean {
  return clauses.some((clause) => clause.length === 0);
}
