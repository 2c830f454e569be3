// The one door to all decoders: the codec is sniffed unless given, and the output is limited.
import { OnlayError } from '../errors.ts';
import { limited, type ByteStream } from '../base/streams.ts';
import { concatBytes } from '../base/bytes.ts';
import { gunzip } from './gunzip.ts';
import { SNIFF_SIZE, sniff, type CodecName } from './sniff.ts';

export interface DecompressOptions {
  /** Sniffed when absent. */
  readonly codec?: CodecName | undefined;
  /** Bytes of output. */
  readonly limit: number;
  /** Names the thing in messages. */
  readonly what: string;
}

/**
 * The content of `source`. Throws LIMIT_EXCEEDED past `limit`, ARCHIVE_INVALID for what is damaged, cut off or followed
 * by something else, and what the source throws. Whoever stops early must `return()` the iterator (a `break` does).
 */
export async function* decompress(
  source: ByteStream,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const head = options.codec === undefined ? await readHead(iterator) : [];
    const codec = options.codec ?? sniff(concatBytes(head));
    yield* limited(decode(codec, resume(head, iterator), options), options);
  } finally {
    await iterator.return?.();
  }
}

async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  const head: Uint8Array[] = [];
  let size = 0;
  while (size < SNIFF_SIZE) {
    const { value, done } = await iterator.next();
    if (done) break;
    head.push(value);
    size += value.length;
  }
  return head;
}

// What was read already, then the rest.
async function* resume(head: Uint8Array[], iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  yield* { [Symbol.asyncIterator]: () => iterator };
}

function decode(codec: CodecName, source: ByteStream, options: DecompressOptions): ByteStream {
  switch (codec) {
    case 'none':
      return source;
    case 'gzip':
      return gunzip(source, options.what);
    default:
      throw new OnlayError(
        'ARCHIVE_INVALID',
        `${options.what} is compressed with ${codec}, which cannot be read`,
      );
  }
}
