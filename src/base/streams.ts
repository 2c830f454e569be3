// Byte streams: `AsyncIterable<Uint8Array>` is the only currency; Node streams appear in adapters only.
import { OnlayError } from '../errors.ts';
import { concatBytes } from './bytes.ts';

/** Bytes on the move. Whoever iterates must finish or `return()` it: it may hold a socket or a file. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** A stream of one chunk. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}

/** Everything in a stream. Throws LIMIT_EXCEEDED past `limit` bytes; `what` names the thing in the message. */
export async function collect(
  stream: ByteStream,
  options: { limit: number; what: string },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limited(stream, options)) chunks.push(chunk);
  return concatBytes(chunks);
}

/** The same stream, which throws LIMIT_EXCEEDED once more than `limit` bytes have come. */
export async function* limited(
  stream: ByteStream,
  options: { limit: number; what: string },
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > options.limit)
      throw new OnlayError(
        'LIMIT_EXCEEDED',
        `${options.what} is larger than the limit of ${options.limit} bytes`,
      );
    yield chunk;
  }
}
