// rpm versions: the segment comparison of rpm (`rpmvercmp`) and epoch:version-release. Byte strings throughout; bytes
// that are no ASCII letter, digit, '~' or '^' only separate segments. https://rpm.org/docs/latest/manual/dependencies.html

export interface Evr {
  readonly epoch: number;
  readonly version: string;
  /** undefined where none is stated; lower than any in `compareEvr`. */
  readonly release: string | undefined;
}

const TILDE = 0x7e;
const CARET = 0x5e;

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isAlpha = (code: number): boolean => (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
const isSegment = (code: number): boolean =>
  isDigit(code) || isAlpha(code) || code === TILDE || code === CARET;

/** Total order of version or release strings: negative, 0, positive. */
export function compareSegments(a: string, b: string): number {
  if (a === b) return 0;
  let i = 0;
  let j = 0;
  for (;;) {
    while (i < a.length && !isSegment(a.charCodeAt(i))) i++;
    while (j < b.length && !isSegment(b.charCodeAt(j))) j++;
    // NaN at the end of a string: every comparison with it is false
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(j);
    if (x === TILDE || y === TILDE) {
      // '~' sorts before everything, even the end
      if (x !== TILDE) return 1;
      if (y !== TILDE) return -1;
      i++;
      j++;
      continue;
    }
    if (x === CARET || y === CARET) {
      // '^' sorts after the end, before anything else
      if (i >= a.length) return -1;
      if (j >= b.length) return 1;
      if (x !== CARET) return 1;
      if (y !== CARET) return -1;
      i++;
      j++;
      continue;
    }
    if (i >= a.length || j >= b.length) break;
    const numeric = isDigit(x);
    const belongs = numeric ? isDigit : isAlpha;
    let endA = i;
    while (endA < a.length && belongs(a.charCodeAt(endA))) endA++;
    let endB = j;
    while (endB < b.length && belongs(b.charCodeAt(endB))) endB++;
    // segments of different kinds: the number is newer
    if (endB === j) return numeric ? 1 : -1;
    if (numeric) {
      while (i < endA && a.charCodeAt(i) === 0x30) i++;
      while (j < endB && b.charCodeAt(j) === 0x30) j++;
      if (endA - i !== endB - j) return endA - i - (endB - j);
    }
    const one = a.slice(i, endA);
    const two = b.slice(j, endB);
    if (one !== two) return one < two ? -1 : 1;
    i = endA;
    j = endB;
  }
  if (i >= a.length && j >= b.length) return 0;
  return i < a.length ? 1 : -1;
}

/** Reads `[epoch:]version[-release]`; anything is accepted, as rpm does. */
export function parseEvr(text: string): Evr {
  const colon = /^\d*:/.exec(text)?.[0].length ?? 0;
  const dash = text.lastIndexOf('-');
  const end = dash >= colon && dash !== -1 ? dash : text.length;
  return {
    epoch: Number(text.slice(0, Math.max(0, colon - 1))),
    version: text.slice(colon, end),
    release: end === text.length ? undefined : text.slice(end + 1),
  };
}

/** Order of whole versions: epoch, version, release; a missing release is lower than any. */
export function compareEvr(a: Evr, b: Evr): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  const version = compareSegments(a.version, b.version);
  if (version !== 0) return version;
  if (a.release === undefined || b.release === undefined)
    return Number(a.release !== undefined) - Number(b.release !== undefined);
  return compareSegments(a.release, b.release);
}

export function compareVersions(a: string, b: string): number {
  return a === b ? 0 : compareEvr(parseEvr(a), parseEvr(b));
}

/** `[epoch:]version-release`; epoch 0 is left out, as scanners and dnf print it. */
export function formatEvr(evr: Evr): string {
  const release = evr.release === undefined ? '' : `-${evr.release}`;
  return `${evr.epoch === 0 ? '' : `${evr.epoch}:`}${evr.version}${release}`;
}
