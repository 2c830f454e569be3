// The database of installed packages, lib/apk/db/installed: a record a package, one letter a field, a blank line after
// each. apk rewrites the whole file on every change, so the writer normalises as apk 2.14 does: order of fields,
// defaults left out, octal modes without leading zeros. Letters that are not known survive behind the known ones.
// https://wiki.alpinelinux.org/wiki/Apk_spec
import { OnlayError } from '../../errors.ts';
import { byteString, compareBytes, displayText, fromByteString } from '../../base/bytes.ts';

/** One installed package. Directories and files are in database order. */
export interface InstalledRecord {
  /** Header fields by letter ('P', 'V', 'D', …), raw. Without F M R a Z. */
  readonly fields: ReadonlyMap<string, string>;
  readonly directories: readonly InstalledDirectory[];
}

export interface InstalledDirectory {
  /** Byte string without slashes at either end; '' is the root. */
  readonly path: string;
  /** Owner and mode; absent: root, 0755. */
  readonly owner?: Owner;
  readonly files: readonly InstalledFile[];
}

export interface InstalledFile {
  readonly name: string;
  /** Absent: root, 0644. */
  readonly owner?: Owner;
  /** "Q1…": SHA-1 of the content, or of the target of a symlink. */
  readonly checksum?: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** "Q1…" over the extended attributes, or ''. */
  readonly xattrs: string;
}

export const DIRECTORY_OWNER: Owner = { uid: 0, gid: 0, mode: 0o755, xattrs: '' };
export const FILE_OWNER: Owner = { uid: 0, gid: 0, mode: 0o644, xattrs: '' };

export function field(record: InstalledRecord, letter: string): string {
  return record.fields.get(letter) ?? '';
}

/** Splits and checks. `what` names the file in messages. Throws DATABASE_INVALID. */
export function readInstalled(bytes: Uint8Array, what: string): InstalledRecord[] {
  const records: InstalledRecord[] = [];
  let number = 0;
  const fail = (why: string): never => {
    throw new OnlayError('DATABASE_INVALID', `Cannot read ${what}: line ${number} ${why}`);
  };
  let record = new RecordBuilder(fail);
  for (const line of byteString(bytes).split('\n')) {
    number++;
    if (line === '') {
      if (!record.empty) records.push(record.finish());
      record = new RecordBuilder(fail);
    } else if (line[1] !== ':') fail(`has no field letter: ${displayText(line.slice(0, 40))}`);
    else record.add(line[0] as string, line.slice(2));
  }
  if (!record.empty) records.push(record.finish());
  return records;
}

type Fail = (why: string) => never;
/** While it is being read. */
type Draft<T> = {
  -readonly [K in keyof T]: T[K] extends readonly InstalledFile[] ? Draft<InstalledFile>[] : T[K];
};

class RecordBuilder {
  readonly #fail: Fail;
  readonly #fields = new Map<string, string>();
  readonly #directories = new Map<string, Draft<InstalledDirectory>>();
  #directory: Draft<InstalledDirectory> | undefined;
  #file: Draft<InstalledFile> | undefined;

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  get empty(): boolean {
    return this.#fields.size === 0 && this.#directories.size === 0;
  }

  add(letter: string, value: string): void {
    switch (letter) {
      case 'F': {
        const path = safePath(value) ? value : this.#fail('names a directory outside the root');
        this.#directory = this.#directories.get(path);
        if (!this.#directory) this.#directories.set(path, (this.#directory = { path, files: [] }));
        this.#file = undefined;
        return;
      }
      case 'M':
        if (!this.#directory) this.#fail('has a mode before any directory');
        else this.#directory.owner = this.#owner(value);
        return;
      case 'R':
        if (!this.#directory) return this.#fail('has a file before any directory');
        if (!safeName(value)) return this.#fail('has an impossible file name');
        this.#directory.files.push((this.#file = { name: value }));
        return;
      case 'a':
      case 'Z':
        if (!this.#file) return this.#fail('has file attributes before any file');
        if (letter === 'a') this.#file.owner = this.#owner(value);
        else this.#file.checksum = value;
        return;
      default:
        // the first one counts: apk 2.14 can leave r, q, s and f of one package at the end of the next record
        if (!this.#fields.has(letter)) this.#fields.set(letter, value);
    }
  }

  finish(): InstalledRecord {
    for (const letter of ['P', 'V'])
      if (!SAFE.test(this.#fields.get(letter) ?? ''))
        this.#fail(`ends a record without a proper ${letter}: field`);
    return { fields: this.#fields, directories: [...this.#directories.values()] };
  }

  #owner(value: string): Owner {
    const match = /^(\d{1,10}):(\d{1,10}):([0-7]{1,7})(?::(\S+))?$/.exec(value);
    if (!match) return this.#fail(`has wrong owners or mode: ${displayText(value.slice(0, 40))}`);
    const [, uid, gid, mode = '', xattrs = ''] = match;
    return { uid: Number(uid), gid: Number(gid), mode: parseInt(mode, 8) & 0o7777, xattrs };
  }
}

const SAFE = /^[^\s/]+$/;

function safeName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

function safePath(path: string): boolean {
  return path === '' || path.split('/').every(safeName);
}

/** Letters of the header in apk's order. */
const ORDER = 'CPVASITULomtckDpirqsf';
const ALWAYS = 'CPVSITUL';

/** The whole file. `sorted`: by name without regard to case, as apk 2.14 and later write it. */
export function writeInstalled(
  records: readonly InstalledRecord[],
  options: { readonly sorted: boolean },
): Uint8Array {
  const ordered = options.sorted ? sortRecords(records) : records;
  return fromByteString(ordered.map(formatRecord).join(''));
}

/** By name without regard to (ASCII) case, then by byte: strcasecmp, then strcmp. */
export function sortRecords(records: readonly InstalledRecord[]): InstalledRecord[] {
  return [...records].sort((a, b) => compareNames(field(a, 'P'), field(b, 'P')));
}

export function compareNames(a: string, b: string): number {
  return compareBytes(lowerCase(a), lowerCase(b)) || compareBytes(a, b);
}

function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function formatRecord(record: InstalledRecord): string {
  const lines: string[] = [];
  const write = (letter: string): void => {
    const value = normalise(letter, field(record, letter));
    if (value !== '' || ALWAYS.includes(letter)) lines.push(`${letter}:${value}\n`);
  };
  for (const letter of ORDER) write(letter);
  for (const letter of record.fields.keys()) if (!ORDER.includes(letter)) write(letter);
  for (const directory of record.directories) {
    lines.push(`F:${directory.path}\n`, formatOwner('M', directory.owner, DIRECTORY_OWNER));
    for (const file of directory.files) {
      lines.push(`R:${file.name}\n`, formatOwner('a', file.owner, FILE_OWNER));
      if (file.checksum !== undefined) lines.push(`Z:${file.checksum}\n`);
    }
  }
  lines.push('\n');
  return lines.join('');
}

function normalise(letter: string, value: string): string {
  if ('Dpir'.includes(letter)) return value.trim().split(/\s+/).join(' ');
  if ('tkq'.includes(letter) && /^0*$/.test(value)) return '';
  return value;
}

function formatOwner(letter: string, owner: Owner | undefined, standard: Owner): string {
  const { uid, gid, mode, xattrs } = owner ?? standard;
  if (uid === standard.uid && gid === standard.gid && mode === standard.mode && xattrs === '') return '';
  return `${letter}:${uid}:${gid}:${mode.toString(8)}${xattrs === '' ? '' : `:${xattrs}`}\n`;
}
