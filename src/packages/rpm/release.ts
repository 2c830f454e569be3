// `$releasever`, `$basearch` and `$arch`, as dnf and zypp find them out.
import type { Distro } from '../distro.ts';
import type { RpmArchitecture } from './architecture.ts';
import type { StoredHeader } from './db/backend.ts';
import { DEPENDENCY_TAGS, headerRelations } from './dependencies.ts';
import { text } from './header.ts';
import type { Variables } from './repositories/configuration.ts';
import { Tag } from './tags.ts';

/** Capabilities that say which package is the release, best first; the first states the value itself. */
const RELEASE_NAMES = [
  'system-release(releasever)',
  'system-release',
  'distribution-release',
  'redhat-release',
];

export function releaseVariables(
  headers: readonly StoredHeader[],
  distro: Distro | undefined,
  architecture: RpmArchitecture,
): Variables {
  const variables = new Map([
    ['arch', architecture.arch],
    ['basearch', architecture.basearch],
  ]);
  const version =
    distro?.quirks.rpmReleaseVersion ?? installedRelease(headers) ?? distro?.osRelease.versionId;
  if (version) variables.set('releasever', version);
  return variables;
}

function installedRelease(headers: readonly StoredHeader[]): string | undefined {
  for (const name of RELEASE_NAMES)
    for (const { header } of headers) {
      const stated = headerRelations(header, DEPENDENCY_TAGS.provides).find(
        (relation) => relation.name === name,
      );
      if (!stated) continue;
      // without a version, or for the package as such, the version of the package is meant
      return name.endsWith(')') && stated.version !== undefined ? stated.version : text(header, Tag.version);
    }
  return undefined;
}
