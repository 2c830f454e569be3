// Alpine Linux. Branches and the last day of their support: https://alpinelinux.org/releases/. edge names the next
// branch with a suffix ("3.21_alpha20240923") and so is of no known release.
import { alpineKeys } from './keys/alpine.ts';
import type { DistroDefinition } from './definition.ts';

export const alpine: DistroDefinition = {
  id: 'alpine',
  name: 'Alpine Linux',
  family: 'apk',
  releases: [
    { version: '3.9', endOfLife: '2020-11-01' },
    { version: '3.10', endOfLife: '2021-05-01' },
    { version: '3.11', endOfLife: '2021-11-01' },
    { version: '3.12', endOfLife: '2022-05-01' },
    { version: '3.13', endOfLife: '2022-11-01' },
    { version: '3.14', endOfLife: '2023-05-01' },
    { version: '3.15', endOfLife: '2023-11-01' },
    { version: '3.16', endOfLife: '2024-05-23' },
    { version: '3.17', endOfLife: '2024-11-22' },
    { version: '3.18', endOfLife: '2025-05-09' },
    { version: '3.19', endOfLife: '2025-11-01' },
    { version: '3.20', endOfLife: '2026-04-01' },
    { version: '3.21', endOfLife: '2026-11-01' },
    { version: '3.22', endOfLife: '2027-05-01' },
    { version: '3.23', endOfLife: '2027-11-01' },
  ],
  repositories: (release) =>
    release === undefined
      ? []
      : ['main', 'community'].map(
          (name) => `https://dl-cdn.alpinelinux.org/alpine/v${release.version}/${name}`,
        ),
  keys: alpineKeys,
  quirks: (release) => {
    const minor = /^3\.(\d+)$/.exec(release?.version ?? '')?.[1];
    return minor !== undefined && Number(minor) < 18 ? { apkUnsortedDatabase: true } : {};
  },
  versionFile: { path: 'etc/alpine-release', version: (content) => /^\d+\.\d+(?:\.\d+)?/.exec(content)?.[0] },
};
