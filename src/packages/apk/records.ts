// The database record of a new package, made from its control file and the facts of the index.
import type { RootPath } from '../../rootfs/path.ts';
import { infoValue } from './apk-file.ts';
import type { PackageInfo } from './apk-file.ts';
import { formatDependency, parseDependency } from './dependencies.ts';
import type { LedgerRecord } from './ledger.ts';

/** Letters and the keys of .PKGINFO they come from; several values are joined by spaces. */
const FROM_INFO = [
  ['P', 'pkgname'],
  ['V', 'pkgver'],
  ['A', 'arch'],
  ['I', 'size'],
  ['T', 'pkgdesc'],
  ['U', 'url'],
  ['L', 'license'],
  ['o', 'origin'],
  ['m', 'maintainer'],
  ['t', 'builddate'],
  ['c', 'commit'],
  ['k', 'provider_priority'],
  ['q', 'replaces_priority'],
] as const;
const LISTS = [
  ['D', 'depend'],
  ['p', 'provides'],
  ['i', 'install_if'],
  ['r', 'replaces'],
] as const;

export interface RecordFacts {
  /** "Q1…" of the control member. */
  readonly checksum: string;
  readonly arch: string;
  /** Bytes of the .apk. */
  readonly size: number;
  /** Repository tag, '' for none. */
  readonly tag: string;
}

/** A record without files. Of a package without a payload apk records no `replaces` either. */
export function newRecord(info: PackageInfo, { checksum, arch, size, tag }: RecordFacts): LedgerRecord {
  const fields = new Map<string, string>();
  for (const [letter, key] of FROM_INFO) fields.set(letter, infoValue(info, key));
  for (const [letter, key] of LISTS) fields.set(letter, dependencyList(info, key));
  fields.set('C', checksum);
  fields.set('A', arch);
  fields.set('S', String(size));
  fields.set('s', tag);
  if (isEmptyPackage(info)) for (const letter of ['r', 'q']) fields.delete(letter);
  return { name: infoValue(info, 'pkgname'), fields, directories: new Map<RootPath, never>() };
}

/** `size = 0`: apk does not even look at the payload, scripts and triggers of such a package. */
export function isEmptyPackage(info: PackageInfo): boolean {
  return /^0*$/.test(infoValue(info, 'size'));
}

function dependencyList(info: PackageInfo, key: string): string {
  const items = (info.get(key) ?? []).flatMap((value) => value.split(/[ \t]+/)).filter((item) => item !== '');
  return items.map((item) => normalise(item)).join(' ');
}

function normalise(item: string): string {
  const dependency = parseDependency(item);
  return dependency ? formatDependency(dependency) : item;
}

/** Directory patterns of the package's trigger. */
export function triggerPatterns(info: PackageInfo): readonly string[] {
  return (info.get('triggers') ?? []).flatMap((value) => value.split(/[ \t]+/)).filter((item) => item !== '');
}
