// What a run of the pipeline is given: where the image comes from and goes to, and what shall be done with it.
import type { Digest } from '../oci/digest.ts';
import type { ImageStore } from '../oci/image-store.ts';
import type { Platform } from '../oci/manifest.ts';
import type { Plan } from '../plan/plan.ts';
import type { Report } from '../reports/index.ts';
import type { PlatformOptions } from './patch-platform.ts';

export interface PatchSource {
  readonly store: ImageStore;
  readonly tag?: string;
  readonly digest?: Digest;
  /** As the user wrote it, for the result. */
  readonly name: string;
}

export interface PatchTarget {
  readonly store: ImageStore;
  /** "" in archives, whose images need no name. */
  readonly tag: string;
  readonly name: string;
}

export interface PatchOptions extends Omit<PlatformOptions, 'report' | 'plan' | 'indexDigests' | 'onPulled'> {
  readonly tool: { readonly name: string; readonly version: string };
  readonly source: PatchSource;
  /** --rebase: `source` is the base that moved, this the patched image it was found by. */
  readonly rebased?: { readonly from: PatchSource; readonly digest: Digest } | undefined;
  /** Absent for a dry run. */
  readonly target: PatchTarget | undefined;
  /** Empty: all that can be patched. */
  readonly platforms: readonly Platform[];
  /** One, or one per platform. Absent: update everything. */
  readonly reports: readonly Report[] | undefined;
  readonly plans: readonly Plan[] | undefined;
  readonly warnings: readonly string[];
  readonly fetched: () => number;
}
