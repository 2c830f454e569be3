// An OCI image layout in a directory, read and written: image-spec image-layout.md. Blobs are written first, each to a
// temporary file that is renamed; index.json comes last, so a run that stops in the middle leaves nothing visible.
// Blobs that nothing names any more are not removed.
import { constants } from 'node:fs';
import { access, lstat, readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectory } from '../../base/make-directory.ts';
import { collect, streamOf, type ByteStream } from '../../base/streams.ts';
import { OnlayError } from '../../errors.ts';
import { digestAlgorithm, digestHex, type Digest } from '../../oci/digest.ts';
import type { BlobSource, Document, ImageStore } from '../../oci/image-store.ts';
import { MAX_DOCUMENT_SIZE, type Descriptor } from '../../oci/manifest.ts';
import { verifyBytes, verifyStream } from '../../oci/verify.ts';
import { abortable } from '../abortable.ts';
import { requireParts } from '../complete.ts';
import { errno, openRegular, readRange, readSmallFile } from '../file-range.ts';
import { findNamed, namesOf } from '../image-names.ts';
import { recognizeDocument } from '../recognize-document.ts';
import { refusal, replaceFile } from '../replace-file.ts';
import { createLayout, readIndexFile, writeName } from './index-file.ts';

export interface LayoutOptions {
  /** What `resolve` answers when it is asked for nothing. */
  readonly tag?: string;
  readonly digest?: Digest;
  /** The directory may be missing or empty; it becomes a layout with the first blob. */
  readonly create?: boolean;
  readonly signal?: AbortSignal;
}

/** Opens a layout. Throws IMAGE_NOT_FOUND when there is none, TARGET_REFUSED when it cannot be created. */
export async function openLayout(directory: string, options: LayoutOptions = {}): Promise<ImageStore> {
  const index = await readIndexFile(directory);
  if (index) return new LayoutStore(directory, await realpath(directory), options);
  const entries = await list(directory);
  if (!options.create)
    throw new OnlayError(
      'IMAGE_NOT_FOUND',
      entries
        ? `oci:${directory} is not an OCI image layout: it has no index.json`
        : `There is no directory ${directory}`,
    );
  const strange = entries?.find((name) => !OURS.test(name));
  if (strange !== undefined)
    throw new OnlayError(
      'TARGET_REFUSED',
      `Cannot write oci:${directory}: it holds other files (${strange})`,
      {
        hint: 'choose a new or empty directory, or one that is an OCI image layout',
      },
    );
  return new LayoutStore(directory, resolve(directory), options);
}

// what an unfinished run may leave
const OURS = /^(?:oci-layout|blobs|\.onlay.*)$/;

async function list(directory: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    if (errno(error) === 'ENOTDIR')
      throw new OnlayError('IMAGE_NOT_FOUND', `${directory} is not a directory`, {
        hint: 'a file is named oci-archive:FILE',
      });
    throw new OnlayError('IMAGE_NOT_FOUND', `Cannot read ${directory}: ${errno(error) ?? String(error)}`, {
      cause: error,
    });
  }
}

class LayoutStore implements ImageStore {
  readonly name: string;
  readonly identity: string;
  readonly #directory: string;
  readonly #options: LayoutOptions;
  #created: Promise<void> | undefined;

  constructor(directory: string, real: string, options: LayoutOptions) {
    this.name = `oci:${directory}`;
    this.identity = `oci:${real}`;
    this.#directory = directory;
    this.#options = options;
  }

  async resolve(reference: { readonly tag?: string; readonly digest?: Digest }): Promise<Document> {
    const asked = reference.tag === undefined && reference.digest === undefined ? this.#options : reference;
    const entries = ((await readIndexFile(this.#directory))?.manifests ?? []).map((descriptor) => ({
      descriptor,
      names: namesOf(descriptor),
    }));
    if (asked.digest === undefined) return this.document(findNamed(entries, asked.tag, this.name).descriptor);
    const listed = entries.find((entry) => entry.descriptor.digest === asked.digest);
    return listed ? this.document(listed.descriptor) : this.#unlisted(asked.digest);
  }

  // a child of an index, or a manifest whose tag has moved on
  async #unlisted(digest: Digest): Promise<Document> {
    const bytes = await readSmallFile(this.#path(digest), MAX_DOCUMENT_SIZE, `${this.name}: ${digest}`);
    if (!bytes) throw this.#missing(digest);
    return recognizeDocument(bytes, digest, this.name);
  }

  async document(descriptor: Descriptor): Promise<Document> {
    const bytes = await collect(this.blob(descriptor), {
      limit: MAX_DOCUMENT_SIZE,
      what: `${this.name}: ${descriptor.digest}`,
    });
    return { descriptor, bytes };
  }

  async *blob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#checkFolder(descriptor.digest);
    await using handle = await openRegular(
      this.#path(descriptor.digest),
      `${this.name}: ${descriptor.digest}`,
    );
    if (!handle) throw this.#missing(descriptor.digest);
    const { size } = await handle.stat();
    // one byte more than expected tells that there are more
    const content = readRange(handle, 0, Math.min(size, descriptor.size + 1), this.#options.signal);
    yield* verifyStream(content, descriptor, this.name);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    try {
      const stat = await lstat(this.#path(descriptor.digest));
      return stat.isFile() && stat.size === descriptor.size;
    } catch (error) {
      if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return false;
      throw error;
    }
  }

  async tags(): Promise<readonly string[]> {
    const manifests = (await readIndexFile(this.#directory))?.manifests ?? [];
    return manifests.flatMap((descriptor) => namesOf(descriptor).slice(-1));
  }

  async putBlob(descriptor: Descriptor, source: BlobSource): Promise<{ readonly uploaded: boolean }> {
    if (await this.has(descriptor)) return { uploaded: false };
    await this.#create(descriptor.digest);
    await this.#write(descriptor, await source.open());
    return { uploaded: true };
  }

  async putDocument(document: Document, tag?: string): Promise<void> {
    const { descriptor, bytes } = document;
    verifyBytes(bytes, descriptor, this.name);
    await requireParts(this, document);
    await this.#create(descriptor.digest);
    if (!(await this.has(descriptor))) await this.#write(descriptor, streamOf(bytes));
    if (tag !== undefined) await writeName(this.#directory, tag, descriptor);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #write(descriptor: Descriptor, content: ByteStream): Promise<void> {
    const { signal } = this.#options;
    const checked = verifyStream(abortable(content, signal), descriptor, this.name);
    await replaceFile(this.#path(descriptor.digest), checked, this.#directory);
  }

  async #create(digest: Digest): Promise<void> {
    this.#created ??= this.#prepare();
    await this.#created;
    if (digestAlgorithm(digest) !== 'sha256')
      await makeDirectory(join(this.#directory, 'blobs', digestAlgorithm(digest)));
  }

  async #prepare(): Promise<void> {
    await createLayout(this.#directory);
    try {
      await access(this.#directory, constants.W_OK);
    } catch (error) {
      throw refusal(error, this.name);
    }
  }

  #path(digest: Digest): string {
    return join(this.#directory, 'blobs', digestAlgorithm(digest), digestHex(digest));
  }

  async #checkFolder(digest: Digest): Promise<void> {
    for (const folder of ['blobs', join('blobs', digestAlgorithm(digest))]) {
      const stat = await lstat(join(this.#directory, folder)).catch(() => undefined);
      if (stat?.isSymbolicLink())
        throw new OnlayError('IMAGE_INVALID', `${this.name}: ${folder} is a symlink`);
    }
  }

  #missing(digest: Digest): OnlayError {
    return new OnlayError('IMAGE_NOT_FOUND', `${this.name} has no blob ${digest}`);
  }
}
