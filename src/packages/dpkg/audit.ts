// `dpkg --verify`: the md5sums of installed packages against the files of the image. Conffiles belong to the
// administrator, excluded paths were never unpacked, and what is diverted is looked for where it is.
import { contentDigestsOf } from '../../rootfs/content-digests.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { readMd5sums } from './deb-members.ts';
import { InfoFiles } from './info-files.ts';
import { parseConffiles } from './status-stanza.ts';
import type { StatusDRecord } from './status-d.ts';
import { isInstalled } from './status.ts';
import type { StatusRecord } from './status.ts';
import { readImageRules } from './transaction.ts';

/** What an audit reads besides the database. */
export function auditCaptures(path: RootPath, size: number): boolean {
  return size <= 16 * 2 ** 20 && /^var\/lib\/dpkg\/info\/[^/]*\.md5sums$/.test(path);
}

/** One line for each file that is missing or not as recorded. */
export function auditInstalled(root: RootView, records: readonly StatusRecord[]): readonly string[] {
  const rules = readImageRules(root);
  const info = new InfoFiles(root);
  return records.filter(isInstalled).flatMap((record) => {
    const conffiles = new Set(parseConffiles(record.stanza.get('Conffiles') ?? '').map(({ path }) => path));
    const md5sums = readMd5sums(info.text(record, 'md5sums') ?? '');
    return [...md5sums].flatMap(([path, md5]) => {
      const name = `/${path}`;
      if (conffiles.has(name)) return [];
      const place = rules.diversions.redirect(name, record.name);
      const found = check(root, place, md5);
      if (found === undefined || (found === MISSING && rules.filter.skips(name, 'file'))) return [];
      return [`${place} of ${record.name} ${record.version} ${found}`];
    });
  });
}

/** The same for distroless images, where packages may be there in part, and os-release is the builder's. */
export function auditStatusD(root: RootView, files: readonly StatusDRecord[]): readonly string[] {
  return files.flatMap(({ record, md5sums }) =>
    [...(md5sums ?? [])].flatMap(([path, md5]) => {
      const found = path === 'usr/lib/os-release' ? undefined : check(root, path, md5);
      if (found === undefined || found === MISSING) return [];
      return [`/${path} of ${record.name} ${record.version} ${found}`];
    }),
  );
}

const MISSING = 'is missing';

/** What is wrong with the file, if anything; the content of one too large to be inspected is believed. */
function check(root: RootView, path: string, md5: string): string | undefined {
  const node = root.follow(path);
  if (!node) return MISSING;
  if (node.type !== 'file') return `is a ${node.type}`;
  const actual = contentDigestsOf(node)?.md5 ?? md5;
  return actual === md5 ? undefined : 'has other content than recorded';
}
