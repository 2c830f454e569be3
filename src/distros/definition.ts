// What one file in this folder states about a distro. Recognition reads os-release first and small files that smaller
// images have instead; the result is the `Distro` that package families work with.
import type { DistroKey, DistroQuirks, DistroRelease, OsRelease } from '../packages/distro.ts';
import type { FamilyName } from '../packages/package.ts';

export interface DistroDefinition {
  /** `ID` of os-release, lower case. */
  readonly id: string;
  /** Further values of `ID` for the same distro. */
  readonly aliases?: readonly string[];
  readonly name: string;
  readonly family: FamilyName;
  /** Newest last. Empty for rolling distros. */
  readonly releases: readonly DistroRelease[];
  /**
   * Repositories for an image that states none, in the form `--repo` takes for this family; `{arch}` stays for the
   * family. Only called with a release that is known, or undefined for rolling ones.
   */
  readonly repositories: (release: DistroRelease | undefined, image: RepositoryContext) => readonly string[];
  readonly keys?: readonly DistroKey[];
  readonly quirks?: (release: DistroRelease | undefined, osRelease: OsRelease) => DistroQuirks;
  /** Reads the version where os-release lacks it or is missing: path in the image → VERSION_ID. */
  readonly versionFile?: { readonly path: string; readonly version: (content: string) => string | undefined };
}

export interface RepositoryContext {
  /** OCI architecture: "amd64", "arm64", "s390x", … */
  readonly architecture: string;
}
