// CBL-Mariner, the name of Azure Linux before 3.0. Advisories state source versions.
import type { DistroDefinition } from './definition.ts';

export const mariner: DistroDefinition = {
  id: 'mariner',
  name: 'CBL-Mariner',
  family: 'rpm',
  releases: [
    { version: '1.0', endOfLife: '2023-07-31' },
    { version: '2.0', endOfLife: '2025-07-31' },
  ],
  repositories: (release) => {
    if (release === undefined) return [];
    const base = `https://packages.microsoft.com/cbl-mariner/${release.version}/prod`;
    // 1.0 kept its updates apart
    return release.version === '1.0'
      ? [`base=${base}/base/$basearch/rpms`, `update=${base}/update/$basearch/rpms`]
      : [`base=${base}/base/$basearch`];
  },
  quirks: () => ({ rpmColor: 3, rpmSourceAdvisories: true }),
};
