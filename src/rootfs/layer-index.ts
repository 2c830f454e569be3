// One pass over a layer blob: digest and size of the compressed bytes, diff id of the uncompressed, and what the tar says
// of every path; of some files the content is kept. Bodies are hashed as they pass and nothing is written to disk.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
import { createHash } from 'node:crypto';
import { OnlayError, hasCode } from '../errors.ts';
import type { ByteStream } from '../base/streams.ts';
import { decompress } from '../codec/index.ts';
import type { LayerDigest, LayerIndex } from './layer-entry.ts';
import type { IndexLayerOptions } from './layer-options.ts';
import { LayerScan } from './layer-scan.ts';

export type {
  LayerDeletion,
  LayerDigest,
  LayerEntry,
  LayerHardLink,
  LayerIndex,
  LayerNode,
} from './layer-entry.ts';
export type { IndexLayerOptions, Inspector } from './layer-options.ts';
export { decodeLayerIndex, encodeLayerIndex } from './layer-index-format.ts';

/** Nothing of a layer's size is held, so this only stops what never ends. */
const MAX_SIZE = 256 * 1024 ** 3;

/**
 * Reads a layer. Throws DIGEST_MISMATCH and SIZE_MISMATCH when the bytes are not the expected ones (also when that shows
 * first as broken content), ARCHIVE_INVALID when they are but cannot be a layer, LIMIT_EXCEEDED, and what `stream`
 * throws. `stream` is read to its end or returned.
 */
export async function indexLayer(stream: ByteStream, options: IndexLayerOptions): Promise<LayerIndex> {
  const blob = new BlobReader(stream, options);
  try {
    const scan = new LayerScan(options);
    try {
      const limits = { limit: options.maxSize ?? MAX_SIZE, what: options.what };
      for await (const chunk of decompress(blob, limits)) scan.write(chunk);
      scan.finish();
    } catch (error) {
      // what was damaged on its way must be told apart from what is broken in the image: it can be fetched again
      if (hasCode(error, 'ARCHIVE_INVALID')) await blob.finish(error);
      throw error;
    }
    await blob.finish();
    const { entries, uncompressedSize } = scan;
    const { digest, size, policy = '' } = options;
    return { policy, digest, size, diffId: checkDiffId(scan, options), uncompressedSize, entries };
  } finally {
    await blob.close();
  }
}

function checkDiffId(scan: LayerScan, { what, diffId }: IndexLayerOptions): LayerDigest {
  const actual = scan.diffId();
  if (diffId && actual.hex !== diffId.hex)
    throw new OnlayError(
      'DIGEST_MISMATCH',
      `${what} has the diff id ${actual.algorithm}:${actual.hex}, but the configuration of the image says ${diffId.algorithm}:${diffId.hex}`,
    );
  return actual;
}

/** The blob as it comes, hashed and counted; the decoder cannot close it, because the rest is hashed too. */
class BlobReader implements ByteStream {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #options: IndexLayerOptions;
  readonly #hash: ReturnType<typeof createHash>;
  #size = 0;

  constructor(stream: ByteStream, options: IndexLayerOptions) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#options = options;
    this.#hash = createHash(options.digest.algorithm);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next() };
  }

  /** Reads what is left and checks size and digest. */
  async finish(cause?: unknown): Promise<void> {
    while (!(await this.#next()).done);
    const { what, size, digest } = this.#options;
    if (this.#size !== size)
      throw new OnlayError('SIZE_MISMATCH', `${what} has ${this.#size} bytes, its descriptor says ${size}`, {
        cause,
      });
    const hex = this.#hash.digest('hex');
    if (hex !== digest.hex)
      throw new OnlayError(
        'DIGEST_MISMATCH',
        `${what} has the digest ${digest.algorithm}:${hex}, its descriptor says ${digest.algorithm}:${digest.hex}`,
        { cause },
      );
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    const result = await this.#iterator.next();
    if (result.done) return result;
    this.#size += result.value.length;
    const { what, size, onBytes } = this.#options;
    if (this.#size > size)
      throw new OnlayError('SIZE_MISMATCH', `${what} is larger than the ${size} bytes its descriptor says`);
    this.#hash.update(result.value);
    onBytes?.(result.value.length);
    return result;
  }
}
