// Index.db of the ndb format: one file of 18 hash tables, each in its own run of pages; all little-endian. A table maps
// keys to (package number, index) pairs by open addressing. Written from scratch; `userGeneration` ties it to
// Packages.db, and an rpm that finds another one there rebuilds it.
import { view } from '../../../base/bytes.ts';
import type { StoredHeader } from './backend.ts';
import { INDEX_TABLES, indexRows, type IndexTable } from './rows.ts';

const PAGE_SIZE = 4096;
const FILE_HEADER_SIZE = 32;
const SLOT_SIZE = 16;
const TABLE_HEADER_SIZE = 64;
const KEY_CHUNK = 4096;
const HASH_FACTOR = 0x5bd1e995;

interface Entry {
  readonly key: string;
  readonly packageNumber: number;
  readonly index: number;
}

export function writeNdbIndex(headers: readonly StoredHeader[], userGeneration: number): Uint8Array {
  const tables = INDEX_TABLES.map((table) => ({
    tag: table.tag,
    bytes: writeTable(entriesOf(headers, table)),
  }));
  const out = Buffer.alloc(tables.reduce((sum, table) => sum + table.bytes.length, PAGE_SIZE));
  out.write('RpmX', 0, 'latin1');
  out.writeUInt32LE(tables.length + 1, 8);
  out.writeUInt32LE(1, 12);
  out.writeUInt32LE(PAGE_SIZE, 16);
  out.writeUInt32LE(userGeneration, 20);
  for (let at = FILE_HEADER_SIZE; at < PAGE_SIZE; at += SLOT_SIZE) out.write('Slo', at, 'latin1');
  let start = PAGE_SIZE;
  tables.forEach((table, i) => {
    const slot = FILE_HEADER_SIZE + i * SLOT_SIZE;
    out.writeUInt32LE(table.tag, slot + 4);
    out.writeUInt32LE(start / PAGE_SIZE, slot + 8);
    out.writeUInt32LE(table.bytes.length / PAGE_SIZE, slot + 12);
    out.set(table.bytes, start);
    start += table.bytes.length;
  });
  return out;
}

function entriesOf(headers: readonly StoredHeader[], table: IndexTable): readonly Entry[] {
  const entries: Entry[] = [];
  for (const { number, header } of headers)
    // keys of this format are in the order of the machine that reads them; ndb exists on little-endian ones only
    for (const row of indexRows(header, table, false))
      entries.push({ key: row.key, packageNumber: number, index: row.index });
  return entries;
}

function writeTable(entries: readonly Entry[]): Uint8Array {
  // a quarter to a half of the slots is used, as after rpm's own rebuild
  const slots = 4 * 2 ** Math.floor(Math.log2(Math.max(256, entries.length)));
  const keys = new Map<string, number>();
  let keyEnd = 1;
  for (const { key } of entries) {
    if (keys.has(key)) continue;
    keys.set(key, keyEnd);
    keyEnd += lengthSize(key.length) + key.length;
  }
  const keyStart = TABLE_HEADER_SIZE + slots * 12;
  const size = Math.ceil((keyStart + Math.max(KEY_CHUNK, keyEnd)) / PAGE_SIZE) * PAGE_SIZE;
  const out = Buffer.alloc(size);
  // the upper bits of a key's offset hold bits of its hash: those that no offset needs, with room to grow
  let reach = 0x10000;
  while (reach < size - keyStart + 8192) reach *= 2;
  const extraMask = ~(reach - 1) >>> 0;
  for (const [key, offset] of keys) writeKey(out, keyStart + offset, key);
  let used = 0;
  const seen = new Set<string>();
  for (const { key, packageNumber, index } of entries) {
    const identity = `${packageNumber} ${index} ${key}`;
    if (seen.has(identity)) continue;
    seen.add(identity);
    const hash = hashKey(key);
    let slot = hash & (slots - 1);
    for (let step = 7; out.readUInt32LE(TABLE_HEADER_SIZE + 8 * slot) !== 0; step++)
      slot = (slot + step) & (slots - 1);
    const [value, overflow] = encodeValue(packageNumber, index);
    out.writeUInt32LE(((keys.get(key) ?? 0) | (hash & extraMask)) >>> 0, TABLE_HEADER_SIZE + 8 * slot);
    out.writeUInt32LE(value, TABLE_HEADER_SIZE + 8 * slot + 4);
    out.writeUInt32LE(overflow, TABLE_HEADER_SIZE + 8 * slots + 4 * slot);
    used++;
  }
  out.write('RpmI', 0, 'latin1');
  out.writeUInt32LE(1, 8);
  out.writeUInt32LE(slots, 12);
  out.writeUInt32LE(used, 16);
  out.writeUInt32LE(extraMask, 24);
  out.writeUInt32LE(keyEnd, 28);
  return out;
}

function lengthSize(length: number): number {
  return length > 0 && length < 255 ? 1 : length < 65535 ? 3 : 7;
}

function writeKey(out: Buffer, at: number, key: string): void {
  const size = lengthSize(key.length);
  if (size === 1) out.writeUInt8(key.length, at);
  else if (size === 3) {
    out.writeUInt8(255, at);
    out.writeUInt16LE(key.length, at + 1);
  } else {
    out.fill(255, at, at + 3);
    out.writeUInt32LE(key.length, at + 3);
  }
  out.write(key, at + size, 'latin1');
}

function encodeValue(packageNumber: number, index: number): readonly [value: number, overflow: number] {
  if (packageNumber < 0x100000 && index < 0x400) return [packageNumber | (index << 20), 0];
  if (packageNumber < 0x1000000 && index < 0x40)
    return [(packageNumber | (index << 24) | 0x40000000) >>> 0, 0];
  return [(index | 0x80000000) >>> 0, packageNumber];
}

/** The format's hash of a key: a relative of Murmur. */
function hashKey(key: string): number {
  const bytes = view(Buffer.from(key, 'latin1'));
  const scramble = (value: number, shift: number): number => {
    const product = Math.imul(value, HASH_FACTOR);
    return (product ^ (product >>> shift)) >>> 0;
  };
  let hash = Math.imul(bytes.length, HASH_FACTOR) >>> 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) hash = scramble(hash + bytes.readUInt32LE(at), 16);
  if (at < bytes.length) {
    let rest = 0;
    for (let i = bytes.length - 1; i >= at; i--) rest = (rest << 8) | (bytes[i] ?? 0);
    hash = scramble(hash + rest, 16);
  }
  return scramble(scramble(hash, 10), 17);
}
