// Findings and policy → which installed packages shall be upgraded, and up to which version at least.
import type { Finding, InstalledPackage, Skipped, Wanted } from '../packages/package.ts';
import { namesPackages, wantsFinding, wantsPackage } from './policy.ts';
import type { Policy } from './policy.ts';

export interface Selection {
  /** 'all' only when neither findings nor the policy restrict anything. */
  readonly wanted: 'all' | readonly Wanted[];
  readonly skipped: readonly Skipped[];
}

/** Without findings: everything the policy lets through. Results are sorted by name, then arch. */
export function select(
  installed: readonly InstalledPackage[],
  findings: readonly Finding[] | undefined,
  policy: Policy,
): Selection {
  if (!findings) {
    if (!namesPackages(policy)) return { wanted: 'all', skipped: [] };
    return {
      wanted: installed
        .filter(({ name }) => wantsPackage(policy, name))
        .map(({ name, arch }) => ({ name, arch, floors: [], cves: [] })),
      skipped: [],
    };
  }
  const wanted = new Map<
    string,
    { name: string; arch: string; floors: (readonly string[])[]; cves: Set<string> }
  >();
  const skipped = new Map<string, Omit<Skipped, 'cves'> & { readonly cves: Set<string> }>();
  const skip = (name: string, reason: Skipped['reason'], detail: string, id: string): void => {
    const key = `${name}\n${reason}`;
    const entry = skipped.get(key) ?? { name, reason, detail, failure: false, cves: new Set<string>() };
    if (id !== '') entry.cves.add(id);
    skipped.set(key, entry);
  };
  const concerned = byName(installed);
  for (const finding of findings) {
    if (!wantsFinding(policy, finding)) {
      skip(finding.name, 'filtered', 'left out by the given filters', finding.id);
      continue;
    }
    const targets = concerned(finding);
    if (targets.length === 0) {
      skip(finding.name, 'not-installed', 'the report names it, the package database does not', finding.id);
      continue;
    }
    if (finding.fixed.length === 0) {
      skip(finding.name, 'no-fix-known', 'the report knows no fixed version', finding.id);
      continue;
    }
    for (const { name, arch } of targets) {
      const entry = wanted.get(`${name}\n${arch}`) ?? { name, arch, floors: [], cves: new Set<string>() };
      entry.floors.push(finding.fixed);
      if (finding.id !== '') entry.cves.add(finding.id);
      wanted.set(`${name}\n${arch}`, entry);
    }
  }
  return {
    wanted: [...wanted.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { name, arch, floors, cves }]) => ({
        name,
        arch,
        floors: unique(floors),
        cves: [...cves].sort(),
      })),
    skipped: [...skipped.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => ({ ...value, cves: [...value.cves].sort() })),
  };
}

/** Answers the installed packages a finding is about. Looked up, because a report may have a million findings. */
function byName(installed: readonly InstalledPackage[]): (finding: Finding) => readonly InstalledPackage[] {
  const found = new Map<string, InstalledPackage[]>();
  const add = (match: Finding['match'], name: string, item: InstalledPackage): void => {
    const key = `${match}\n${name}`;
    const items = found.get(key);
    if (items) items.push(item);
    else found.set(key, [item]);
  };
  for (const item of installed) {
    add('binary', item.name, item);
    add('source', item.source, item);
    for (const name of new Set([item.name, item.source])) add('either', name, item);
  }
  return ({ match, name, arch }) =>
    (found.get(`${match}\n${name}`) ?? []).filter((item) => arch === undefined || arch === item.arch);
}

function unique(floors: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...new Map(floors.map((floor) => [floor.join(','), floor])).values()];
}
