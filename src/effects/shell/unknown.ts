// What is not known. Texts are byte strings (base/bytes.ts), so a character above 0xff cannot come from a script: it
// stands for "some text, possibly none", in values and in what is shown to people.

export const UNKNOWN = '\u2026';

/** True, false, or not known. */
export type Truth = boolean | undefined;

export function isKnown(text: string): boolean {
  return !text.includes(UNKNOWN);
}

export function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

/** Longer than any honest value: not followed. */
const MAX_TEXT = 64 * 1024;

export function bounded(text: string): string {
  return text.length > MAX_TEXT ? UNKNOWN : text;
}

/** Whether two texts are equal, as far as that is known. */
export function sameText(a: string, b: string): Truth {
  if (isKnown(a) && isKnown(b)) return a === b;
  const [headA = '', headB = ''] = [a.split(UNKNOWN)[0], b.split(UNKNOWN)[0]];
  const [tailA = '', tailB = ''] = [a.split(UNKNOWN).at(-1), b.split(UNKNOWN).at(-1)];
  const head = Math.min(headA.length, headB.length);
  const tail = Math.min(tailA.length, tailB.length);
  const differs =
    headA.slice(0, head) !== headB.slice(0, head) ||
    tailA.slice(tailA.length - tail) !== tailB.slice(tailB.length - tail) ||
    (isKnown(a) && a.length < knownLength(b)) ||
    (isKnown(b) && b.length < knownLength(a));
  return differs ? false : undefined;
}

function knownLength(text: string): number {
  return text.replaceAll(UNKNOWN, '').length;
}
