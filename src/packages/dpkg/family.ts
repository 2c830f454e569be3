// The dpkg family: Debian, Ubuntu and what descends from them, distroless images included.
import type { RootPath } from '../../rootfs/path.ts';
import type { PackageFamily } from '../family.ts';
import { auditCaptures } from './audit.ts';
import { openDatabase } from './database.ts';
import { compareVersions } from './version.ts';

export const dpkg: PackageFamily = {
  name: 'dpkg',
  captures,
  auditCaptures,
  open: async (input) => openDatabase(input),
  compareVersions,
};

const MEBIBYTE = 1024 * 1024;

/** The database, what configures it and apt, the image's keys, and conffiles. */
function captures(path: RootPath, size: number): boolean {
  if (path.startsWith('var/lib/dpkg/')) return size <= 256 * MEBIBYTE && DATABASE.test(path);
  if (path.startsWith('etc/')) return size <= 4 * MEBIBYTE;
  if (path.startsWith('usr/share/keyrings/')) return size <= 16 * MEBIBYTE;
  if (path === 'var/lib/apt/extended_states') return size <= 16 * MEBIBYTE;
  return path === 'usr/lib/os-release' && size <= MEBIBYTE;
}

/** Not the digests, symbols and templates of info/, which nothing here reads, nor dpkg's backups. */
const DATABASE =
  /^var\/lib\/dpkg\/(?:(?:status|diversions|statoverride|arch|arch-native)$|(?:updates|triggers|status\.d)\/|info\/(?:format$|[^/]*\.(?:list|prerm|postrm|postinst|triggers)$))/;
