// What the steps of one installation share: the draft, the rules of the image, who owns what, and what is reported.
import { OnlayError } from '../../errors.ts';
import { byteString, displayText } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { readDatabaseFile } from '../database-file.ts';
import type { ConfigFileOutcome, PackageScript } from '../family.ts';
import { readAccounts } from './accounts.ts';
import type { AttributeRules } from './attributes.ts';
import type { Stanza } from './control.ts';
import type { Deb } from './deb.ts';
import { relationList } from './dependencies.ts';
import { readDiversions } from './diversions.ts';
import type { Diversions } from './diversions.ts';
import type { InfoFiles } from './info-files.ts';
import type { Ownership, PackageId } from './ownership.ts';
import { readPathFilter } from './path-filter.ts';
import type { PathFilter } from './path-filter.ts';
import { satisfiesVersion } from './relations.ts';
import { readStatOverrides } from './statoverride.ts';
import type { MultiArch, StatusRecord } from './status.ts';
import type { ConffileRecord } from './status-stanza.ts';
import type { TriggerInterests } from './triggers.ts';

/** How an image wants packages to be unpacked: what its administrator has set. */
export interface ImageRules {
  readonly diversions: Diversions;
  readonly attributes: AttributeRules;
  readonly filter: PathFilter;
  /** Statoverrides that cannot be used. */
  readonly unknownOverrides: readonly string[];
}

/** One package being installed. */
export interface Unit {
  readonly id: PackageId;
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  readonly multiArch: MultiArch;
  /** When the real tools would unpack it: the first are 1. */
  readonly place: number;
  readonly deb: Deb;
  /** What the database has of it: installed, or its conffiles only; undefined when it is new. */
  readonly old: StatusRecord | undefined;
}

/** What is known of a version of a package. */
export interface PackageFacts {
  readonly id: PackageId;
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  readonly multiArch: MultiArch;
  readonly stanza: Stanza;
  /** Files are there; false for what left only its conffiles. */
  readonly installed: boolean;
  conffiles: readonly ConffileRecord[];
}

export interface Incoming {
  /** Of the new version; `packages` has the old one until it is unpacked. */
  readonly facts: PackageFacts;
  readonly names: ReadonlySet<string>;
  readonly directories: ReadonlySet<string>;
  /** Where files are that will not be written again, because they are there already. */
  readonly unchanged: ReadonlySet<RootPath>;
}

export interface Transaction {
  readonly draft: Draft;
  readonly info: InfoFiles;
  readonly rules: ImageRules;
  readonly ownership: Ownership;
  readonly triggers: TriggerInterests;
  readonly packages: Map<PackageId, PackageFacts>;
  /** What packages yet to be unpacked will ship. */
  readonly incoming: Map<PackageId, Incoming>;
  /** Packages that will be removed: they lose files without having said that they may be replaced. */
  readonly removing: Set<PackageId>;
  readonly epoch: number;
  readonly conffileOutcomes: ConfigFileOutcome[];
  readonly removed: Set<string>;
  readonly warnings: string[];
  readonly scripts: { readonly package: string; readonly script: PackageScript }[];
}

export function readImageRules(root: RootView): ImageRules {
  const accounts = readAccounts(root);
  const overrides = readStatOverrides(readText(root, STATOVERRIDE), accounts, STATOVERRIDE);
  return {
    diversions: readDiversions(readText(root, DIVERSIONS), DIVERSIONS),
    attributes: { accounts, overrides: overrides.byPath },
    filter: readPathFilter(root),
    unknownOverrides: overrides.unknown,
  };
}

/** True when `package` says it may take files from `other`. */
export function replaces(facts: PackageFacts, other: PackageFacts): boolean {
  return relationList(facts.stanza.get('Replaces')).some(
    (relation) => relation.name === other.name && satisfiesVersion(relation, other.version),
  );
}

/** True when both are the same package for different architectures that may share files. */
export function sharesFiles(a: PackageFacts, b: PackageFacts): boolean {
  return a.name === b.name && a.multiArch === 'same' && b.multiArch === 'same';
}

/** Removes `path` and everything below it, and notes that it is gone. */
export function removePath(transaction: Transaction, path: string): void {
  const node = transaction.draft.lookup(path);
  if (!node) return;
  transaction.removed.add(node.path);
  transaction.draft.remove(path);
}

export function conflict(message: string, hint?: string): OnlayError {
  return new OnlayError('CONFLICT', displayText(message), { hint });
}

/** Text of a file of the database, '' if there is none. Throws DATABASE_INVALID if its content was not kept. */
export function readText(root: RootView, path: string): string {
  return byteString(readDatabaseFile(root, path));
}

const DIVERSIONS = 'var/lib/dpkg/diversions';
const STATOVERRIDE = 'var/lib/dpkg/statoverride';
