// The one door to all decoders: the codec is sniffed unless given, the output is limited, and what is slow is done in
// other threads.
import { limited, type ByteStream } from '../base/streams.ts';
import { decodeBytesInWorker, decodeInWorker } from './decode-pool.ts';
import { tooLarge } from './failure.ts';
import { gunzip, gunzipBytes } from './gunzip.ts';
import { peek } from './head.ts';
import { SNIFF_SIZE, sniff, type CodecName } from './sniff.ts';
import { unzstd, zstdImplementations } from './zstd.ts';

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
 * by something else, and what the source throws; the source is read to its end. Whoever stops early must `return()` the
 * iterator (`break` does): it may hold a thread, and holds the source.
 */
export async function* decompress(
  source: ByteStream,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const { head, stream } = await peek(iterator, options.codec === undefined ? SNIFF_SIZE : 0);
    yield* limited(decode(options.codec ?? sniff(head), stream, options), options);
  } finally {
    await iterator.return?.();
  }
}

/** The content of `bytes`, decoded off the main thread where that pays. Throws as `decompress` does. */
export async function decompressBytes(bytes: Uint8Array, options: DecompressOptions): Promise<Uint8Array> {
  const codec = options.codec ?? sniff(bytes);
  switch (codec) {
    case 'none':
      if (bytes.length > options.limit) throw tooLarge(options);
      return bytes;
    case 'gzip':
      return gunzipBytes(bytes, options);
    case 'zstd':
    case 'xz':
    case 'bzip2':
    case 'lzma':
      return decodeBytesInWorker({ codec, limit: options.limit, what: options.what, bytes });
  }
}

function decode(codec: CodecName, source: ByteStream, options: DecompressOptions): ByteStream {
  switch (codec) {
    case 'none':
      return source;
    case 'gzip':
      return gunzip(source, options);
    case 'zstd':
      // fast enough to stay here, unless it is the JavaScript one
      if (zstdImplementations[0]?.name !== 'fzstd') return unzstd(source, options);
      break;
    case 'xz':
    case 'bzip2':
    case 'lzma':
      break;
  }
  return decodeInWorker(source, { codec, limit: options.limit, what: options.what });
}
