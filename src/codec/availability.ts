// Which codecs this installation has, for messages and `--debug`.
import { zstdImplementations, type ZstdName } from './zstd.ts';

export interface CodecAvailability {
  /** What decodes zstd layers and packages. */
  readonly zstdDecoder: ZstdName;
  /** What can write zstd layers; undefined: only gzip can be written. */
  readonly zstdEncoder: ZstdName | undefined;
}

export function codecAvailability(): CodecAvailability {
  const encoder = zstdImplementations.find((zstd) => zstd.encode !== undefined);
  return { zstdDecoder: zstdImplementations[0].name, zstdEncoder: encoder?.name };
}
