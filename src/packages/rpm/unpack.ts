// The payload of a package, decoded and checked in memory: every file that the header promises is there, has the size
// and digest that the (signed) header states, and nothing else is there.
import { OnlayError } from '../../errors.ts';
import { byteString, displayText } from '../../base/bytes.ts';
import { hexDigest } from '../../base/hash.ts';
import { readCpio } from '../../archive/cpio.ts';
import { decompressBytes } from '../../codec/index.ts';
import { headerFiles, isGhost, type PackageFile } from './files.ts';
import { text } from './header.ts';
import type { RpmFile } from './rpm-file.ts';
import { Tag } from './tags.ts';

export interface Payload {
  readonly files: readonly PackageFile[];
  /** Content of regular files by position in the file list; all members of a set of hard links have it. */
  readonly contents: ReadonlyMap<number, Uint8Array>;
}

/** Room for headers and padding of the archive, beyond the contents. */
const ENTRY_OVERHEAD = 4096 + 256;
const MAX_PAYLOAD = 8 * 1024 ** 3;

/** Throws PACKAGE_INVALID, DIGEST_MISMATCH, SIZE_MISMATCH; ARCHIVE_INVALID and LIMIT_EXCEEDED of the decoders. */
export async function unpackPayload(rpm: RpmFile, what: string): Promise<Payload> {
  const files = headerFiles(rpm.header, what, 'PACKAGE_INVALID');
  const invalid = (why: string): OnlayError =>
    new OnlayError('PACKAGE_INVALID', `Cannot read package ${what}: ${why}`);
  const format = text(rpm.header, Tag.payloadFormat) ?? 'cpio';
  if (format !== 'cpio') throw invalid(`its payload is a ${format}`);
  const stated = files.reduce(
    (sum, file) => sum + (file.type === 'directory' ? 0 : file.size) + ENTRY_OVERHEAD,
    ENTRY_OVERHEAD,
  );
  const archive = await decompressBytes(rpm.payload, {
    limit: Math.min(stated, MAX_PAYLOAD),
    what: `the payload of ${what}`,
  });
  const byPath = new Map(files.map((file) => [file.path.slice(1), file]));
  const groups = hardLinks(files);
  const contents = new Map<number, Uint8Array>();
  const entries = readCpio(archive, `the payload of ${what}`, {
    maxEntries: files.length,
    stripped: (index) => {
      const file = files[index];
      return file && { size: strippedSize(file, groups) };
    },
  });
  const seen = new Set<number>();
  for (const entry of entries) {
    const file =
      entry.index === undefined ? byPath.get(entry.path.replace(/^(?:\.\/|\/)/, '')) : files[entry.index];
    if (!file) throw invalid(`its payload has ${displayText(entry.path)}, its file list has not`);
    if (seen.has(file.index)) throw invalid(`its payload has ${displayText(file.path)} twice`);
    seen.add(file.index);
    if (entry.index === undefined && (entry.mode & 0o170000) !== (file.mode & 0o170000))
      throw invalid(`${displayText(file.path)} is something else in its payload than in its file list`);
    if (file.type === 'symlink' && byteString(entry.content) !== file.link)
      throw new OnlayError(
        'DIGEST_MISMATCH',
        `Symlink ${displayText(file.path)} of package ${what} points elsewhere than its file list says`,
      );
    if (file.type === 'file') contents.set(file.index, entry.content);
  }
  shareContents(files, groups, contents);
  for (const file of files) {
    if (isGhost(file)) continue;
    if (!seen.has(file.index)) throw invalid(`its payload lacks ${displayText(file.path)}`);
    if (file.type === 'file') checkContent(file, contents.get(file.index) ?? new Uint8Array(), what);
  }
  return { files, contents };
}

/** Members of each set of hard links, in the order of the file list. */
function hardLinks(files: readonly PackageFile[]): ReadonlyMap<string, readonly PackageFile[]> {
  const groups = new Map<string, PackageFile[]>();
  for (const file of files) {
    if (file.type !== 'file' || isGhost(file)) continue;
    const group = groups.get(file.inode);
    if (group) group.push(file);
    else groups.set(file.inode, [file]);
  }
  return groups;
}

/** Stripped entries say no size: the last of several hard links carries the content. */
function strippedSize(file: PackageFile, groups: ReadonlyMap<string, readonly PackageFile[]>): number {
  if (file.type === 'symlink') return file.size;
  if (file.type !== 'file') return 0;
  const group = groups.get(file.inode) ?? [];
  return group.length > 1 && group.at(-1) !== file ? 0 : file.size;
}

function shareContents(
  files: readonly PackageFile[],
  groups: ReadonlyMap<string, readonly PackageFile[]>,
  contents: Map<number, Uint8Array>,
): void {
  for (const file of files) {
    if (file.type !== 'file' || file.size === 0 || (contents.get(file.index)?.length ?? 0) > 0) continue;
    for (const other of groups.get(file.inode) ?? []) {
      const content = contents.get(other.index);
      if (content && content.length > 0) contents.set(file.index, content);
    }
  }
}

function checkContent(file: PackageFile, content: Uint8Array, what: string): void {
  if (content.length !== file.size)
    throw new OnlayError(
      'SIZE_MISMATCH',
      `File ${displayText(file.path)} of package ${what} has ${content.length} bytes, its file list says ${file.size}`,
    );
  if (file.digest === '') {
    // rpm leaves the digest of an empty file out in some versions, never that of another
    if (file.size === 0) return;
    throw new OnlayError(
      'PACKAGE_INVALID',
      `File ${displayText(file.path)} of package ${what} has no digest`,
    );
  }
  const actual = hexDigest(file.digestAlgorithm, content);
  if (actual !== file.digest.toLowerCase())
    throw new OnlayError(
      'DIGEST_MISMATCH',
      `File ${displayText(file.path)} of package ${what} has ${file.digestAlgorithm} ${actual}, its file list says ${file.digest}`,
    );
}
