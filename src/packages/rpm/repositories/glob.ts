// fnmatch patterns of package names: '*', '?', '[a-z]', '[!x]'. Matched without backtracking over more than one '*', so
// that a pattern from a configuration file cannot be slow.

export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    const end = p < pattern.length ? matchOne(pattern, p, text[t] as string) : -1;
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (end !== -1) {
      p = end;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Index behind the pattern element at `at` if it matches `char`, else -1. */
function matchOne(pattern: string, at: number, char: string): number {
  const element = pattern[at] as string;
  if (element === '?') return at + 1;
  if (element === '\\' && at + 1 < pattern.length) return pattern[at + 1] === char ? at + 2 : -1;
  if (element !== '[') return element === char ? at + 1 : -1;
  const close = pattern.indexOf(']', at + (pattern[at + 1] === '!' || pattern[at + 1] === '^' ? 3 : 2));
  if (close === -1) return element === char ? at + 1 : -1;
  let i = at + 1;
  const negated = pattern[i] === '!' || pattern[i] === '^';
  if (negated) i++;
  let found = false;
  for (; i < close; i++) {
    const low = pattern[i] as string;
    if (pattern[i + 1] === '-' && i + 2 < close) {
      if (char >= low && char <= (pattern[i + 2] as string)) found = true;
      i += 2;
    } else if (low === char) found = true;
  }
  return found !== negated ? close + 1 : -1;
}
