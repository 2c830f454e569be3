// Puts one entry together: header block, the extended header and the GNU long names before it. Here it is decided
// which of them wins, and what is refused because Go (container runtimes), GNU tar and dpkg decide differently.
import { byteString } from '../base/bytes.ts';
import { decodeNumber, type Refuse, type TarBlock, type TarHeader, type TarType } from './tar-entry.ts';
import { decodePax, type PaxRecord } from './tar-pax.ts';
import { decimal, paxSparse, type SparseRun } from './tar-sparse.ts';

/** Where the map of a sparse file is: known, in blocks after the header, or at the start of the body. */
export type SparseMap = readonly SparseRun[] | 'after-header' | 'in-body';

export interface AssembledEntry {
  readonly header: TarHeader;
  /** Bytes of the body in the archive. */
  readonly stored: number;
  readonly sparse: SparseMap | undefined;
}

const TYPES: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};
const NO_RECORDS: ReadonlyMap<string, Uint8Array> = new Map();
const XATTR = 'SCHILY.xattr.';

/** Flags of the blocks that speak about the entry after them. */
export type MetaFlag = 'x' | 'g' | 'L' | 'K';

export function isMetaFlag(flag: string): flag is MetaFlag {
  return flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K';
}

export class EntryAssembler {
  readonly #refuse: Refuse;
  #records: readonly PaxRecord[] | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  /** True when something waits for its entry. */
  get pending(): boolean {
    return this.#records !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  meta(flag: MetaFlag, body: Uint8Array): void {
    switch (flag) {
      case 'g':
        this.#checkGlobal(decodePax(body, this.#refuse));
        return;
      case 'x':
        if (this.#records !== undefined) this.#refuse('two extended headers belong to one entry');
        this.#records = decodePax(body, this.#refuse);
        return;
      case 'L':
        if (this.#longName !== undefined) this.#refuse('two long names belong to one entry');
        this.#longName = this.#longText(body);
        return;
      case 'K':
        if (this.#longLink !== undefined) this.#refuse('two long link targets belong to one entry');
        this.#longLink = this.#longText(body);
        return;
    }
  }

  /** The entry of the header block at `start` of `bytes`, which `block` decodes. */
  entry(block: TarBlock, bytes: Buffer, start: number): AssembledEntry {
    const refuse = this.#refuse;
    const records = this.#records ?? [];
    const pax: ReadonlyMap<string, Uint8Array> = records.length === 0 ? NO_RECORDS : new Map(records);
    const path = this.#choose('path', this.#longName, pax, block.path);
    const link = this.#choose('linkpath', this.#longLink, pax, block.link);
    this.#records = this.#longName = this.#longLink = undefined;

    const stored = pax.size === 0 ? block.size : (this.#paxNumber(pax, 'size') ?? block.size);
    const sparse = this.#sparse(block, records, bytes, start);
    const name = sparse?.path ?? path;
    const type = this.#type(block, name);
    const isLink = type === 'symlink' || type === 'hardlink';
    const size = sparse?.size ?? stored;
    if (name === '') refuse('the entry has no name');
    if (name.includes('\0') || (isLink && link.includes('\0'))) refuse('a path has a NUL byte');
    if (isLink && link === '') refuse(`the ${type} has no target`);
    if (type !== 'file' && size > 0) refuse(`a ${type} has ${size} bytes of content`);
    if (block.dialect === 'gnu') this.#checkGnuTimes(bytes, start);
    const device = type === 'character' || type === 'block';
    const header: TarHeader = {
      path: name,
      type,
      mode: block.mode,
      uid: this.#paxNumber(pax, 'uid') ?? block.uid,
      gid: this.#paxNumber(pax, 'gid') ?? block.gid,
      uname: this.#paxName(pax, 'uname') ?? block.uname,
      gname: this.#paxName(pax, 'gname') ?? block.gname,
      size,
      mtime: this.#paxTime(pax) ?? block.mtime,
      link: isLink ? link : '',
      xattrs: xattrsOf(records),
      devMajor: device ? block.devMajor : 0,
      devMinor: device ? block.devMinor : 0,
      pax,
    };
    return { header, stored, sparse: sparse?.map };
  }

  // Go prefers the GNU long name to the PAX record, GNU tar the PAX record
  #choose(
    key: 'path' | 'linkpath',
    long: string | undefined,
    pax: ReadonlyMap<string, Uint8Array>,
    plain: string,
  ): string {
    const record = pax.get(key);
    if (record === undefined) return long ?? plain;
    if (long !== undefined) this.#refuse(`the entry has a GNU long name and a PAX ${key}`);
    if (record.length === 0) this.#refuse(`the PAX ${key} is empty`);
    if (record.includes(0)) this.#refuse(`the PAX ${key} has a NUL byte`);
    return byteString(record);
  }

  #type(block: TarBlock, name: string): TarType {
    const type = TYPES[block.flag];
    if (type === undefined) return this.#refuse(`entries of type '${block.flag}' are not supported`);
    if (type !== 'file' || !name.endsWith('/')) return type;
    // before ustar a directory was a file whose name ends in a slash; with flag '0' Go sees a file, GNU tar a directory
    return block.flag === '\0' ? 'directory' : this.#refuse('the name of a file ends in a slash');
  }

  #sparse(
    block: TarBlock,
    records: readonly PaxRecord[],
    bytes: Buffer,
    start: number,
  ): { path: string | undefined; size: number; map: SparseMap } | undefined {
    const refuse = this.#refuse;
    const fromPax = records.length === 0 ? undefined : paxSparse(records, refuse);
    if (block.flag !== 'S') {
      if (fromPax === undefined) return undefined;
      if (TYPES[block.flag] !== 'file') refuse('only a file can be sparse');
      return { path: fromPax.path, size: fromPax.size, map: fromPax.runs ?? 'in-body' };
    }
    if (block.dialect !== 'gnu') refuse('an old GNU sparse file has no GNU header');
    if (fromPax !== undefined || records.some(([key]) => key === 'size'))
      refuse('an old GNU sparse file has PAX records about its size');
    return { path: undefined, size: decodeNumber(bytes, start, 'gnuRealSize', refuse), map: 'after-header' };
  }

  // A GNU header has no prefix, but Go takes one for it when the times in its place are not numbers.
  #checkGnuTimes(bytes: Buffer, start: number): void {
    decodeNumber(bytes, start, 'gnuAccessTime', this.#refuse);
    decodeNumber(bytes, start, 'gnuChangeTime', this.#refuse);
  }

  // GNU tar applies global records to all entries that follow, Go to none.
  #checkGlobal(records: readonly PaxRecord[]): void {
    for (const [key] of records) {
      const harmless =
        HARMLESS_GLOBAL.has(key) || (key.includes('.') && !/^(?:GNU|SCHILY|LIBARCHIVE)\./.test(key));
      if (!harmless) this.#refuse(`a global extended header sets '${key}'`);
    }
  }

  #longText(body: Uint8Array): string {
    const text = byteString(body);
    const end = text.indexOf('\0');
    if (end === -1) return text;
    if (!/^\0*$/.test(text.slice(end))) this.#refuse('a long name has a NUL byte');
    return text.slice(0, end);
  }

  #paxNumber(pax: ReadonlyMap<string, Uint8Array>, key: 'size' | 'uid' | 'gid'): number | undefined {
    const text = paxText(pax, key);
    return text === undefined ? undefined : decimal(text, this.#refuse);
  }

  #paxName(pax: ReadonlyMap<string, Uint8Array>, key: 'uname' | 'gname'): string | undefined {
    const text = paxText(pax, key);
    return text?.includes('\0') ? this.#refuse(`the PAX ${key} has a NUL byte`) : text;
  }

  #paxTime(pax: ReadonlyMap<string, Uint8Array>): number | undefined {
    const text = paxText(pax, 'mtime');
    if (text === undefined) return undefined;
    const seconds = /^-?[0-9]{1,16}(?:\.[0-9]*)?$/.test(text) ? Math.floor(Number(text)) : Number.NaN;
    if (!Number.isSafeInteger(seconds)) this.#refuse(`the PAX mtime '${text}' is not a time`);
    return seconds;
  }
}

const HARMLESS_GLOBAL: ReadonlySet<string> = new Set(['comment', 'charset', 'hdrcharset', 'atime', 'ctime']);

function paxText(pax: ReadonlyMap<string, Uint8Array>, key: string): string | undefined {
  const value = pax.get(key);
  return value === undefined ? undefined : byteString(value);
}

// LIBARCHIVE.xattr.* is left in `pax` only: no container runtime applies it, so such an attribute does not exist in the
// container, and carrying it over would grant it.
// Copies, so that whoever keeps an attribute does not keep the whole header.
function xattrsOf(records: readonly PaxRecord[]): ReadonlyMap<string, Uint8Array> {
  const xattrs = records.filter(([key]) => key.startsWith(XATTR) && key.length > XATTR.length);
  if (xattrs.length === 0) return NO_RECORDS;
  return new Map(xattrs.map(([key, value]) => [key.slice(XATTR.length), Buffer.from(value)]));
}
