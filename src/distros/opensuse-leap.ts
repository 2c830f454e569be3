// openSUSE Leap. Ends of support: https://en.opensuse.org/Lifetime.
import type { DistroDefinition } from './definition.ts';

export const opensuseLeap: DistroDefinition = {
  id: 'opensuse-leap',
  name: 'openSUSE Leap',
  family: 'rpm',
  releases: [
    { version: '15.3', endOfLife: '2022-12-31' },
    { version: '15.4', endOfLife: '2023-12-07' },
    { version: '15.5', endOfLife: '2024-12-31' },
    { version: '15.6', endOfLife: '2026-04-30' },
    { version: '16.0' },
  ],
  repositories: (release) => {
    if (release === undefined) return [];
    const { version } = release;
    const base = 'https://download.opensuse.org';
    if (version.startsWith('16')) return [`repo-oss=${base}/distribution/leap/${version}/repo/oss/$basearch`];
    return [
      `repo-oss=${base}/distribution/leap/${version}/repo/oss/`,
      ...['oss', 'sle', 'backports'].map((name) => `update-${name}=${base}/update/leap/${version}/${name}/`),
    ];
  },
  quirks: () => ({ rpmColor: 0, vendorSticky: true }),
};
