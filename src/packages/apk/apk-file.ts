// An .apk of version 2: up to three gzip members. Signatures; control (.PKGINFO, scripts); data. The signature signs the
// compressed control member, the control member states the SHA-256 of the compressed data (datahash), the data states a
// SHA-1 of each file. https://wiki.alpinelinux.org/wiki/Apk_spec#Package_Format_V2
import { createHash } from 'node:crypto';
import { OnlayError } from '../../errors.ts';
import { byteString, displayText, fromByteString } from '../../base/bytes.ts';
import { hexDigest, rawDigest } from '../../base/hash.ts';
import { readTarBytes } from '../../archive/tar-read.ts';
import type { TarMember } from '../../archive/tar-read.ts';
import { gunzipMembers } from '../../codec/index.ts';
import { firstMember } from './gzip-member.ts';
import { recode } from './recode.ts';
import { SCRIPT_KINDS } from './scripts-tar.ts';
import type { ScriptKind } from './scripts-tar.ts';
import { isSignatureName, readSignatures } from './signature.ts';
import type { Signature } from './signature.ts';

/** The members of an .apk, with the payload still compressed and nothing trusted yet. */
export interface ApkParts {
  readonly signatures: readonly Signature[];
  readonly control: { readonly compressed: Uint8Array; readonly content: Uint8Array };
  readonly data: Uint8Array;
}

const CONTROL_LIMIT = 16 * 1024 * 1024;
const DATA_LIMIT = 4 * 1024 ** 3;

/** Throws PACKAGE_INVALID for what is no package of version 2, LIMIT_EXCEEDED. */
export function splitApk(bytes: Uint8Array, what: string): ApkParts {
  if (byteString(bytes.subarray(0, 3)) === 'ADB')
    throw new OnlayError('PACKAGE_INVALID', `${what} is of apk version 3 (ADB), which onlay cannot read`, {
      hint: 'use a repository of version 2 packages',
    });
  return recode('PACKAGE_INVALID', () => {
    const first = firstMember(bytes, { limit: CONTROL_LIMIT, what });
    const signatures = readSignatures(first.content, what);
    const control = signatures ? firstMember(first.rest, { limit: CONTROL_LIMIT, what }) : first;
    return { signatures: signatures ?? [], control, data: control.rest };
  });
}

/** `C:` of the package, hexadecimal. */
export function controlDigest(parts: ApkParts): string {
  return hexDigest('sha1', parts.control.compressed);
}

/** What .PKGINFO says; every key with its values in order. */
export type PackageInfo = ReadonlyMap<string, readonly string[]>;

export interface ControlFiles {
  readonly info: PackageInfo;
  /** In apk's order. */
  readonly scripts: readonly { readonly kind: ScriptKind; readonly body: Uint8Array }[];
}

export function readControl(parts: ApkParts, what: string): ControlFiles {
  const members = recode('PACKAGE_INVALID', () =>
    readTarBytes(parts.control.content, { dialect: 'apk', requireEnd: false, what: `control of ${what}` }),
  );
  const fail = (why: string): never => {
    throw new OnlayError('PACKAGE_INVALID', `${what} ${why}`);
  };
  if (members.some(({ header }) => isSignatureName(header.path)))
    fail('has a signature among its control files');
  const infos = members.filter(({ header }) => header.path === '.PKGINFO');
  if (infos.length !== 1) fail(`has ${infos.length} files .PKGINFO, not one`);
  const scripts = SCRIPT_KINDS.flatMap((kind) => {
    const found = members.filter(({ header }) => header.path === `.${kind}` && header.type === 'file');
    if (found.length > 1) fail(`has two scripts ${kind}`);
    return found.map(({ content }) => ({ kind, body: content }));
  });
  return { info: parseInfo(byteString((infos[0] as TarMember).content)), scripts };
}

function parseInfo(text: string): PackageInfo {
  const info = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(' = ');
    if (line.startsWith('#') || at === -1) continue;
    const key = line.slice(0, at);
    const value = line.slice(at + 3).replace(/\r$/, '');
    const known = info.get(key);
    if (known) known.push(value);
    else info.set(key, [value]);
  }
  return info;
}

export function infoValue(info: PackageInfo, key: string): string {
  return info.get(key)?.[0] ?? '';
}

/** Throws DIGEST_MISMATCH when the payload is not the one the control member was made for. */
export function checkDataHash(parts: ApkParts, info: PackageInfo, what: string): void {
  const expected = infoValue(info, 'datahash').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(expected))
    throw new OnlayError('PACKAGE_INVALID', `${what} states no datahash, so its files cannot be verified`);
  const actual = createHash('sha256').update(parts.data).digest('hex');
  if (actual !== expected)
    throw new OnlayError('DIGEST_MISMATCH', `${what} has data with sha256 ${actual}, it states ${expected}`, {
      hint: 'the package was damaged or changed on its way; try again or use another mirror',
    });
}

/** A file, directory or link of the payload. */
export interface ApkEntry {
  /** Byte string without slashes at the ends. */
  readonly path: string;
  readonly type: TarMember['header']['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
  readonly mtime: number;
  /** Target of a symlink as written, of a hard link as a path of the package. */
  readonly link: string;
  readonly content: Uint8Array;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly devMajor: number;
  readonly devMinor: number;
  /** "Q1…" as the database has it; '' for directories and devices. */
  readonly checksum: string;
}

/**
 * The payload, decoded and checked against its own checksums; what apk does not extract is left out. Throws
 * PACKAGE_INVALID, DIGEST_MISMATCH.
 */
export function readData(parts: ApkParts, what: string): readonly ApkEntry[] {
  const content = recode('PACKAGE_INVALID', () => {
    const members = gunzipMembers(parts.data, { limit: DATA_LIMIT, what });
    if (members.length !== 1)
      throw new OnlayError('PACKAGE_INVALID', `${what} has ${members.length} data members, not one`);
    return (members[0] as { content: Uint8Array }).content;
  });
  const tar = recode('PACKAGE_INVALID', () =>
    readTarBytes(content, { dialect: 'apk', requireEnd: false, what }),
  );
  const entries: ApkEntry[] = [];
  const checksums = new Map<string, string>();
  for (const member of tar) {
    const path = member.header.path.replace(/\/+$/, '');
    // metadata, and files that only keep a directory in a source tree
    if (path === '' || path === '.' || path.startsWith('.') || /(?:^|\/)\.keep_[^/]*$/.test(path)) {
      if (/^\.\.?(?:\/|$)/.test(path) && path !== '.') throw unsafe(what, path);
      continue;
    }
    if (!isSafePath(path)) throw unsafe(what, path);
    const entry = makeEntry(member, path, checksums, what);
    if (entry.type !== 'directory' && checksums.has(path))
      throw new OnlayError('PACKAGE_INVALID', `${what} has ${displayText(path)} twice`);
    if (entry.type !== 'directory') checksums.set(path, entry.checksum);
    entries.push(entry);
  }
  return entries;
}

function makeEntry(
  { header, content }: TarMember,
  path: string,
  checksums: ReadonlyMap<string, string>,
  what: string,
): ApkEntry {
  const { type, mode, uid, gid, uname, gname, mtime, xattrs, devMajor, devMinor } = header;
  const link = type === 'hardlink' ? header.link.replace(/\/+$/, '') : header.link;
  return {
    path,
    type,
    mode,
    uid,
    gid,
    uname,
    gname,
    mtime,
    link,
    content,
    xattrs,
    devMajor,
    devMinor,
    checksum:
      type === 'hardlink'
        ? linkedChecksum(path, link, checksums, what)
        : ownChecksum({ header, content }, what),
  };
}

function linkedChecksum(
  path: string,
  target: string,
  checksums: ReadonlyMap<string, string>,
  what: string,
): string {
  const checksum = checksums.get(target);
  if (checksum === undefined)
    throw new OnlayError(
      'PACKAGE_INVALID',
      `${what} has ${displayText(path)} as a hard link to ${displayText(target)}, which is not in it`,
    );
  return checksum;
}

const CHECKSUM = 'APK-TOOLS.checksum.SHA1';

function ownChecksum({ header, content }: TarMember, what: string): string {
  if (header.type !== 'file' && header.type !== 'symlink') return '';
  const digest = rawDigest('sha1', header.type === 'file' ? content : fromByteString(header.link));
  const stated = header.pax.get(CHECKSUM);
  const hex = Buffer.from(digest).toString('hex');
  if (stated !== undefined && byteString(stated).toLowerCase() !== hex)
    throw new OnlayError(
      'DIGEST_MISMATCH',
      `${what} has ${displayText(header.path)} with sha1 ${hex}, it states ${displayText(byteString(stated))}`,
    );
  return `Q1${Buffer.from(digest).toString('base64')}`;
}

function isSafePath(path: string): boolean {
  // apk refuses control characters as well: they would break the lines of the database
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function unsafe(what: string, path: string): OnlayError {
  return new OnlayError('PACKAGE_INVALID', `${what} has a file with the unsafe name ${displayText(path)}`);
}

/** The database's checksum of extended attributes: SHA-1 over sorted names and values with their lengths; '' for none. */
export function xattrsChecksum(xattrs: ReadonlyMap<string, Uint8Array>): string {
  if (xattrs.size === 0) return '';
  const hash = createHash('sha1');
  const sized = (bytes: Uint8Array): void => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(bytes.length);
    hash.update(size).update(bytes);
  };
  for (const [name, value] of [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    sized(fromByteString(name));
    sized(value);
  }
  return `Q1${hash.digest('base64')}`;
}
