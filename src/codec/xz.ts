// xz decoding with xz-decompress (xz-embedded as WebAssembly): several streams and padding are one content. It holds a
// lock for all streams of its thread, so it must run in a thread with nothing else to decode (decode-worker.ts).
// Checks of SHA-256 are done in xz-checks.ts; filters for machine code (BCJ) are not supported.
import { createRequire } from 'node:module';
import type { ByteStream } from '../base/streams.ts';
import { cutOff, damaged, type DecodeOptions } from './failure.ts';
import { peek } from './head.ts';
import { XZ_HEADER_SIZE, checkSha256, hasSha256Checks } from './xz-checks.ts';

// CommonJS, with exports that Node does not find by their names.
const { XzReadableStream } = createRequire(import.meta.url)(
  'xz-decompress',
) as typeof import('xz-decompress');

/** Content of an xz stream. */
export async function* unxz(
  source: ByteStream,
  { what }: DecodeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const { head, stream } = await peek(iterator, XZ_HEADER_SIZE);
    if (head.length < XZ_HEADER_SIZE) throw cutOff(what, 'xz');
    const decode = (bytes: ByteStream): ByteStream => decodeXz(bytes, what);
    yield* hasSha256Checks(head) ? checkSha256(stream, what, decode) : decode(stream);
  } finally {
    await iterator.return?.();
  }
}

async function* decodeXz(source: ByteStream, what: string): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  const compressed = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await nextBytes(iterator);
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          failure = { error };
          controller.error(error);
        }
      },
    },
    { highWaterMark: 0 },
  );
  const reader = new XzReadableStream(compressed).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    throw failure === undefined ? translate(error, what) : failure.error;
  } finally {
    await reader.cancel().catch(() => {});
    await iterator.return?.();
  }
}

// An empty chunk would be taken for the end.
async function nextBytes(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  for (;;) {
    const result = await iterator.next();
    if (result.done === true || result.value.length > 0) return result;
  }
}

// The codes of xz-embedded (enum xz_ret).
const MESSAGE = /error code ([0-9]+)/;
const MEMORY_LIMIT = '4';
const UNSUPPORTED = '6';
const CUT_OFF = '8';

function translate(error: unknown, what: string): unknown {
  const code = error instanceof Error ? MESSAGE.exec(error.message)?.[1] : undefined;
  if (code === undefined) return error;
  if (code === CUT_OFF) return cutOff(what, 'xz', error);
  if (code === MEMORY_LIMIT)
    return damaged(what, 'the xz data needs a dictionary of more than 64 MiB', { cause: error });
  if (code === UNSUPPORTED)
    return damaged(what, 'the xz data uses a filter other than LZMA2 (such as x86 BCJ) or an unknown check', {
      hint: 'compress it again with plain "xz", without filters',
      cause: error,
    });
  return damaged(what, 'the xz data is damaged', { cause: error });
}
