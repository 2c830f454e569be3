// Small .apk packages and signed indexes for tests, built byte by byte so that tests can spoil any part of them.
import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { encodeBlock } from '../../src/archive/tar-entry.ts';
import { encodePax, type PaxRecord } from '../../src/archive/tar-pax.ts';
import { tarHeader, tarPadding } from '../../src/archive/tar-write.ts';
import type { TarType } from '../../src/archive/tar-entry.ts';

export interface ToyFile {
  readonly path: string;
  readonly type?: TarType;
  readonly content?: string | Uint8Array;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly uname?: string;
  readonly gname?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
  /** What the package states, where it should be wrong; '' for nothing. */
  readonly sha1?: string;
}

export interface ToyApk {
  readonly name: string;
  readonly version: string;
  readonly arch?: string;
  readonly origin?: string;
  readonly depends?: readonly string[];
  readonly provides?: readonly string[];
  readonly installIf?: readonly string[];
  readonly replaces?: readonly string[];
  readonly replacesPriority?: number;
  readonly priority?: number;
  readonly triggers?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly files?: readonly ToyFile[];
  /** `size` of .PKGINFO; 0 makes a package whose payload is ignored. */
  readonly size?: number;
  /** Further lines of .PKGINFO, in front. */
  readonly extra?: readonly string[];
  readonly datahash?: string;
}

export interface ToyKey {
  readonly name: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

export function makeKey(name: string, bits = 2048): ToyKey {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { name, ...pair };
}

export interface ApkMembers {
  readonly control: Uint8Array;
  readonly data: Uint8Array;
}

const TIME = 1_700_000_000;

export function makeMembers(apk: ToyApk): ApkMembers {
  const data = gzipSync(Buffer.concat([...(apk.files ?? []).map(fileEntry), new Uint8Array(1024)]));
  const control = [plainFile('.PKGINFO', packageInfo(apk, apk.datahash ?? hex('sha256', data)))];
  for (const [kind, body] of Object.entries(apk.scripts ?? {}))
    control.push(plainFile(`.${kind}`, body, 0o755));
  return { control: gzipSync(Buffer.concat(control)), data };
}

/** A whole package, signed if there is a key. */
export function makeApk(apk: ToyApk, key?: ToyKey): Uint8Array {
  const { control, data } = makeMembers(apk);
  return Buffer.concat([...(key ? [signatureMember(control, key)] : []), control, data]);
}

function packageInfo(apk: ToyApk, datahash: string): string {
  const size =
    apk.size ?? 1 + (apk.files ?? []).reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  const lines: [string, string | number | undefined][] = [
    ['pkgname', apk.name],
    ['pkgver', apk.version],
    ['pkgdesc', `toy ${apk.name}`],
    ['url', 'https://example.org'],
    ['builddate', TIME],
    ['size', size],
    ['arch', apk.arch ?? 'x86_64'],
    ['origin', apk.origin ?? apk.name],
    ['license', 'MIT'],
    ['replaces_priority', apk.replacesPriority],
    ['provider_priority', apk.priority],
    ...(apk.replaces ?? []).map((value): [string, string] => ['replaces', value]),
    ...(apk.depends ?? []).map((value): [string, string] => ['depend', value]),
    ...(apk.provides ?? []).map((value): [string, string] => ['provides', value]),
    ['install_if', apk.installIf?.join(' ')],
    ['triggers', apk.triggers?.join(' ')],
    ['datahash', datahash === '' ? undefined : datahash],
  ];
  const text = lines.flatMap(([name, value]) => (value === undefined ? [] : [`${name} = ${value}\n`]));
  return [...(apk.extra ?? []).map((line) => `${line}\n`), ...text].join('');
}

function fileEntry(file: ToyFile): Uint8Array {
  const { path, type = 'file', link = '', xattrs = {} } = file;
  const content = Buffer.from(file.content ?? '');
  const records: PaxRecord[] = [];
  const sha1 =
    file.sha1 ??
    (type === 'file' ? hex('sha1', content) : type === 'symlink' ? hex('sha1', Buffer.from(link)) : '');
  if (sha1 !== '') records.push(['APK-TOOLS.checksum.SHA1', Buffer.from(sha1)]);
  for (const [name, value] of Object.entries(xattrs))
    records.push([`SCHILY.xattr.${name}`, Buffer.from(value, 'latin1')]);
  const header = tarHeader({
    path,
    type,
    link,
    size: content.length,
    mtime: TIME,
    mode: file.mode ?? (type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644),
    uid: file.uid ?? 0,
    gid: file.gid ?? 0,
    uname: file.uname ?? 'root',
    gname: file.gname ?? 'root',
  });
  return Buffer.concat([paxHeader(records), header, content, tarPadding(content.length)]);
}

function paxHeader(records: readonly PaxRecord[]): Uint8Array {
  if (records.length === 0) return new Uint8Array();
  const body = encodePax(records);
  const block = Buffer.alloc(512);
  encodeBlock(block, 0, {
    path: 'PaxHeaders/x',
    flag: 'x',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    link: '',
    uname: '',
    gname: '',
    devMajor: 0,
    devMinor: 0,
  });
  return Buffer.concat([block, body, tarPadding(body.length)]);
}

/** One file as a tar entry, without an end. */
export function plainFile(path: string, content: string | Uint8Array, mode = 0o644): Uint8Array {
  const bytes = Buffer.from(content);
  const header = tarHeader({
    path,
    type: 'file',
    mode,
    uid: 0,
    gid: 0,
    uname: 'root',
    gname: 'root',
    mtime: TIME,
    size: bytes.length,
  });
  return Buffer.concat([header, bytes, tarPadding(bytes.length)]);
}

const ALGORITHMS = { RSA: 'sha1', RSA256: 'sha256', RSA512: 'sha512' } as const;

/** The gzip member that signs `signed`. */
export function signatureMember(
  signed: Uint8Array,
  key: ToyKey,
  algorithm: keyof typeof ALGORITHMS = 'RSA',
): Uint8Array {
  return gzipSync(signatureEntry(signed, key, algorithm));
}

export function signatureEntry(
  signed: Uint8Array,
  key: ToyKey,
  algorithm: keyof typeof ALGORITHMS = 'RSA',
): Uint8Array {
  const signature = createSign(ALGORITHMS[algorithm]).update(signed).sign(key.privateKey);
  return plainFile(`.SIGN.${algorithm}.${key.name}`, signature);
}

/** `C:` of a package. */
export function checksumOf({ control }: ApkMembers): string {
  return `Q1${createHash('sha1').update(control).digest('base64')}`;
}

/** The record of a package in an index; of the database too, as long as no files count. */
export function indexRecord(apk: ToyApk, bytes: Uint8Array, checksum: string): string {
  const fields: [string, string | number | undefined][] = [
    ['C', checksum],
    ['P', apk.name],
    ['V', apk.version],
    ['A', apk.arch ?? 'x86_64'],
    ['S', bytes.length],
    ['I', apk.size ?? 1 + (apk.files ?? []).reduce((sum, { content }) => sum + (content?.length ?? 0), 0)],
    ['T', `toy ${apk.name}`],
    ['U', 'https://example.org'],
    ['L', 'MIT'],
    ['o', apk.origin ?? apk.name],
    ['t', TIME],
    ['k', apk.priority],
    ['D', apk.depends?.join(' ')],
    ['p', apk.provides?.join(' ')],
    ['i', apk.installIf?.join(' ')],
  ];
  return `${fields.flatMap(([letter, value]) => (value === undefined || value === '' ? [] : [`${letter}:${value}\n`])).join('')}\n`;
}

/** The unsigned part of APKINDEX.tar.gz. */
export function indexMember(text: string): Uint8Array {
  return gzipSync(
    Buffer.concat([plainFile('DESCRIPTION', 'toys'), plainFile('APKINDEX', text), new Uint8Array(1024)]),
  );
}

export interface ToyRepository {
  /** Path below the repository's URL → content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Packages without signatures of their own, which apk does not look at, and a signed index. */
export function makeRepository(apks: readonly ToyApk[], key: ToyKey, arch = 'x86_64'): ToyRepository {
  const files = new Map<string, Uint8Array>();
  const records = apks.map((apk) => {
    const members = makeMembers(apk);
    const bytes = Buffer.concat([members.control, members.data]);
    files.set(`${arch}/${apk.name}-${apk.version}.apk`, bytes);
    return indexRecord(apk, bytes, checksumOf(members));
  });
  const index = indexMember(records.join(''));
  files.set(`${arch}/APKINDEX.tar.gz`, Buffer.concat([signatureMember(index, key), index]));
  return { files };
}

function hex(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
