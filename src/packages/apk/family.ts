// The apk family: Alpine, Wolfi, Chainguard and images made of their packages, with or without apk in them.
import type { RootPath } from '../../rootfs/path.ts';
import type { PackageFamily } from '../family.ts';
import { openDatabase } from './database.ts';
import { compareVersions } from './version.ts';

export const apk: PackageFamily = {
  name: 'apk',
  captures,
  // oxlint-disable-next-line typescript/require-await -- the port is asynchronous, so that errors reject
  open: async (input) => openDatabase(input),
  compareVersions,
};

const MEBIBYTE = 1024 * 1024;

/** The database, configuration (protected files), repositories and keys. */
function captures(path: RootPath, size: number): boolean {
  if (/^(?:usr\/)?lib\/apk\/(?:db|repositories\.d)\//.test(path)) return size <= 256 * MEBIBYTE;
  if (path.startsWith('etc/')) return size <= 4 * MEBIBYTE;
  return path.startsWith('usr/share/apk/keys/') && size <= MEBIBYTE;
}
