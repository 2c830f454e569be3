// Looks at the start of a stream, which can then still be read whole.
import { concatBytes } from '../base/bytes.ts';
import type { ByteStream } from '../base/streams.ts';

export interface Peeked {
  /** At least the bytes asked for, unless the stream is shorter. */
  readonly head: Uint8Array;
  /** All of the stream, from its first byte. */
  readonly stream: ByteStream;
}

/** Reads the first `size` bytes from `iterator`, which whoever made it still has to `return()`. */
export async function peek(iterator: AsyncIterator<Uint8Array>, size: number): Promise<Peeked> {
  const chunks: Uint8Array[] = [];
  for (let got = 0; got < size;) {
    const { value, done } = await iterator.next();
    if (done) break;
    chunks.push(value);
    got += value.length;
  }
  return { head: concatBytes(chunks), stream: resume(chunks, iterator) };
}

async function* resume(
  chunks: readonly Uint8Array[],
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
  yield* { [Symbol.asyncIterator]: () => iterator };
}
