// Every supported distro, written out. The order does not matter: each is recognised by its own ID.
import type { DistroDefinition } from './definition.ts';
import { debian } from './debian.ts';
import { ubuntu } from './ubuntu.ts';

export const distros: readonly DistroDefinition[] = [debian, ubuntu];
