// A .deb in memory: deb(5), an ar archive of debian-binary, control.tar and data.tar; tar as dpkg reads it (GNU, no PAX).
// https://manpages.debian.org/bookworm/dpkg-dev/deb.5.en.html
// Nothing is written anywhere: names are checked here, and where they lead is decided by install.ts.
import { OnlayError } from '../../errors.ts';
import { byteString, displayText } from '../../base/bytes.ts';
import { hexDigest } from '../../base/hash.ts';
import { readAr } from '../../archive/ar.ts';
import { readTarBytes } from '../../archive/tar-read.ts';
import type { TarMember } from '../../archive/tar-read.ts';
import type { TarType } from '../../archive/tar-entry.ts';
import { decompressBytes } from '../../codec/index.ts';
import { rootPath } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import { parseStanza } from './control.ts';
import type { Stanza } from './control.ts';
import { readConffilesMember } from './deb-members.ts';
import type { ConffileLine } from './deb-members.ts';
import type { InfoMember } from './info-files.ts';

/** One member of data.tar, in the order in which dpkg takes them. */
export interface DebEntry {
  /** As dpkg spells it: "/usr/bin/x", "/." for the root. */
  readonly name: string;
  readonly path: RootPath;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
  readonly mtime: number;
  /** Target of a symlink as written; of a hard link the `name` of the entry it stands for; else ''. */
  readonly link: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly size: number;
  /** Content of a file; undefined once it was found to be in the image already (unchanged.ts). */
  readonly content: Uint8Array | undefined;
  /** Digest of a file that the image has already. */
  readonly sha256?: string;
}

export interface Deb {
  readonly control: Stanza;
  /** The control file byte for byte. */
  readonly controlFile: InfoMember;
  /** Members of control.tar that go to info/, `control` excepted. */
  readonly members: readonly InfoMember[];
  readonly conffiles: readonly ConffileLine[];
  /** Shipped MD5 of each conffile that is a regular file in `entries`, by name. */
  readonly conffileHashes: ReadonlyMap<string, string>;
  /** MD5 of every file and hard link by name, where the package ships no md5sums. */
  readonly md5sums: ReadonlyMap<string, string> | undefined;
  readonly entries: readonly DebEntry[];
}

/** Throws PACKAGE_INVALID, ARCHIVE_INVALID or LIMIT_EXCEEDED; `what` names the package. */
export async function readDeb(bytes: Uint8Array, what: string): Promise<Deb> {
  const { control: controlTar, data: dataTar } = locate(bytes, what);
  const controlMembers = await readTar(controlTar, CONTROL_LIMIT, `control.tar of ${what}`);
  const infoMembers = readControlMembers(controlMembers, what);
  const controlFile = infoMembers.find(({ member }) => member === 'control');
  if (!controlFile) throw invalid(what, 'its control archive has no control file');
  const members = infoMembers.filter(({ member }) => member !== 'control' && member !== 'list');
  const conffiles = readConffilesMember(members, what);
  const entries = readEntries(await readTar(dataTar, DATA_LIMIT, `data.tar of ${what}`), what);
  return {
    control: parseStanza(byteString(controlFile.content), {
      what: `control of ${what}`,
      code: 'PACKAGE_INVALID',
    }),
    controlFile,
    members,
    conffiles,
    conffileHashes: hashConffiles(entries, conffiles),
    md5sums: members.some(({ member }) => member === 'md5sums') ? undefined : hashAll(entries),
    entries,
  };
}

const CONTROL_LIMIT = 64 * 1024 * 1024;
/** Of data.tar: the largest packages of Debian that are no debug symbols have 1.5 GB. */
const DATA_LIMIT = 2 ** 31 - 1;

function locate(bytes: Uint8Array, what: string): { control: Uint8Array; data: Uint8Array } {
  const [version, ...rest] = readAr(bytes, what).map(({ name, content }) => ({
    name: name.replace(/\/$/, ''),
    content,
  }));
  if (version?.name !== 'debian-binary') throw invalid(what, 'its first member is not debian-binary');
  if (!/^2\.\d+\n/.test(byteString(version.content.subarray(0, 16))))
    throw invalid(what, 'its format version is not 2');
  // members that start with an underscore may stand anywhere and mean nothing to dpkg
  const [control, data] = rest.filter(({ name }) => !name.startsWith('_'));
  if (!control || !/^control\.tar(?:\.(?:gz|xz|zst))?$/.test(control.name))
    throw invalid(what, 'its second member is not control.tar');
  if (!data || !/^data\.tar(?:\.(?:gz|xz|zst|bz2|lzma))?$/.test(data.name))
    throw invalid(what, 'its third member is not data.tar');
  return { control: control.content, data: data.content };
}

async function readTar(bytes: Uint8Array, limit: number, what: string): Promise<readonly TarMember[]> {
  return readTarBytes(await decompressBytes(bytes, { limit, what }), { dialect: 'deb', what });
}

function readControlMembers(members: readonly TarMember[], what: string): InfoMember[] {
  const found: InfoMember[] = [];
  for (const { header, content } of members) {
    const member = rootPath(header.path, `a control member of ${what}`);
    if (header.type === 'directory' && member === '') continue;
    // dpkg leaves names with a dot alone
    if (member.includes('.')) continue;
    if (header.type !== 'file' || member.includes('/') || member.includes('\n'))
      throw invalid(what, `its control archive has ${displayText(header.path)}, which is no plain file`);
    if (found.some((other) => other.member === member))
      throw invalid(what, `its control archive has ${member} twice`);
    found.push({ member, mode: header.mode, mtime: header.mtime, content: content.slice() });
  }
  return found;
}

function readEntries(members: readonly TarMember[], what: string): DebEntry[] {
  const names = new Set<string>();
  const entries = members.map(({ header, content }): DebEntry => {
    const path = rootPath(header.path, `an entry of ${what}`);
    const name = path === '' ? '/.' : `/${path}`;
    if (name.includes('\n'))
      throw invalid(what, `it has a file name with a newline: ${displayText(header.path)}`);
    let { link } = header;
    if (header.type === 'hardlink') {
      link = `/${rootPath(link, `a hard link of ${what}`)}`;
      if (!names.has(link))
        throw invalid(what, `${displayText(name)} is a hard link to what it does not ship before`);
    }
    if (path === '' && header.type !== 'directory') throw invalid(what, 'its root is not a directory');
    if (header.type !== 'directory') {
      if (names.has(name)) throw invalid(what, `it has ${displayText(name)} twice`);
      names.add(name);
    }
    return {
      name,
      path,
      type: header.type,
      mode: header.mode,
      uid: header.uid,
      gid: header.gid,
      uname: header.uname,
      gname: header.gname,
      mtime: header.mtime,
      link,
      devMajor: header.devMajor,
      devMinor: header.devMinor,
      size: header.type === 'file' ? content.length : 0,
      content: header.type === 'file' ? content : undefined,
    };
  });
  // dpkg puts symlinks off until everything else is there, and lists them last
  const isLink = ({ type }: DebEntry): boolean => type === 'symlink';
  return [...entries.filter((entry) => !isLink(entry)), ...entries.filter(isLink)];
}

function hashConffiles(
  entries: readonly DebEntry[],
  conffiles: readonly ConffileLine[],
): ReadonlyMap<string, string> {
  const names = new Set(conffiles.map(({ path }) => path));
  const hashes = new Map<string, string>();
  for (const { name, content } of entries)
    if (content && names.has(name)) hashes.set(name, hexDigest('md5', content));
  return hashes;
}

function hashAll(entries: readonly DebEntry[]): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const { name, type, content, link } of entries) {
    const digest = type === 'hardlink' ? digests.get(link) : content && hexDigest('md5', content);
    if (digest !== undefined) digests.set(name, digest);
  }
  return digests;
}

function invalid(what: string, problem: string): OnlayError {
  return new OnlayError('PACKAGE_INVALID', displayText(`Cannot read ${what}: ${problem}`));
}
