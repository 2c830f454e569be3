// The hash by which OpenSSL finds a certificate in a directory (X509_NAME_hash, crypto/x509/x509_cmp.c and
// x_name.c): SHA-1 over the canonical form of the subject, first four bytes little-endian. DER (X.690) is read only as
// far as the subject lies.
import { hexDigest, rawDigest } from '../base/hash.ts';

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

export interface CertificateNames {
  /** Eight lower-case hex digits. */
  readonly subjectHash: string;
  /** SHA-256 of the whole certificate. */
  readonly digest: string;
}

/** Undefined when `pem` does not hold exactly one certificate. */
export function certificateNames(pem: string): CertificateNames | undefined {
  const blocks = [
    ...pem.matchAll(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END/g),
  ];
  if (blocks.length !== 1) return undefined;
  try {
    const der = Buffer.from(blocks[0]?.[1] ?? '', 'base64');
    const hash = Buffer.from(rawDigest('sha1', canonicalSubject(der))).readUInt32LE(0);
    return { subjectHash: hash.toString(16).padStart(8, '0'), digest: hexDigest('sha256', der) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function canonicalSubject(der: Buffer): Uint8Array {
  const certificate = element(der, 0);
  const signed = children(der, element(der, certificate.start));
  // version [0] is optional; then serial, algorithm, issuer, validity, subject
  const subject = signed[(signed[0]?.tag === 0xa0 ? 1 : 0) + 4];
  if (!subject || subject.tag !== 0x30) throw new RangeError('no subject');
  return Buffer.concat(children(der, subject).map((set) => encode(0x31, sortedSet(der, set))));
}

function sortedSet(der: Buffer, set: Element): Buffer {
  const members = children(der, set).map((attribute) => {
    const [type, value] = children(der, attribute);
    if (!type || !value) throw new RangeError('attribute without a value');
    return encode(
      0x30,
      Buffer.concat([encode(type.tag, der.subarray(type.start, type.end)), canonicalValue(der, value)]),
    );
  });
  return Buffer.concat(members.sort((a, b) => Buffer.compare(a, b)));
}

/** Strings become UTF8String: trimmed, inner white space collapsed, ASCII letters lower-cased. Others stay. */
function canonicalValue(der: Buffer, value: Element): Buffer {
  const bytes = der.subarray(value.start, value.end);
  const decoded = decodeString(value.tag, bytes);
  if (decoded === undefined) return encode(value.tag, bytes);
  const text = decoded
    .replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')
    .replace(/[ \t\n\v\f\r]+/g, ' ')
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return encode(0x0c, Buffer.from(text, 'utf8'));
}

function decodeString(tag: number, bytes: Buffer): string | undefined {
  switch (tag) {
    case 0x0c: // UTF8String
      return bytes.toString('utf8');
    case 0x13: // PrintableString
    case 0x14: // T61String, which OpenSSL reads as latin1
    case 0x16: // IA5String
    case 0x1a: // VisibleString
      return bytes.latin1Slice();
    case 0x1e: // BMPString
      return Buffer.from(bytes).swap16().toString('utf16le');
    case 0x1c: // UniversalString
      return Array.from({ length: bytes.length >> 2 }, (_, index) =>
        String.fromCodePoint(bytes.readUInt32BE(index * 4)),
      ).join('');
    default:
      return undefined;
  }
}

function element(der: Buffer, at: number): Element {
  const tag = der.readUInt8(at);
  let length = der.readUInt8(at + 1);
  let start = at + 2;
  if (length > 0x84 || length === 0x80) throw new RangeError('length form');
  if (length > 0x80) {
    const count = length & 0x7f;
    length = der.readUIntBE(start, count);
    start += count;
  }
  if (start + length > der.length) throw new RangeError('element beyond the end');
  return { tag, start, end: start + length };
}

function children(der: Buffer, parent: Element): readonly Element[] {
  const found: Element[] = [];
  for (let at = parent.start; at < parent.end;) {
    const child = element(der, at);
    found.push(child);
    at = child.end;
  }
  return found;
}

function encode(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
