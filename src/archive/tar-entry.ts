// What a tar archive says of one file, and the 512-byte header block it says it with: one field table for reader and
// writer. POSIX.1-2017 pax "ustar Interchange Format", GNU tar "Basic Tar Format", v7.
// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
// What spans several blocks (PAX records, GNU long names, sparse maps) is in tar-pax.ts, tar-sparse.ts and tar-read.ts.
import { byteString } from '../base/bytes.ts';

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';

/** One entry of an archive, with PAX records and GNU long names applied. */
export interface TarHeader {
  /** Byte string as it is in the archive: raw, not normalised. */
  readonly path: string;
  readonly type: TarType;
  /** Permission bits with setuid, setgid, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
  /** Bytes of content; the expanded size of a sparse file; 0 for everything but files. */
  readonly size: number;
  /** Whole seconds since 1970, rounded down; may be negative. */
  readonly mtime: number;
  /** Target of a symlink or hard link, byte string, raw; else ''. */
  readonly link: string;
  /** Extended attributes as container runtimes see them (`SCHILY.xattr.*`). */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly devMajor: number;
  readonly devMinor: number;
  /** The PAX records of the entry as they are, e.g. `APK-TOOLS.checksum.SHA1`. */
  readonly pax: ReadonlyMap<string, Uint8Array>;
}

export const BLOCK_SIZE = 512;

export type FieldName =
  | 'name'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'size'
  | 'mtime'
  | 'checksum'
  | 'type'
  | 'link'
  | 'magic'
  | 'version'
  | 'uname'
  | 'gname'
  | 'devMajor'
  | 'devMinor'
  | 'prefix'
  | 'starTrailer'
  | 'gnuAccessTime'
  | 'gnuChangeTime'
  | 'gnuSparse'
  | 'gnuExtended'
  | 'gnuRealSize';

/** Position and length of every field that both dialects share, and of the prefix (ustar) and sparse fields (GNU). */
export const FIELDS: Readonly<Record<FieldName, readonly [offset: number, length: number]>> = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  uname: [265, 32],
  gname: [297, 32],
  devMajor: [329, 8],
  devMinor: [337, 8],
  prefix: [345, 155],
  starTrailer: [508, 4],
  gnuAccessTime: [345, 12],
  gnuChangeTime: [357, 12],
  gnuSparse: [386, 96],
  gnuExtended: [482, 1],
  gnuRealSize: [483, 12],
};

type NumberField = 'mode' | 'uid' | 'gid' | 'size' | 'mtime' | 'devMajor' | 'devMinor';

/** A header block as it is, before PAX records and long names. */
export interface TarBlock {
  readonly dialect: 'v7' | 'ustar' | 'gnu';
  /** Type flag, one character. */
  readonly flag: string;
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly link: string;
  readonly uname: string;
  readonly gname: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** How a decoder refuses: throws, with the place of the entry added to `why`. */
export type Refuse = (why: string) => never;

/** True when the block at `start` is all zero: half of the end-of-archive marker. */
export function isZeroBlock(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at < start + BLOCK_SIZE; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Decodes the header block at `start` of `bytes`. Strict: what readers disagree on is refused. */
export function decodeBlock(bytes: Buffer, start: number, refuse: Refuse): TarBlock {
  if (!checksumMatches(bytes, start, refuse)) refuse('the header checksum is wrong');
  const magic = bytes.latin1Slice(start + FIELDS.magic[0], start + FIELDS.magic[0] + 8);
  const dialect = magic.startsWith('ustar\0') ? 'ustar' : magic === 'ustar  \0' ? 'gnu' : 'v7';
  const number = (field: FieldName): number => decodeNumber(bytes, start, field, refuse);
  const text = (field: FieldName): string => decodeText(bytes, start, field);
  const name = text('name');
  return {
    dialect,
    flag: String.fromCharCode(bytes[start + FIELDS.type[0]] as number),
    path: dialect === 'ustar' ? withPrefix(decodePrefix(bytes, start, refuse), name) : name,
    mode: number('mode') % 0o10000,
    uid: number('uid'),
    gid: number('gid'),
    size: number('size'),
    mtime: number('mtime'),
    link: text('link'),
    uname: dialect === 'v7' ? '' : text('uname'),
    gname: dialect === 'v7' ? '' : text('gname'),
    devMajor: dialect === 'v7' ? 0 : number('devMajor'),
    devMinor: dialect === 'v7' ? 0 : number('devMinor'),
  };
}

/** What a ustar block is made of; a number that does not fit its field is a defect of the caller (tar-write.ts). */
export interface BlockFields {
  readonly path: string;
  readonly prefix?: string;
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly link: string;
  readonly uname: string;
  readonly gname: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Writes a ustar header block into `target` at `start`, which must be zero there. */
export function encodeBlock(target: Buffer, start: number, block: BlockFields): void {
  const text = (field: FieldName, value: string): void => {
    target.write(value, start + FIELDS[field][0], FIELDS[field][1], 'latin1');
  };
  const number = (field: NumberField): void => {
    text(field, block[field].toString(8).padStart(FIELDS[field][1] - 1, '0'));
  };
  text('name', block.path);
  text('prefix', block.prefix ?? '');
  text('link', block.link);
  text('uname', block.uname);
  text('gname', block.gname);
  text('type', block.flag);
  text('magic', 'ustar');
  text('version', '00');
  for (const field of ['mode', 'uid', 'gid', 'size', 'mtime', 'devMajor', 'devMinor'] as const) number(field);
  text('checksum', '        ');
  let sum = 0;
  for (let at = start; at < start + BLOCK_SIZE; at++) sum += target[at] as number;
  text('checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
}

/** Largest number that an octal field with a final NUL holds. */
export function octalLimit(field: NumberField): number {
  return 8 ** (FIELDS[field][1] - 1) - 1;
}

function withPrefix(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}/${name}`;
}

// star's headers end in "tar\0" and hold times in the last bytes of the prefix: Go then stops before them, GNU tar and
// dpkg only at a NUL byte.
function decodePrefix(bytes: Buffer, start: number, refuse: Refuse): string {
  const prefix = decodeText(bytes, start, 'prefix');
  const at = start + FIELDS.starTrailer[0];
  if (prefix.length >= STAR_PREFIX_SIZE && bytes.latin1Slice(at, at + 4) === 'tar\0')
    refuse('the prefix of the header runs into the times of star');
  return prefix;
}
const STAR_PREFIX_SIZE = 131;

function checksumMatches(bytes: Uint8Array, start: number, refuse: Refuse): boolean {
  const [offset, length] = FIELDS.checksum;
  const stored = decodeNumber(bytes, start, 'checksum', refuse);
  let sum = 0;
  let high = 0;
  for (let at = start; at < start + BLOCK_SIZE; at++) {
    const byte = bytes[at] as number;
    sum += byte;
    high += byte >> 7;
  }
  let spaces = 0;
  for (let at = start + offset; at < start + offset + length; at++) {
    const byte = bytes[at] as number;
    spaces += 0x20 - byte;
    high -= byte >> 7;
  }
  sum += spaces;
  // some old writers summed signed characters
  return stored === sum || stored === sum - 256 * high;
}

function decodeText(bytes: Buffer, start: number, field: FieldName): string {
  const [offset, length] = FIELDS[field];
  const from = start + offset;
  let to = from;
  while (to < from + length && bytes[to] !== 0) to++;
  return from === to ? '' : bytes.latin1Slice(from, to);
}

/** Reads a numeric field: octal digits, or base-256 when the first byte is 0x80 (0xff: negative, times only). */
export function decodeNumber(bytes: Uint8Array, start: number, field: FieldName, refuse: Refuse): number {
  const [offset, length] = FIELDS[field];
  return decodeNumberAt(bytes, start + offset, length, field, refuse);
}

export function decodeNumberAt(
  bytes: Uint8Array,
  from: number,
  length: number,
  field: FieldName,
  refuse: Refuse,
): number {
  const first = bytes[from] as number;
  if (first >= 0x80) return decodeBase256(bytes, from, length, field, refuse);
  const to = from + length;
  let at = from;
  while (at < to && bytes[at] === 0x20) at++;
  const digits = at;
  let value = 0;
  for (; at < to; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  // An empty field is 0. After the digits only blanks may come until a NUL: readers take "1 7" as 1, 15 or an error,
  // and a number after a leading NUL as itself or as 0.
  const ended = at;
  while (at < to && bytes[at] === 0x20) at++;
  if (at < to && (bytes[at] !== 0 || (ended === digits && !isZero(bytes, at, to))))
    refuse(`the ${field} field of the header is not a number: '${byteString(bytes.subarray(from, to))}'`);
  return value;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

function decodeBase256(
  bytes: Uint8Array,
  from: number,
  length: number,
  field: FieldName,
  refuse: Refuse,
): number {
  const negative = bytes[from] === 0xff;
  if (bytes[from] !== 0x80 && !negative) refuse(`the ${field} field of the header is not a number`);
  if (negative && field !== 'mtime' && field !== 'gnuAccessTime' && field !== 'gnuChangeTime')
    refuse(`the ${field} field of the header is negative`);
  // two's complement; leading bytes carry the sign, and a double holds 53 bits of the rest exactly
  let value = 0;
  for (let at = from + 1; at < from + length; at++) {
    value = value * 256 + (negative ? (bytes[at] as number) ^ 0xff : (bytes[at] as number));
    if (value > Number.MAX_SAFE_INTEGER) refuse(`the ${field} field of the header is too large`);
  }
  return negative ? -value - 1 : value;
}
