// Oracle Linux. Ends of premier support: https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf.
import type { DistroDefinition } from './definition.ts';

export const oracle: DistroDefinition = {
  id: 'ol',
  name: 'Oracle Linux',
  family: 'rpm',
  releases: [
    { version: '7', endOfLife: '2024-12-31' },
    { version: '8', endOfLife: '2029-07-31' },
    { version: '9', endOfLife: '2032-06-30' },
    { version: '10', endOfLife: '2035-06-30' },
  ],
  repositories: (release) => {
    if (release === undefined) return [];
    const base = `https://yum.oracle.com/repo/OracleLinux/OL${release.version}`;
    if (release.version === '7') return [`latest=${base}/latest/$basearch/`];
    return [`baseos=${base}/baseos/latest/$basearch/`, `appstream=${base}/appstream/$basearch/`];
  },
  quirks: () => ({ rpmColor: 3 }),
};
