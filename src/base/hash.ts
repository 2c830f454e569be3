// Digests over byte arrays. Streaming digests use node:crypto directly (base/verify.ts, oci/).
import { createHash } from 'node:crypto';

export type HashName = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';

/** Lower-case hexadecimal digest of `bytes`. */
export function hexDigest(algorithm: HashName, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

export function rawDigest(algorithm: HashName, bytes: Uint8Array): Uint8Array {
  return createHash(algorithm).update(bytes).digest();
}
