// Digests of OCI content: image-spec descriptor.md#digests. Only sha256 and sha512 are registered; strings are checked
// before they reach a URL or a path (CVE-2024-3727).
import { OnlayError } from '../errors.ts';
import { hexDigest } from '../base/hash.ts';

declare const brand: unique symbol;
/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. */
export type Digest = string & { readonly [brand]: 'Digest' };
/** Digest of an uncompressed layer. */
export type DiffId = Digest;

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && PATTERN.test(text);
}

/** Throws IMAGE_INVALID when `text` is no digest; `what` says where it stood. */
export function parseDigest(text: unknown, what: string): Digest {
  if (isDigest(text)) return text;
  throw new OnlayError(
    'IMAGE_INVALID',
    `${what} is not a valid digest: ${JSON.stringify(text)?.slice(0, 100)}`,
  );
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${hexDigest('sha256', bytes)}` as Digest;
}

export function digestAlgorithm(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}
