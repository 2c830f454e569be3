// The rpm header: an index of tagged entries and their data, as packages and databases hold it (here always without the
// 8-byte magic). https://rpm-software-management.github.io/rpm/manual/hregions.html
// The reader is strict, as rpm's: every entry in bounds, aligned, of a known type, not overlapping the one before, and
// the region trailer where it says. Scripts and translations are plain entries; only their first string matters to us.
import { OnlayError, type ErrorCode } from '../../errors.ts';
import { byteString, view } from '../../base/bytes.ts';

export const HeaderType = {
  char: 1,
  int8: 2,
  int16: 3,
  int32: 4,
  int64: 5,
  string: 6,
  binary: 7,
  stringArray: 8,
  i18nString: 9,
} as const;

export interface HeaderEntry {
  readonly tag: number;
  readonly type: number;
  /** From the start of the data. */
  readonly offset: number;
  readonly count: number;
  /** Bytes of data, the NUL of the last string included. */
  readonly length: number;
}

export interface Header {
  /** Two counts, index, data. */
  readonly blob: Uint8Array;
  /** In the order of the index; the region entry is not among them. */
  readonly entries: readonly HeaderEntry[];
  /** Entry by tag; the last where one occurs twice, as rpm resolves it. */
  readonly byTag: ReadonlyMap<number, HeaderEntry>;
  /** Where the data starts in `blob`. */
  readonly dataStart: number;
  /** Tag of the region, and how many index entries it covers (itself included); 0 and 0 without one. */
  readonly regionTag: number;
  readonly regionEntries: number;
}

const WIDTHS = [0, 1, 1, 2, 4, 8, 0, 1, 0, 0];
const MAX_ENTRIES = 0xffff;
const MAX_DATA = 0x0fffffff;

export interface HeaderOptions {
  /** Names the header in messages. */
  readonly what: string;
  readonly code: ErrorCode;
  /** A region of this tag must be there and cover the whole header. */
  readonly wholeRegion?: number;
}

/** Size of the header at the start of `bytes`, from its two counts; checked against limits, not against `bytes`. */
export function headerSize(bytes: Uint8Array, options: HeaderOptions): number {
  if (bytes.length < 8) throw invalid(options, 'it is shorter than its counts');
  const raw = view(bytes);
  const entries = raw.readUInt32BE(0);
  const size = raw.readUInt32BE(4);
  if (entries === 0 || entries > MAX_ENTRIES) throw invalid(options, `it has ${entries} entries`);
  if (size > MAX_DATA) throw invalid(options, `it has ${size} bytes of data`);
  return 8 + 16 * entries + size;
}

/** Reads a header that fills `blob` exactly. Throws `options.code`. */
export function parseHeader(blob: Uint8Array, options: HeaderOptions): Header {
  const size = headerSize(blob, options);
  if (size !== blob.length) throw invalid(options, `its counts give ${size} bytes, it has ${blob.length}`);
  const raw = view(blob);
  const count = raw.readUInt32BE(0);
  const dataSize = raw.readUInt32BE(4);
  const dataStart = 8 + 16 * count;
  const region = readRegion(raw, count, dataStart, dataSize, options);
  const entries: HeaderEntry[] = [];
  const byTag = new Map<number, HeaderEntry>();
  let end = 0;
  for (let i = region.tag === 0 ? 0 : 1; i < count; i++) {
    const at = 8 + 16 * i;
    const tag = raw.readUInt32BE(at);
    const type = raw.readUInt32BE(at + 4);
    const offset = raw.readInt32BE(at + 8);
    const items = raw.readUInt32BE(at + 12);
    if (tag < 100 || tag > 0x7fffffff) throw invalid(options, `entry ${i} has tag ${tag}`);
    if (
      type < 1 ||
      type > 9 ||
      items === 0 ||
      items > dataSize ||
      (type === HeaderType.string && items !== 1)
    )
      throw invalid(options, `tag ${tag} has type ${type} and count ${items}`);
    const width = WIDTHS[type] ?? 0;
    if (offset < end || offset > dataSize || (width > 1 && offset % width !== 0))
      throw invalid(options, `tag ${tag} has its data at ${offset}`);
    const length = width > 0 ? width * items : stringsLength(raw, dataStart + offset, items);
    if (length === 0 || offset + length > dataSize)
      throw invalid(options, `the data of tag ${tag} leaves the header`);
    end = offset + length;
    // the trailer of the region lies between the region's data and what was added behind it
    if (region.tag !== 0 && i < region.entries && end > region.trailer)
      throw invalid(options, `the data of tag ${tag} leaves its region`);
    if (region.tag !== 0 && i === region.entries && offset < region.trailer + 16)
      throw invalid(options, `tag ${tag} lies in the region`);
    const entry = { tag, type, offset, count: items, length };
    entries.push(entry);
    byTag.set(tag, entry);
  }
  if (options.wholeRegion !== undefined) {
    if (region.tag !== options.wholeRegion) throw invalid(options, `it has no region ${options.wholeRegion}`);
    if (region.entries !== count || region.trailer + 16 !== dataSize)
      throw invalid(options, 'its region does not cover it');
    if (byTag.size !== entries.length) throw invalid(options, 'a tag occurs twice');
  }
  return { blob, entries, byTag, dataStart, regionTag: region.tag, regionEntries: region.entries };
}

interface Region {
  readonly tag: number;
  readonly entries: number;
  readonly trailer: number;
}

function readRegion(
  raw: Buffer,
  count: number,
  dataStart: number,
  dataSize: number,
  options: HeaderOptions,
): Region {
  const tag = raw.readUInt32BE(8);
  if (tag < 61 || tag > 63) return { tag: 0, entries: 0, trailer: 0 };
  const trailer = raw.readInt32BE(16);
  if (
    raw.readUInt32BE(12) !== HeaderType.binary ||
    raw.readUInt32BE(20) !== 16 ||
    trailer < 0 ||
    trailer + 16 > dataSize
  )
    throw invalid(options, 'its region entry is not valid');
  const at = dataStart + trailer;
  const extent = -raw.readInt32BE(at + 8);
  // some old packages write 62 into the trailer of 63; the count of the trailer is 1 in others
  const trailerTag = raw.readUInt32BE(at);
  if ((trailerTag !== tag && trailerTag !== 62) || raw.readUInt32BE(at + 4) !== HeaderType.binary)
    throw invalid(options, 'its region trailer is not valid');
  if (extent <= 0 || extent % 16 !== 0 || extent / 16 > count)
    throw invalid(options, 'its region has no valid extent');
  return { tag, entries: extent / 16, trailer };
}

function stringsLength(raw: Buffer, start: number, items: number): number {
  let left = items;
  for (let i = start; i < raw.length; i++) if (raw[i] === 0 && --left === 0) return i + 1 - start;
  return 0;
}

function invalid(options: HeaderOptions, why: string): OnlayError {
  return new OnlayError(options.code, `Cannot read the header of ${options.what}: ${why}`);
}

/** Values of a number entry; empty if the tag is absent or holds no numbers. 64-bit values beyond 2^53 lose precision. */
export function numbers(header: Header, tag: number): readonly number[] {
  const entry = header.byTag.get(tag);
  if (!entry) return [];
  const raw = view(header.blob);
  const start = header.dataStart + entry.offset;
  const out: number[] = Array.from({ length: entry.type <= HeaderType.int64 ? entry.count : 0 });
  switch (entry.type) {
    case HeaderType.char:
    case HeaderType.int8:
      for (let i = 0; i < entry.count; i++) out[i] = raw[start + i] ?? 0;
      break;
    case HeaderType.int16:
      for (let i = 0; i < entry.count; i++) out[i] = raw.readUInt16BE(start + 2 * i);
      break;
    case HeaderType.int32:
      for (let i = 0; i < entry.count; i++) out[i] = raw.readUInt32BE(start + 4 * i);
      break;
    case HeaderType.int64:
      for (let i = 0; i < entry.count; i++) out[i] = Number(raw.readBigUInt64BE(start + 8 * i));
      break;
  }
  return out;
}

/** First value of a number entry. */
export function number(header: Header, tag: number): number | undefined {
  return numbers(header, tag)[0];
}

/** Values of a string entry (byte strings); empty if the tag is absent or holds no strings. */
export function strings(header: Header, tag: number): readonly string[] {
  const entry = header.byTag.get(tag);
  if (!entry || entry.type < HeaderType.string || entry.type === HeaderType.binary) return [];
  const start = header.dataStart + entry.offset;
  return view(header.blob)
    .latin1Slice(start, start + entry.length - 1)
    .split('\0');
}

/** First string of an entry. */
export function text(header: Header, tag: number): string | undefined {
  return strings(header, tag)[0];
}

/** The raw data of an entry, whatever its type. */
export function data(header: Header, tag: number): Uint8Array | undefined {
  const entry = header.byTag.get(tag);
  if (!entry) return undefined;
  const start = header.dataStart + entry.offset;
  return header.blob.subarray(start, start + entry.length);
}

/** A binary entry as byte string (for index keys). */
export function binary(header: Header, tag: number): string | undefined {
  const bytes = data(header, tag);
  return bytes && byteString(bytes);
}
