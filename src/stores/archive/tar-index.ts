// Where the files of a tar archive lie: headers are read, contents skipped, so that an archive of gigabytes is indexed
// by a few reads. The parser is the strict one of archive/; it is fed zeros in place of the contents.
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { OnlayError } from '../../errors.ts';
import type { TarHeader } from '../../archive/tar-entry.ts';
import { TarParser } from '../../archive/tar-read.ts';
import { displayText } from '../../base/bytes.ts';

/** The content of one file in the archive. */
export interface Range {
  readonly start: number;
  readonly size: number;
}

/** File name without leading "./" or "/" → content. Links are resolved inside the archive. */
export type TarIndex = ReadonlyMap<string, Range>;

const WINDOW = 64 * 1024;
const MAX_ENTRIES = 200_000;
const MAX_LINKS = 16;
const ZEROS = new Uint8Array(1 << 20);

/** Indexes the archive in `handle`. The last of several files with one name counts. Throws ARCHIVE_INVALID. */
export async function indexTar(handle: FileHandle, size: number, what: string): Promise<TarIndex> {
  const files = new Map<string, Range>();
  const links = new Map<string, string>();
  let end = 0;
  const parser = new TarParser(
    {
      entry: (header) => {
        const range = { start: parser.offset, size: header.size };
        end = range.start + range.size;
        record(header, range, files, links, what);
      },
      data: () => {},
      end: () => {},
    },
    { what, limits: { maxEntries: MAX_ENTRIES } },
  );
  const window = Buffer.alloc(WINDOW);
  while (parser.offset < size) {
    const { bytesRead } = await handle.read(window, 0, Math.min(WINDOW, size - parser.offset), parser.offset);
    if (bytesRead === 0) break;
    const before = parser.offset;
    parser.write(window.subarray(0, bytesRead));
    if (end > size) throw new OnlayError('ARCHIVE_INVALID', `${what} is cut off`);
    while (parser.offset < end) parser.write(ZEROS.subarray(0, Math.min(ZEROS.length, end - parser.offset)));
    // after the end-of-archive marker the offset stands still
    if (parser.offset === before) break;
  }
  parser.finish();
  for (const name of links.keys()) {
    const range = follow(name, files, links);
    if (range) files.set(name, range);
  }
  return files;
}

function record(
  header: TarHeader,
  range: Range,
  files: Map<string, Range>,
  links: Map<string, string>,
  what: string,
): void {
  const name = normalize(header.path);
  if ([...header.pax.keys()].some((key) => key.startsWith('GNU.sparse.')))
    throw new OnlayError('ARCHIVE_INVALID', `${what}: ${displayText(name)} is a sparse file`);
  files.delete(name);
  links.delete(name);
  if (header.type === 'file') files.set(name, range);
  if (header.type === 'hardlink') links.set(name, normalize(header.link));
  // `docker save` of old: <id>/layer.tar -> ../<other id>/layer.tar
  if (header.type === 'symlink') links.set(name, normalize(posix.join(posix.dirname(name), header.link)));
}

function follow(name: string, files: Map<string, Range>, links: Map<string, string>): Range | undefined {
  let target = links.get(name);
  for (let step = 0; target !== undefined && step < MAX_LINKS; step++) {
    const range = files.get(target);
    if (range) return range;
    target = links.get(target);
  }
  return undefined;
}

/** "./a//b" → "a/b"; a name that leaves the archive keeps its ".." and is never found. */
function normalize(path: string): string {
  return posix.normalize(path).replace(/^\/+/, '').replace(/\/$/, '');
}
