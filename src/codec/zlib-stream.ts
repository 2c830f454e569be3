// A node:zlib decoder between two byte streams. The source is always read to its end, because its digest is checked
// there; what the decoder leaves over goes to `rest`, which decides whether that is allowed.
import type { Transform } from 'node:stream';
import type { ByteStream } from '../base/streams.ts';

/** A decoder of node:zlib: how much of its input it has used. */
export type ZlibDecoder = Transform & { readonly bytesWritten: number };

export interface ZlibStreamOptions {
  /** Is given every piece of input after the end of what the decoder decodes. */
  readonly rest: (bytes: Uint8Array) => void;
  /** Makes the error to throw from one of the decoder. */
  readonly translate: (error: unknown) => unknown;
}

/** What `decoder` makes of `source`. Takes over both. */
export async function* throughZlib(
  source: ByteStream,
  decoder: ZlibDecoder,
  options: ZlibStreamOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: { readonly error: unknown } | undefined;
  const feeding = feed(source, decoder, options.rest).catch((error: unknown) => {
    failure = { error };
    decoder.destroy();
  });
  try {
    try {
      for await (const chunk of decoder) yield chunk as Uint8Array;
    } catch (error) {
      throw failure === undefined ? options.translate(error) : failure.error;
    }
    await feeding;
    if (failure !== undefined) throw failure.error;
  } finally {
    decoder.destroy();
    await feeding;
  }
}

async function feed(
  source: ByteStream,
  decoder: ZlibDecoder,
  rest: (bytes: Uint8Array) => void,
): Promise<void> {
  let wake = (): void => {};
  decoder.on('close', () => wake());
  let fed = 0;
  let ended = false;
  for await (const chunk of source) {
    fed += chunk.length;
    if (!ended) {
      // after an error the callback never comes, but 'close' does
      await new Promise<void>((resolve) => {
        wake = resolve;
        decoder.write(chunk, () => resolve());
      });
    }
    if (decoder.destroyed && !decoder.readableEnded) return;
    const left = Math.min(fed - decoder.bytesWritten, chunk.length);
    ended ||= left > 0;
    if (left > 0) rest(chunk.subarray(chunk.length - left));
  }
  if (!ended) decoder.end();
}
