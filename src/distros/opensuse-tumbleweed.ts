// openSUSE Tumbleweed, a rolling distro.
import type { DistroDefinition } from './definition.ts';

export const opensuseTumbleweed: DistroDefinition = {
  id: 'opensuse-tumbleweed',
  name: 'openSUSE Tumbleweed',
  family: 'rpm',
  releases: [],
  repositories: () => ['repo-oss=https://download.opensuse.org/tumbleweed/repo/oss/'],
  quirks: () => ({ rpmColor: 0, vendorSticky: true }),
};
