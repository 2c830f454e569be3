// Image archives as a store: oci-archive:, docker-archive:, standard input and output, and what `docker save` prints. An
// archive is indexed once and read at random; a stream is taken up in a temporary file first. Written blobs wait in
// temporary files; with its first name an image becomes visible and the archive is written as a whole, in place of what
// was there.
import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { collect, streamOf, type ByteStream } from '../../base/streams.ts';
import { OnlayError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobSource, Document, ImageStore } from '../../oci/image-store.ts';
import { MAX_DOCUMENT_SIZE, type Descriptor } from '../../oci/manifest.ts';
import { verifyBytes, verifyStream } from '../../oci/verify.ts';
import { abortable } from '../abortable.ts';
import { requireParts } from '../complete.ts';
import { readRange } from '../file-range.ts';
import { findNamed, type Named } from '../image-names.ts';
import { recognizeDocument } from '../recognize-document.ts';
import { readArchive, type ArchiveContent } from './content.ts';
import { readSpool, spool, type Spool } from './spool.ts';
import { archiveStream } from './write-archive.ts';

/** A tar archive with random access. */
export interface OpenedArchive {
  readonly handle: FileHandle;
  readonly size: number;
}

/** Where an archive comes from and goes to. */
export interface ArchiveEnds {
  /** For messages: "docker-archive:file.tar". */
  readonly name: string;
  /** Undefined when there is nothing yet. Called once. */
  read(): Promise<OpenedArchive | undefined>;
  /** Takes the whole archive; throws what `content` throws, and then nothing of it may stay. */
  write(content: ByteStream): Promise<void>;
  /** Whether `write` may be called again. */
  readonly rewritable: boolean;
  /** Directory of temporary files. */
  readonly temporary: string;
}

export interface ArchiveOptions {
  /** How names are understood: as they are, or as references as `docker load` knows them. */
  readonly style: 'oci' | 'docker';
  /** What `resolve` answers when it is asked for nothing. */
  readonly image?: string;
  readonly signal?: AbortSignal;
}

export class ArchiveStore implements ImageStore {
  readonly name: string;
  readonly identity: string;
  readonly #ends: ArchiveEnds;
  readonly #options: ArchiveOptions;
  #opening: Promise<ArchiveContent | undefined> | undefined;
  #file: OpenedArchive | undefined;
  readonly #blobs = new Map<Digest, Spool>();
  readonly #documents = new Map<Digest, Document>();
  readonly #written = new Map<string, Document>();
  #closed = false;

  constructor(ends: ArchiveEnds, options: ArchiveOptions) {
    this.name = ends.name;
    // nothing of one opened archive is visible in another, not even of the same file: it is written anew
    this.identity = `${ends.name} ${randomUUID()}`;
    this.#ends = ends;
    this.#options = options;
  }

  async resolve(reference: { readonly tag?: string; readonly digest?: Digest }): Promise<Document> {
    if (reference.digest !== undefined) return this.#byDigest(reference.digest);
    const wanted = reference.tag ?? this.#options.image;
    const written = [...this.#written].map(([name, { descriptor }]) => ({ descriptor, names: [name] }));
    const content = written.length > 0 ? undefined : await this.#content();
    if (written.length === 0 && !content)
      throw new OnlayError('IMAGE_NOT_FOUND', `There is nothing at ${this.name}`);
    const images: readonly Named[] = content?.images ?? written;
    return this.document(findNamed(images, wanted, this.name).descriptor);
  }

  async document(descriptor: Descriptor): Promise<Document> {
    const bytes = await collect(this.blob(descriptor), {
      limit: MAX_DOCUMENT_SIZE,
      what: `${this.name}: ${descriptor.digest}`,
    });
    return { descriptor, bytes };
  }

  async *blob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest } = descriptor;
    const document = this.#documents.get(digest);
    const held = this.#blobs.get(digest);
    let content: ByteStream;
    if (document) content = streamOf(document.bytes);
    else if (held) content = readSpool(held, this.#options.signal);
    else content = await this.#stored(digest);
    yield* verifyStream(content, descriptor, this.name);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    const { digest, size } = descriptor;
    const held = this.#blobs.get(digest)?.size ?? this.#documents.get(digest)?.bytes.length;
    if (held !== undefined) return held === size;
    const content = await this.#content();
    return (content?.made.get(digest)?.length ?? content?.find(digest)?.size) === size;
  }

  async tags(): Promise<readonly string[]> {
    if (this.#written.size > 0) return [...this.#written.keys()];
    return ((await this.#content())?.images ?? []).flatMap(({ names }) => names.slice(0, 1));
  }

  async putBlob(descriptor: Descriptor, source: BlobSource): Promise<{ readonly uploaded: boolean }> {
    if (await this.has(descriptor)) return { uploaded: false };
    const checked = verifyStream(abortable(await source.open(), this.#options.signal), descriptor, this.name);
    const options = {
      directory: this.#ends.temporary,
      limit: descriptor.size,
      what: `${this.name}: ${descriptor.digest}`,
    };
    const held = await spool(checked, options);
    const twin = this.#blobs.get(descriptor.digest);
    if (this.#closed || twin) await held.handle.close();
    else this.#blobs.set(descriptor.digest, held);
    return { uploaded: true };
  }

  async putDocument(document: Document, tag?: string): Promise<void> {
    verifyBytes(document.bytes, document.descriptor, this.name);
    await requireParts(this, document);
    this.#documents.set(document.descriptor.digest, document);
    if (tag === undefined) return;
    if (this.#written.size > 0 && !this.#ends.rewritable)
      throw new OnlayError('TARGET_REFUSED', `${this.name} takes one image and one name`);
    const written = new Map(this.#written).set(tag, document);
    const images = [...written].map(([name, document]) => ({
      name: name === '' ? undefined : name,
      document,
    }));
    await this.#ends.write(
      archiveStream(images, (part) => abortable(this.blob(part), this.#options.signal), this.#options.style),
    );
    this.#written.set(tag, document);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => undefined);
    await this.#file?.handle.close();
    for (const { handle } of this.#blobs.values()) await handle.close();
    this.#blobs.clear();
  }

  #content(): Promise<ArchiveContent | undefined> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<ArchiveContent | undefined> {
    this.#file = await this.#ends.read();
    return this.#file && readArchive(this.#file.handle, this.#file.size, this.name);
  }

  async #stored(digest: Digest): Promise<ByteStream> {
    const content = await this.#content();
    const made = content?.made.get(digest);
    if (made) return streamOf(made);
    const range = content?.find(digest);
    if (!range || !this.#file) throw new OnlayError('IMAGE_NOT_FOUND', `${this.name} has no blob ${digest}`);
    return readRange(this.#file.handle, range.start, range.size, this.#options.signal);
  }

  async #byDigest(digest: Digest): Promise<Document> {
    const known = this.#documents.get(digest);
    if (known) return known;
    const content = await this.#content();
    const listed = content?.images.find((image) => image.descriptor.digest === digest);
    if (listed) return this.document(listed.descriptor);
    const limit = { limit: MAX_DOCUMENT_SIZE, what: `${this.name}: ${digest}` };
    return recognizeDocument(await collect(await this.#stored(digest), limit), digest, this.name);
  }
}
