// Verifies OpenPGP signatures with trusted keys. Keys (self-signatures, bindings, expiry, revocation) and version 4
// signatures are the business of openpgp.js, loaded with the first keyring; version 3 signatures are verified by
// signature-v3.ts with keys that it accepted. MD5 and SHA-1 digests, DSA, and RSA below 2048 bits are refused.
import type { PartialConfig, PublicKey, PublicKeyPacket, Subkey } from 'openpgp';
import { OnlayError, messageOf } from '../errors.ts';
import { byteString } from '../base/bytes.ts';
import { isArmored, readArmor } from './armor.ts';
import { readCleartext } from './cleartext.ts';
import type { Keyring } from './keyring.ts';
import { TAG_SIGNATURE, readPackets } from './packets.ts';
import { readSignatureV3, verifyV3 } from './signature-v3.ts';

/** Who signed, for results. */
export interface SignatureFact {
  /** Of the primary key; upper-case hex. */
  readonly fingerprint: string;
  /** Of the key or subkey that made the signature; upper-case hex, 16 digits. */
  readonly keyId: string;
  readonly created: Date;
  readonly userId?: string;
  /** Name of the keyring that holds the key. */
  readonly keyring: string;
}

export interface VerifyOptions {
  readonly keyrings: readonly Keyring[];
  /** Time of the check, milliseconds since 1970: keys must be valid then, the signature not younger. */
  readonly at: number;
  /** What is verified, for messages: "InRelease of http://… bookworm". */
  readonly what: string;
  /** Accept version 3 signature packets: packages of EL6 to EL8. */
  readonly allowV3?: boolean;
  /** Accept a key that has expired since, if it was valid when it signed: packages, which are never signed anew. */
  readonly allowExpiredSince?: boolean;
}

/**
 * Verifies a detached signature, armored or binary. One good signature of a trusted, unexpired, unrevoked key is
 * enough; signatures of unknown keys are passed over. Throws SIGNATURE_INVALID and says what was wrong with each.
 */
export async function verifyDetached(
  options: VerifyOptions & { readonly data: Uint8Array; readonly signature: Uint8Array },
): Promise<SignatureFact> {
  return verifyPackets(options.data, dearmored(options.signature, options.what), options);
}

/**
 * Verifies a clear-signed document. `text` is what was signed, byte for byte, but for line ends (LF) and white space
 * before them, which are no part of it. Throws SIGNATURE_INVALID.
 */
export async function verifyCleartext(
  options: VerifyOptions & { readonly document: Uint8Array },
): Promise<{ readonly text: Uint8Array; readonly signature: SignatureFact }> {
  const document = readCleartext(options.document, options.what);
  return {
    text: document.text,
    signature: await verifyPackets(document.canonical, document.signature, options),
  };
}

const MAX_SIGNATURES = 64;

function dearmored(signature: Uint8Array, what: string): Uint8Array {
  if (((signature[0] ?? 0) & 0x80) !== 0) return signature;
  const text = byteString(signature);
  const blocks = isArmored(text) ? readArmor(text, `signature of ${what}`, 'SIGNATURE_INVALID') : [];
  const block = blocks[0];
  if (!block || blocks.length > 1 || !/^(?:SIGNATURE|MESSAGE)$/.test(block.type))
    throw new OnlayError(
      'SIGNATURE_INVALID',
      `Cannot verify ${what}: its signature is not an OpenPGP signature`,
    );
  return block.data;
}

async function verifyPackets(
  data: Uint8Array,
  signature: Uint8Array,
  options: VerifyOptions,
): Promise<SignatureFact> {
  const packets = readPackets(signature, `signature of ${options.what}`, 'SIGNATURE_INVALID');
  const refusals: string[] = [];
  let trusted = false;
  let strangers = 0;
  if (packets.length > MAX_SIGNATURES || packets.some((packet) => packet.tag !== TAG_SIGNATURE))
    throw new OnlayError(
      'SIGNATURE_INVALID',
      `Cannot verify ${options.what}: its signature holds something else`,
    );
  for (const packet of packets) {
    try {
      const signed = await openSignature(packet.raw, packet.body, options);
      const holders = findKeys(signed.keyId, options);
      if (holders.length === 0) {
        strangers++;
        refusals.push(`key ${signed.keyId} is not trusted here`);
      }
      for (const holder of holders) {
        trusted = true;
        try {
          return await verifyOne(data, signed, holder, options);
        } catch (error) {
          refusals.push(`key ${signed.keyId}: ${messageOf(error)}`);
        }
      }
    } catch (error) {
      refusals.push(messageOf(error));
    }
  }
  throw new OnlayError(
    'SIGNATURE_INVALID',
    `Cannot verify ${options.what}: ${[...new Set(refusals)].join('; ') || 'it has no signature'}`,
    {
      ...(trusted ? {} : { hint: 'give the key of the repository with --trust-key FILE' }),
      ...(strangers > 0 && strangers === packets.length ? { cause: STRANGERS } : {}),
    },
  );
}

const STRANGERS: unique symbol = Symbol('only signatures of keys that are not trusted');

/** True when a signature was refused for nothing but that its key is not trusted here. */
export function isOfStranger(error: unknown): boolean {
  return error instanceof OnlayError && error.cause === STRANGERS;
}

/** One signature packet, opened. */
interface Signed {
  /** Upper-case hex. */
  readonly keyId: string;
  readonly created: Date;
  readonly check: (data: Uint8Array, holder: Holder) => Promise<void>;
}

/** A trusted certificate that has the key asked for. */
interface Holder {
  readonly keyring: Keyring;
  readonly key: PublicKey;
}

async function openSignature(raw: Uint8Array, body: Uint8Array, options: VerifyOptions): Promise<Signed> {
  const openpgp = await import('openpgp');
  if (body[0] === 3) {
    if (!options.allowV3) throw new Error('version 3 signatures are not accepted here');
    const signature = readSignatureV3(body);
    return {
      keyId: signature.keyId.toUpperCase(),
      created: signature.created,
      check: async (data, holder) =>
        verifyV3(signature, data, rsaNumbers(signingKeyOf(holder.key, signature.keyId))),
    };
  }
  const signature = await openpgp.readSignature({ binarySignature: raw });
  const packet = signature.packets[0];
  // an unsupported packet leaves an empty list, not an error
  if (!packet?.created) throw new Error(`signatures of version ${body[0]} are not supported`);
  return {
    keyId: packet.issuerKeyID.toHex().toUpperCase(),
    created: packet.created,
    check: async (data, holder) => {
      const message = await openpgp.createMessage({ binary: data });
      const verified = await openpgp.verify({
        message,
        signature,
        verificationKeys: [holder.key],
        date: new Date(options.at),
        config: CONFIG,
      });
      const result = verified.signatures[0];
      if (!result) throw new Error('it is not a signature of a document');
      await result.verified;
    },
  };
}

/**
 * Beyond the library's own rules: a key without flags may sign, as for GnuPG; and the self-signature of a key whose
 * life was prolonged may be younger than what the key has signed (the key is checked at `at` in any case).
 */
const CONFIG: PartialConfig = {
  allowMissingKeyFlags: true,
  allowInsecureVerificationWithReformattedKeys: true,
};

function findKeys(keyId: string, options: VerifyOptions): readonly Holder[] {
  return options.keyrings.flatMap((keyring) =>
    keyring.keys
      .filter((key) => key.getKeys().some((part) => part.getKeyID().toHex().toUpperCase() === keyId))
      .map((key) => ({ keyring, key })),
  );
}

async function verifyOne(
  data: Uint8Array,
  signed: Signed,
  holder: Holder,
  options: VerifyOptions,
): Promise<SignatureFact> {
  const part = signingKeyOf(holder.key, signed.keyId);
  if (part.getCreationTime() > signed.created) throw new Error('the key is younger than the signature');
  if (signed.created.getTime() > options.at)
    throw new Error(`the signature is of ${signed.created.toISOString()}, which is in the future`);
  await requireValidKey(holder.key, part, signed.created, options);
  await signed.check(data, holder);
  const userId = holder.key.getUserIDs()[0];
  return {
    fingerprint: holder.key.getFingerprint().toUpperCase(),
    keyId: signed.keyId,
    created: signed.created,
    ...(userId === undefined ? {} : { userId }),
    keyring: holder.keyring.name,
  };
}

/** Self-signed, bound to its primary key and back (CVE-2021-3521), meant for signing, not revoked, not expired, strong. */
async function requireValidKey(
  key: PublicKey,
  part: Key,
  created: Date,
  options: VerifyOptions,
): Promise<void> {
  const { config } = await import('openpgp');
  const valid = (at: Date): Promise<unknown> =>
    key.getSigningKey(part.getKeyID(), at, undefined, { ...config, ...CONFIG });
  try {
    await valid(new Date(options.at));
  } catch (error) {
    if (!options.allowExpiredSince) throw error;
    await valid(created);
  }
}

type Key = PublicKey | Subkey;

function signingKeyOf(key: PublicKey, keyId: string): Key {
  const part = key.getKeys().find((part) => part.getKeyID().toHex() === keyId.toLowerCase());
  if (!part) throw new OnlayError('INTERNAL', `Key ${keyId} is not in the certificate it was found in`);
  return part;
}

function rsaNumbers(part: Key): { n: Uint8Array; e: Uint8Array } {
  const { n, e } = (part.keyPacket as PublicKeyPacket & { publicParams: { n?: Uint8Array; e?: Uint8Array } })
    .publicParams;
  if (!n || !e) throw new Error('the key is not an RSA key');
  return { n, e };
}
