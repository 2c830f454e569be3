// Wolfi: rolling, no releases, so no end of life. Its key is not shipped here: images have it in etc/apk/keys, for one
// that has not, --trust-key is needed (https://packages.wolfi.dev/os/wolfi-signing.rsa.pub).
import type { DistroDefinition } from './definition.ts';

export const wolfi: DistroDefinition = {
  id: 'wolfi',
  name: 'Wolfi',
  family: 'apk',
  releases: [],
  repositories: () => ['https://packages.wolfi.dev/os'],
};
