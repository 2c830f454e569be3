// A stream cut anew into blocks of one size, so that what a compressor makes of it does not depend on how it came.
import type { ByteStream } from '../base/streams.ts';

export interface Block {
  /** Own memory. */
  readonly bytes: Uint8Array;
  /** Nothing follows. Only the last block may be shorter; it is empty only when the stream is. */
  readonly last: boolean;
}

export async function* blocksOf(source: ByteStream, size: number): AsyncGenerator<Block, void, undefined> {
  let block = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      // a full block waits for the next byte: it may be the last
      if (filled === size) {
        yield { bytes: block, last: false };
        block = Buffer.allocUnsafeSlow(size);
        filled = 0;
      }
      const taken = Math.min(size - filled, chunk.length - at);
      block.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
    }
  }
  yield { bytes: block.subarray(0, filled), last: true };
}
