// Ubuntu. Releases and the end of standard support (ESM with credentials goes on longer):
// https://wiki.ubuntu.com/Releases. Architectures other than amd64 and i386 live on the ports archive.
import { ubuntuKeys } from './keys/ubuntu.ts';
import type { DistroDefinition } from './definition.ts';

const POCKETS = ['', '-updates', '-security'] as const;

export const ubuntu: DistroDefinition = {
  id: 'ubuntu',
  name: 'Ubuntu',
  family: 'dpkg',
  releases: [
    { version: '18.04', codename: 'bionic', endOfLife: '2023-05-31' },
    { version: '20.04', codename: 'focal', endOfLife: '2025-05-31' },
    { version: '22.04', codename: 'jammy', endOfLife: '2027-06-01' },
    { version: '24.04', codename: 'noble', endOfLife: '2029-05-31' },
    { version: '24.10', codename: 'oracular', endOfLife: '2025-07-10' },
    { version: '25.04', codename: 'plucky', endOfLife: '2026-01-15' },
    { version: '25.10', codename: 'questing', endOfLife: '2026-07-15' },
    { version: '26.04', codename: 'resolute', endOfLife: '2031-05-31' },
  ],
  repositories: (release, { architecture }) => {
    const codename = release?.codename;
    if (codename === undefined) return [];
    const main = ['amd64', '386'].includes(architecture);
    return POCKETS.map((pocket) => {
      const base = main
        ? `http://${pocket === '-security' ? 'security' : 'archive'}.ubuntu.com/ubuntu`
        : 'http://ports.ubuntu.com/ubuntu-ports';
      return `deb ${base} ${codename}${pocket} main restricted universe multiverse`;
    });
  },
  keys: ubuntuKeys,
};
