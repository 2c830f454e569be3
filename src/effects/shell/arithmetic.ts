// `$((…))`: integers, variables, the usual operators (XCU 2.6.4). Assignments are not known.
import { isKnown, UNKNOWN } from './unknown.ts';

const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<=', '>=', '<', '>'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** The value as text, or UNKNOWN. `variable` gives the text of a variable. */
export function evaluateArithmetic(expression: string, variable: (name: string) => string): string {
  if (!isKnown(expression) || expression.length > 1000) return UNKNOWN;
  const tokens = expression.match(/[0-9]+|[A-Za-z_]\w*|\|\||&&|[=!<>]=|[-+*/%<>()!]|[^\s]/g) ?? [];
  let at = 0;
  const primary = (): number => {
    const token = tokens[at++] ?? '';
    if (token === '(') {
      const value = level(0);
      return tokens[at++] === ')' ? value : NaN;
    }
    if (token === '-') return -primary();
    if (token === '+') return primary();
    if (token === '!') return Number(primary() === 0);
    if (/^[0-9]/.test(token)) return /^0[0-9]/.test(token) ? parseInt(token, 8) : Number(token);
    if (!/^[A-Za-z_]/.test(token)) return NaN;
    const text = variable(token);
    return text === '' ? 0 : /^-?[0-9]+$/.test(text) ? Number(text) : NaN;
  };
  const level = (depth: number): number => {
    const operators = LEVELS[depth];
    if (!operators) return primary();
    let left = level(depth + 1);
    while (operators.includes(tokens[at] ?? '')) left = apply(tokens[at++] as string, left, level(depth + 1));
    return left;
  };
  const value = level(0);
  return at === tokens.length && Number.isSafeInteger(value) ? String(value) : UNKNOWN;
}

function apply(operator: string, a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return Math.trunc(a / b);
    case '%':
      return a % b;
    case '==':
      return Number(a === b);
    case '!=':
      return Number(a !== b);
    case '<':
      return Number(a < b);
    case '>':
      return Number(a > b);
    case '<=':
      return Number(a <= b);
    case '>=':
      return Number(a >= b);
    case '&&':
      return Number(a !== 0 && b !== 0);
    default:
      return Number(a !== 0 || b !== 0);
  }
}
