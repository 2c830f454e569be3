// CentOS Linux up to 8 and CentOS Stream from 8, which share one ID. Ends of support:
// https://www.centos.org/cl-vs-cs/. What has ended is served by the vault.
import type { DistroDefinition } from './definition.ts';

export const centos: DistroDefinition = {
  id: 'centos',
  name: 'CentOS',
  family: 'rpm',
  releases: [
    { version: '6', endOfLife: '2020-11-30' },
    { version: '7', endOfLife: '2024-06-30' },
    { version: '8', endOfLife: '2024-05-31' },
    { version: '9', endOfLife: '2027-05-31' },
    { version: '10', endOfLife: '2030-01-01' },
  ],
  repositories: (release) => {
    switch (release?.version) {
      case undefined:
        return [];
      case '6':
        return ['os', 'updates'].map((name) => `${name}=https://vault.centos.org/6.10/${name}/$basearch/`);
      case '7':
        return ['os', 'updates'].map(
          (name) => `${name}=https://vault.centos.org/7.9.2009/${name}/$basearch/`,
        );
      case '8':
        return ['BaseOS', 'AppStream'].map(
          (name) => `${name.toLowerCase()}=https://vault.centos.org/8-stream/${name}/$basearch/os/`,
        );
      default:
        return ['BaseOS', 'AppStream'].map(
          (name) =>
            `${name.toLowerCase()}=https://mirror.stream.centos.org/${release?.version}-stream/${name}/$basearch/os/`,
        );
    }
  },
  quirks: () => ({ rpmColor: 3 }),
  versionFile: { path: 'etc/centos-release', version: (content) => /release (\d+)/.exec(content)?.[1] },
};
