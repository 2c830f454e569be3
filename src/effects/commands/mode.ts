// Modes of chmod, mkdir and install: octal, or symbolic (XCU chmod) as far as the classes u, g, o, a and the letters
// r, w, x, X, s, t go. The umask is 022.

const CLASS_BITS: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007 };
const LETTER_BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };

/** The mode after a change; undefined when `change` is not understood. */
export function changeMode(change: string, mode: number, isDirectory: boolean): number | undefined {
  if (/^[0-7]{1,5}$/.test(change)) {
    const bits = parseInt(change, 8) & 0o7777;
    // directories keep setuid and setgid unless five digits are given
    return isDirectory && change.length < 5 ? bits | (mode & 0o6000) : bits;
  }
  let result = mode;
  for (const clause of change.split(',')) {
    const match = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/.exec(clause);
    if (!match) return undefined;
    const who = match[1] as string;
    const all = who === '' || who.includes('a');
    const mask = all
      ? 0o7777
      : who.split('').reduce((bits, letter) => bits | (CLASS_BITS[letter] as number), 0);
    for (const [, sign, letters] of (match[2] as string).matchAll(/([-+=])([rwxXst]*)/g)) {
      const executable = isDirectory || (result & 0o111) !== 0;
      let bits = (letters as string)
        .split('')
        .reduce(
          (sum, letter) =>
            sum | (letter === 'X' ? (executable ? 0o111 : 0) : (LETTER_BITS[letter] as number)),
          0,
        );
      bits &= who === '' ? mask & ~0o022 : mask;
      if (sign === '+') result |= bits;
      else if (sign === '-') result &= ~bits;
      else result = (result & ~(mask & (isDirectory ? 0o1777 : 0o7777))) | bits;
    }
  }
  return result;
}
