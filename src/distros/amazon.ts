// Amazon Linux. Ends of support: https://aws.amazon.com/amazon-linux-2/faqs/ and /linux/amazon-linux-2023/faqs/. Its
// repositories are found through mirror lists that the images name.
import type { DistroDefinition } from './definition.ts';

export const amazon: DistroDefinition = {
  id: 'amzn',
  name: 'Amazon Linux',
  family: 'rpm',
  releases: [
    { version: '2018.03', endOfLife: '2023-12-31' },
    { version: '2', endOfLife: '2026-06-30' },
    { version: '2023', endOfLife: '2029-06-30' },
  ],
  repositories: () => [],
  // 2023 pins $releasever to the date of the image, where no update ever appears
  quirks: (release) => ({
    rpmColor: 3,
    ...(release?.version === '2023' ? { rpmReleaseVersion: 'latest' } : {}),
  }),
};
