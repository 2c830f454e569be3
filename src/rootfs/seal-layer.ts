// From the tar of a layer to the blob that is pushed: compressed, and hashed on both sides while it passes. All of it is
// held in memory, because an upload that fails is begun again.
import { createHash } from 'node:crypto';
import { OnlayError } from '../errors.ts';
import type { ByteStream } from '../base/streams.ts';
import { gzip, zstdCompressor } from '../codec/index.ts';

export type LayerCompression = 'gzip' | 'zstd' | 'none';

export interface SealedLayer {
  /** SHA-256 of the tar, hex. */
  readonly diffId: string;
  readonly uncompressedSize: number;
  /** SHA-256 of the blob, hex. */
  readonly digest: string;
  readonly size: number;
  /** The blob, in pieces. */
  readonly chunks: readonly Uint8Array[];
}

/** Throws CONFIG_INVALID for zstd where this installation has no encoder (codecAvailability() tells beforehand). */
export async function sealLayer(
  tar: ByteStream,
  options: { readonly compression: LayerCompression; readonly level?: number },
): Promise<SealedLayer> {
  const content = new Meter(tar);
  const blob = new Meter(compress(content, options));
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob) chunks.push(chunk);
  return {
    diffId: content.digest(),
    uncompressedSize: content.size,
    digest: blob.digest(),
    size: blob.size,
    chunks,
  };
}

function compress(tar: ByteStream, options: { compression: LayerCompression; level?: number }): ByteStream {
  switch (options.compression) {
    case 'none':
      return tar;
    case 'gzip':
      return gzip(tar, { level: options.level ?? 6 });
    case 'zstd': {
      const zstd = zstdCompressor();
      if (!zstd)
        throw new OnlayError('CONFIG_INVALID', 'Cannot write a zstd layer: there is no zstd encoder here', {
          hint: 'install the optional dependency zstd-napi, use Node 22.15 or newer, or choose gzip',
        });
      return zstd(tar, { level: options.level ?? 3 });
    }
  }
}

/** Hashes and counts what passes. */
class Meter implements ByteStream {
  readonly #source: ByteStream;
  readonly #hash = createHash('sha256');
  size = 0;

  constructor(source: ByteStream) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#source) {
      this.#hash.update(chunk);
      this.size += chunk.length;
      yield chunk;
    }
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}
