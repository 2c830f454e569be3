// Packages.db, the "ndb" format of SUSE: slots of 16 bytes, then blobs with head and checksum tail; all little-endian.
// Written from scratch, packed in the order of the slots; every change raises the generation. Index.db beside it is
// written to match (ndb-index.ts), because a stale one gives wrong answers without an error.
import { OnlayError } from '../../../errors.ts';
import { byteString, view } from '../../../base/bytes.ts';
import type { RootPath } from '../../../rootfs/path.ts';
import { parseHeader } from '../header.ts';
import type { DatabaseFiles, DatabaseInput, HeaderDatabase, StoredHeader } from './backend.ts';
import { writeNdbIndex } from './ndb-index.ts';

const MAGIC = 'RpmP';
const HEADER_SIZE = 32;
const SLOT_SIZE = 16;
const PAGE_SIZE = 4096;
const BLOCK_SIZE = 16;
const BLOB_HEAD = 16;
const BLOB_TAIL = 12;
const INDEX_NAME = 'Index.db';

interface Blob {
  readonly number: number;
  /** Generation of the database when it was written. */
  readonly generation: number;
  readonly bytes: Uint8Array;
}

interface Ndb {
  readonly generation: number;
  readonly nextNumber: number;
  readonly blobs: readonly Blob[];
}

export function isNdb(bytes: Uint8Array): boolean {
  return byteString(bytes.subarray(0, 4)) === MAGIC;
}

export function openNdb(input: DatabaseInput): HeaderDatabase {
  const database = readNdb(input.bytes, input.path);
  const headers: StoredHeader[] = database.blobs.map((blob) => ({
    number: blob.number,
    header: parseHeader(blob.bytes, {
      what: `package ${blob.number} in ${input.path}`,
      code: 'DATABASE_INVALID',
    }),
  }));
  headers.sort((a, b) => a.number - b.number);
  return {
    kind: 'ndb',
    path: input.path,
    headers,
    write: ({ removed, added }) => {
      let { generation, nextNumber } = database;
      generation += removed.size;
      const blobs = database.blobs.filter((blob) => !removed.has(blob.number));
      for (const bytes of added) blobs.push({ number: nextNumber++, generation: ++generation, bytes });
      const written = new Map<RootPath, Uint8Array>([
        [input.path, writeNdb({ generation, nextNumber, blobs })],
      ]);
      const index = input.sibling(INDEX_NAME);
      // without an index, or with an empty one, rpm makes it anew; a stale one it believes
      if (index && index.bytes.length > 0) {
        const all = blobs.map((blob) => ({
          number: blob.number,
          header: parseHeader(blob.bytes, {
            what: `package ${blob.number} for ${input.path}`,
            code: 'INTERNAL',
          }),
        }));
        written.set(index.path, writeNdbIndex(all, generation));
      }
      return Promise.resolve<DatabaseFiles>({ written, removed: [] });
    },
  };
}

function readNdb(bytes: Uint8Array, what: string): Ndb {
  const raw = view(bytes);
  const invalid = (why: string): OnlayError =>
    new OnlayError('DATABASE_INVALID', `Cannot read ${what}: ${why}`);
  if (raw.length < PAGE_SIZE || !isNdb(bytes)) throw invalid('it is not an ndb database');
  if (raw.readUInt32LE(4) !== 0) throw invalid(`version ${raw.readUInt32LE(4)} is not known`);
  const generation = raw.readUInt32LE(8);
  const pages = raw.readUInt32LE(12);
  const nextNumber = raw.readUInt32LE(16);
  const slotsEnd = pages * PAGE_SIZE;
  if (pages === 0 || slotsEnd > raw.length) throw invalid(`it has ${pages} pages of slots`);
  const blobs: Blob[] = [];
  const numbers = new Set<number>();
  const spans: { start: number; end: number }[] = [{ start: 0, end: slotsEnd }];
  for (let at = HEADER_SIZE; at < slotsEnd; at += SLOT_SIZE) {
    if (byteString(bytes.subarray(at, at + 4)) !== 'Slot') throw invalid(`there is no slot at byte ${at}`);
    const number = raw.readUInt32LE(at + 4);
    const start = raw.readUInt32LE(at + 8) * BLOCK_SIZE;
    const end = start + raw.readUInt32LE(at + 12) * BLOCK_SIZE;
    if (start === 0) continue;
    if (number === 0 || number >= nextNumber || numbers.has(number))
      throw invalid(`package ${number} has a slot too many`);
    if (end > raw.length || end - start < BLOB_HEAD + BLOB_TAIL)
      throw invalid(`package ${number} lies outside the file`);
    numbers.add(number);
    spans.push({ start, end });
    blobs.push(readBlob(raw, number, start, end, invalid));
  }
  spans.sort((a, b) => a.start - b.start);
  for (let i = 1; i < spans.length; i++)
    if ((spans[i]?.start ?? 0) < (spans[i - 1]?.end ?? 0)) throw invalid('packages overlap');
  return { generation, nextNumber, blobs };
}

function readBlob(
  raw: Buffer,
  number: number,
  start: number,
  end: number,
  invalid: (why: string) => OnlayError,
): Blob {
  const length = raw.readUInt32LE(start + 12);
  const tail = end - BLOB_TAIL;
  if (
    raw.latin1Slice(start, start + 4) !== 'BlbS' ||
    raw.readUInt32LE(start + 4) !== number ||
    raw.latin1Slice(end - 4, end) !== 'BlbE' ||
    raw.readUInt32LE(tail + 4) !== length ||
    end - start !== blobSize(length)
  )
    throw invalid(`package ${number} is not framed correctly`);
  if (raw.readUInt32LE(tail) !== adler32(raw, start, tail))
    throw invalid(`package ${number} has a wrong checksum`);
  return {
    number,
    generation: raw.readUInt32LE(start + 8),
    bytes: raw.subarray(start + BLOB_HEAD, start + BLOB_HEAD + length),
  };
}

function writeNdb(database: Ndb): Uint8Array {
  const slots = HEADER_SIZE / SLOT_SIZE + database.blobs.length;
  const pages = Math.max(1, Math.ceil((slots * SLOT_SIZE) / PAGE_SIZE));
  const size = database.blobs.reduce((sum, blob) => sum + blobSize(blob.bytes.length), pages * PAGE_SIZE);
  const out = Buffer.alloc(size);
  out.write(MAGIC, 0, 'latin1');
  out.writeUInt32LE(database.generation, 8);
  out.writeUInt32LE(pages, 12);
  out.writeUInt32LE(database.nextNumber, 16);
  for (let at = HEADER_SIZE; at < pages * PAGE_SIZE; at += SLOT_SIZE) out.write('Slot', at, 'latin1');
  let slot = HEADER_SIZE;
  let start = pages * PAGE_SIZE;
  for (const blob of database.blobs) {
    const end = start + blobSize(blob.bytes.length);
    out.writeUInt32LE(blob.number, slot + 4);
    out.writeUInt32LE(start / BLOCK_SIZE, slot + 8);
    out.writeUInt32LE((end - start) / BLOCK_SIZE, slot + 12);
    slot += SLOT_SIZE;
    out.write('BlbS', start, 'latin1');
    out.writeUInt32LE(blob.number, start + 4);
    out.writeUInt32LE(blob.generation, start + 8);
    out.writeUInt32LE(blob.bytes.length, start + 12);
    out.set(blob.bytes, start + BLOB_HEAD);
    const tail = end - BLOB_TAIL;
    out.writeUInt32LE(adler32(out, start, tail), tail);
    out.writeUInt32LE(blob.bytes.length, tail + 4);
    out.write('BlbE', end - 4, 'latin1');
    start = end;
  }
  return out;
}

function blobSize(length: number): number {
  return Math.ceil((BLOB_HEAD + length + BLOB_TAIL) / BLOCK_SIZE) * BLOCK_SIZE;
}

/** Adler-32 as zlib's, begun with 1. 5552 is the longest run that cannot overflow 32 bits. */
function adler32(bytes: Uint8Array, start: number, end: number): number {
  let a = 1;
  let b = 0;
  for (let at = start; at < end;) {
    const stop = Math.min(at + 5552, end);
    for (; at < stop; at++) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}
