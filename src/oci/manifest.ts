// Manifests, indexes and descriptors of OCI and Docker schema 2, parsed once from the bytes that were hashed. Unknown
// fields stay in `raw`; edits are made there (oci/append-layer.ts), so that nothing we do not know is lost.
import type { Digest } from './digest.ts';

export type JsonObject = { [key: string]: unknown };

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly urls: readonly string[];
  readonly platform?: Platform;
  readonly artifactType?: string;
  /** The object as it stood in its document. */
  readonly raw: JsonObject;
}
