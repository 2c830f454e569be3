// Rich ("boolean") dependencies: `(a and b)`, `(a >= 1 if b else c)`, …
// https://rpm-software-management.github.io/rpm/manual/boolean_dependencies.html
import type { Relation } from './dependencies.ts';

export type RichOperator = 'and' | 'or' | 'if' | 'unless' | 'with' | 'without';

export type RichDependency =
  | { readonly kind: 'atom'; readonly relation: Relation }
  | { readonly kind: 'and' | 'or' | 'with' | 'without'; readonly parts: readonly RichDependency[] }
  | {
      readonly kind: 'if' | 'unless';
      readonly what: RichDependency;
      readonly condition: RichDependency;
      readonly otherwise: RichDependency | undefined;
    };

const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'if', 'unless', 'with', 'without']);
const COMPARISONS: Readonly<Record<string, Relation['comparison']>> = {
  '<': '<',
  '<=': '<=',
  '=<': '<=',
  '=': '=',
  '==': '=',
  '>=': '>=',
  '=>': '>=',
  '>': '>',
};
const MAX_DEPTH = 32;

/** Reads one; undefined if it is malformed (rpm would refuse to build or install such a package). */
export function parseRich(text: string): RichDependency | undefined {
  const tokens = tokenize(text);
  let at = 0;
  const group = (depth: number): RichDependency | undefined => {
    if (tokens[at] !== '(' || depth > MAX_DEPTH) return undefined;
    at++;
    const first = operand(depth);
    if (!first) return undefined;
    const parts = [first];
    let kind: RichOperator | undefined;
    let otherwise: RichDependency | undefined;
    while (tokens[at] !== ')') {
      const word = tokens[at++];
      const next = operand(depth);
      if (word === undefined || !next) return undefined;
      if (word === 'else') {
        if ((kind !== 'if' && kind !== 'unless') || parts.length !== 2 || otherwise) return undefined;
        otherwise = next;
        continue;
      }
      // one kind of operator in a group, chained for and, or, with only
      if (!WORDS.has(word) || (kind && (kind !== word || !/^(?:and|or|with)$/.test(word)))) return undefined;
      kind = word as RichOperator;
      parts.push(next);
    }
    at++;
    if (!kind) return first;
    const [what, condition] = parts;
    if (kind === 'if' || kind === 'unless')
      return what && condition ? { kind, what, condition, otherwise } : undefined;
    return { kind, parts };
  };
  const operand = (depth: number): RichDependency | undefined => {
    const token = tokens[at];
    if (token === '(') return group(depth + 1);
    if (token === undefined || token === ')') return undefined;
    at++;
    const comparison = COMPARISONS[tokens[at] ?? ''];
    if (!comparison) return { kind: 'atom', relation: { name: token } };
    const version = tokens[at + 1];
    if (version === undefined || version === '(' || version === ')') return undefined;
    at += 2;
    return { kind: 'atom', relation: { name: token, comparison, version } };
  };
  const parsed = group(0);
  return parsed && at === tokens.length ? parsed : undefined;
}

/** Parentheses within a name (`perl(x)`, `libc.so.6()(64bit)`) belong to it. */
function tokenize(text: string): readonly string[] {
  const tokens: string[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at] as string;
    if (/\s/.test(char) || char === ',') {
      at++;
    } else if (char === '(' || char === ')') {
      tokens.push(char);
      at++;
    } else {
      let end = at;
      let depth = 0;
      for (; end < text.length && !/\s/.test(text[end] as string); end++) {
        if (text[end] === '(') depth++;
        else if (text[end] === ')' && depth-- === 0) break;
      }
      tokens.push(text.slice(at, end));
      at = end;
    }
  }
  return tokens;
}

/**
 * Names that rpm indexes a rich dependency under, in order, without repetition: conditions of `if` and `unless` with a
 * leading '!', both forms where there is an `else`; `rpmlib(…)` is left out.
 */
export function richNames(text: string): readonly string[] {
  const parsed = parseRich(text);
  if (!parsed) return [];
  const names = new Set<string>();
  const visit = (node: RichDependency, negated: boolean): void => {
    if (node.kind === 'atom') {
      if (!node.relation.name.startsWith('rpmlib(')) names.add(`${negated ? '!' : ''}${node.relation.name}`);
    } else if ('parts' in node) {
      for (const part of node.parts) visit(part, negated);
    } else {
      visit(node.what, negated);
      visit(node.condition, !negated);
      if (node.otherwise) {
        visit(node.condition, negated);
        visit(node.otherwise, negated);
      }
    }
  };
  visit(parsed, false);
  return [...names];
}
