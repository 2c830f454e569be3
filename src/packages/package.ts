// The nouns all package families share. Versions and names are byte strings as the family writes them; they compare
// with the family's own order only.

export type FamilyName = 'dpkg' | 'apk' | 'rpm';

export interface InstalledPackage {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  /** Name of the source package (dpkg Source, apk origin, rpm SOURCERPM's name); the name itself if there is none. */
  readonly source: string;
  readonly sourceVersion: string;
  /** Why the package must stay as it is ('hold', 'pin', 'versionlock', …), if it must. */
  readonly held?: string;
}

/** What a scanner found, bound to nothing but names and versions. */
export interface Finding {
  readonly id: string;
  /** Binary package name; a source name where `match` is 'source'. */
  readonly name: string;
  readonly match: 'binary' | 'source' | 'either';
  readonly arch?: string;
  readonly installed?: string;
  /** Any of these fixes it; empty: no fix is known. A floor, in the source's or the binary's numbering. */
  readonly fixed: readonly string[];
  readonly severity?: string;
}

/** A package to upgrade, with the lowest versions that count as fixed. */
export interface Wanted {
  readonly name: string;
  readonly arch: string;
  /** Each finding's alternatives; the candidate must reach one of each. Empty: any newer version. */
  readonly floors: readonly (readonly string[])[];
  readonly cves: readonly string[];
}

/** A digest of a downloaded package and what part of it is meant. */
export interface PackageDigest {
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  /** 'file': the whole download. 'apk-control': the compressed control member of an .apk (`C:` of the index). */
  readonly over: 'file' | 'apk-control';
  readonly value: string;
}

export type PlanReason =
  'requested' | 'upgrade' | 'dependency' | 'sibling' | 'breaks' | 'obsoletes' | 'install-if';

/** One package of a plan: what to download, how to know it is the right one, and why. Plain JSON data. */
export interface PlannedPackage {
  readonly name: string;
  readonly arch: string;
  /** Installed version; absent for a package that is new. */
  readonly from?: string;
  readonly to: string;
  readonly source: string;
  readonly sourceVersion: string;
  /** Names the repository in messages and results: base URL, suite and component, without credentials. */
  readonly repository: string;
  readonly url: string;
  /** Bytes of the download; checked. */
  readonly size?: number;
  /** At least one. */
  readonly digests: readonly PackageDigest[];
  readonly reason: PlanReason;
  /** Who pulled it in, for `reason` other than requested and upgrade. */
  readonly by?: string;
  readonly cves: readonly string[];
  /** What the family must carry from the index to `install` (apk tag, rpm repository id, …). */
  readonly extra?: Readonly<Record<string, string>>;
}

export interface PlannedRemoval {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  readonly reason: string;
}

export type SkipReason =
  | 'not-installed'
  | 'no-candidate'
  | 'fix-not-available'
  | 'already-fixed'
  | 'no-fix-known'
  | 'held'
  | 'pinned'
  | 'unsatisfiable'
  | 'new-package-not-allowed'
  | 'filtered'
  | 'unsupported';

/** A wanted package that is not in the plan. `failure`: the user asked for it and does not get it (exit status 5). */
export interface Skipped {
  readonly name: string;
  readonly reason: SkipReason;
  readonly detail: string;
  readonly failure: boolean;
  readonly cves: readonly string[];
}

/** A repository that took part, for the plan, messages and provenance. */
export interface RepositoryFact {
  readonly name: string;
  readonly url: string;
  /** How it was trusted: key fingerprint or key file name; absent only with --allow-unsigned. */
  readonly signedBy?: string;
  /** Date of the index, ISO 8601, where it states one. */
  readonly date?: string;
  readonly validUntil?: string;
}

export interface Resolution {
  readonly packages: readonly PlannedPackage[];
  readonly removals: readonly PlannedRemoval[];
  readonly skipped: readonly Skipped[];
  readonly repositories: readonly RepositoryFact[];
}
