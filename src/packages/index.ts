// Every package family, written out.
import type { PackageFamily } from './family.ts';

export const families: readonly PackageFamily[] = [];
