// Fedora Linux. Ends of support: https://docs.fedoraproject.org/en-US/releases/eol/; a release ends about a month after
// the second next one, so those of current releases are not known beforehand.
import type { DistroDefinition } from './definition.ts';

export const fedora: DistroDefinition = {
  id: 'fedora',
  name: 'Fedora Linux',
  family: 'rpm',
  releases: [
    { version: '36', endOfLife: '2023-05-16' },
    { version: '37', endOfLife: '2023-12-05' },
    { version: '38', endOfLife: '2024-05-21' },
    { version: '39', endOfLife: '2024-11-26' },
    { version: '40', endOfLife: '2025-05-13' },
    { version: '41', endOfLife: '2025-12-15' },
    { version: '42', endOfLife: '2026-05-13' },
    { version: '43' },
    { version: '44' },
  ],
  repositories: (release) =>
    release === undefined
      ? []
      : [
          `fedora=https://dl.fedoraproject.org/pub/fedora/linux/releases/${release.version}/Everything/$basearch/os/`,
          `updates=https://dl.fedoraproject.org/pub/fedora/linux/updates/${release.version}/Everything/$basearch/`,
        ],
  quirks: () => ({ rpmColor: 3 }),
};
