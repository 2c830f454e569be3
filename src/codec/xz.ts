// xz decoding with xz-decompress (xz-embedded as WebAssembly): several streams and padding are one content. It holds a
// lock for all streams of its thread, so it must run in a thread with nothing else to decode (decode-worker.ts).
import { createRequire } from 'node:module';
import type { ByteStream } from '../base/streams.ts';
import { cutOff, damaged, type DecodeOptions } from './failure.ts';

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
  let failure: { readonly error: unknown } | undefined;
  let empty = true;
  const compressed = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await iterator.next();
          // xz-decompress does not survive an empty input; a byte that is not xz it calls damaged
          if (done && empty) throw cutOff(what, 'xz');
          empty = false;
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          failure = { error };
          controller.error(error);
        }
      },
      cancel: async () => void (await iterator.return?.()),
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

// The codes of xz-embedded (enum xz_ret).
const MESSAGE = /error code ([0-9]+)/;
const MEMORY_LIMIT = '4';
const UNSUPPORTED = new Set(['2', '6']);
const CUT_OFF = '8';

function translate(error: unknown, what: string): unknown {
  const code = error instanceof Error ? MESSAGE.exec(error.message)?.[1] : undefined;
  if (code === undefined) return error;
  if (code === CUT_OFF) return cutOff(what, 'xz', error);
  if (code === MEMORY_LIMIT)
    return damaged(what, 'the xz data needs a dictionary of more than 64 MiB', { cause: error });
  if (UNSUPPORTED.has(code))
    return damaged(what, 'the xz data uses a SHA-256 check or a filter other than LZMA2 (such as x86 BCJ)', {
      hint: 'compress it again with plain "xz", without --check=sha256 and without filters',
      cause: error,
    });
  return damaged(what, 'the xz data is damaged', { cause: error });
}
