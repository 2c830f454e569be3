// The header as a database stores it: the package's own header verbatim, followed by what its signature header said of
// it and by what the installation added. Byte-identical to what rpm stores, because the signature of the header must
// still verify. Tags behind the signed region are sorted and aligned.
import { OnlayError } from '../../errors.ts';
import { view } from '../../base/bytes.ts';
import { HeaderType, strings, type Header, type HeaderEntry } from './header.ts';
import { SigTag, Tag } from './tags.ts';

export interface InstallFacts {
  /** Seconds since 1970; also the transaction id. */
  readonly time: number;
  /** Colour of the transaction (0 or 3). */
  readonly color: number;
  /** FILESTATES, one for each file in the order of the header. */
  readonly fileStates: Uint8Array;
  /** rpm 6 also carries OPENPGP and SHA3-256. */
  readonly keepOpenpgp: boolean;
}

interface Extra {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

interface Carried {
  readonly from: number;
  readonly to: number;
  /** It may be in the main header instead, where the signature header has none. */
  readonly either?: boolean;
  readonly openpgp?: boolean;
}

/** What is carried from the signature header, under which tag. */
const CARRIED: readonly Carried[] = [
  { from: SigTag.size, to: Tag.sigSize },
  { from: SigTag.pgp, to: Tag.sigPgp },
  { from: SigTag.md5, to: Tag.sigMd5 },
  { from: SigTag.gpg, to: Tag.sigGpg },
  { from: SigTag.payloadSize, to: Tag.archiveSize, either: true },
  { from: SigTag.fileSignatures, to: Tag.fileSignatures, either: true },
  { from: SigTag.fileSignatureLength, to: Tag.fileSignatureLength, either: true },
  { from: Tag.veritySignatures, to: Tag.veritySignatures },
  { from: Tag.veritySignatureAlgorithm, to: Tag.veritySignatureAlgorithm },
  { from: Tag.sha1Header, to: Tag.sha1Header },
  { from: Tag.sha256Header, to: Tag.sha256Header },
  { from: Tag.dsaHeader, to: Tag.dsaHeader },
  { from: Tag.rsaHeader, to: Tag.rsaHeader },
  { from: SigTag.longSize, to: Tag.longSigSize },
  { from: SigTag.longArchiveSize, to: Tag.longArchiveSize },
  { from: Tag.openpgp, to: Tag.openpgp, openpgp: true },
  { from: Tag.sha3Header, to: Tag.sha3Header, openpgp: true },
];

/** Tags that only an installation may add; one in a package would override what the database says of it. */
const INSTALLED_ONLY = [Tag.installTime, Tag.fileStates, Tag.instPrefixes, Tag.installColor, Tag.installTid];

/** The blob for the database. Throws PACKAGE_INVALID for a package whose two headers contradict each other. */
export function storedBlob(signature: Header, header: Header, facts: InstallFacts, what: string): Uint8Array {
  checkTags(signature, header, what);
  const extras: Extra[] = [];
  for (const { from, to, openpgp } of CARRIED) {
    const entry = signature.byTag.get(from);
    if (entry && (!openpgp || facts.keepOpenpgp)) extras.push(copied(signature, entry, to));
  }
  extras.push(uint32(Tag.installTime, facts.time));
  if (facts.fileStates.length > 0)
    extras.push({
      tag: Tag.fileStates,
      type: HeaderType.char,
      count: facts.fileStates.length,
      bytes: facts.fileStates,
    });
  const prefixes = header.byTag.get(Tag.prefixes);
  if (prefixes && strings(header, Tag.prefixes).length > 0)
    extras.push(copied(header, prefixes, Tag.instPrefixes));
  extras.push(uint32(Tag.installColor, facts.color), uint32(Tag.installTid, facts.time));
  return append(
    header,
    extras.sort((a, b) => a.tag - b.tag),
  );
}

/** Tags of the signature header must not be smuggled in by the main header, or the other way (CVE-2021-20271). */
export function checkTags(signature: Header, header: Header, what: string): void {
  const smuggled =
    CARRIED.find(({ from, to, either }) => header.byTag.has(to) && !(either && !signature.byTag.has(from)))
      ?.to ?? INSTALLED_ONLY.find((tag) => header.byTag.has(tag));
  if (smuggled !== undefined)
    throw new OnlayError(
      'PACKAGE_INVALID',
      `Package ${what} has tag ${smuggled} in its main header, where it must not be`,
    );
}

function copied(header: Header, entry: HeaderEntry, tag: number): Extra {
  const start = header.dataStart + entry.offset;
  return {
    tag,
    type: entry.type,
    count: entry.count,
    bytes: header.blob.subarray(start, start + entry.length),
  };
}

function uint32(tag: number, value: number): Extra {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return { tag, type: HeaderType.int32, count: 1, bytes };
}

const ALIGNMENT: Readonly<Record<number, number>> = {
  [HeaderType.int16]: 2,
  [HeaderType.int32]: 4,
  [HeaderType.int64]: 8,
};

function append(header: Header, extras: readonly Extra[]): Uint8Array {
  const source = view(header.blob);
  const entries = source.readUInt32BE(0);
  let size = source.readUInt32BE(4);
  const offsets = extras.map(({ type, bytes }) => {
    const align = ALIGNMENT[type] ?? 1;
    const offset = Math.ceil(size / align) * align;
    size = offset + bytes.length;
    return offset;
  });
  const dataStart = header.dataStart + 16 * extras.length;
  const out = Buffer.alloc(dataStart + size);
  out.set(source.subarray(0, header.dataStart));
  out.writeUInt32BE(entries + extras.length, 0);
  out.writeUInt32BE(size, 4);
  out.set(source.subarray(header.dataStart), dataStart);
  extras.forEach(({ tag, type, count, bytes }, i) => {
    const at = header.dataStart + 16 * i;
    const offset = offsets[i] ?? 0;
    out.writeUInt32BE(tag, at);
    out.writeUInt32BE(type, at + 4);
    out.writeUInt32BE(offset, at + 8);
    out.writeUInt32BE(count, at + 12);
    out.set(bytes, dataStart + offset);
  });
  return out;
}
