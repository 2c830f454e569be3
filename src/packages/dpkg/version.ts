// Debian version order: deb-version(7), dpkg's lib/dpkg/version.c. Epoch, upstream version and revision are compared
// in place, character by character, without allocation: solving compares hundreds of thousands of pairs.

declare const brand: unique symbol;
export type DebVersion = string & { readonly [brand]: 'DebVersion' };

/**
 * Negative, 0 or positive as `a` is lower than, equal to or higher than `b`. Total and never throws: an absent epoch or
 * revision equals 0, the last hyphen starts the revision, '~' sorts before the end, letters before other characters,
 * runs of digits as numbers of any length. White space around a version does not count.
 */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const startA = skipBlank(a);
  const startB = skipBlank(b);
  const endA = trimBlank(a, startA);
  const endB = trimBlank(b, startB);
  const colonA = find(a, startA, endA);
  const colonB = find(b, startB, endB);
  const epoch = comparePart(a, startA, Math.max(colonA, startA), b, startB, Math.max(colonB, startB));
  if (epoch !== 0) return epoch;
  const upstreamA = colonA === -1 ? startA : colonA + 1;
  const upstreamB = colonB === -1 ? startB : colonB + 1;
  const hyphenA = findLast(a, upstreamA, endA);
  const hyphenB = findLast(b, upstreamB, endB);
  const upstream = comparePart(a, upstreamA, hyphenA, b, upstreamB, hyphenB);
  if (upstream !== 0) return upstream;
  return comparePart(a, Math.min(hyphenA + 1, endA), endA, b, Math.min(hyphenB + 1, endB), endB);
}

const TILDE = 126;
const COLON = 58;
const HYPHEN = 45;
const ZERO = 48;

/** `verrevcmp` of dpkg over a[i, endA) and b[j, endB). */
function comparePart(a: string, i: number, endA: number, b: string, j: number, endB: number): number {
  while (i < endA || j < endB) {
    while ((i < endA && !isDigit(a.charCodeAt(i))) || (j < endB && !isDigit(b.charCodeAt(j)))) {
      const x = i < endA ? order(a.charCodeAt(i)) : 0;
      const y = j < endB ? order(b.charCodeAt(j)) : 0;
      if (x !== y) return x - y;
      i++;
      j++;
    }
    while (i < endA && a.charCodeAt(i) === ZERO) i++;
    while (j < endB && b.charCodeAt(j) === ZERO) j++;
    let difference = 0;
    while (i < endA && j < endB && isDigit(a.charCodeAt(i)) && isDigit(b.charCodeAt(j))) {
      if (difference === 0) difference = a.charCodeAt(i) - b.charCodeAt(j);
      i++;
      j++;
    }
    if (i < endA && isDigit(a.charCodeAt(i))) return 1;
    if (j < endB && isDigit(b.charCodeAt(j))) return -1;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Digits and the end rank as 0, '~' below, letters above, everything else above letters. */
function order(code: number): number {
  if (isDigit(code)) return 0;
  if ((code >= 65 && code <= 90) || (code >= 97 && code <= 122)) return code;
  return code === TILDE ? -1 : code + 256;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function find(text: string, start: number, end: number): number {
  for (let i = start; i < end; i++) if (text.charCodeAt(i) === COLON) return i;
  return -1;
}

/** Position of the last hyphen in [start, end), or `end`. */
function findLast(text: string, start: number, end: number): number {
  for (let i = end - 1; i >= start; i--) if (text.charCodeAt(i) === HYPHEN) return i;
  return end;
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

function skipBlank(text: string): number {
  let start = 0;
  while (start < text.length && isBlank(text.charCodeAt(start))) start++;
  return start;
}

function trimBlank(text: string, start: number): number {
  let end = text.length;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return end;
}
