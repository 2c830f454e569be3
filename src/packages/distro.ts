// What a distro is to the package families: data. The entries themselves are in src/distros, one file each.
import type { FamilyName } from './package.ts';

/** The fields of etc/os-release that matter, plus files that older or smaller images have instead. */
export interface OsRelease {
  readonly id: string;
  readonly idLike: readonly string[];
  readonly versionId: string;
  readonly codename: string;
  readonly prettyName: string;
  readonly platformId: string;
}

export interface DistroRelease {
  /** VERSION_ID, or its leading part up to a dot ("9" covers "9.4"). */
  readonly version: string;
  readonly codename?: string;
  /** ISO date on which updates end, long-term support included. */
  readonly endOfLife?: string;
}

/** One distro. A quirk is a named optional field here, with a link to its reason; never an id compared elsewhere. */
export interface Distro {
  readonly id: string;
  readonly name: string;
  readonly family: FamilyName;
  /** The release this image is of; undefined when it names none that is known (rolling, testing). */
  readonly release: DistroRelease | undefined;
  readonly osRelease: OsRelease;
  /**
   * Repositories for images that state none, in the family's own one-line form (as `--repo` takes them).
   * `{arch}` is left for the family to fill in.
   */
  readonly defaultRepositories: readonly string[];
  /** Names of shipped keys (src/distros/keys) that may sign them. */
  readonly keys: readonly DistroKey[];
  readonly quirks: DistroQuirks;
}

export interface DistroKey {
  readonly name: string;
  /** Armored OpenPGP, or a PEM RSA key. */
  readonly text: string;
}

/** Extended by the families as they meet quirks; every field optional and documented with its reason. */
export interface DistroQuirks {
  /** apk up to 2.12 keeps installation order in `installed`; later ones sort by name (apk-tools 2.14, Alpine 3.18). */
  readonly apkUnsortedDatabase?: boolean;
  /** rpm transaction colour of the family; SUSE does not use colours. */
  readonly rpmColor?: 0 | 3;
  /** zypp keeps a package with the vendor it came from. */
  readonly vendorSticky?: boolean;
  /** Advisories state versions of source packages (Azure Linux, CBL-Mariner, Photon). */
  readonly rpmSourceAdvisories?: boolean;
  /** Value of `$releasever` where the installed release pins updates to the image's own date (Amazon Linux 2023). */
  readonly rpmReleaseVersion?: string;
}
