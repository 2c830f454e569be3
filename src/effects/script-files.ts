// Files that commands of maintainer scripts look at (commands/): their contents are kept when layers are read.
import { ANSWERS } from './commands/debconf.ts';
import type { Effect } from './effect.ts';

const SMALL = 1024 * 1024;
const KEPT =
  /^(?:etc\/(?:passwd|group|shadow|gshadow|login\.defs)|var\/lib\/(?:dpkg\/)?alternatives\/[^/]+|var\/lib\/ucf\/(?:hashfile|registry)|usr\/share\/dpkg\/sh\/[^/]+|(?:usr\/lib|etc)\/(?:tmpfiles|sysusers)\.d\/[^/]+\.conf)$/;

export const scriptFiles: Effect = {
  name: 'scripts',
  families: ['dpkg', 'rpm', 'apk'],
  standsFor: () => false,
  apply: () => undefined,
  captures: (path, size) => (path === ANSWERS ? size <= 8 * SMALL : size <= SMALL && KEPT.test(path)),
};
