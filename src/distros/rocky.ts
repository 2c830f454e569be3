// Rocky Linux. Ends of support: https://wiki.rockylinux.org/rocky/version/.
import type { DistroDefinition } from './definition.ts';

export const rocky: DistroDefinition = {
  id: 'rocky',
  name: 'Rocky Linux',
  family: 'rpm',
  releases: [
    { version: '8', endOfLife: '2029-05-31' },
    { version: '9', endOfLife: '2032-05-31' },
    { version: '10', endOfLife: '2035-05-31' },
  ],
  repositories: (release) =>
    release === undefined
      ? []
      : ['BaseOS', 'AppStream', 'extras'].map(
          (name) =>
            `${name.toLowerCase()}=https://dl.rockylinux.org/pub/rocky/${release.version}/${name}/$basearch/os/`,
        ),
  quirks: () => ({ rpmColor: 3 }),
};
