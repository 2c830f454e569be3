// The result of a run, as `--json` prints it (schema: docs/result.schema.json). Additive changes only within one
// schemaVersion.
import type { ConfigFileOutcome } from '../packages/family.ts';
import type { Skipped } from '../packages/package.ts';

export const RESULT_VERSION = 1;

export interface ScriptOutcome {
  readonly name: string;
  readonly action: 'emulated' | 'not-run' | 'no-op';
  /** The effect that did it, or why it is a no-op; for not-run: interpreter and digest of the script. */
  readonly by: string;
}

export interface PackageOutcome {
  readonly name: string;
  readonly arch: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly source: string;
  readonly repository: string;
  readonly sha256: string;
  readonly reason: string;
  readonly cves: readonly string[];
  readonly scripts: readonly ScriptOutcome[];
}

export interface PlatformOutcome {
  readonly platform: string;
  readonly status: 'patched' | 'planned' | 'unchanged' | 'preserved' | 'failed';
  /** Manifest digest of the result; of the source where nothing changed. */
  readonly digest: string;
  readonly layer: {
    readonly digest: string;
    readonly diffId: string;
    readonly size: number;
    readonly uncompressedSize: number;
  } | null;
  readonly baseDigest: string;
  readonly distro: string;
  readonly packages: readonly PackageOutcome[];
  readonly skipped: readonly Skipped[];
  readonly conffiles: readonly ConfigFileOutcome[];
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
  readonly error?: ErrorOutcome;
}

export interface ErrorOutcome {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export interface Outcome {
  readonly schemaVersion: typeof RESULT_VERSION;
  readonly tool: { readonly name: string; readonly version: string };
  readonly changed: boolean;
  readonly image: {
    readonly source: string;
    readonly sourceDigest: string;
    readonly target: string | null;
    readonly digest: string;
    readonly mediaType: string;
    readonly platforms: readonly PlatformOutcome[];
  } | null;
  readonly bytes: { readonly pulled: number; readonly fetched: number; readonly pushed: number };
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly error?: ErrorOutcome;
}
