// The cpio archives inside .rpm files: "newc" (070701, 070702 with checksums) and rpm's stripped form (07070X), whose
// entries hold nothing but the index of a file of the package header. cpio(5); rpm: lib/cpio.c, docs/manual/format_payload.
// All positions count from the start of the archive, headers and contents are padded to 4 bytes.
import { OnlayError } from '../errors.ts';
import { byteString, displayText } from '../base/bytes.ts';

export interface CpioEntry {
  /** Byte string as in the archive ("./usr/bin/x"); '' for a stripped entry. */
  readonly path: string;
  /** Index into the files of the package header, of a stripped entry only. */
  readonly index: number | undefined;
  /** File type and permissions, as in struct stat; 0 for a stripped entry, like the other numbers. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly links: number;
  /** Equal for entries that are hard links of one file (and only compare when `links` > 1); '' for a stripped entry. */
  readonly inode: string;
  readonly devMajor: number;
  readonly devMinor: number;
  /**
   * Content of a file, target of a symlink. Every entry of a set of hard links has that of the one that carries it;
   * where the entries are stripped, only that one has it. Shares the memory of the archive.
   */
  readonly content: Uint8Array;
}

export interface CpioOptions {
  /** Bytes of content that follow the stripped entry of file `index`; undefined when the package has no such file. */
  readonly stripped?: (index: number) => { readonly size: number } | undefined;
  readonly maxEntries?: number;
}

const MAGIC_SIZE = 6;
const NUMBER_SIZE = 8;
const FIELDS = [
  'inode',
  'mode',
  'uid',
  'gid',
  'links',
  'mtime',
  'size',
  'fileDevMajor',
  'fileDevMinor',
  'devMajor',
  'devMinor',
  'nameSize',
  'checksum',
] as const;
const HEADER_SIZE = MAGIC_SIZE + FIELDS.length * NUMBER_SIZE;
const STRIPPED_HEADER_SIZE = MAGIC_SIZE + NUMBER_SIZE;
const STRIPPED_END = 0xffffffff;
const MAX_NAME_SIZE = 4096; // as rpm
const DEFAULT_MAX_ENTRIES = 1_000_000;
const TRAILER = 'TRAILER!!!';
const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;

/** The entries of an archive, in order. Throws ARCHIVE_INVALID and LIMIT_EXCEEDED; `what` names it in messages. */
export function readCpio(bytes: Uint8Array, what: string, options: CpioOptions = {}): readonly CpioEntry[] {
  const cursor = new Cursor(bytes, what);
  const maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
  const entries: CpioEntry[] = [];
  for (;;) {
    const entry = readEntry(cursor, options);
    if (entry === undefined) break;
    entries.push(entry);
    if (entries.length > maxEntries)
      throw new OnlayError('LIMIT_EXCEEDED', `${what} has more than ${maxEntries} entries`);
  }
  cursor.requireZeros();
  return shareContents(entries);
}

function readEntry(cursor: Cursor, options: CpioOptions): CpioEntry | undefined {
  cursor.align();
  const magic = cursor.peekText(MAGIC_SIZE);
  if (magic === '07070X') return readStripped(cursor, options);
  if (magic !== '070701' && magic !== '070702') cursor.refuse('there is no cpio header');
  const header = readHeader(cursor);
  if (header.nameSize < 1 || header.nameSize > MAX_NAME_SIZE) cursor.refuse('a name is too long');
  const name = byteString(cursor.take(header.nameSize));
  const path = name.slice(0, -1);
  if (!name.endsWith('\0') || path.includes('\0') || path === '') cursor.refuse('a name is damaged');
  if (path === TRAILER) return undefined;
  cursor.align();
  const content = cursor.take(header.size);
  if (magic === '070702' && checksumOf(content) !== header.checksum)
    cursor.refuse(`the checksum of '${displayText(path)}' is wrong`);
  const { mode, uid, gid, mtime, links, devMajor, devMinor } = header;
  const inode = `${header.fileDevMajor}:${header.fileDevMinor}:${header.inode}`;
  return { path, index: undefined, mode, uid, gid, mtime, links, inode, devMajor, devMinor, content };
}

function readHeader(cursor: Cursor): Record<(typeof FIELDS)[number], number> {
  const header = byteString(cursor.take(HEADER_SIZE)).slice(MAGIC_SIZE);
  if (!/^[0-9a-fA-F]*$/.test(header)) cursor.refuse('a header is damaged');
  const numbers = FIELDS.map((_, at) =>
    Number.parseInt(header.slice(at * NUMBER_SIZE, (at + 1) * NUMBER_SIZE), 16),
  );
  return Object.fromEntries(FIELDS.map((field, at) => [field, numbers[at]])) as ReturnType<typeof readHeader>;
}

const STRIPPED = {
  path: '',
  mode: 0,
  uid: 0,
  gid: 0,
  mtime: 0,
  links: 0,
  inode: '',
  devMajor: 0,
  devMinor: 0,
} as const;

function readStripped(cursor: Cursor, options: CpioOptions): CpioEntry | undefined {
  const text = byteString(cursor.take(STRIPPED_HEADER_SIZE)).slice(MAGIC_SIZE);
  if (!/^[0-9a-fA-F]*$/.test(text)) cursor.refuse('a stripped header is damaged');
  const index = Number.parseInt(text, 16);
  cursor.align();
  if (index === STRIPPED_END) return undefined;
  const file = options.stripped?.(index);
  if (file === undefined) return cursor.refuse(`the package has no file ${index}, but the archive does`);
  return { ...STRIPPED, index, content: cursor.take(file.size) };
}

// Of the entries of a set of hard links only one, the last, carries the content.
function shareContents(entries: readonly CpioEntry[]): readonly CpioEntry[] {
  const contents = new Map<string, Uint8Array>();
  const isLinked = (entry: CpioEntry): boolean => entry.links > 1 && (entry.mode & TYPE_MASK) === REGULAR;
  for (const entry of entries)
    if (isLinked(entry) && entry.content.length > 0) contents.set(entry.inode, entry.content);
  if (contents.size === 0) return entries;
  return entries.map((entry) => {
    const content = isLinked(entry) ? contents.get(entry.inode) : undefined;
    return content === undefined ? entry : { ...entry, content };
  });
}

function checksumOf(content: Uint8Array): number {
  let sum = 0;
  for (const byte of content) sum = (sum + byte) >>> 0;
  return sum;
}

class Cursor {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  peekText(size: number): string {
    return byteString(this.#bytes.subarray(this.#at, this.#at + size));
  }

  take(size: number): Uint8Array {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#bytes.length - this.#at)
      this.refuse('it is cut off');
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  align(): void {
    const padding = this.take((4 - (this.#at % 4)) % 4);
    if (padding.some((byte) => byte !== 0)) this.refuse('the padding is damaged');
  }

  requireZeros(): void {
    if (this.#bytes.subarray(this.#at).some((byte) => byte !== 0))
      this.refuse('something follows the trailer');
  }

  refuse(why: string): never {
    throw new OnlayError('ARCHIVE_INVALID', `Cannot read ${this.#what} at byte ${this.#at}: ${why}`);
  }
}
