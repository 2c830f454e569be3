// Shell patterns as fnmatch(3) reads them with FNM_PATHNAME: * ? [set] [!set] \x, none of which matches a slash.
// Patterns come from packages and images, so matching takes linear space and no regular expressions.

/** True when the pattern matches the whole path, component by component. */
export function matchesPath(pattern: string, path: string): boolean {
  const patterns = pattern.split('/');
  const parts = path.split('/');
  return (
    patterns.length === parts.length &&
    patterns.every((item, index) => matchesName(item, parts[index] as string))
  );
}

/** True when the pattern matches a name without slashes. On a mismatch only the last * gives way. */
export function matchesName(pattern: string, name: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let resume = 0;
  while (position < name.length) {
    if (pattern[at] === '*') {
      star = at++;
      resume = position;
      continue;
    }
    const next = at < pattern.length ? matchOne(pattern, at, name[position] as string) : -1;
    if (next !== -1) {
      at = next;
      position++;
    } else if (star !== -1) {
      at = star + 1;
      position = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** Where the pattern goes on after what matches `character` at `at`, or -1. */
function matchOne(pattern: string, at: number, character: string): number {
  const sign = pattern[at] as string;
  if (sign === '?') return at + 1;
  if (sign === '\\' && at + 1 < pattern.length) return pattern[at + 1] === character ? at + 2 : -1;
  if (sign === '[') {
    const set = readSet(pattern, at);
    if (set) return set.has(character) ? set.end : -1;
  }
  return sign === character ? at + 1 : -1;
}

function readSet(
  pattern: string,
  start: number,
): { has: (character: string) => boolean; end: number } | undefined {
  const negated = pattern[start + 1] === '!' || pattern[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  const end = pattern.indexOf(']', first + 1);
  if (end === -1) return undefined;
  const has = (character: string): boolean => {
    for (let at = first; at < end; at++) {
      const low = pattern[at] as string;
      const isRange = pattern[at + 1] === '-' && at + 2 < end;
      const high = isRange ? (pattern[at + 2] as string) : low;
      if (character >= low && character <= high) return !negated;
      if (isRange) at += 2;
    }
    return negated;
  };
  return { has, end: end + 1 };
}
