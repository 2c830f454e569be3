// The write-ahead log of sqlite: frames that were committed but not yet copied into the database file. sql.js does not
// see the log, so it is applied here. https://www.sqlite.org/fileformat2.html#the_write_ahead_log
import { OnlayError } from '../../../errors.ts';
import { view } from '../../../base/bytes.ts';

const HEADER_SIZE = 32;
const FRAME_HEADER_SIZE = 24;

/** `database` with every committed frame of `wal` applied; an incomplete tail is ignored, as sqlite does. */
export function applyWal(database: Uint8Array, wal: Uint8Array, what: string): Uint8Array {
  if (wal.length < HEADER_SIZE) return database;
  const log = view(wal);
  const magic = log.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return database;
  const pageSize = log.readUInt32BE(8);
  if (
    pageSize < 512 ||
    pageSize > 65536 ||
    (pageSize & (pageSize - 1)) !== 0 ||
    pageSize !== pageSizeOf(database)
  )
    throw new OnlayError(
      'DATABASE_INVALID',
      `Cannot read the write-ahead log of ${what}: page size ${pageSize}`,
    );
  const checksum = new Checksum(magic === 0x377f0683);
  checksum.add(log, 0, 24);
  if (!checksum.equals(log, 24)) return database;
  const frames: number[] = [];
  let committed = 0;
  let pages = 0;
  for (
    let at = HEADER_SIZE;
    at + FRAME_HEADER_SIZE + pageSize <= log.length;
    at += FRAME_HEADER_SIZE + pageSize
  ) {
    if (Buffer.compare(log.subarray(at + 8, at + 16), log.subarray(16, 24)) !== 0) break;
    checksum.add(log, at, at + 8);
    checksum.add(log, at + FRAME_HEADER_SIZE, at + FRAME_HEADER_SIZE + pageSize);
    if (!checksum.equals(log, at + 16) || log.readUInt32BE(at) === 0) break;
    frames.push(at);
    if (log.readUInt32BE(at + 4) !== 0) {
      committed = frames.length;
      pages = log.readUInt32BE(at + 4);
    }
  }
  if (committed === 0) return database;
  // every page of the result comes from the file or the log: a size beyond both is no honest one
  if (pages * pageSize > database.length + wal.length)
    throw new OnlayError(
      'DATABASE_INVALID',
      `Cannot read the write-ahead log of ${what}: it claims ${pages} pages`,
    );
  const result = Buffer.alloc(pages * pageSize);
  result.set(database.subarray(0, result.length));
  for (const at of frames.slice(0, committed)) {
    const page = log.readUInt32BE(at);
    if (page <= pages)
      result.set(
        log.subarray(at + FRAME_HEADER_SIZE, at + FRAME_HEADER_SIZE + pageSize),
        (page - 1) * pageSize,
      );
  }
  return result;
}

function pageSizeOf(database: Uint8Array): number {
  const size = database.length < 18 ? 0 : view(database).readUInt16BE(16);
  return size === 1 ? 65536 : size;
}

/** The cumulative checksum over pairs of 32-bit words. */
class Checksum {
  #s0 = 0;
  #s1 = 0;
  readonly #bigEndian: boolean;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  add(bytes: Buffer, start: number, end: number): void {
    let s0 = this.#s0;
    let s1 = this.#s1;
    for (let at = start; at < end; at += 8) {
      s0 = (s0 + (this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + s1) >>> 0;
      s1 = (s1 + (this.#bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + s0) >>> 0;
    }
    this.#s0 = s0;
    this.#s1 = s1;
  }

  equals(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#s0 && bytes.readUInt32BE(at + 4) === this.#s1;
  }
}
