// Packages, the BerkeleyDB hash file of EL6 to EL8, Amazon Linux 2 and Photon, and the 18 btree files beside it. Either
// byte order: that of the machine that built the image. Written from scratch; the btrees that exist are written anew
// from the headers, because rpm believes stale ones. Environment files (`__db.*`) are removed: rpm makes them.
import { createHash } from 'node:crypto';
import { OnlayError } from '../../../errors.ts';
import { concatBytes, fromByteString, view } from '../../../base/bytes.ts';
import type { RootPath } from '../../../rootfs/path.ts';
import { parseHeader } from '../header.ts';
import type {
  DatabaseChange,
  DatabaseFiles,
  DatabaseInput,
  HeaderDatabase,
  StoredHeader,
} from './backend.ts';
import { writeBtree } from './bdb-btree.ts';
import { PAGE_HEADER, PageFile, PageType } from './bdb-page.ts';
import { INDEX_TABLES, indexRows, type IndexTable } from './rows.ts';

const HASH_MAGIC = 0x061561;
const ON_PAGE = 1;
const OFF_PAGE = 3;
const CHARKEY = '%$sniglet^&\0';

interface Bdb {
  readonly pageSize: number;
  readonly bigEndian: boolean;
  readonly uid: Uint8Array;
  readonly highest: number;
  readonly blobs: ReadonlyMap<number, Uint8Array>;
}

export function isBdb(bytes: Uint8Array): boolean {
  if (bytes.length < 512) return false;
  const raw = view(bytes);
  return raw.readUInt32LE(12) === HASH_MAGIC || raw.readUInt32BE(12) === HASH_MAGIC;
}

export function openBdb(input: DatabaseInput): HeaderDatabase {
  const database = new Reader(input.bytes, input.path).read();
  const headers: StoredHeader[] = [...database.blobs].map(([number, blob]) => ({
    number,
    header: parseHeader(blob, { what: `package ${number} in ${input.path}`, code: 'DATABASE_INVALID' }),
  }));
  headers.sort((a, b) => a.number - b.number);
  return {
    kind: 'bdb',
    path: input.path,
    headers,
    write: (change) => Promise.resolve(write(database, input, headers, change)),
  };
}

/** Reads the records of a hash file, every page checked against the file. */
class Reader {
  readonly #raw: Buffer;
  readonly #what: string;
  #bigEndian = false;
  #pageSize = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#raw = view(bytes);
    this.#what = what;
  }

  read(): Bdb {
    const raw = this.#raw;
    if (!isBdb(raw)) throw this.#invalid('it is not a BerkeleyDB hash file');
    this.#bigEndian = raw.readUInt32BE(12) === HASH_MAGIC;
    this.#pageSize = this.#u32(20);
    if (this.#pageSize < 512 || this.#pageSize > 65536 || (this.#pageSize & (this.#pageSize - 1)) !== 0)
      throw this.#invalid(`it has pages of ${this.#pageSize} bytes`);
    if (raw[24] !== 0) throw this.#invalid('it is encrypted');
    const pages = this.#u32(32) + 1;
    if (pages * this.#pageSize > raw.length) throw this.#invalid(`it should have ${pages} pages`);
    const blobs = new Map<number, Uint8Array>();
    let highest = 0;
    for (let page = 1; page < pages; page++) {
      const type = raw[page * this.#pageSize + 25];
      if (type !== PageType.hash && type !== PageType.hashUnsorted) continue;
      for (const [number, value] of this.#records(page)) {
        if (number === 0) highest = value.length === 4 ? this.#u32In(value) : 0;
        else if (blobs.has(number)) throw this.#invalid(`package ${number} is there twice`);
        else blobs.set(number, value);
      }
    }
    return {
      pageSize: this.#pageSize,
      bigEndian: this.#bigEndian,
      uid: raw.subarray(52, 72),
      highest: Math.max(highest, ...blobs.keys()),
      blobs,
    };
  }

  *#records(page: number): Generator<readonly [number, Uint8Array]> {
    const start = page * this.#pageSize;
    const count = this.#u16(start + 20);
    if (count % 2 !== 0 || PAGE_HEADER + 2 * count > this.#pageSize)
      throw this.#invalid(`page ${page} has ${count} items`);
    let end = this.#pageSize;
    const items: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const offset = this.#u16(start + PAGE_HEADER + 2 * i);
      if (offset >= end || offset < PAGE_HEADER + 2 * count)
        throw this.#invalid(`page ${page} has an item at ${offset}`);
      items.push(this.#raw.subarray(start + offset, start + end));
      end = offset;
    }
    for (let i = 0; i < count; i += 2) {
      const key = items[i] as Uint8Array;
      const value = items[i + 1] as Uint8Array;
      if (key[0] !== ON_PAGE || key.length !== 5)
        throw this.#invalid(`page ${page} has a key that is no number`);
      yield [this.#u32In(key.subarray(1)), this.#value(value, page)];
    }
  }

  #value(item: Uint8Array, page: number): Uint8Array {
    if (item[0] === ON_PAGE) return item.subarray(1);
    if (item[0] !== OFF_PAGE || item.length !== 12)
      throw this.#invalid(`page ${page} has an item of type ${item[0]}`);
    const length = this.#u32In(item.subarray(8));
    const chunks: Uint8Array[] = [];
    let found = 0;
    for (let next = this.#u32In(item.subarray(4)); next !== 0;) {
      const start = next * this.#pageSize;
      if (start + this.#pageSize > this.#raw.length || this.#raw[start + 25] !== PageType.overflow)
        throw this.#invalid(`page ${next} is no overflow page`);
      const size = this.#u16(start + 22);
      // an empty page would let a chain run in circles
      if (size === 0 || PAGE_HEADER + size > this.#pageSize || found + size > length)
        throw this.#invalid(`page ${next} has ${size} bytes`);
      chunks.push(this.#raw.subarray(start + PAGE_HEADER, start + PAGE_HEADER + size));
      found += size;
      next = this.#u32(start + 16);
    }
    if (found !== length) throw this.#invalid(`a package has ${found} bytes of ${length}`);
    return concatBytes(chunks);
  }

  #u32(at: number): number {
    return this.#bigEndian ? this.#raw.readUInt32BE(at) : this.#raw.readUInt32LE(at);
  }

  #u16(at: number): number {
    return this.#bigEndian ? this.#raw.readUInt16BE(at) : this.#raw.readUInt16LE(at);
  }

  #u32In(bytes: Uint8Array): number {
    return this.#bigEndian ? view(bytes).readUInt32BE(0) : view(bytes).readUInt32LE(0);
  }

  #invalid(why: string): OnlayError {
    return new OnlayError('DATABASE_INVALID', `Cannot read ${this.#what}: ${why}`);
  }
}

function write(
  database: Bdb,
  input: DatabaseInput,
  headers: readonly StoredHeader[],
  change: DatabaseChange,
): DatabaseFiles {
  const kept = headers.filter(({ number }) => !change.removed.has(number));
  let { highest } = database;
  for (const blob of change.added) {
    highest++;
    kept.push({
      number: highest,
      header: parseHeader(blob, { what: `package ${highest} for ${input.path}`, code: 'INTERNAL' }),
    });
  }
  const written = new Map<RootPath, Uint8Array>([[input.path, writeHash(database, kept, highest)]]);
  const indexes = INDEX_TABLES.map((table) => ({ table, file: input.sibling(table.name) }));
  // none at all: rpm makes them when it needs them; only some would never be completed
  if (indexes.some(({ file }) => file))
    for (const { table, file } of indexes) {
      const path = file?.path ?? siblingPath(input.path, table.name);
      written.set(path, writeIndex(database, kept, table, file?.bytes));
    }
  const removed: RootPath[] = [];
  for (const name of ENVIRONMENT) {
    const file = input.sibling(name);
    if (file) removed.push(file.path);
  }
  return { written, removed };
}

export const ENVIRONMENT: readonly string[] = Array.from({ length: 10 }, (_, i) => `__db.00${i}`);

function writeHash(database: Bdb, headers: readonly StoredHeader[], highest: number): Uint8Array {
  const key = (number: number): Uint8Array => {
    const bytes = Buffer.alloc(4);
    if (database.bigEndian) bytes.writeUInt32BE(number);
    else bytes.writeUInt32LE(number);
    return bytes;
  };
  const records = [
    { number: 0, value: key(highest) },
    ...headers.map(({ number, header }) => ({ number, value: header.blob })),
  ];
  const buckets = chooseBuckets(
    records.map(({ number }) => key(number)),
    database.pageSize,
  );
  const file = new PageFile(database.pageSize, database.bigEndian);
  file.add(PageType.hashMeta);
  for (let i = 0; i < buckets.length; i++) file.add(PageType.hash);
  const byKey = new Map(records.map((record) => [view(key(record.number)).latin1Slice(), record]));
  buckets.forEach((keys, bucket) => {
    const page = file.page(bucket + 1);
    // pairs of a bucket are in the order of the keys' bytes
    for (const bytes of keys.toSorted(Buffer.compare)) {
      const record = byKey.get(view(bytes).latin1Slice());
      if (!record) throw new OnlayError('INTERNAL', 'A bucket names a package that is not there');
      file.addItem(page, Buffer.concat([Buffer.from([ON_PAGE]), bytes]), 1);
      file.addItem(
        page,
        record.number === 0
          ? Buffer.concat([Buffer.from([ON_PAGE]), record.value])
          : offPage(file, record.value),
        1,
      );
    }
  });
  const meta = file.meta(HASH_MAGIC, PageType.hashMeta, database.uid);
  file.u32(meta, 72, buckets.length - 1);
  file.u32(meta, 76, buckets.length - 1);
  file.u32(meta, 80, buckets.length / 2 - 1);
  file.u32(meta, 88, records.length);
  file.u32(meta, 92, hash(fromByteString(CHARKEY)));
  // all buckets lie together: every doubling starts at page 1
  for (let i = 0; 2 ** i <= buckets.length; i++) file.u32(meta, 96 + 4 * i, 1);
  return file.bytes();
}

function offPage(file: PageFile, value: Uint8Array): Uint8Array {
  const item = Buffer.alloc(12);
  item[0] = OFF_PAGE;
  file.u32(item, 4, file.addOverflow(value));
  file.u32(item, 8, value.length);
  return item;
}

/** As few buckets (a power of two, at least 2) as let every one fit into its page. */
function chooseBuckets(keys: readonly Uint8Array[], pageSize: number): readonly (readonly Uint8Array[])[] {
  // key item 5, value item 12, two offsets
  const fit = Math.floor((pageSize - PAGE_HEADER) / (5 + 12 + 4));
  for (let count = 2; ; count *= 2) {
    const buckets: Uint8Array[][] = Array.from({ length: count }, () => []);
    for (const key of keys) buckets[hash(key) & (count - 1)]?.push(key);
    if (buckets.every((bucket) => bucket.length <= fit)) return buckets;
  }
}

/** FNV-1 without its start value. */
function hash(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) value = Math.imul(value, 16777619) ^ byte;
  return value >>> 0;
}

function writeIndex(
  database: Bdb,
  headers: readonly StoredHeader[],
  table: IndexTable,
  old: Uint8Array | undefined,
): Uint8Array {
  const pairs = new Map<string, number[]>();
  for (const { number, header } of headers)
    for (const row of indexRows(header, table, database.bigEndian)) {
      // an empty key is stored as one zero byte
      const key = row.key === '' ? '\0' : row.key;
      const list = pairs.get(key);
      if (list) list.push(number, row.index);
      else pairs.set(key, [number, row.index]);
    }
  const entries = [...pairs].map(([key, list]) => {
    const data = Buffer.alloc(4 * list.length);
    list.forEach((value, i) =>
      database.bigEndian ? data.writeUInt32BE(value, 4 * i) : data.writeUInt32LE(value, 4 * i),
    );
    return { key, data };
  });
  const uid =
    old && old.length >= 72
      ? old.subarray(52, 72)
      : createHash('sha256').update(database.uid).update(table.name).digest().subarray(0, 20);
  return writeBtree(entries, { pageSize: database.pageSize, bigEndian: database.bigEndian, uid });
}

function siblingPath(path: RootPath, name: string): RootPath {
  return (path.slice(0, path.lastIndexOf('/') + 1) + name) as RootPath;
}
