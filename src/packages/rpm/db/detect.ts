// Finds the rpm database of an image. rpm's configuration decides in a running system; in an image the presence of the
// files does, sqlite before ndb before BerkeleyDB, as rpm itself falls back.
import { OnlayError } from '../../../errors.ts';
import { parentOf, type RootPath } from '../../../rootfs/path.ts';
import type { RootView } from '../../../rootfs/root-view.ts';
import { readDatabaseFile } from '../../database-file.ts';
import type { DatabaseInput, HeaderDatabase } from './backend.ts';
import { isBdb, openBdb } from './bdb.ts';
import { isNdb, openNdb } from './ndb.ts';
import { INDEX_TABLES } from './rows.ts';
import { isSqlite, openSqlite } from './sqlite.ts';

/** Where databases lie; usually one is a symlink to another. */
export const DATABASE_DIRECTORIES: readonly string[] = [
  'usr/lib/sysimage/rpm',
  'var/lib/rpm',
  'usr/share/rpm',
];

const FILES = [
  { name: 'rpmdb.sqlite', is: isSqlite, open: openSqlite },
  { name: 'Packages.db', is: isNdb, open: openNdb },
  { name: 'Packages', is: isBdb, open: openBdb },
] as const;

const CAPTURED: ReadonlySet<string> = new Set([
  ...FILES.map(({ name }) => name),
  'rpmdb.sqlite-wal',
  'rpmdb.sqlite-shm',
  'rpmdb.sqlite-journal',
  'Index.db',
  ...INDEX_TABLES.map(({ name }) => name),
  ...Array.from({ length: 10 }, (_, i) => `__db.00${i}`),
]);

/** True for the files whose content `openHeaderDatabase` reads. */
export function isDatabaseFile(path: RootPath): boolean {
  const slash = path.lastIndexOf('/');
  return DATABASE_DIRECTORIES.includes(path.slice(0, slash)) && CAPTURED.has(path.slice(slash + 1));
}

/** The database of `root`, or undefined if it has none. Throws DATABASE_INVALID. */
export async function openHeaderDatabase(
  root: RootView,
  bigEndian: boolean,
): Promise<HeaderDatabase | undefined> {
  const found = new Map<RootPath, (typeof FILES)[number]>();
  for (const directory of DATABASE_DIRECTORIES)
    for (const file of FILES) {
      const node = root.follow(`${directory}/${file.name}`);
      if (node?.type === 'file' && node.size > 0) found.set(node.path, file);
    }
  const directories = new Set([...found.keys()].map(parentOf));
  if (directories.size > 1)
    throw new OnlayError(
      'DATABASE_INVALID',
      `The image has several rpm databases: ${[...found.keys()].join(', ')}`,
      {
        hint: 'remove those that the image does not use',
      },
    );
  const first = [...found].sort((a, b) => FILES.indexOf(a[1]) - FILES.indexOf(b[1]))[0];
  if (!first) return undefined;
  const [path, file] = first;
  const bytes = readDatabaseFile(root, path);
  if (!file.is(bytes))
    throw new OnlayError('DATABASE_INVALID', `Cannot read ${path}: it is not what its name says`);
  const directory = parentOf(path);
  const input: DatabaseInput = {
    path,
    bytes,
    bigEndian,
    sibling: (name) => {
      const node = root.follow(`${directory}/${name}`);
      return node?.type === 'file'
        ? { path: node.path, bytes: readDatabaseFile(root, node.path) }
        : undefined;
    },
  };
  return file.open(input);
}
