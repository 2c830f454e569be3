// What the reading of a layer is told: what the bytes must be, which contents are kept, and within which limits.
import type { LayerDigest } from './layer-entry.ts';
import type { RootPath } from './path.ts';

/** Learns something of file contents while they pass, so that they need not be kept. */
export interface Inspector {
  /** Stable; the key of the fact in `RootNode.facts`. */
  readonly name: string;
  wants(path: RootPath, size: number): boolean;
  /**
   * The fact as JSON data, or undefined if there is nothing to say. `content` is whole, from a hostile image, and valid
   * during the call only. Must not throw. Files above 256 MiB are not inspected.
   */
  inspect(content: Uint8Array): unknown;
}

export interface IndexLayerOptions {
  /** Names the layer in messages. */
  readonly what: string;
  /** Of the descriptor: digest and size of the compressed bytes. */
  readonly digest: LayerDigest;
  readonly size: number;
  /** Of the image's configuration: digest of the uncompressed bytes. */
  readonly diffId?: LayerDigest;
  /** Which contents are kept. `path` is as the layer spells it: symlinks of lower layers are not known yet. */
  readonly captures: (path: RootPath, size: number) => boolean;
  readonly inspectors: readonly Inspector[];
  /** Names captures and inspectors; recorded in the index. */
  readonly policy?: string;
  /** Limit of uncompressed bytes. */
  readonly maxSize?: number;
  readonly maxEntries?: number;
  /** Told of every chunk of compressed bytes. */
  readonly onBytes?: (bytes: number) => void;
}
