// AlmaLinux. Ends of support: https://wiki.almalinux.org/release-notes/.
import type { DistroDefinition } from './definition.ts';

export const almalinux: DistroDefinition = {
  id: 'almalinux',
  name: 'AlmaLinux',
  family: 'rpm',
  releases: [
    { version: '8', endOfLife: '2029-03-01' },
    { version: '9', endOfLife: '2032-05-31' },
    { version: '10', endOfLife: '2035-05-31' },
  ],
  repositories: (release) =>
    release === undefined
      ? []
      : ['BaseOS', 'AppStream', 'extras'].map(
          (name) =>
            `${name.toLowerCase()}=https://repo.almalinux.org/almalinux/${release.version}/${name}/$basearch/os/`,
        ),
  quirks: () => ({ rpmColor: 3 }),
};
