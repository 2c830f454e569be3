// Photon OS. https://github.com/vmware/photon/wiki. Advisories state source versions.
import type { DistroDefinition } from './definition.ts';

export const photon: DistroDefinition = {
  id: 'photon',
  name: 'Photon OS',
  family: 'rpm',
  releases: [
    { version: '1.0', endOfLife: '2022-02-28' },
    { version: '2.0', endOfLife: '2022-12-31' },
    { version: '3.0', endOfLife: '2024-03-01' },
    { version: '4.0', endOfLife: '2026-03-01' },
    { version: '5.0' },
  ],
  repositories: (release) => {
    if (release === undefined) return [];
    const { version } = release;
    const base = `https://packages.vmware.com/photon/${version}`;
    return ['release', 'updates'].map((name) => `photon-${name}=${base}/photon_${name}_${version}_$basearch`);
  },
  quirks: () => ({ rpmSourceAdvisories: true }),
};
