// An .rpm file: lead, signature header, main header, compressed payload; and the checks that tie them together.
// https://rpm-software-management.github.io/rpm/manual/format_v4.html. Packages without an immutable region (before
// rpm 4, 2000) are refused.
import { OnlayError } from '../../errors.ts';
import { hexDigest } from '../../base/hash.ts';
import { view } from '../../base/bytes.ts';
import { verifyDetached, type SignatureFact } from '../../trust/openpgp.ts';
import type { Keyring } from '../../trust/keyring.ts';
import {
  data,
  headerSize,
  number,
  parseHeader,
  strings,
  text,
  type Header,
  type HeaderOptions,
} from './header.ts';
import { hashByNumber } from './hashes.ts';
import { checkTags } from './header-write.ts';
import { SigTag, Tag } from './tags.ts';

const LEAD_SIZE = 96;
const LEAD_MAGIC = 0xedabeedb;
const HEADER_MAGIC = 0x8eade801;
const MAGIC_SIZE = 8;
/** Signatures and digests; the rest of a signature header is room for later ones. */
const MAX_SIGNATURE_HEADER = 16 * 1024 * 1024;

export interface RpmFile {
  readonly signature: Header;
  readonly header: Header;
  /** The main header with its magic: what header signatures and digests cover. */
  readonly signedHeader: Uint8Array;
  /** Main header with magic and payload: what the older signatures cover. */
  readonly signedWhole: Uint8Array;
  /** Compressed. */
  readonly payload: Uint8Array;
}

/** Takes a package apart. Throws PACKAGE_INVALID. Nothing is verified but the structure. */
export function parseRpm(bytes: Uint8Array, what: string): RpmFile {
  const raw = view(bytes);
  if (raw.length < LEAD_SIZE || raw.readUInt32BE(0) !== LEAD_MAGIC) throw invalid(what, 'it is not an rpm');
  const signature = readHeader(bytes, LEAD_SIZE, {
    what: `the signature of ${what}`,
    code: 'PACKAGE_INVALID',
    wholeRegion: Tag.regionSignatures,
  });
  if (signature.end - LEAD_SIZE > MAX_SIGNATURE_HEADER)
    throw invalid(what, 'its signature header is too big');
  const start = LEAD_SIZE + Math.ceil((signature.end - LEAD_SIZE) / 8) * 8;
  const header = readHeader(bytes, start, {
    what,
    code: 'PACKAGE_INVALID',
    wholeRegion: Tag.regionImmutable,
  });
  checkTags(signature.header, header.header, what);
  return {
    signature: signature.header,
    header: header.header,
    signedHeader: bytes.subarray(start, header.end),
    signedWhole: bytes.subarray(start),
    payload: bytes.subarray(header.end),
  };
}

function readHeader(
  bytes: Uint8Array,
  start: number,
  options: HeaderOptions,
): { header: Header; end: number } {
  const raw = view(bytes);
  if (start + MAGIC_SIZE + 8 > raw.length || raw.readUInt32BE(start) !== HEADER_MAGIC)
    throw invalid(options.what, 'there is no header where one belongs');
  const end = start + MAGIC_SIZE + headerSize(raw.subarray(start + MAGIC_SIZE), options);
  if (end > raw.length) throw invalid(options.what, 'it is cut off');
  return { header: parseHeader(bytes.subarray(start + MAGIC_SIZE, end), options), end };
}

/** Checks every digest and size that the package states of itself. Throws DIGEST_MISMATCH or SIZE_MISMATCH. */
export function checkDigests(file: RpmFile, what: string): void {
  const { signature, header } = file;
  const compare = (name: string, actual: string, stated: string | undefined): void => {
    if (stated !== undefined && stated.toLowerCase() !== actual)
      throw new OnlayError('DIGEST_MISMATCH', `Package ${what} has ${name} ${actual}, it says ${stated}`);
  };
  const size = number(signature, SigTag.size) ?? number(signature, SigTag.longSize);
  if (size !== undefined && size !== file.signedWhole.length)
    throw new OnlayError(
      'SIZE_MISMATCH',
      `Package ${what} has ${file.signedWhole.length} bytes, it says ${size}`,
    );
  const stated = (tag: number): string | undefined => text(signature, tag);
  compare('header SHA-1', hexDigest('sha1', file.signedHeader), stated(Tag.sha1Header));
  compare('header SHA-256', hexDigest('sha256', file.signedHeader), stated(Tag.sha256Header));
  const md5 = data(signature, SigTag.md5);
  if (md5) compare('MD5', hexDigest('md5', file.signedWhole), view(md5).toString('hex'));
  const payload = text(header, Tag.payloadDigest);
  if (payload !== undefined) {
    const algorithm = hashByNumber(number(header, Tag.payloadDigestAlgorithm) ?? 8);
    if (!algorithm) throw invalid(what, 'its payload digest is of an unknown kind');
    compare(`payload ${algorithm}`, hexDigest(algorithm, file.payload), payload);
  }
  const sha512 = text(header, Tag.payloadSha512);
  if (sha512 !== undefined) compare('payload SHA-512', hexDigest('sha512', file.payload), sha512);
}

export interface SignatureOptions {
  readonly keyrings: readonly Keyring[];
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly what: string;
}

/**
 * Verifies a signature that covers the whole package: one over header and payload, or one over a header that holds
 * digests of its payload or of all its files (`unpack` compares those). Throws SIGNATURE_INVALID.
 */
export async function verifySignature(file: RpmFile, options: SignatureOptions): Promise<SignatureFact> {
  const candidates: { readonly signature: Uint8Array; readonly data: Uint8Array }[] = [];
  const add = (signature: Uint8Array | undefined, covered: Uint8Array): void => {
    if (signature) candidates.push({ signature, data: covered });
  };
  if (coversContent(file.header)) {
    for (const base64 of strings(file.signature, Tag.openpgp))
      add(Buffer.from(base64, 'base64'), file.signedHeader);
    add(data(file.signature, Tag.rsaHeader), file.signedHeader);
    add(data(file.signature, Tag.dsaHeader), file.signedHeader);
  }
  add(data(file.signature, SigTag.pgp), file.signedWhole);
  add(data(file.signature, SigTag.gpg), file.signedWhole);
  let failure: unknown;
  for (const { signature, data: covered } of candidates) {
    try {
      return await verifyDetached({
        data: covered,
        signature,
        keyrings: options.keyrings,
        at: options.at,
        what: `package ${options.what}`,
        allowV3: true,
        allowExpiredSince: true,
      });
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  throw new OnlayError('SIGNATURE_INVALID', `Package ${options.what} is not signed`);
}

/** True when a signature over the header also protects what is installed. */
function coversContent(header: Header): boolean {
  if (header.byTag.has(Tag.payloadDigest) || header.byTag.has(Tag.payloadSha512)) return true;
  return (number(header, Tag.fileDigestAlgorithm) ?? 1) >= 8;
}

function invalid(what: string, why: string): OnlayError {
  return new OnlayError('PACKAGE_INVALID', `Cannot read package ${what}: ${why}`);
}
