// Debian. Releases and their last day of long-term support: https://wiki.debian.org/DebianReleases and /LTS.
import { debianKeys } from './keys/debian.ts';
import type { DistroDefinition } from './definition.ts';

export const debian: DistroDefinition = {
  id: 'debian',
  name: 'Debian',
  family: 'dpkg',
  releases: [
    { version: '9', codename: 'stretch', endOfLife: '2022-06-30' },
    { version: '10', codename: 'buster', endOfLife: '2024-06-30' },
    { version: '11', codename: 'bullseye', endOfLife: '2026-08-31' },
    { version: '12', codename: 'bookworm', endOfLife: '2028-06-30' },
    { version: '13', codename: 'trixie', endOfLife: '2030-06-30' },
  ],
  repositories: (release) =>
    release?.codename === undefined
      ? []
      : [
          `deb http://ftp.debian.org/debian ${release.codename} main`,
          `deb http://ftp.debian.org/debian ${release.codename}-updates main`,
          `deb http://security.debian.org/debian-security ${release.codename}${Number(release.version) < 11 ? '/updates' : '-security'} main`,
        ],
  keys: debianKeys,
  versionFile: { path: 'etc/debian_version', version: (content) => /^(\d+)/.exec(content)?.[1] },
};
