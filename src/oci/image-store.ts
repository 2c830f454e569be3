// PORT: where images live. Adapters in src/stores: registry, layout, docker-archive.
import type { ByteStream } from '../base/streams.ts';
import type { Descriptor } from './manifest.ts';
import type { Digest } from './digest.ts';

/** A document whose bytes were checked against `descriptor.digest`. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface BlobSource {
  /** Opens the content from its start; may be called again for a retry. */
  open(): ByteStream | Promise<ByteStream>;
  /** Set when the content already is in this other repository of the same registry ("team/base"): it may be mounted. */
  readonly mountFrom?: string;
  /** Set when the content has just been made: asking whether it is there would cost a request for nothing. */
  readonly fresh?: boolean;
}

/** One repository (or directory, or archive) of images. */
export interface ImageStore {
  /** For messages: "registry host/repo", "oci:dir". Without secrets. */
  readonly name: string;
  /** Equal for two stores when blobs of one are visible in the other without upload. */
  readonly identity: string;
  /** Equal when blobs can be mounted from one to the other (same registry). */
  readonly mountIdentity?: string;
  /** Repository name, for mounts. */
  readonly repository?: string;

  /** The manifest or index behind a tag or digest. Throws IMAGE_NOT_FOUND, AUTH_*, NETWORK, DIGEST_MISMATCH, … */
  resolve(reference: { readonly tag?: string; readonly digest?: Digest }): Promise<Document>;
  /** A manifest or index by descriptor, verified against digest and size. */
  document(descriptor: Descriptor): Promise<Document>;
  /** A blob as it is stored. Digest and size are checked while it streams: the error comes before the end. */
  blob(descriptor: Descriptor): ByteStream;

  has(descriptor: Descriptor): Promise<boolean>;
  /** Uploads a blob unless it is there. `uploaded` is false when nothing had to be sent. */
  putBlob(descriptor: Descriptor, source: BlobSource): Promise<{ readonly uploaded: boolean }>;
  /** Writes a manifest or index by digest, or moves `tag` to it. Everything it refers to must be there. */
  putDocument(document: Document, tag?: string): Promise<void>;
  /** What `tag` points at now, in the place that is written to (not a mirror of it). Absent: as `resolve`. */
  tagged?(tag: string): Promise<Digest | undefined>;
  /** Names under which `resolve` finds images: tags; whole references in archives. Absent where it costs a listing. */
  tags?(): Promise<readonly string[]>;
  /** Manifests whose `subject` is this digest. Absent, or undefined, where the store has no such list of its own. */
  referrers?(subject: Digest): Promise<readonly Descriptor[] | undefined>;
  [Symbol.asyncDispose](): Promise<void>;
}
