// The bytes of /etc/ld.so.cache in both layouts that glibc writes: 2.33 and later (shared string table, extension with
// generator and hwcaps), and 2.31 (strings in entry order); up to 2.35 with the ABI version of each entry, which newer
// ones leave 0. glibc elf/cache.c.

/** One library as the loader finds it. Strings are byte strings. */
export interface CacheEntry {
  /** What is looked up: soname or link name. */
  readonly key: string;
  /** Absolute path. */
  readonly path: string;
  readonly flags: number;
  readonly osVersion: number;
  /** Name of the glibc-hwcaps subdirectory, '' for none. */
  readonly hwcaps: string;
  /** Processor level that a library in such a subdirectory demands (elf.ts). */
  readonly isaLevel: number;
}

export interface CacheLayout {
  /** Text of the generator section; undefined for the layout without extension. */
  readonly generator: string | undefined;
  readonly bigEndian: boolean;
  /** Whether entries state the ABI version that a library asks for. */
  readonly hasOsVersions: boolean;
  /** Endianness byte of the header as it stands (0 in old caches). */
  readonly endianFlag: number;
}

const MAGIC = 'glibc-ld.so.cache1.1';
const HEADER = 48;
const ENTRY = 24;
const EXTENSION_MAGIC = 0xeaa42174;
const TAG_GENERATOR = 0;
const TAG_HWCAPS = 1;
const HWCAP_EXTENSION = 1n << 62n;

/** Layout of an existing cache; undefined when it is of another kind (the format before 1.1, or broken). */
export function readLayout(cache: Uint8Array): CacheLayout | undefined {
  const bytes = Buffer.from(cache.buffer, cache.byteOffset, cache.byteLength);
  if (bytes.length < HEADER || bytes.latin1Slice(0, MAGIC.length) !== MAGIC) return undefined;
  const endianFlag = (bytes[28] as number) & 3;
  // caches of old glibc leave the byte 0: the count of entries is small in the right order only
  const bigEndian = endianFlag === 3 || (endianFlag === 0 && bytes.readUInt32LE(20) > bytes.readUInt32BE(20));
  const u32 = (at: number): number => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  const entries = Math.min(u32(20), Math.floor((bytes.length - HEADER) / ENTRY));
  const hasOsVersions = Array.from({ length: entries }, (_, index) => u32(HEADER + index * ENTRY + 12)).some(
    (version) => version !== 0,
  );
  const layout = { bigEndian, endianFlag, hasOsVersions };
  const extension = u32(32);
  if (extension === 0) return { ...layout, generator: undefined };
  if (extension + 8 > bytes.length || u32(extension) !== EXTENSION_MAGIC) return undefined;
  const count = u32(extension + 4);
  for (let index = 0; index < Math.min(count, 16); index++) {
    const at = extension + 8 + index * 16;
    if (at + 16 > bytes.length) return undefined;
    if (u32(at) === TAG_GENERATOR)
      return { ...layout, generator: bytes.latin1Slice(u32(at + 8), u32(at + 8) + u32(at + 12)) };
  }
  return undefined;
}

/** Writes the cache. `entries` are in directory order; sorting is done here. */
export function writeCache(entries: readonly CacheEntry[], layout: CacheLayout): Uint8Array {
  const sorted = [...entries].sort(compareEntries);
  const hwcaps = [...new Set(sorted.map((entry) => entry.hwcaps).filter((name) => name !== ''))].sort();
  const modern = layout.generator !== undefined;
  const start = HEADER + sorted.length * ENTRY;
  const strings = modern
    ? sharedStrings([...sorted.flatMap(({ key, path }) => [key, path]), ...hwcaps], start)
    : plainStrings(sorted, start);
  const tableEnd = start + strings.table.length;
  const extension = modern
    ? extensionOf(layout.generator ?? '', hwcaps, strings, align(tableEnd), layout.bigEndian)
    : new Uint8Array();
  const size = modern ? align(tableEnd) + extension.length : tableEnd;
  const bytes = Buffer.alloc(size);
  const u32 = (value: number, at: number): number =>
    layout.bigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
  bytes.write(MAGIC, 0, 'latin1');
  u32(sorted.length, 20);
  u32(strings.table.length, 24);
  bytes[28] = layout.endianFlag;
  u32(modern ? align(tableEnd) : 0, 32);
  sorted.forEach((entry, index) => {
    const at = HEADER + index * ENTRY;
    u32(entry.flags, at);
    u32(strings.offset(entry.key, index, 'key'), at + 4);
    u32(strings.offset(entry.path, index, 'path'), at + 8);
    u32(layout.hasOsVersions ? entry.osVersion : 0, at + 12);
    const level = BigInt(entry.isaLevel) << 32n;
    const hwcap = entry.hwcaps === '' ? 0n : HWCAP_EXTENSION | level | BigInt(hwcaps.indexOf(entry.hwcaps));
    if (layout.bigEndian) bytes.writeBigUInt64BE(hwcap, at + 16);
    else bytes.writeBigUInt64LE(hwcap, at + 16);
  });
  strings.table.copy(bytes, start);
  if (modern) bytes.set(extension, align(tableEnd));
  return bytes;
}

interface Strings {
  readonly table: Buffer;
  offset(text: string, index: number, part: 'key' | 'path'): number;
}

function plainStrings(sorted: readonly CacheEntry[], start: number): Strings {
  const parts: string[] = [];
  const offsets: { key: number; path: number }[] = [];
  let at = start;
  for (const { key, path } of sorted) {
    offsets.push({ key: at, path: at + key.length + 1 });
    parts.push(key, path);
    at += key.length + path.length + 2;
  }
  return {
    table: Buffer.from(parts.map((part) => `${part}\0`).join(''), 'latin1'),
    offset: (_text, index, part) => offsets[index]?.[part] ?? 0,
  };
}

/** elf/stringtable.c: sorted by reversed bytes, so that a string that ends another one shares its tail. */
function sharedStrings(texts: readonly string[], start: number): Strings {
  const offsets = new Map<string, number>();
  const kept: string[] = [];
  let end = start;
  let previous = '';
  for (const text of [...new Set(texts)].sort(compareReversed)) {
    if (previous.endsWith(text)) offsets.set(text, end - 1 - text.length);
    else {
      offsets.set(text, end);
      kept.push(`${text}\0`);
      end += text.length + 1;
      previous = text;
    }
  }
  return { table: Buffer.from(kept.join(''), 'latin1'), offset: (text) => offsets.get(text) ?? 0 };
}

function compareReversed(a: string, b: string): number {
  for (let index = 1; index <= Math.min(a.length, b.length); index++) {
    const difference = b.charCodeAt(b.length - index) - a.charCodeAt(a.length - index);
    if (difference !== 0) return difference;
  }
  return b.length - a.length;
}

function extensionOf(
  generator: string,
  hwcaps: readonly string[],
  strings: Strings,
  at: number,
  bigEndian: boolean,
): Uint8Array {
  const count = hwcaps.length > 0 ? 2 : 1;
  const dataStart = at + 8 + count * 16;
  const hwcapsSize = hwcaps.length * 4;
  const words = [EXTENSION_MAGIC, count, TAG_GENERATOR, 0, dataStart + hwcapsSize, generator.length];
  if (hwcaps.length > 0)
    words.push(TAG_HWCAPS, 0, dataStart, hwcapsSize, ...hwcaps.map((name) => strings.offset(name, 0, 'key')));
  const bytes = Buffer.alloc(words.length * 4 + generator.length);
  words.forEach((word, index) =>
    bigEndian ? bytes.writeUInt32BE(word, index * 4) : bytes.writeUInt32LE(word, index * 4),
  );
  bytes.write(generator, words.length * 4, 'latin1');
  return bytes;
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

/** Array.prototype.sort is stable, so that equal entries keep the order of their directories. */
function compareEntries(a: CacheEntry, b: CacheEntry): number {
  return (
    compareLibraries(b.key, a.key) ||
    b.flags - a.flags ||
    Number(b.hwcaps !== '') - Number(a.hwcaps !== '') ||
    (a.hwcaps < b.hwcaps ? -1 : a.hwcaps > b.hwcaps ? 1 : 0)
  );
}

/** _dl_cache_libcmp: runs of digits compare as numbers, and a digit is above anything else. */
export function compareLibraries(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length) {
    if (isDigit(a, i)) {
      if (!isDigit(b, j)) return 1;
      const x = number(a, i);
      const y = number(b, j);
      if (x.value !== y.value) return x.value < y.value ? -1 : 1;
      i = x.end;
      j = y.end;
    } else if (isDigit(b, j)) return -1;
    else {
      const difference = a.charCodeAt(i) - (j < b.length ? b.charCodeAt(j) : 0);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
  }
  return j < b.length ? -b.charCodeAt(j) : 0;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function number(text: string, start: number): { readonly value: number; readonly end: number } {
  let end = start;
  let value = 0;
  while (end < text.length && isDigit(text, end)) value = value * 10 + text.charCodeAt(end++) - 48;
  return { value, end };
}
