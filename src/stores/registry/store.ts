// One repository of a registry as an ImageStore. Reads try the mirrors of registries.conf before the registry itself;
// writes go to the registry only.
import { messageOf, OnlayError, hasCode } from '../../errors.ts';
import type { Progress } from '../../base/log.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobSource, Document, ImageStore } from '../../oci/image-store.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import { isDocumentType } from '../../oci/media-types.ts';
import type { RegistryReference } from '../../oci/reference.ts';
import { verifyBytes } from '../../oci/verify.ts';
import { fetchBlob } from './blob.ts';
import type { RegistryClient } from './client.ts';
import { fetchChild, fetchDocument, type Wanted } from './document.ts';
import { hasDocument, MissingContent, pushDocument, taggedDigest } from './publish.ts';
import { listReferrers } from './referrers.ts';
import type { PullFrom } from './registries-conf.ts';
import { hasBlob, pushBlob } from './upload.ts';

export interface Places {
  readonly primary: RegistryClient;
  readonly mirrors: readonly { readonly client: RegistryClient; readonly pullFrom: PullFrom }[];
}

export interface StoreOptions {
  readonly reference: RegistryReference;
  /** Read when the first request is made. */
  readonly places: () => Promise<Places>;
  readonly progress: Progress;
  readonly dispose: () => Promise<void>;
}

export class RegistryStore implements ImageStore {
  readonly name: string;
  readonly identity: string;
  readonly mountIdentity: string;
  readonly repository: string;
  readonly #options: StoreOptions;
  readonly #failedMirrors = new Set<RegistryClient>();
  /** Blobs believed to be there because they were mounted: sources to repair a mount that was a lie. */
  readonly #mounted = new Map<Digest, { readonly descriptor: Descriptor; readonly source: BlobSource }>();
  #places: Promise<Places> | undefined;

  constructor(options: StoreOptions) {
    const { domain, path, apiHost } = options.reference;
    this.name = `${domain}/${path}`;
    this.identity = `registry:${apiHost}/${path}`;
    this.mountIdentity = `registry:${apiHost}`;
    this.repository = path;
    this.#options = options;
  }

  resolve(reference: { readonly tag?: string; readonly digest?: Digest }): Promise<Document> {
    const wanted: Wanted = reference.digest
      ? { digest: reference.digest }
      : { tag: reference.tag ?? 'latest' };
    return this.#read(wanted.digest === undefined, (client) => fetchDocument(client, wanted));
  }

  document(descriptor: Descriptor): Promise<Document> {
    return this.#read(false, (client) => fetchChild(client, descriptor));
  }

  async *blob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void, undefined> {
    // a place may be left for another one only before the first byte has been handed on
    const stream = await this.#read(false, async (client) => {
      const stream = fetchBlob(client, descriptor);
      return { first: await stream.next(), rest: stream };
    });
    if (stream.first.done) return;
    try {
      yield stream.first.value;
      yield* stream.rest;
    } finally {
      await stream.rest.return();
    }
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    const { primary } = await this.#open();
    return isDocumentType(descriptor.mediaType)
      ? hasDocument(primary, descriptor.digest)
      : hasBlob(primary, descriptor);
  }

  async tagged(tag: string): Promise<Digest | undefined> {
    return taggedDigest((await this.#open()).primary, tag);
  }

  async putBlob(descriptor: Descriptor, source: BlobSource): Promise<{ readonly uploaded: boolean }> {
    requireSha256(descriptor, this.name);
    const { primary } = await this.#open();
    const own = source.mountFrom === this.repository;
    const outcome = own ? 'mounted' : await pushBlob(primary, descriptor, source);
    if (outcome === 'mounted') this.#mounted.set(descriptor.digest, { descriptor, source });
    return { uploaded: outcome === 'uploaded' };
  }

  async putDocument(document: Document, tag?: string): Promise<void> {
    requireSha256(document.descriptor, this.name);
    verifyBytes(document.bytes, document.descriptor, this.name);
    const { primary } = await this.#open();
    try {
      await pushDocument(primary, document, tag);
    } catch (error) {
      const missing = error instanceof OnlayError && error.cause instanceof MissingContent;
      if (!missing || !(await this.#repairMounts(primary))) throw error;
      await pushDocument(primary, document, tag);
    }
  }

  async referrers(subject: Digest): Promise<readonly Descriptor[] | undefined> {
    return listReferrers((await this.#open()).primary, subject);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#options.dispose();
  }

  #open(): Promise<Places> {
    this.#places ??= this.#options.places();
    return this.#places;
  }

  // true when something was missing and now is there
  async #repairMounts(client: RegistryClient): Promise<boolean> {
    let repaired = false;
    for (const { descriptor, source } of this.#mounted.values()) {
      if (await hasBlob(client, descriptor)) continue;
      client.log.warn('the registry does not have a blob it mounted; it is uploaded', {
        digest: descriptor.digest,
      });
      const task = this.#options.progress.start(`push ${descriptor.digest.slice(7, 19)}`, descriptor.size);
      await pushBlob(client, descriptor, { open: () => source.open(), fresh: true });
      task.done();
      repaired = true;
    }
    this.#mounted.clear();
    return repaired;
  }

  async #read<T>(byTag: boolean, read: (client: RegistryClient) => Promise<T>): Promise<T> {
    const { primary, mirrors } = await this.#open();
    const reasons: string[] = [];
    for (const { client, pullFrom } of mirrors) {
      if (this.#failedMirrors.has(client) || (byTag ? pullFrom === 'digest-only' : pullFrom === 'tag-only'))
        continue;
      try {
        return await read(client);
      } catch (error) {
        if (!(error instanceof OnlayError) || !mayTryNext(error)) throw error;
        reasons.push(messageOf(error));
        if (error.code === 'IMAGE_NOT_FOUND') continue;
        client.log.warn('a mirror is left out', { mirror: client.endpoint.mirror, why: messageOf(error) });
        if (hasCode(error, 'NETWORK', 'TIMEOUT', 'SERVER')) this.#failedMirrors.add(client);
      }
    }
    try {
      return await read(primary);
    } catch (error) {
      if (!(error instanceof OnlayError) || reasons.length === 0) throw error;
      throw new OnlayError(error.code, `${error.message}; before that: ${reasons.join('; ')}`, {
        hint: error.hint,
        cause: error,
      });
    }
  }
}

function mayTryNext(error: OnlayError): boolean {
  return hasCode(
    error,
    'IMAGE_NOT_FOUND',
    'AUTH_REQUIRED',
    'AUTH_DENIED',
    'NETWORK',
    'TIMEOUT',
    'SERVER',
    'DIGEST_MISMATCH',
    'SIZE_MISMATCH',
    'IMAGE_INVALID',
  );
}

// registries store content under its sha256 whatever the request says
function requireSha256({ digest }: Descriptor, place: string): void {
  if (!digest.startsWith('sha256:'))
    throw new OnlayError(
      'TARGET_REFUSED',
      `Cannot push ${digest.slice(0, 20)}… to ${place}: registries take sha256 only`,
    );
}
