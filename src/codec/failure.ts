// The refusals that all decoders share, so that they read alike whichever library says no.
import { OnlayError } from '../errors.ts';

/** Bounds and name of one decoding. */
export interface DecodeOptions {
  /** Bytes of output. */
  readonly limit: number;
  /** Names the thing in messages. */
  readonly what: string;
}

export function damaged(
  what: string,
  why: string,
  options: { hint?: string; cause?: unknown } = {},
): OnlayError {
  return new OnlayError('ARCHIVE_INVALID', `Cannot decompress ${what}: ${why}`, options);
}

export function cutOff(what: string, format: string, cause?: unknown): OnlayError {
  return damaged(what, `the ${format} data is cut off`, { cause });
}

export function tooLarge({ limit, what }: DecodeOptions): OnlayError {
  return new OnlayError(
    'LIMIT_EXCEEDED',
    `${what} is larger than the limit of ${limit} bytes when decompressed`,
  );
}
