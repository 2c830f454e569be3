// Word expansion (XCU 2.6): parameters, substitutions, field splitting, path names, quote removal; with texts of which
// parts are unknown.
import { evaluateArithmetic } from './arithmetic.ts';
import { hasPattern, literalPattern, trim } from './pattern.ts';
import type { ShellState } from './state.ts';
import type { Node, Part, Word } from './syntax.ts';
import { bounded, isKnown, UNKNOWN } from './unknown.ts';

export interface Expander {
  readonly state: ShellState;
  /** Output of a command substitution, trailing line ends removed. */
  substitute(body: Node): string;
  /** Paths that match; empty if none does. */
  glob(pattern: string): readonly string[];
  /** Counts work; throws where it is too much. */
  spend(cost: number): void;
}

interface Piece {
  readonly text: string;
  readonly pattern: string;
}

/** Fields of the words of a command. */
export function expandWords(words: readonly Word[], expander: Expander): string[] {
  return words.flatMap((word) => fieldsOf(word, expander));
}

/** One text: no splitting, no path names, as in assignments and for redirections. */
export function expandText(word: Word, expander: Expander): string {
  return bounded(word.map((part) => partText(part, expander)).join(''));
}

/** A pattern: quoted text is literal. */
export function expandPattern(word: Word, expander: Expander): string {
  return bounded(
    word
      .map((part) => {
        const text = partText(part, expander);
        return part.quoted ? literalPattern(text) : text;
      })
      .join(''),
  );
}

function fieldsOf(word: Word, expander: Expander): string[] {
  const fields: Piece[] = [];
  let current: Piece | undefined;
  const add = (text: string, quoted: boolean): void => {
    const pattern = quoted ? literalPattern(text) : text;
    current = { text: (current?.text ?? '') + text, pattern: (current?.pattern ?? '') + pattern };
  };
  const end = (): void => {
    if (current) fields.push(current);
    current = undefined;
  };
  for (const part of word) {
    if (part.kind === 'parameter' && part.name === '@' && part.quoted && part.operator === '') {
      expander.state.parameters.forEach((text, index) => {
        if (index > 0) end();
        add(text, true);
      });
      continue;
    }
    const text = partText(part, expander);
    if (part.quoted || part.kind === 'text') {
      add(text, part.quoted);
      continue;
    }
    expander.spend(text.length);
    const split = text.split(separators(expander.state));
    split.forEach((piece, index) => {
      if (index > 0) end();
      if (piece !== '') add(piece, false);
    });
  }
  end();
  return fields.flatMap(({ text, pattern }) => {
    if (!hasPattern(pattern)) return [text];
    const paths = isKnown(pattern) ? expander.glob(pattern) : [];
    return paths.length > 0 ? paths : [text];
  });
}

function separators({ variables }: ShellState): RegExp {
  const ifs = variables.get('IFS') ?? ' \t\n';
  if (ifs === '') return /(?!)/;
  return new RegExp(`[${ifs.replace(/[\\\]^-]/g, '\\$&')}]+`);
}

function partText(part: Part, expander: Expander): string {
  switch (part.kind) {
    case 'text':
      return !part.quoted && part.text.startsWith('~') ? part.text.replace(/^~(?=\/|$)/, '/root') : part.text;
    case 'substitution':
      return expander.substitute(part.body);
    case 'arithmetic':
      return evaluateArithmetic(expandText(part.expression, expander), (name) =>
        parameterValue(name, expander.state),
      );
    case 'parameter':
      return bounded(parameterText(part, expander));
    default:
      return part satisfies never;
  }
}

const MAX_TRIMMED = 1024;

function parameterText(part: Extract<Part, { kind: 'parameter' }>, expander: Expander): string {
  const { state } = expander;
  const value = parameterValue(part.name, state);
  const { operator } = part;
  if (operator === '') return value;
  if (operator === '#length') return isKnown(value) ? String(value.length) : UNKNOWN;
  const word = (): string => expandText(part.word, expander);
  if (/^[%#]/.test(operator)) {
    const pattern = expandPattern(part.word, expander);
    if (!isKnown(value) || !isKnown(pattern) || value.length > MAX_TRIMMED) return UNKNOWN;
    // every length is tried
    expander.spend(value.length ** 2 * pattern.length);
    return trim(value, pattern, operator);
  }
  const set = isSet(part.name, state) && !(operator.startsWith(':') && value === '');
  const sure = isKnown(value) || value.replaceAll(UNKNOWN, '') !== '';
  switch (operator.at(-1)) {
    case '+':
      if (!sure) return word() === '' ? '' : UNKNOWN;
      return set ? word() : '';
    case '=': {
      if (set && sure) return value;
      const text = sure ? word() : UNKNOWN;
      state.variables.set(part.name, text);
      return text;
    }
    case '-':
      return set ? (sure ? value : UNKNOWN) : word();
    default:
      return value;
  }
}

function isSet(name: string, state: ShellState): boolean {
  if (/^[0-9]+$/.test(name)) return name === '0' || Number(name) <= state.parameters.length;
  return state.variables.has(name) || '@*#?$!-'.includes(name);
}

function parameterValue(name: string, state: ShellState): string {
  switch (name) {
    case '@':
    case '*':
      return state.parameters.join(' ');
    case '#':
      // text that is not known may be several fields, or none
      return state.parameters.every(isKnown) ? String(state.parameters.length) : UNKNOWN;
    case '?':
      return state.status === true ? '0' : UNKNOWN;
    case '$':
    case '!':
    case '-':
      return UNKNOWN;
    default:
      if (/^[1-9][0-9]*$/.test(name)) return state.parameters[Number(name) - 1] ?? '';
      return state.variables.get(name) ?? '';
  }
}
