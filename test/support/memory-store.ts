// An image store in memory: the smallest thing that keeps the contract of src/oci/image-store.ts.
import { collect, streamOf, type ByteStream } from '../../src/base/streams.ts';
import { OnlayError } from '../../src/errors.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { BlobSource, Document, ImageStore } from '../../src/oci/image-store.ts';
import type { Descriptor } from '../../src/oci/manifest.ts';
import { verifyBytes, verifyStream } from '../../src/oci/verify.ts';
import { abortable } from '../../src/stores/abortable.ts';
import { requireParts } from '../../src/stores/complete.ts';

export class MemoryStore implements ImageStore {
  readonly name = 'memory';
  readonly identity = 'memory';
  /** Refuse documents that refer to what is not there; without it images may be wrong in any way. */
  readonly #complete: boolean;
  /** Calls off what is being put. */
  signal: AbortSignal | undefined;
  readonly blobs: Map<string, Uint8Array> = new Map();
  readonly documents: Map<string, Document> = new Map();
  readonly named: Map<string, Document> = new Map();

  constructor(options: { readonly complete?: boolean } = {}) {
    this.#complete = options.complete === true;
  }

  async resolve(reference: { readonly tag?: string; readonly digest?: Digest }): Promise<Document> {
    const document =
      reference.digest === undefined
        ? this.named.get(reference.tag ?? 'latest')
        : this.documents.get(reference.digest);
    if (!document) throw new OnlayError('IMAGE_NOT_FOUND', 'memory: there is no such image');
    return document;
  }

  async document(descriptor: Descriptor): Promise<Document> {
    const { bytes } = await this.resolve({ digest: descriptor.digest });
    verifyBytes(bytes, descriptor, this.name);
    return { descriptor, bytes };
  }

  async *blob(descriptor: Descriptor): ByteStream {
    const bytes = this.blobs.get(descriptor.digest);
    if (!bytes) throw new OnlayError('IMAGE_NOT_FOUND', `memory: there is no blob ${descriptor.digest}`);
    yield* verifyStream(streamOf(bytes), descriptor, this.name);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return this.blobs.has(descriptor.digest) || this.documents.has(descriptor.digest);
  }

  async tags(): Promise<readonly string[]> {
    return [...this.named.keys()];
  }

  async putBlob(descriptor: Descriptor, source: BlobSource): Promise<{ readonly uploaded: boolean }> {
    if (this.blobs.has(descriptor.digest)) return { uploaded: false };
    const checked = verifyStream(abortable(await source.open(), this.signal), descriptor, this.name);
    this.blobs.set(descriptor.digest, await collect(checked, { limit: descriptor.size, what: this.name }));
    return { uploaded: true };
  }

  async putDocument(document: Document, tag?: string): Promise<void> {
    verifyBytes(document.bytes, document.descriptor, this.name);
    if (this.#complete) await requireParts(this, document);
    this.documents.set(document.descriptor.digest, document);
    if (tag !== undefined) this.named.set(tag, document);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
