// Chainguard OS: rolling like Wolfi, from which it descends. Organisations have repositories of their own, which images
// name in etc/apk/repositories. No key is shipped here: without one in the image --trust-key is needed.
import type { DistroDefinition } from './definition.ts';

export const chainguard: DistroDefinition = {
  id: 'chainguard',
  name: 'Chainguard',
  family: 'apk',
  releases: [],
  repositories: () => ['https://apk.cgr.dev/chainguard'],
};
