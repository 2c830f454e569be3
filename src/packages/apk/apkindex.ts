// APKINDEX.tar.gz: the packages of a repository. A gzip member with signatures, then one (or more) with a tar of
// DESCRIPTION and APKINDEX: records of one-letter fields like those of the database, without files.
// https://wiki.alpinelinux.org/wiki/Apk_spec#Index_Format_V2
import { OnlayError } from '../../errors.ts';
import { byteString, concatBytes } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import { readTarBytes } from '../../archive/tar-read.ts';
import { gunzipMembers } from '../../codec/index.ts';
import { normalChecksum } from './checksum.ts';
import { recode } from './recode.ts';
import { isSignatureName, readSignatures, requireSignature } from './signature.ts';
import type { TrustedKey } from './signature.ts';

/** A package in an index; lists of dependencies are raw. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly checksum: string;
  /** Bytes of the .apk file. */
  readonly size: number;
  readonly installedSize: number;
  readonly origin: string;
  readonly priority: number;
  readonly depends: string;
  readonly provides: string;
  readonly installIf: string;
}

export interface ApkIndex {
  readonly entries: readonly IndexEntry[];
  /** File name of the key that signed it; undefined: nobody that is trusted, and the user allows it. */
  readonly signedBy: string | undefined;
  /** When it was made, seconds since 1970; 0 if it does not say. */
  readonly date: number;
}

export interface IndexOptions {
  readonly what: string;
  readonly keys: readonly TrustedKey[];
  readonly allowUnsigned: boolean;
  readonly log: Log;
}

/** The compressed index of Wolfi, the largest known, has 8 MB. */
export const INDEX_LIMIT: number = 128 * 1024 * 1024;
const CONTENT_LIMIT = 1024 * 1024 * 1024;

/** Checks and parses. Throws INDEX_INVALID, SIGNATURE_INVALID. */
export function openIndex(bytes: Uint8Array, options: IndexOptions): ApkIndex {
  const { what } = options;
  if (byteString(bytes.subarray(0, 3)) === 'ADB')
    throw new OnlayError('INDEX_INVALID', `${what} is of apk version 3 (ADB), which onlay cannot read`, {
      hint: 'use a repository of version 2 packages (APKINDEX.tar.gz)',
    });
  return recode('INDEX_INVALID', () => readIndex(bytes, options));
}

function readIndex(bytes: Uint8Array, options: IndexOptions): ApkIndex {
  const { what, allowUnsigned, log } = options;
  const members = gunzipMembers(bytes, { limit: CONTENT_LIMIT, what });
  const first = members[0];
  if (!first) throw new OnlayError('INDEX_INVALID', `${what} is empty`);
  const signatures = readSignatures(first.content, what);
  const body = signatures ? members.slice(1) : members;
  const signed = signatures ? bytes.subarray(first.compressed.length) : bytes;
  let signedBy: string | undefined;
  try {
    signedBy = requireSignature({ ...options, signatures: signatures ?? [], signed });
  } catch (error) {
    if (!allowUnsigned) throw error;
    log.warn('An index is used without a valid signature', { index: what });
  }
  const files = readTarBytes(concatBytes(body.map(({ content }) => content)), {
    dialect: 'apk',
    requireEnd: false,
    what,
  });
  if (files.some(({ header }) => isSignatureName(header.path)))
    throw new OnlayError('SIGNATURE_INVALID', `${what} has a signature behind what it should sign`);
  const index = files.filter(({ header }) => header.path === 'APKINDEX');
  const [file] = index;
  if (index.length !== 1 || !file)
    throw new OnlayError('INDEX_INVALID', `${what} has ${index.length} files APKINDEX, not one`);
  return { entries: parseIndex(byteString(file.content), what), signedBy, date: file.header.mtime };
}

/** Records without a usable name, version, architecture or checksum are left out. */
export function parseIndex(text: string, what: string): readonly IndexEntry[] {
  const entries: IndexEntry[] = [];
  let fields = new Map<string, string>();
  let at = 0;
  while (at < text.length) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline;
    if (end === at) {
      pushEntry(entries, fields);
      fields = new Map();
    } else {
      if (text[at + 1] !== ':')
        throw new OnlayError('INDEX_INVALID', `${what} has a line without a field at byte ${at}`);
      const letter = text[at] as string;
      if (!fields.has(letter)) fields.set(letter, text.slice(at + 2, end));
    }
    at = end + 1;
  }
  pushEntry(entries, fields);
  return entries;
}

// name, version and architecture become parts of URLs
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+@-]*$/;
const VERSION = /^[0-9][A-Za-z0-9._+~-]*$/;
const CHECKSUM = /^Q1[A-Za-z0-9+/]{27}=$/;

function pushEntry(entries: IndexEntry[], fields: ReadonlyMap<string, string>): void {
  const get = (letter: string): string => fields.get(letter) ?? '';
  const [name, version, arch] = [get('P'), get('V'), get('A')];
  const checksum = normalChecksum(get('C'));
  if (!NAME.test(name) || !VERSION.test(version) || !NAME.test(arch) || !CHECKSUM.test(checksum)) return;
  entries.push({
    name,
    version,
    arch,
    checksum,
    size: count(get('S')),
    installedSize: count(get('I')),
    origin: get('o'),
    priority: count(get('k')),
    depends: get('D'),
    provides: get('p'),
    installIf: get('i'),
  });
}

function count(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
