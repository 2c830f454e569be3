// Signatures of indexes and packages: a first gzip member with files .SIGN.ALGORITHM.KEYFILE, which sign the bytes of
// the rest as they are compressed. The name of the key is looked up, never used as a path.
// https://wiki.alpinelinux.org/wiki/Apk_spec#Package_Format_V2
import { OnlayError, hasCode } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import { readTarBytes } from '../../archive/tar-read.ts';
import { verifyRsa } from '../../trust/rsa.ts';
import type { RsaDigest } from '../../trust/rsa.ts';

export interface Signature {
  readonly digest: RsaDigest;
  /** File name of the key that made it. */
  readonly keyName: string;
  readonly bytes: Uint8Array;
}

/** A key that may sign. */
export interface TrustedKey {
  /** File name, as signatures state it. */
  readonly name: string;
  readonly pem: string;
  /** Given by the user: then its file name does not matter. */
  readonly anyName: boolean;
}

const DIGESTS: ReadonlyMap<string, RsaDigest> = new Map([
  ['RSA', 'sha1'],
  ['RSA256', 'sha256'],
  ['RSA512', 'sha512'],
]);
const NAME = /^\.SIGN\.([A-Z0-9]+)\.(.+)$/s;
const MAX_SIGNATURES = 32;

/**
 * The signatures in the content of a first gzip member, of known algorithms; undefined when it is no signature member.
 * Throws for a member that holds signatures and other things: what it signs could not be told.
 */
export function readSignatures(content: Uint8Array, what: string): readonly Signature[] | undefined {
  const members = readTarBytes(content, { dialect: 'apk', requireEnd: false, what: `signature of ${what}` });
  const names = members.map(({ header }) => NAME.exec(header.path));
  if (!names.some((name) => name !== null)) return undefined;
  if (names.includes(null) || members.length > MAX_SIGNATURES)
    throw new OnlayError('SIGNATURE_INVALID', `${what} mixes signatures with other files`);
  return members.flatMap(({ header, content: bytes }, index) => {
    const [, algorithm = '', keyName = ''] = names[index] as RegExpExecArray;
    const digest = DIGESTS.get(algorithm);
    return digest === undefined || header.type !== 'file' ? [] : [{ digest, keyName, bytes }];
  });
}

/** True for names that may appear in a signature member only. */
export function isSignatureName(path: string): boolean {
  return path.startsWith('.SIGN.');
}

/** File name of a trusted key that signed `signed`. Throws SIGNATURE_INVALID. */
export function requireSignature(input: {
  readonly signatures: readonly Signature[];
  readonly signed: Uint8Array;
  readonly keys: readonly TrustedKey[];
  readonly what: string;
  readonly log: Log;
}): string {
  const { signatures, signed, keys, what, log } = input;
  const names = [...new Set(signatures.map(({ keyName }) => displayText(keyName)))].join(', ');
  if (signatures.length === 0) throw invalid(`${what} is not signed`);
  let tried = false;
  for (const signature of signatures)
    for (const key of keys) {
      if (key.name !== signature.keyName && !key.anyName) continue;
      tried ||= key.name === signature.keyName;
      if (verifies(signature, signed, key, log)) return key.name;
    }
  throw tried
    ? invalid(`${what} has a wrong signature of ${names}: it was changed after it was signed`)
    : invalid(`${what} is signed by ${names}, which is not trusted`);
}

/**
 * The index vouches for a package, and apk does not look at the package's own signature. One that names a trusted key
 * and is wrong says all the same that something was changed. Throws SIGNATURE_INVALID.
 */
export function refuseWrongSignature(input: Parameters<typeof requireSignature>[0]): void {
  const { signatures, signed, keys, what, log } = input;
  const named = signatures.filter(({ keyName }) => keys.some(({ name }) => name === keyName));
  if (named.length > 0) requireSignature({ signatures: named, signed, keys, what, log });
}

function verifies(signature: Signature, data: Uint8Array, key: TrustedKey, log: Log): boolean {
  try {
    return verifyRsa({ digest: signature.digest, data, signature: signature.bytes, publicKey: key.pem });
  } catch (error) {
    if (!hasCode(error, 'CONFIG_INVALID') || key.anyName) throw error;
    log.warn('A key of the image cannot be used', { key: displayText(key.name), why: error.message });
    return false;
  }
}

function invalid(message: string): OnlayError {
  return new OnlayError('SIGNATURE_INVALID', message, {
    hint: 'give the repository key with --trust-key FILE; --allow-unsigned goes without',
  });
}
