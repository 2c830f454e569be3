// Every package family, written out.
import { apk } from './apk/family.ts';
import { dpkg } from './dpkg/family.ts';
import type { PackageFamily } from './family.ts';
import { rpm } from './rpm/family.ts';

export const families: readonly PackageFamily[] = [dpkg, apk, rpm];
