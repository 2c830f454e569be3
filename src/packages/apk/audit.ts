// `apk audit --system`: the checksums of installed packages against the files of the image. Protected files belong to
// the administrator and are left out.
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { holds } from './compare-file.ts';
import { field } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import { readProtectedPaths } from './protected.ts';

/** One line for each file that is missing or has other content than recorded. */
export function auditInstalled(root: RootView, records: readonly InstalledRecord[]): readonly string[] {
  const { isProtected } = readProtectedPaths(root);
  const lines: string[] = [];
  for (const record of records) {
    const truncated = field(record, 'f').includes('S');
    const owner = `${field(record, 'P')} ${field(record, 'V')}`;
    for (const directory of record.directories)
      for (const { name, checksum } of directory.files) {
        const path = (directory.path === '' ? name : `${directory.path}/${name}`) as RootPath;
        if (isProtected(path)) continue;
        const node = root.lookup(path);
        if (!node) lines.push(`/${path} of ${owner} is missing`);
        else if (checksum !== undefined && holds(root, node, checksum, truncated) === false)
          lines.push(`/${path} of ${owner} has other content than recorded`);
      }
  }
  return lines;
}
