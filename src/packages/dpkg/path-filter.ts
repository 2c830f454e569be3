// path-exclude and path-include of dpkg (dpkg(1), src/main/filters.c), from etc/dpkg/dpkg.cfg.d/* and etc/dpkg/dpkg.cfg.
// Patterns are fnmatch(3) without flags: '*' and '?' match '/', a backslash quotes, brackets hold sets.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';

export interface PathFilter {
  /** True when `name` ("/usr/share/doc/x") of a package is not to be unpacked. */
  skips(name: string, type: string): boolean;
}

interface Rule {
  readonly include: boolean;
  readonly pattern: string;
  readonly tokens: readonly Token[];
}

export function readPathFilter(root: RootView): PathFilter {
  const rules = configuration(root).flatMap((text) => parseRules(text));
  return { skips: (name, type) => skips(rules, name, type) };
}

/** The files dpkg reads, in its order. Names of fragments are as in run-parts(8). */
function configuration(root: RootView): string[] {
  const fragments = root
    .list('etc/dpkg/dpkg.cfg.d')
    .filter((name) => /^[A-Za-z0-9_-]+$/.test(name))
    .map((name) => `etc/dpkg/dpkg.cfg.d/${name}`);
  return [...fragments, 'etc/dpkg/dpkg.cfg']
    .filter((path) => root.readable(path))
    .map((path) => byteString(root.read(path) as Uint8Array));
}

/** Options of a configuration file that are filters: "name value" or "name=value", the value perhaps in quotes. */
function parseRules(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const line of text.split('\n')) {
    const match = /^path-(exclude|include)(?:=|\s)\s*(.*?)\s*$/.exec(line);
    if (!match) continue;
    const [, kind, quoted = ''] = match;
    const pattern = /^(["'])(.*)\1$/s.exec(quoted)?.[2] ?? quoted;
    rules.push({ include: kind === 'include', pattern, tokens: compile(pattern) });
  }
  return rules;
}

function skips(rules: readonly Rule[], name: string, type: string): boolean {
  let skip = false;
  for (const { include, tokens } of rules) if (matches(tokens, name)) skip = !include;
  if (!skip || (type !== 'directory' && type !== 'symlink')) return skip;
  // kept where an include pattern might want something below it
  return !rules.some(({ include, pattern }) => include && name.startsWith(literalPrefix(pattern)));
}

/** What a pattern starts with before its first wildcard, without slashes at the end. */
function literalPrefix(pattern: string): string {
  const wildcard = pattern.search(/[*?[\\]/);
  return (wildcard === -1 ? pattern : pattern.slice(0, wildcard)).replace(/\/+$/, '');
}

type Token = 'star' | ((character: string) => boolean);

function compile(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === '*') {
      if (tokens.at(-1) !== 'star') tokens.push('star');
    } else if (character === '?') tokens.push(() => true);
    else if (character === '[') {
      const set = parseSet(pattern, at);
      tokens.push(set?.test ?? ((other) => other === '['));
      at = set?.end ?? at;
    } else {
      const literal = character === '\\' && at + 1 < pattern.length ? pattern.charAt(++at) : character;
      tokens.push((other) => other === literal);
    }
  }
  return tokens;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  digit: /[0-9]/,
  lower: /[a-z]/,
  upper: /[A-Z]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t-\r ]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** The bracket expression at `start`, or undefined when it is not closed: then the bracket is itself. */
function parseSet(pattern: string, start: number): { test: Exclude<Token, 'star'>; end: number } | undefined {
  let at = start + 1;
  const negated = pattern.charAt(at) === '!' || pattern.charAt(at) === '^';
  if (negated) at++;
  const ranges: [low: string, high: string][] = [];
  const classes: RegExp[] = [];
  for (let first = true; at < pattern.length; first = false) {
    const named = /^\[:([a-z]+):\]/.exec(pattern.slice(at, at + 12));
    const known = named ? CLASSES[named[1] as string] : undefined;
    if (named && known) {
      classes.push(known);
      at += named[0].length;
      continue;
    }
    if (pattern.charAt(at) === ']' && !first) {
      const test = (character: string): boolean =>
        (ranges.some(([low, high]) => character >= low && character <= high) ||
          classes.some((known) => known.test(character))) !== negated;
      return { test, end: at };
    }
    const low = pattern.charAt(at) === '\\' ? pattern.charAt(++at) : pattern.charAt(at);
    at++;
    if (pattern.charAt(at) === '-' && at + 1 < pattern.length && pattern.charAt(at + 1) !== ']') {
      at++;
      const high = pattern.charAt(at) === '\\' ? pattern.charAt(++at) : pattern.charAt(at);
      at++;
      ranges.push([low, high]);
    } else ranges.push([low, low]);
  }
  return undefined;
}

/** Linear but for the last star: a hostile pattern costs the product of the lengths at most. */
function matches(tokens: readonly Token[], text: string): boolean {
  let token = 0;
  let at = 0;
  let star = -1;
  let mark = 0;
  while (at < text.length) {
    const current = tokens[token];
    if (current === 'star') {
      star = token++;
      mark = at;
    } else if (current !== undefined && current(text.charAt(at))) {
      token++;
      at++;
    } else if (star !== -1) {
      token = star + 1;
      at = ++mark;
    } else return false;
  }
  while (tokens[token] === 'star') token++;
  return token === tokens.length;
}
