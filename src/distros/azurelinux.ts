// Azure Linux. https://github.com/microsoft/azurelinux. Advisories state source versions.
import type { DistroDefinition } from './definition.ts';

export const azurelinux: DistroDefinition = {
  id: 'azurelinux',
  name: 'Azure Linux',
  family: 'rpm',
  releases: [{ version: '3.0' }],
  repositories: (release) =>
    release === undefined
      ? []
      : [`base=https://packages.microsoft.com/azurelinux/${release.version}/prod/base/$basearch`],
  quirks: () => ({ rpmColor: 3, rpmSourceAdvisories: true }),
};
