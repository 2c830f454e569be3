// A document of which only the digest is known: what it is, it says itself.
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/image-store.ts';
import { parseJsonObject } from '../oci/json.ts';
import { documentMediaType, makeDescriptor } from '../oci/manifest.ts';
import { verifyBytes } from '../oci/verify.ts';

/** Throws DIGEST_MISMATCH, IMAGE_INVALID, IMAGE_UNSUPPORTED; `store` names the place in messages. */
export function recognizeDocument(bytes: Uint8Array, digest: Digest, store: string): Document {
  verifyBytes(bytes, { digest, size: bytes.length }, store);
  const what = `${store}: ${digest}`;
  const mediaType = documentMediaType(parseJsonObject(bytes, what), '', what);
  return { descriptor: makeDescriptor(mediaType, digest, bytes.length), bytes };
}
