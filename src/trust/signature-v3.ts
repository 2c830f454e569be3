// OpenPGP version 3 signature packets, which packages of EL6 to EL8 carry: RFC 4880 section 5.2.2. openpgp.js passes
// over them without an error, so they are verified here, with key material that it has accepted. RSA only.
import { createPublicKey, createVerify } from 'node:crypto';

export interface SignatureV3 {
  /** 0: binary document. */
  readonly type: number;
  readonly created: Date;
  /** Lower-case hex. */
  readonly keyId: string;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /** What is hashed after the document. */
  readonly trailer: Uint8Array;
  readonly mpi: Uint8Array;
}

const HASHES: Readonly<Record<number, 'sha256' | 'sha384' | 'sha512'>> = {
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
};
const REFUSED: Readonly<Record<number, string>> = { 1: 'MD5', 2: 'SHA1', 3: 'RIPEMD160' };

/** Parses the body of a version 3 packet. Throws Error with a reason. */
export function readSignatureV3(body: Uint8Array): SignatureV3 {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (bytes.length < 22 || bytes[0] !== 3 || bytes[1] !== 5) throw new Error('malformed signature packet');
  const algorithm = bytes[15] as number;
  if (algorithm !== 1 && algorithm !== 3)
    throw new Error(`version 3 signature with public key algorithm ${algorithm}`);
  const hash = HASHES[bytes[16] as number];
  if (!hash)
    throw new Error(`insecure or unknown hash algorithm ${REFUSED[bytes[16] as number] ?? bytes[16]}`);
  const length = Math.ceil(bytes.readUInt16BE(19) / 8);
  if (bytes.length !== 21 + length) throw new Error('malformed signature packet');
  return {
    type: bytes[2] as number,
    created: new Date(bytes.readUInt32BE(3) * 1000),
    keyId: bytes.toString('hex', 7, 15),
    hash,
    trailer: bytes.subarray(2, 7),
    mpi: bytes.subarray(21),
  };
}

/** Throws Error with a reason unless `signature` over `data` is that of the RSA key (n, e). */
export function verifyV3(
  signature: SignatureV3,
  data: Uint8Array,
  key: { n: Uint8Array; e: Uint8Array },
): void {
  if (signature.type !== 0) throw new Error(`signature of type ${signature.type}, not of a document`);
  const publicKey = createPublicKey({
    key: { kty: 'RSA', n: base64url(key.n), e: base64url(key.e) },
    format: 'jwk',
  });
  // an MPI drops leading zeros, RSA wants the modulus' width
  const padded = Buffer.alloc(key.n.length);
  if (signature.mpi.length > padded.length) throw new Error('malformed signature packet');
  padded.set(signature.mpi, padded.length - signature.mpi.length);
  const verifier = createVerify(signature.hash).update(data).update(signature.trailer);
  if (!verifier.verify(publicKey, padded)) throw new Error('the signature does not match the content');
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
