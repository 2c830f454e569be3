// Files that move between packages: who installs one last has it, others lose it from their lists; a package that has
// nothing left that is only its own disappears (src/main/unpack.c: pkg_remove_files_from_others, pkg_disappear_others).
import { dependencyGroups, relationList } from './dependencies.ts';
import type { PackageId } from './ownership.ts';
import { satisfiesVersion } from './relations.ts';
import type { Relation } from './relations.ts';
import { sharesFiles } from './transaction.ts';
import type { PackageFacts, Transaction, Unit } from './transaction.ts';
import type { UnpackedFiles } from './unpack.ts';

/** Packages that disappear because `unit` has all they had. To be called before `takeFromOthers`. */
export function disappearing(transaction: Transaction, unit: Unit, files: UnpackedFiles): PackageFacts[] {
  const { ownership, packages, incoming, removing } = transaction;
  const own = packages.get(unit.id) as PackageFacts;
  const shipped = new Set(files.names.filter((name) => !files.filtered.has(name)));
  const candidates = new Set<PackageId>();
  for (const name of shipped) for (const id of ownership.owners(name, unit.id)) candidates.add(id);
  return [...candidates]
    .map((id) => packages.get(id))
    .filter((other) => other !== undefined)
    .filter(({ id }) => !incoming.has(id) && !removing.has(id))
    .filter((other) => other.installed && !sharesFiles(own, other))
    .filter((other) => !hasOwnFiles(transaction, unit, other, shipped))
    .filter((other) => !isDependedOn(packages, other));
}

/** Takes what `unit` placed out of the lists of all others; their conffiles among it become obsolete. */
export function takeFromOthers(
  transaction: Transaction,
  unit: Unit,
  files: UnpackedFiles,
): ReadonlySet<PackageId> {
  const { ownership, packages, rules } = transaction;
  const conffiles = new Set(files.conffiles.map(({ name }) => name));
  const losers = new Set<PackageId>();
  for (const name of files.placed) {
    const diversion = rules.diversions.of(name);
    if (diversion && diversion.owner === unit.name) continue;
    for (const id of ownership.owners(name, unit.id)) {
      const other = packages.get(id);
      if (!other || other.name === unit.name || (diversion && diversion.owner === other.name)) continue;
      losers.add(id);
      if (conffiles.has(name))
        other.conffiles = other.conffiles.map((conffile) =>
          conffile.path === name ? { ...conffile, obsolete: true } : conffile,
        );
    }
  }
  for (const id of losers)
    ownership.replace(
      id,
      ownership.list(id)?.filter((name) => !files.placed.has(name)),
    );
  return losers;
}

/** True when `other` has a path that neither `unit` ships nor a third package has. */
function hasOwnFiles(
  { ownership, packages, rules }: Transaction,
  unit: Unit,
  other: PackageFacts,
  shipped: ReadonlySet<string>,
): boolean {
  const list = ownership.list(other.id) ?? [];
  if (list.every((name) => name === '/.')) return true;
  return list.some((name) => {
    const diversion = rules.diversions.of(name);
    if (diversion?.owner !== undefined && (diversion.owner === other.name || diversion.owner === unit.name))
      return true;
    if (shipped.has(name)) return false;
    return !ownership.owners(name, other.id).some((id) => {
      const third = packages.get(id);
      return (
        id !== unit.id && third !== undefined && !(other.multiArch === 'same' && third.name === other.name)
      );
    });
  });
}

/** True when something installed needs `other`, by name or by what it provides, and nothing else would do. */
function isDependedOn(packages: Transaction['packages'], other: PackageFacts): boolean {
  const others = [...packages.values()].filter(({ installed, id }) => installed && id !== other.id);
  const names = new Set([other.name, ...provided(other).map(({ name }) => name)]);
  return others.some((facts) =>
    ['Depends', 'Pre-Depends', 'Recommends']
      .flatMap((field) => dependencyGroups(facts.stanza.get(field)))
      .some(
        (group) =>
          group.some(({ name }) => names.has(name)) &&
          !others.some((candidate) => satisfies(candidate, group)),
      ),
  );
}

function satisfies(facts: PackageFacts, group: readonly Relation[]): boolean {
  return group.some(
    (relation) =>
      (relation.name === facts.name && satisfiesVersion(relation, facts.version)) ||
      provided(facts).some(
        ({ name, version }) =>
          name === relation.name &&
          (relation.operator === undefined || (version !== undefined && satisfiesVersion(relation, version))),
      ),
  );
}

function provided(facts: PackageFacts): readonly Relation[] {
  return relationList(facts.stanza.get('Provides'));
}
