// PORT: which package format it is. One implementation per folder below packages/; packages/index.ts lists them.
// The pipeline (patch/) calls, in this order: locate → packages → resolve → (fetch) → verify → unpack → install.
import type { Log } from '../base/log.ts';
import type { Draft } from '../rootfs/draft.ts';
import type { RootPath } from '../rootfs/path.ts';
import type { RootView } from '../rootfs/root-view.ts';
import type { Distro } from './distro.ts';
import type { Fetch, FetchRequest } from './fetch.ts';
import type {
  FamilyName,
  InstalledPackage,
  PlannedPackage,
  PlannedRemoval,
  Resolution,
  Wanted,
} from './package.ts';
import type { VerifiedPackage } from './verified.ts';

export interface PackageFamily {
  readonly name: FamilyName;
  /** Files whose content must be kept while layers are indexed: the database, its configuration, keys, conffiles. */
  captures(path: RootPath, size: number): boolean;
  /** What `audit` reads besides those. */
  auditCaptures?(path: RootPath, size: number): boolean;
  /**
   * The package database of an image, or undefined when there is none of this family. Throws DATABASE_INVALID.
   * `imageArch` is the image's OCI architecture ("amd64"), for databases that do not say.
   */
  open(input: OpenInput): Promise<PackageDatabase | undefined>;
  /** Total order of versions: negative, 0, positive. Never throws. */
  compareVersions(a: string, b: string): number;
}

export interface OpenInput {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  readonly imageArch: string;
  readonly imageVariant?: string;
  readonly log: Log;
}

export interface PackageDatabase {
  readonly family: FamilyName;
  /** Form of the database: 'dpkg', 'status.d', 'apk', 'sqlite', 'ndb', 'bdb', 'rpmmanifest'. */
  readonly kind: string;
  readonly path: RootPath;
  /** Sorted by name, then arch. */
  readonly packages: readonly InstalledPackage[];
  /** Indexes are fetched and verified, then solved. Plain data comes back. Throws INDEX_INVALID, SIGNATURE_INVALID, … */
  resolve(request: ResolveRequest): Promise<Resolution>;
  /**
   * What a request for a package's URL needs beyond the URL: the login, proxy and certificates of its repository, as the
   * image or `repositories` (--repo) state them. A plan holds no secrets, so they are looked up again.
   */
  access(planned: PlannedPackage, repositories: readonly string[]): PackageAccess;
  /** Checks a download: size and digests of the plan, and the format's own signatures and digests. */
  verify(planned: PlannedPackage, bytes: Uint8Array, trust: TrustOptions): Promise<VerifiedPackage>;
  /** Decodes and checks the whole package in memory; drops content that the image already has. */
  unpack(verified: VerifiedPackage): Promise<UnpackedPackage>;
  /** The packages as they are installed one after the other; the accounts that their scripts make depend on it. */
  inOrder?(packages: readonly UnpackedPackage[]): readonly UnpackedPackage[];
  /**
   * Holds the records against the files of the image: one line for each file that is missing or has other content than
   * recorded, configuration files aside. Layers must have been read for it: `auditCaptures`, and digests of contents as
   * facts (rootfs/content-digests.ts).
   */
  audit?(): Promise<readonly string[]>;
  /** Writes files, removals and database into `draft`. Order of `packages` does not matter. */
  install(input: InstallInput): Promise<Installation>;
}

export type PackageAccess = Pick<FetchRequest, 'credentials' | 'hostFiles' | 'headers' | 'proxy' | 'tls'>;

export interface TrustOptions {
  /** Content of every --trust-key file, with its name. */
  readonly trustKeys: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly onlyTrustKeys: boolean;
  readonly allowUnsigned: boolean;
}

export interface ResolveRequest extends TrustOptions {
  readonly fetch: Fetch;
  /** 'all': everything that is upgradable, as `apt-get upgrade`, `apk upgrade`, `dnf upgrade` do. */
  readonly wanted: 'all' | readonly Wanted[];
  /** --repo: these instead of the image's own. */
  readonly repositories: readonly string[];
  readonly allowNew: boolean;
  /** For freshness checks of indexes only; never reaches the image. Milliseconds since 1970. */
  readonly now: number;
  readonly log: Log;
}

export interface PackageScript {
  /** The family's name of it: 'postinst', 'post-upgrade', '%post', 'trigger', … */
  readonly name: string;
  /** '/bin/sh', '<lua>', … */
  readonly interpreter: string;
  /** Byte string. */
  readonly body: string;
}

/** A package in memory, checked. `content` is the family's own. */
export interface UnpackedPackage {
  readonly planned: PlannedPackage;
  /** Scripts that the real tool would run in this upgrade, in its order; those of the old package included. */
  readonly scripts: readonly PackageScript[];
  readonly content: unknown;
}

export interface InstallInput {
  readonly draft: Draft;
  readonly packages: readonly UnpackedPackage[];
  readonly removals: readonly PlannedRemoval[];
  /** Time for what has no time of its own (seconds since 1970); from SOURCE_DATE_EPOCH or the image, never the clock. */
  readonly epoch: number;
  readonly log: Log;
}

export interface ConfigFileOutcome {
  readonly path: string;
  readonly package: string;
  readonly action: 'replaced' | 'kept' | 'kept-new-beside' | 'saved' | 'removed' | 'obsolete' | 'restored';
  /** Where the other version lies ("etc/x.dpkg-dist", ".rpmnew", ".apk-new"), if anywhere. */
  readonly beside?: string;
}

export interface Installation {
  /** Scripts the real tool would have run beyond those of the new packages (removed packages, triggers), for effects. */
  readonly scripts: readonly { readonly package: string; readonly script: PackageScript }[];
  readonly conffiles: readonly ConfigFileOutcome[];
  /** Paths (byte strings) that are gone. */
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
}
