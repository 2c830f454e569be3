// Content against its descriptor: image-spec descriptor.md, "verification". What a server or a directory says about
// content does not count, only its bytes do.
import { createHash } from 'node:crypto';
import type { ByteStream } from '../base/streams.ts';
import { OnlayError } from '../errors.ts';
import { digestAlgorithm, digestHex, type Digest } from './digest.ts';

interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * The same stream, which throws SIZE_MISMATCH or DIGEST_MISMATCH instead of ending when it is not what `expected` says;
 * `what` names it. A byte too many is never passed on.
 */
export async function* verifyStream(
  stream: ByteStream,
  expected: Expected,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash(digestAlgorithm(expected.digest));
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > expected.size) throw sizeMismatch(what, expected, `more than ${expected.size}`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== expected.size) throw sizeMismatch(what, expected, String(size));
  checkHash(hash.digest('hex'), expected, what);
}

/** Throws SIZE_MISMATCH or DIGEST_MISMATCH when `bytes` are not what `expected` says. */
export function verifyBytes(bytes: Uint8Array, expected: Expected, what: string): void {
  if (bytes.length !== expected.size) throw sizeMismatch(what, expected, String(bytes.length));
  checkHash(createHash(digestAlgorithm(expected.digest)).update(bytes).digest('hex'), expected, what);
}

function sizeMismatch(what: string, expected: Expected, actual: string): OnlayError {
  return new OnlayError(
    'SIZE_MISMATCH',
    `${what}: ${expected.digest} has ${actual} bytes, its descriptor says ${expected.size}`,
  );
}

function checkHash(actual: string, expected: Expected, what: string): void {
  if (actual === digestHex(expected.digest)) return;
  throw new OnlayError(
    'DIGEST_MISMATCH',
    `${what}: the content of ${expected.digest} has digest ${digestAlgorithm(expected.digest)}:${actual}`,
    { hint: 'the content was damaged or changed on its way' },
  );
}
