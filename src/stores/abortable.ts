// Streams that stop when the run is called off.
import type { ByteStream } from '../base/streams.ts';

/** The same stream, which throws the signal's reason once it is aborted. */
export async function* abortable(
  content: ByteStream,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of content) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
