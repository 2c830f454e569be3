// Whether one package answers what another asks for: names, versions, Provides and architectures. Debian Policy chapter 7
// and https://wiki.debian.org/Multiarch/Implementation.
import type { PackageVersion } from './candidates.ts';
import { satisfiesVersion } from './relations.ts';
import type { Relation } from './relations.ts';

/** By its name, or by what it provides: an unversioned Provides answers unversioned relations only. */
export function satisfies(version: PackageVersion, relation: Relation): boolean {
  if (version.name === relation.name && satisfiesVersion(relation, version.version)) return true;
  return version.provides.some(
    (provided) =>
      provided.name === relation.name &&
      (relation.version === undefined ||
        (provided.version !== undefined && satisfiesVersion(relation, provided.version))),
  );
}

/** Whether the architecture of `bearer` may answer a dependency of `version`. */
export function answersFor(
  relation: Relation,
  version: PackageVersion,
  bearer: PackageVersion,
  native: string,
): boolean {
  const own = architectureOf(bearer, native);
  switch (relation.arch) {
    case undefined:
      return own === architectureOf(version, native) || bearer.multiArch === 'foreign';
    case 'any':
      return (
        own === architectureOf(version, native) ||
        bearer.multiArch === 'allowed' ||
        bearer.multiArch === 'foreign'
      );
    case 'native':
      return own === native;
    default:
      return own === relation.arch;
  }
}

/** Whether `relation`, a Conflicts or Breaks of `version`, hits `other`. Own names and architectures never do. */
export function conflictsWith(
  version: PackageVersion,
  relation: Relation,
  other: PackageVersion,
  native: string,
): boolean {
  if (other.name === version.name) return false;
  if (relation.arch !== undefined && relation.arch !== 'any') {
    const arch = relation.arch === 'native' ? native : relation.arch;
    if (architectureOf(other, native) !== arch) return false;
  }
  return satisfies(other, relation);
}

/** The architecture a package occupies: `all` is native. */
export function architectureOf({ arch }: { readonly arch: string }, native: string): string {
  return arch === 'all' || arch === '' ? native : arch;
}
