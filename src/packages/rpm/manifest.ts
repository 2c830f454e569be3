// Images without a database: var/lib/rpmmanifest/container-manifest-1 (lines of `rpm -qa`) and -2 (ten columns), which
// Microsoft's image toolkit leaves for scanners. Lines of upgraded packages are replaced in place, new ones appended.
import { OnlayError } from '../../errors.ts';
import { byteString, fromByteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { rootPath, type RootPath } from '../../rootfs/path.ts';
import { readDatabaseFile } from '../database-file.ts';
import { number, text, type Header } from './header.ts';
import { Tag } from './tags.ts';

export const MANIFEST_PATHS: readonly RootPath[] = [
  rootPath('var/lib/rpmmanifest/container-manifest-1'),
  rootPath('var/lib/rpmmanifest/container-manifest-2'),
];

export interface ManifestPackage {
  readonly name: string;
  readonly arch: string;
  /** With epoch. */
  readonly version: string;
  readonly sourceRpm: string;
  readonly vendor: string;
}

const COLUMNS = 10;

/** Packages of the manifest, or undefined if the image has none. Throws DATABASE_INVALID. */
export function readManifest(root: RootView): readonly ManifestPackage[] | undefined {
  const path = MANIFEST_PATHS[1] as RootPath;
  const bytes = root.follow(path)?.type === 'file' ? readDatabaseFile(root, path) : undefined;
  if (!bytes) return undefined;
  return linesOf(bytes).map((line, i) => {
    const columns = line.split('\t');
    const [name, version, , , vendor, , , arch, epoch, sourceRpm] = columns;
    // scanners reject such a file as well
    if (
      columns.length !== COLUMNS ||
      !name ||
      !version?.includes('-') ||
      arch === undefined ||
      !/^\d+$/.test(epoch ?? '')
    )
      throw new OnlayError(
        'DATABASE_INVALID',
        `Cannot read ${path}: line ${i + 1} does not have the ${COLUMNS} columns of a package`,
      );
    return {
      name,
      arch,
      version: epoch === '0' ? version : `${epoch}:${version}`,
      sourceRpm: sourceRpm === '(none)' ? '' : (sourceRpm ?? ''),
      vendor: vendor ?? '',
    };
  });
}

export interface ManifestChange {
  /** Headers of new packages. */
  readonly added: readonly Header[];
  /** Names of packages that are gone. */
  readonly removed: ReadonlySet<string>;
  readonly installTime: number;
}

/** The manifests with the change applied, for those that the image has. */
export function writeManifests(root: RootView, change: ManifestChange): ReadonlyMap<RootPath, Uint8Array> {
  const written = new Map<RootPath, Uint8Array>();
  MANIFEST_PATHS.forEach((path, i) => {
    const bytes = root.follow(path)?.type === 'file' ? readDatabaseFile(root, path) : undefined;
    if (!bytes) return;
    const format = i === 0 ? shortLine : (header: Header): string => longLine(header, change.installTime);
    const nameOf = i === 0 ? shortName : (line: string): string => line.split('\t')[0] ?? '';
    const lines = new Map(change.added.map((header) => [text(header, Tag.name) ?? '', format(header)]));
    const kept: string[] = [];
    for (const line of linesOf(bytes)) {
      const name = nameOf(line);
      const replacement = lines.get(name);
      if (replacement !== undefined) kept.push(replacement);
      else if (!change.removed.has(name)) kept.push(line);
      lines.delete(name);
    }
    kept.push(...lines.values());
    written.set(path, fromByteString(kept.map((line) => `${line}\n`).join('')));
  });
  return written;
}

function linesOf(bytes: Uint8Array): readonly string[] {
  return byteString(bytes)
    .split('\n')
    .filter((line) => line !== '');
}

/** NAME of NAME-VERSION-RELEASE.ARCH. */
function shortName(line: string): string {
  return /^(.+)-[^-]+-[^-]+$/.exec(line)?.[1] ?? line;
}

function shortLine(header: Header): string {
  return `${text(header, Tag.name)}-${text(header, Tag.version)}-${text(header, Tag.release)}.${text(header, Tag.arch)}`;
}

function longLine(header: Header, installTime: number): string {
  return [
    text(header, Tag.name),
    `${text(header, Tag.version)}-${text(header, Tag.release)}`,
    installTime,
    number(header, Tag.buildTime) ?? '(none)',
    text(header, Tag.vendor) ?? '(none)',
    // the toolkit writes the word
    '(none)',
    number(header, Tag.size) ?? '(none)',
    text(header, Tag.arch),
    number(header, Tag.epoch) ?? 0,
    text(header, Tag.sourceRpm) ?? '(none)',
  ].join('\t');
}
