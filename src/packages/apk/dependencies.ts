// Dependencies as apk writes them, in indexes, packages, the database and `world`: [!]name[operator version][@tag].
// Names are opaque: so:libz.so.1, cmd:ls, pc:zlib and /bin/sh are names like any other. A provided name may have a
// version; without one it is "virtual" and satisfies no dependency that asks for a version.
import { compareVersions, isValidVersion, matchesPrefix } from './version.ts';

export interface Dependency {
  readonly name: string;
  /** '' when any version will do; '><' asks for one exact package by its checksum. */
  readonly operator: Operator;
  readonly version: string;
  /** `!name`: nothing that this describes may be installed. */
  readonly conflict: boolean;
  /** Repository tag, without the '@'. */
  readonly tag: string;
}

export type Operator = '' | '=' | '<' | '<=' | '>' | '>=' | '~' | '>~' | '<~' | '><';

/** Something that carries a name: a package under its own name, or one that provides it. */
export interface Provided {
  /** '' when provided without a version. */
  readonly version: string;
  /** `C:` of the package. */
  readonly checksum: string;
}

const SPELLINGS: ReadonlyMap<string, Operator> = new Map([
  ['=', '='],
  ['==', '='],
  ['<', '<'],
  ['<=', '<='],
  ['=<', '<='],
  ['>', '>'],
  ['>=', '>='],
  ['=>', '>='],
  ['~', '~'],
  ['~=', '~'],
  ['=~', '~'],
  ['>~', '>~'],
  ['<~', '<~'],
  ['><', '><'],
]);
const SHAPE = /^(!?)([^<>=~@\s!][^<>=~@\s]*)(?:([<>=~]{1,2})([^@\s]+))?(?:@([^@\s]+))?$/;

const SPECIAL = /[<>=~@!\s]/;

/** One dependency; undefined when it is malformed. */
export function parseDependency(text: string): Dependency | undefined {
  const special = text.search(SPECIAL);
  if (special === -1) return text === '' ? undefined : plain(text, '', '');
  // nearly all others; an index has a million of them
  if (
    text[special] === '=' &&
    special > 0 &&
    !SPECIAL.test(text.slice(special + 1)) &&
    special + 1 < text.length
  )
    return plain(text.slice(0, special), '=', text.slice(special + 1));
  const match = SHAPE.exec(text);
  if (!match) return undefined;
  const [, bang, name = '', spelled, version = '', tag = ''] = match;
  const operator = spelled === undefined ? '' : SPELLINGS.get(spelled);
  if (operator === undefined) return undefined;
  return { name, operator, version, conflict: bang === '!', tag };
}

function plain(name: string, operator: Operator, version: string): Dependency {
  return { name, operator, version, conflict: false, tag: '' };
}

/** A list separated by white space. Malformed items are left out, as apk leaves them out. */
export function parseDependencies(text: string): readonly Dependency[] {
  const found: Dependency[] = [];
  for (const item of text.split(/[ \t\r\n]+/)) {
    const dependency = item === '' ? undefined : parseDependency(item);
    if (dependency) found.push(dependency);
  }
  return found;
}

/** As apk writes it. */
export function formatDependency({ name, operator, version, conflict, tag }: Dependency): string {
  return `${conflict ? '!' : ''}${name}${operator}${version}${tag === '' ? '' : `@${tag}`}`;
}

/** True when `provided` (undefined: nothing carries the name) is what the dependency asks for, or no conflict with it. */
export function isSatisfied(dependency: Dependency, provided: Provided | undefined): boolean {
  return provided === undefined
    ? dependency.conflict
    : describes(dependency, provided) !== dependency.conflict;
}

function describes({ operator, version }: Dependency, provided: Provided): boolean {
  if (operator === '') return true;
  if (operator === '><') return provided.checksum === version;
  if (provided.version === '') return false;
  const order = (): number => compareVersions(provided.version, version);
  switch (operator) {
    case '=':
      return provided.version === version || (isValidVersion(provided.version) && order() === 0);
    case '~':
      return matchesPrefix(provided.version, version);
    case '>~':
      return matchesPrefix(provided.version, version) || order() > 0;
    case '<~':
      return matchesPrefix(provided.version, version) || order() < 0;
    case '<':
      return order() < 0;
    case '<=':
      return order() <= 0;
    case '>':
      return order() > 0;
    case '>=':
      return order() >= 0;
    default:
      return operator satisfies never;
  }
}
