// Every supported distro, written out. The order does not matter: each is recognised by its own ID.
import type { DistroDefinition } from './definition.ts';
import { alpine } from './alpine.ts';
import { chainguard } from './chainguard.ts';
import { debian } from './debian.ts';
import { ubuntu } from './ubuntu.ts';
import { wolfi } from './wolfi.ts';

export const distros: readonly DistroDefinition[] = [alpine, chainguard, debian, ubuntu, wolfi];
