// Order of apk versions, by the rules of apk-tools 3, which agree with 2.12.14–2.14 on every valid version but those
// with zeros in front of a component (1.0 and 1.00). Grammar: digits(.digits)* letter? (_suffix digits*)* (~hex)? (-r digits)?
// https://wiki.alpinelinux.org/wiki/APKBUILD_Reference#pkgver

/** Total order. What is no valid version ranks below every valid one, so that it never counts as an upgrade. */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const left = tokens(a);
  const right = tokens(b);
  if (!left || !right) return left ? 1 : right ? -1 : a < b ? -1 : 1;
  return compareTokens(left, right);
}

export function isValidVersion(version: string): boolean {
  return VERSION.test(version);
}

/** `name~wanted`: the version begins with what is wanted, component by component (1.2 matches 1.2.10-r0, not 1.20). */
export function matchesPrefix(version: string, wanted: string): boolean {
  const whole = tokens(version);
  const prefix = tokens(wanted);
  if (!whole || !prefix || prefix.length > whole.length) return false;
  return prefix.every((token, index) => compareToken(whole[index] as Token, token, index) === 0);
}

// Kinds of components; where two versions part, the kind that comes first here is the higher one.
const NUMBER = 0;
const LETTER = 1;
const SUFFIX = 2;
const SUFFIX_NUMBER = 3;
const HASH = 4;
const REVISION = 5;
const END = 6;

interface Token {
  readonly kind: number;
  readonly text: string;
}

const END_TOKEN: Token = { kind: END, text: '' };
const SUFFIXES = ['alpha', 'beta', 'pre', 'rc', 'cvs', 'svn', 'git', 'hg', 'p'];
const PRE_RELEASES = SUFFIXES.indexOf('rc');
const VERSION =
  /^\d+(?:\.\d+)*[a-z]?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*(?:~[0-9a-f]+)?(?:-r\d+)?$/;
const PART = /(_[a-z]+)|~([0-9a-f]+)|-r(\d+)|([a-z])|\.?(\d+)/g;

function tokens(version: string): readonly Token[] | undefined {
  if (!VERSION.test(version)) return undefined;
  const found: Token[] = [];
  let afterSuffix = false;
  for (const [, suffix, hash, revision, letter, digits] of version.matchAll(PART)) {
    if (suffix !== undefined) found.push({ kind: SUFFIX, text: suffix.slice(1) });
    else if (hash !== undefined) found.push({ kind: HASH, text: hash });
    else if (revision !== undefined) found.push({ kind: REVISION, text: revision });
    else if (letter !== undefined) found.push({ kind: LETTER, text: letter });
    else found.push({ kind: afterSuffix ? SUFFIX_NUMBER : NUMBER, text: digits ?? '' });
    afterSuffix = suffix !== undefined;
  }
  return found;
}

function compareTokens(left: readonly Token[], right: readonly Token[]): number {
  for (let index = 0; ; index++) {
    const a = left[index] ?? END_TOKEN;
    const b = right[index] ?? END_TOKEN;
    if (a.kind !== b.kind) {
      // one goes on where the other has ended or goes on otherwise: more is higher, except for a pre-release
      if (isPreRelease(a)) return -1;
      if (isPreRelease(b)) return 1;
      return b.kind - a.kind;
    }
    if (a.kind === END) return 0;
    const order = compareToken(a, b, index);
    if (order !== 0) return order;
  }
}

function compareToken(a: Token, b: Token, index: number): number {
  if (a.kind !== b.kind) return a.kind - b.kind;
  switch (a.kind) {
    case SUFFIX:
      return SUFFIXES.indexOf(a.text) - SUFFIXES.indexOf(b.text);
    case LETTER:
    case HASH:
      return compareText(a.text, b.text);
    case NUMBER:
      // a zero in front makes a component a decimal fraction, as in 1.01 < 1.1
      if (index > 0 && (a.text.startsWith('0') || b.text.startsWith('0'))) return compareText(a.text, b.text);
      return compareNumbers(a.text, b.text);
    default:
      return compareNumbers(a.text, b.text);
  }
}

function isPreRelease(token: Token): boolean {
  return token.kind === SUFFIX && SUFFIXES.indexOf(token.text) <= PRE_RELEASES;
}

/** Decimal numbers of any length. */
function compareNumbers(a: string, b: string): number {
  const left = a.replace(/^0+/, '');
  const right = b.replace(/^0+/, '');
  return left.length - right.length || compareText(left, right);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
