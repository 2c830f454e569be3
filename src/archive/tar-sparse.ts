// Sparse files in tar: the map of the old GNU format (in header blocks) and of PAX 0.0, 0.1 and 1.0 (in records, or at
// the start of the body). https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
// Reading only: layers must not hold sparse files, so none is written.
import { byteString } from '../base/bytes.ts';
import { FIELDS, decodeNumberAt, type Refuse } from './tar-entry.ts';
import type { PaxRecord } from './tar-pax.ts';

/** A run of stored bytes; everything between the runs is zero. */
export interface SparseRun {
  readonly offset: number;
  readonly size: number;
}

/** What PAX records say of a sparse file. `runs` is undefined when the map comes first in the body (1.0). */
export interface PaxSparse {
  readonly path: string | undefined;
  readonly size: number;
  readonly runs: readonly SparseRun[] | undefined;
}

const ENTRY_SIZE = 24;
const EXTENSION_RUNS = 21;

/** Runs in the main header of a GNU sparse file. */
export function gnuHeaderRuns(bytes: Uint8Array, start: number, refuse: Refuse): SparseRun[] {
  return gnuRuns(bytes, start + FIELDS.gnuSparse[0], 4, refuse);
}

/** Runs in an extension block, and whether another one follows. */
export function gnuExtension(
  bytes: Uint8Array,
  start: number,
  refuse: Refuse,
): { runs: SparseRun[]; more: boolean } {
  const runs = gnuRuns(bytes, start, EXTENSION_RUNS, refuse);
  return { runs, more: bytes[start + EXTENSION_RUNS * ENTRY_SIZE] !== 0 };
}

function gnuRuns(bytes: Uint8Array, start: number, count: number, refuse: Refuse): SparseRun[] {
  const runs: SparseRun[] = [];
  for (let at = start; at < start + count * ENTRY_SIZE; at += ENTRY_SIZE) {
    // an unused slot ends the list
    if (bytes[at] === 0 || bytes[at + 12] === 0) break;
    runs.push({
      offset: decodeNumberAt(bytes, at, 12, 'gnuSparse', refuse),
      size: decodeNumberAt(bytes, at + 12, 12, 'gnuSparse', refuse),
    });
  }
  return runs;
}

/** What `GNU.sparse.*` records say; undefined when there are none. */
export function paxSparse(records: readonly PaxRecord[], refuse: Refuse): PaxSparse | undefined {
  const fields = new Map<string, string>();
  const pairs: string[] = [];
  for (const [key, value] of records) {
    if (!key.startsWith('GNU.sparse.')) continue;
    const field = key.slice('GNU.sparse.'.length);
    if (field === 'offset' || field === 'numbytes') {
      if ((pairs.length % 2 === 0) !== (field === 'offset'))
        refuse('the sparse map of version 0.0 is not in pairs');
      pairs.push(byteString(value));
    } else fields.set(field, byteString(value));
  }
  if (fields.size === 0 && pairs.length === 0) return undefined;
  if (fields.has('realsize') && fields.has('size')) refuse('the sparse file has two sizes');
  const size = decimal(fields.get('realsize') ?? fields.get('size') ?? '', refuse);
  const path = fields.get('name');
  const version = `${fields.get('major') ?? '0'}.${fields.get('minor') ?? '1'}`;
  if (version === '1.0') return { path, size, runs: undefined };
  const map = fields.get('map');
  if ((version !== '0.0' && version !== '0.1') || (map === undefined) === (pairs.length === 0))
    refuse(`the sparse map is of an unknown kind (version ${version})`);
  const numbers = map === undefined ? pairs : map === '' ? [] : map.split(',');
  const runs = toRuns(numbers, refuse);
  const count = fields.get('numblocks');
  if (count !== undefined && decimal(count, refuse) !== runs.length)
    refuse('the sparse map has a wrong count');
  return { path, size, runs };
}

/** Collects the map at the start of a body (1.0), block by block. */
export class BodyMap {
  readonly #refuse: Refuse;
  readonly #blocks: string[] = [];
  #lines = 0;
  #wanted: number | undefined;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  /** Takes the next block; answers with the map once it is whole. */
  push(block: Uint8Array): readonly SparseRun[] | undefined {
    for (const byte of block) if (byte === 0x0a) this.#lines++;
    this.#blocks.push(byteString(block));
    if (this.#wanted === undefined) {
      if (this.#lines === 0) return this.#refuse('the sparse map does not start with its count');
      const count = (this.#blocks[0] as string).split('\n', 1)[0] as string;
      this.#wanted = 1 + 2 * decimal(count, this.#refuse);
    }
    if (this.#lines < this.#wanted) return undefined;
    return toRuns(this.#blocks.join('').split('\n').slice(1, this.#wanted), this.#refuse);
  }
}

/** Refuses a map that is not in order, leaves the file, or does not add up to the stored bytes. */
export function checkRuns(
  runs: readonly SparseRun[],
  size: { readonly real: number; readonly stored: number },
  refuse: Refuse,
): void {
  let end = 0;
  let stored = 0;
  for (const run of runs) {
    if (run.offset < end) refuse('the sparse map is not in order');
    end = run.offset + run.size;
    stored += run.size;
  }
  if (end > size.real) refuse('the sparse map leaves the file');
  if (stored !== size.stored) refuse(`the sparse map has ${stored} bytes, the archive ${size.stored}`);
}

function toRuns(numbers: readonly string[], refuse: Refuse): SparseRun[] {
  if (numbers.length % 2 !== 0) refuse('the sparse map is not in pairs');
  const runs: SparseRun[] = [];
  for (let at = 0; at < numbers.length; at += 2)
    runs.push({
      offset: decimal(numbers[at] as string, refuse),
      size: decimal(numbers[at + 1] as string, refuse),
    });
  return runs;
}

/** A decimal number as PAX values hold them. */
export function decimal(text: string, refuse: Refuse): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : refuse(`'${text}' is not a number`);
}

const ZEROS = new Uint8Array(64 * 1024);

/** Turns the stored bytes of a sparse file into its content. */
export class SparseExpander {
  readonly #runs: readonly SparseRun[];
  readonly #size: number;
  readonly #emit: (chunk: Uint8Array) => void;
  #index = 0;
  #position = 0;

  constructor(runs: readonly SparseRun[], size: number, emit: (chunk: Uint8Array) => void) {
    this.#runs = runs.filter((run) => run.size > 0);
    this.#size = size;
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const run = this.#runs[this.#index] as SparseRun;
      this.#zerosTo(run.offset);
      const end = run.offset + run.size;
      const size = Math.min(end - this.#position, chunk.length - at);
      this.#emit(chunk.subarray(at, at + size));
      at += size;
      this.#position += size;
      if (this.#position === end) this.#index++;
    }
  }

  finish(): void {
    this.#zerosTo(this.#size);
  }

  #zerosTo(position: number): void {
    while (this.#position < position) {
      const size = Math.min(position - this.#position, ZEROS.length);
      this.#emit(ZEROS.subarray(0, size));
      this.#position += size;
    }
  }
}
