// The file list of a header: what a package owns, with everything rpm knows of each file.
import { OnlayError } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';
import type { HashName } from '../../base/hash.ts';
import type { NodeType } from '../../rootfs/root-view.ts';
import { number, numbers, strings, type Header } from './header.ts';
import { hashByNumber } from './hashes.ts';
import { FileFlag, FileState, Tag } from './tags.ts';

export interface PackageFile {
  /** Position in the header; all per-file tags and the index rows go by it. */
  readonly index: number;
  /** Byte string, absolute. */
  readonly path: string;
  /** Directory part with the slash at its end. */
  readonly directory: string;
  readonly base: string;
  readonly type: NodeType;
  /** Permission bits. */
  readonly permissions: number;
  /** As in the header, with the type bits. */
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly rdev: number;
  /** Hex; '' if there is none. */
  readonly digest: string;
  readonly digestAlgorithm: HashName;
  readonly link: string;
  readonly flags: number;
  readonly user: string;
  readonly group: string;
  readonly langs: readonly string[];
  /** 1: 32-bit ELF, 2: 64-bit ELF. */
  readonly color: number;
  readonly caps: string;
  /** Same for hard links of one file. */
  readonly inode: string;
  /** FILESTATES; 0 in a package that is not installed. */
  readonly state: number;
}

const TYPES: Readonly<Record<number, NodeType>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
  0o020000: 'character',
  0o060000: 'block',
  0o010000: 'fifo',
};

/** Files of a header, in its order. Throws `code` when its lists do not agree. */
export function headerFiles(
  header: Header,
  what: string,
  code: 'PACKAGE_INVALID' | 'DATABASE_INVALID' | 'PLAN_INVALID',
): readonly PackageFile[] {
  const bases = strings(header, Tag.baseNames);
  if (bases.length === 0) return [];
  const invalid = (why: string): OnlayError =>
    new OnlayError(code, `Cannot read the file list of ${what}: ${why}`);
  const directories = strings(header, Tag.dirNames);
  const need = <T>(name: string, list: readonly T[]): readonly T[] => {
    if (list.length !== bases.length)
      throw invalid(`${name} has ${list.length} entries for ${bases.length} files`);
    return list;
  };
  // optional lists may be missing, but not short
  const may = <T>(name: string, list: readonly T[]): readonly T[] =>
    list.length === 0 ? [] : need(name, list);
  const indexes = need('DIRINDEXES', numbers(header, Tag.dirIndexes));
  const longSizes = numbers(header, Tag.longFileSizes);
  const sizes = need('FILESIZES', longSizes.length > 0 ? longSizes : numbers(header, Tag.fileSizes));
  const modes = need('FILEMODES', numbers(header, Tag.fileModes));
  const mtimes = need('FILEMTIMES', numbers(header, Tag.fileMtimes));
  const links = may('FILELINKTOS', strings(header, Tag.fileLinkTos));
  const flags = need('FILEFLAGS', numbers(header, Tag.fileFlags));
  const users = need('FILEUSERNAME', strings(header, Tag.fileUserName));
  const groups = need('FILEGROUPNAME', strings(header, Tag.fileGroupName));
  const digests = may('FILEDIGESTS', strings(header, Tag.fileDigests));
  const rdevs = may('FILERDEVS', numbers(header, Tag.fileRdevs));
  const devices = may('FILEDEVICES', numbers(header, Tag.fileDevices));
  const inodes = may('FILEINODES', numbers(header, Tag.fileInodes));
  const langs = may('FILELANGS', strings(header, Tag.fileLangs));
  const colors = may('FILECOLORS', numbers(header, Tag.fileColors));
  const caps = may('FILECAPS', strings(header, Tag.fileCaps));
  const states = may('FILESTATES', numbers(header, Tag.fileStates));
  const algorithmNumber = number(header, Tag.fileDigestAlgorithm) ?? 1;
  const digestAlgorithm = hashByNumber(algorithmNumber);
  if (!digestAlgorithm) throw invalid(`its digests are of unknown kind ${algorithmNumber}`);
  return bases.map((base, index) => {
    const directory = directories[indexes[index] ?? -1];
    const mode = modes[index] ?? 0;
    const type = TYPES[mode & 0o170000];
    if (directory === undefined || !directory.startsWith('/') || !directory.endsWith('/'))
      throw invalid(`file ${displayText(base)} is in no directory`);
    const path = directory + base;
    if (base.includes('/') || base === '.' || base === '..' || DOTS.test(directory))
      throw invalid(`${displayText(path)} is no path`);
    if (base === '' && path !== '/') throw invalid(`a file in ${displayText(directory)} has no name`);
    if (!type) throw invalid(`${displayText(path)} has mode ${mode.toString(8)}`);
    return {
      index,
      path,
      directory,
      base,
      type,
      permissions: mode & 0o7777,
      mode,
      size: sizes[index] ?? 0,
      mtime: mtimes[index] ?? 0,
      rdev: rdevs[index] ?? 0,
      digest: digests[index] ?? '',
      digestAlgorithm,
      link: links[index] ?? '',
      flags: flags[index] ?? 0,
      user: users[index] ?? '',
      group: groups[index] ?? '',
      langs: (langs[index] ?? '').split('|').filter((lang) => lang !== ''),
      color: colors[index] ?? 0,
      caps: caps[index] ?? '',
      inode: inodes.length > 0 ? `${devices[index] ?? 0}:${inodes[index]}` : `file ${index}`,
      state: states[index] ?? FileState.normal,
    };
  });
}

const DOTS = /\/\.{1,2}\//;

export const isConfig = (file: PackageFile): boolean => (file.flags & FileFlag.config) !== 0;
export const isGhost = (file: PackageFile): boolean => (file.flags & FileFlag.ghost) !== 0;
export const isDoc = (file: PackageFile): boolean => (file.flags & FileFlag.doc) !== 0;

/**
 * True when two packages say different things of one path: then both cannot be installed. A %ghost says nothing.
 */
export function differs(a: PackageFile, b: PackageFile): boolean {
  if (isGhost(a) || isGhost(b)) return false;
  if (a.mode !== b.mode || a.user !== b.user || a.group !== b.group) return true;
  switch (a.type) {
    case 'file':
      return a.size !== b.size || a.digestAlgorithm !== b.digestAlgorithm || a.digest !== b.digest;
    case 'symlink':
      return a.size !== b.size || a.link !== b.link;
    case 'character':
    case 'block':
      return a.rdev !== b.rdev;
    default:
      return false;
  }
}
