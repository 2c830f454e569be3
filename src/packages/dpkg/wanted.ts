// What was asked for against what there is: which wanted packages can be upgraded far enough, and why others cannot.
// Scanners state fixed versions in the numbering of the source package, which a binary package may not share.
import type { Skipped, Wanted } from '../package.ts';
import type { AvailableVersion, PackageVersion, Universe } from './candidates.ts';
import type { InstalledVersion } from './solve.ts';
import { compareVersions } from './version.ts';

export interface Assessment {
  /** Installed packages to upgrade. */
  readonly seeds: readonly InstalledVersion[];
  readonly skipped: readonly Skipped[];
  /** Findings that the upgrade of a seed resolves, by package name and architecture. */
  readonly resolved: ReadonlyMap<InstalledVersion, readonly string[]>;
}

export function assess(
  wanted: readonly Wanted[],
  find: (name: string, arch: string) => InstalledVersion | undefined,
  universe: Universe,
  archOf: (version: PackageVersion) => string,
): Assessment {
  const seeds: InstalledVersion[] = [];
  const skipped: Skipped[] = [];
  const resolved = new Map<InstalledVersion, readonly string[]>();
  for (const item of wanted) {
    const skip = (reason: Skipped['reason'], detail: string, failure: boolean): void =>
      void skipped.push({ name: item.name, reason, detail, failure, cves: item.cves });
    const installed = find(item.name, item.arch);
    if (!installed) {
      skip('not-installed', `${item.name} is not installed`, false);
      continue;
    }
    const floors = item.floors.filter((floor) => floor.length > 0);
    const open = unreached(installed, floors);
    if (floors.length > 0 && open.length === 0) {
      skip('already-fixed', `the installed version ${installed.version} is fixed`, false);
      continue;
    }
    if (installed.held !== undefined) {
      skip('held', `${item.name} is held (${installed.held})`, true);
      continue;
    }
    const candidate = universe.candidate(item.name, archOf(installed));
    if (candidate && floors.length === 0) {
      seeds.push(installed);
      resolved.set(installed, item.cves);
      continue;
    }
    const left = candidate ? unreached(candidate, floors) : open;
    if (candidate && left.length < open.length) {
      seeds.push(installed);
      // which finding has which floor is not known: with one missing, none is claimed
      resolved.set(installed, left.length === 0 ? item.cves : []);
      if (left.length === 0) continue;
    }
    explain(item, installed, candidate, left, universe.versions(item.name, archOf(installed)), skip);
  }
  return { seeds, skipped, resolved };
}

type Skip = (reason: Skipped['reason'], detail: string, failure: boolean) => void;

function explain(
  { name }: Wanted,
  installed: InstalledVersion,
  candidate: AvailableVersion | undefined,
  left: readonly (readonly string[])[],
  available: readonly AvailableVersion[],
  skip: Skip,
): void {
  const newest = available[0];
  if (left.length === 0) {
    if (newest) skip('already-fixed', `${installed.version} is the newest version`, false);
    else skip('no-candidate', `no repository has ${name}`, false);
    return;
  }
  const wanted = left.map((floor) => floor.join(' or ')).join(', ');
  if (!newest) {
    skip('no-candidate', `${wanted} is wanted, and no repository has ${name}`, true);
    return;
  }
  const reaching = available.find((version) => unreached(version, left).length === 0);
  if (reaching) {
    skip(
      'pinned',
      `${wanted} is wanted; ${reaching.version} of ${reaching.index.release.suite || 'a repository'} would do, but the image's preferences (priority ${reaching.priority}) do not choose it`,
      true,
    );
    return;
  }
  const best = candidate ?? newest;
  const numbering = best.sourceVersion === best.version ? '' : ` (source ${best.sourceVersion})`;
  const { date } = best.index.release;
  const state = date === undefined ? '' : `, index of ${new Date(date).toISOString().slice(0, 10)}`;
  skip(
    'fix-not-available',
    `${wanted} is wanted, the repositories have ${best.version}${numbering}${state}`,
    true,
  );
}

function unreached(
  version: PackageVersion,
  floors: readonly (readonly string[])[],
): readonly (readonly string[])[] {
  return floors.filter((floor) => !floor.some((fixed) => reaches(version, fixed)));
}

/**
 * True when `version` is at least `fixed`. Compared is the source version; the binary's own only if `fixed` plainly is
 * in its numbering: equal to it, or with its epoch where the source has another.
 */
function reaches({ version, sourceVersion }: PackageVersion, fixed: string): boolean {
  const inBinaryNumbering =
    version !== sourceVersion && epoch(version) !== epoch(sourceVersion) && epoch(fixed) === epoch(version);
  if (inBinaryNumbering) return compareVersions(version, fixed) >= 0;
  return compareVersions(sourceVersion, fixed) >= 0 || compareVersions(version, fixed) === 0;
}

function epoch(version: string): number {
  return Number(/^(\d+):/.exec(version)?.[1] ?? 0);
}
