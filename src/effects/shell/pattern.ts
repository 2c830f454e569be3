// Shell patterns (XCU 2.14): `*`, `?`, `[…]`; a backslash makes the next character ordinary. Matching backtracks to the
// last `*` only, so that no pattern takes more than (length of text × length of pattern) steps.

type Token = { readonly kind: 'one'; readonly matches: (char: string) => boolean } | { readonly kind: 'any' };

/** Text that is meant literally, as a pattern. */
export function literalPattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}

export function hasPattern(pattern: string): boolean {
  return /[*?]|\[[^\]]+\]/.test(pattern.replace(/\\[\s\S]/g, ''));
}

export function matchesPattern(text: string, pattern: string): boolean {
  return matchTokens(text, tokensOf(pattern));
}

/** `${text#pattern}` and its kin: what is left without the shortest or longest matching head or tail. */
export function trim(text: string, pattern: string, operator: string): string {
  const tokens = tokensOf(pattern);
  const lengths = Array.from({ length: text.length + 1 }, (_, index) => index);
  if (operator.length === 2) lengths.reverse();
  const fromHead = operator.startsWith('#');
  for (const length of lengths) {
    const piece = fromHead ? text.slice(0, length) : text.slice(text.length - length);
    if (matchTokens(piece, tokens))
      return fromHead ? text.slice(length) : text.slice(0, text.length - length);
  }
  return text;
}

function matchTokens(text: string, tokens: readonly Token[]): boolean {
  let at = 0;
  let token = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    const current = tokens[token];
    if (current?.kind === 'any') {
      star = token++;
      resume = at;
    } else if (current?.matches(text[at] as string)) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++resume;
    } else return false;
  }
  while (tokens[token]?.kind === 'any') token++;
  return token === tokens.length;
}

function tokensOf(pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    if (char === '*') {
      if (tokens.at(-1)?.kind !== 'any') tokens.push({ kind: 'any' });
    } else if (char === '?') tokens.push({ kind: 'one', matches: () => true });
    else if (char === '[') {
      const set = bracket(pattern, at);
      tokens.push({ kind: 'one', matches: set?.matches ?? ((other) => other === '[') });
      at = set?.end ?? at;
    } else {
      const literal = char === '\\' ? (pattern[++at] ?? '\\') : char;
      tokens.push({ kind: 'one', matches: (other) => other === literal });
    }
  }
  return tokens;
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@[-`{-~',
  space: ' \\t\\n\\v\\f\\r',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
};

function bracket(
  pattern: string,
  start: number,
): { readonly matches: (char: string) => boolean; readonly end: number } | undefined {
  const syntax = /\[([!^]?)(\]?(?:\[:[a-z]+:\]|\\[\s\S]|[^\]\\])*)\]/y;
  syntax.lastIndex = start;
  const match = syntax.exec(pattern);
  if (!match) return undefined;
  const body = (match[2] as string).replace(
    /\[:([a-z]+):\]|\\([\s\S])|[\][^]/g,
    (token: string, name?: string, escaped?: string) =>
      name === undefined ? `\\${escaped ?? token}` : (CLASSES[name] ?? ''),
  );
  let expression: RegExp;
  try {
    expression = new RegExp(`^[${match[1] === '' ? '' : '^'}${body}]$`, 's');
  } catch {
    // a range that runs backwards matches nothing
    expression = /(?!)/;
  }
  return { matches: (char) => expression.test(char), end: start + match[0].length - 1 };
}
