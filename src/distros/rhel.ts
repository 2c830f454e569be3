// Red Hat Enterprise Linux and its universal base images, which share one ID. Ends of maintenance:
// https://access.redhat.com/support/policy/updates/errata. Without a subscription only UBI content can be had.
import type { DistroDefinition } from './definition.ts';

export const rhel: DistroDefinition = {
  id: 'rhel',
  name: 'Red Hat Enterprise Linux',
  family: 'rpm',
  releases: [
    { version: '7', endOfLife: '2024-06-30' },
    { version: '8', endOfLife: '2029-05-31' },
    { version: '9', endOfLife: '2032-05-31' },
    { version: '10', endOfLife: '2035-05-31' },
  ],
  repositories: (release) => {
    const version = release?.version;
    if (version === undefined || version === '7') return [];
    const base = `https://cdn-ubi.redhat.com/content/public/ubi/dist/ubi${version}/${version}/$basearch`;
    return ['baseos', 'appstream'].map((name) => `ubi-${version}-${name}=${base}/${name}/os`);
  },
  quirks: () => ({ rpmColor: 3 }),
};
