// RSA signatures as apk makes them: PKCS #1 v1.5 over SHA-1, SHA-256 or SHA-512, keys in PEM. SHA-1 is what every
// Alpine index up to now is signed with; whether to accept it is the caller's decision (packages/apk).
import { createPublicKey, createVerify } from 'node:crypto';
import { OnlayError } from '../errors.ts';

export type RsaDigest = 'sha1' | 'sha256' | 'sha512';

/** True when `signature` over `data` (one or several parts) is that of `publicKey`. Throws CONFIG_INVALID for a bad key. */
export function verifyRsa(input: {
  readonly digest: RsaDigest;
  readonly data: Uint8Array | readonly Uint8Array[];
  readonly signature: Uint8Array;
  /** PEM, SubjectPublicKeyInfo or PKCS #1. */
  readonly publicKey: string;
}): boolean {
  const verifier = createVerify(input.digest);
  for (const part of input.data instanceof Uint8Array ? [input.data] : input.data) verifier.update(part);
  return verifier.verify(readKey(input.publicKey), input.signature);
}

function readKey(pem: string): ReturnType<typeof createPublicKey> {
  let key;
  try {
    // createPublicKey would also derive a public key from a private one, or take a certificate
    if (/PRIVATE KEY|CERTIFICATE/.test(pem)) throw new Error('it is not a public key');
    key = createPublicKey(pem);
  } catch (error) {
    throw new OnlayError('CONFIG_INVALID', 'Cannot read an RSA public key: it is not valid PEM', {
      cause: error,
    });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < 2048)
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot use a public key: RSA of 2048 bits or more is needed, not ${key.asymmetricKeyType} ${bits || ''}`,
    );
  return key;
}
