// A strict, synchronous push parser for tar: ustar, GNU, PAX and v7, sparse files expanded. What Go, GNU tar and dpkg
// read differently is refused, because a layer that two programs see differently hides something from one of them.
// Paths are handed on raw: normalising them and refusing ".." is the business of rootfs/path.ts.
import { OnlayError, type ErrorCode } from '../errors.ts';
import { concatBytes, displayText, view } from '../base/bytes.ts';
import { EntryAssembler, isMetaFlag, type MetaFlag, type SparseMap } from './tar-assemble.ts';
import {
  BLOCK_SIZE,
  FIELDS,
  decodeBlock,
  isZeroBlock,
  type Refuse,
  type TarBlock,
  type TarHeader,
} from './tar-entry.ts';
import {
  BodyMap,
  SparseExpander,
  checkRuns,
  gnuExtension,
  gnuHeaderRuns,
  type SparseRun,
} from './tar-sparse.ts';

/** What the parser finds, in the order of the archive. */
export interface TarSink {
  entry(header: TarHeader): void;
  /** Content of the last entry; a part of what was written, valid only during the call. */
  data(chunk: Uint8Array): void;
  /** The content of the last entry is complete. Called for every entry, also those without content. */
  end(): void;
}

export interface TarLimits {
  readonly maxEntries: number;
  /** Bytes of a path or a link target. */
  readonly maxPathLength: number;
  /** Bytes of one extended header, long name or sparse map. */
  readonly maxPaxSize: number;
  /** Zeros delivered for the holes of all sparse files together. */
  readonly maxHoles: number;
}

export interface TarOptions {
  /** Names the archive in messages. */
  readonly what?: string;
  readonly limits?: Partial<TarLimits>;
  /** Whose rules: dpkg knows neither PAX headers nor sparse files. Default 'layer'. */
  readonly dialect?: 'layer' | 'deb' | 'apk';
  /** Whether the end-of-archive marker must be there. Default: for 'deb' only; runtimes and apk do without it. */
  readonly requireEnd?: boolean;
}

export interface TarMember {
  readonly header: TarHeader;
  /** Shares the memory of the archive, unless the file is sparse. */
  readonly content: Uint8Array;
}

/**
 * All members of an archive in memory. Throws as TarParser does.
 */
export function readTarBytes(bytes: Uint8Array, options: TarOptions = {}): readonly TarMember[] {
  const members: TarMember[] = [];
  let header: TarHeader;
  let chunks: Uint8Array[] = [];
  const parser = new TarParser(
    {
      entry: (next) => {
        header = next;
        chunks = [];
      },
      data: (chunk) => chunks.push(chunk),
      end: () => members.push({ header, content: chunks.length === 0 ? EMPTY : concatBytes(chunks) }),
    },
    options,
  );
  parser.write(bytes);
  parser.finish();
  return members;
}

const DEFAULT_LIMITS: TarLimits = {
  maxEntries: 2_000_000,
  maxPathLength: 4096, // PATH_MAX
  maxPaxSize: 1024 * 1024, // as Go
  maxHoles: 4 * 1024 ** 3,
};

/** An extended header or long name while it comes in. */
interface Meta {
  readonly flag: MetaFlag;
  readonly body: Buffer;
  size: number;
}

/** A sparse file while its map comes in. */
interface Sparse {
  readonly header: TarHeader;
  stored: number;
  readonly runs: SparseRun[];
  readonly map: BodyMap;
}

const EMPTY = new Uint8Array(0);

/**
 * Parses what is written to it and calls the sink as it goes. After the end-of-archive marker everything is ignored, as
 * every reader does. Throws ARCHIVE_INVALID and LIMIT_EXCEEDED; it must not be used after an error.
 */
export class TarParser {
  readonly #sink: TarSink;
  readonly #what: string;
  readonly #limits: TarLimits;
  readonly #dialect: 'layer' | 'deb' | 'apk';
  readonly #requireEnd: boolean;
  readonly #refuse: Refuse = (why) => this.#fail('ARCHIVE_INVALID', why);
  readonly #assembler = new EntryAssembler(this.#refuse);

  /** What the next block is. */
  #state: 'header' | 'meta' | 'extension' | 'map' | 'end' = 'header';
  #offset = 0;
  #entries = 0;
  #path = '';
  #sawZeroBlock = false;
  /** A block that comes in pieces. */
  readonly #partial: Buffer = Buffer.alloc(BLOCK_SIZE);
  #partialSize = 0;
  /** Bytes of the body that are still to come, and zeros after it. */
  #remaining = 0;
  #padding = 0;
  #meta: Meta | undefined;
  /** A sparse file whose map is being read. */
  #sparse: Sparse | undefined;
  #mapSize = 0;
  #expander: SparseExpander | undefined;
  #holes = 0;

  constructor(sink: TarSink, options: TarOptions = {}) {
    this.#sink = sink;
    this.#what = options.what ?? 'tar archive';
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#dialect = options.dialect ?? 'layer';
    this.#requireEnd = options.requireEnd ?? this.#dialect === 'deb';
  }

  /** Bytes parsed so far; during `entry` of the sink, where the content begins. */
  get offset(): number {
    return this.#offset;
  }

  write(chunk: Uint8Array): void {
    const bytes = view(chunk);
    let at = 0;
    while (at < bytes.length) {
      const available = bytes.length - at;
      let taken: number;
      if (this.#remaining > 0) {
        taken = Math.min(this.#remaining, available);
        this.#body(bytes.subarray(at, at + taken));
      } else if (this.#padding > 0) {
        taken = Math.min(this.#padding, available);
        this.#padding -= taken;
        this.#offset += taken;
      } else if (this.#state === 'end') {
        taken = available;
        this.#offset += taken;
      } else if (this.#partialSize === 0 && available >= BLOCK_SIZE) {
        taken = BLOCK_SIZE;
        this.#block(bytes, at);
      } else {
        taken = Math.min(BLOCK_SIZE - this.#partialSize, available);
        bytes.copy(this.#partial, this.#partialSize, at, at + taken);
        this.#partialSize += taken;
        if (this.#partialSize === BLOCK_SIZE) {
          this.#partialSize = 0;
          this.#block(this.#partial, 0);
        }
      }
      at += taken;
    }
  }

  /** Says that nothing more comes. Throws ARCHIVE_INVALID when the archive is cut off. */
  finish(): void {
    if (this.#state === 'end') return;
    const inside = this.#remaining + this.#padding + this.#partialSize > 0;
    if (inside || this.#state !== 'header' || this.#assembler.pending)
      this.#refuse('the archive ends in the middle of an entry');
    if (this.#requireEnd && !this.#sawZeroBlock) this.#refuse('the archive has no end marker');
  }

  #block(bytes: Buffer, at: number): void {
    switch (this.#state) {
      case 'header':
        this.#header(bytes, at);
        break;
      case 'meta':
        this.#metaBlock(bytes, at);
        break;
      case 'extension':
      case 'map':
        this.#mapBlock(bytes, at);
        break;
      case 'end':
        break;
    }
  }

  #header(bytes: Buffer, at: number): void {
    if (bytes[at] === 0 && isZeroBlock(bytes, at)) {
      if (this.#assembler.pending) this.#refuse('an extended header or long name belongs to no entry');
      this.#offset += BLOCK_SIZE;
      if (this.#sawZeroBlock) this.#state = 'end';
      this.#sawZeroBlock = true;
      return;
    }
    // Go stops with an error here, GNU tar goes on or stops, depending on options
    if (this.#sawZeroBlock) this.#refuse('something follows a single zero block');
    const block = decodeBlock(bytes, at, this.#refuse);
    this.#path = block.path;
    if (isMetaFlag(block.flag)) this.#startMeta(block.flag, block);
    else this.#startEntry(block, bytes, at);
  }

  #startMeta(flag: MetaFlag, block: TarBlock): void {
    if (this.#dialect === 'deb' && (flag === 'x' || flag === 'g')) this.#refuse('dpkg knows no PAX headers');
    if (block.size > this.#limits.maxPaxSize)
      this.#fail('LIMIT_EXCEEDED', `an extended header or long name has ${block.size} bytes`);
    this.#offset += BLOCK_SIZE;
    this.#meta = { flag, body: Buffer.allocUnsafe(block.size), size: 0 };
    if (block.size === 0) this.#endMeta();
    else this.#state = 'meta';
  }

  #metaBlock(bytes: Buffer, at: number): void {
    const meta = this.#meta as Meta;
    meta.size += bytes.copy(meta.body, meta.size, at, at + BLOCK_SIZE);
    this.#offset += BLOCK_SIZE;
    if (meta.size === meta.body.length) this.#endMeta();
  }

  #endMeta(): void {
    const { flag, body } = this.#meta as Meta;
    this.#assembler.meta(flag, body);
    this.#meta = undefined;
    this.#state = 'header';
  }

  #startEntry(block: TarBlock, bytes: Buffer, at: number): void {
    const { header, stored, sparse } = this.#assembler.entry(block, bytes, at);
    this.#path = header.path;
    if (++this.#entries > this.#limits.maxEntries)
      this.#fail('LIMIT_EXCEEDED', `the archive has more than ${this.#limits.maxEntries} entries`);
    if (Math.max(header.path.length, header.link.length) > this.#limits.maxPathLength)
      this.#fail('LIMIT_EXCEEDED', `a path is longer than ${this.#limits.maxPathLength} bytes`);
    this.#offset += BLOCK_SIZE;
    if (sparse === undefined) this.#startBody(header, stored);
    else this.#startSparse(header, stored, sparse, bytes, at);
  }

  #startSparse(header: TarHeader, stored: number, sparse: SparseMap, bytes: Buffer, at: number): void {
    if (this.#dialect === 'deb') this.#refuse('dpkg knows no sparse files');
    const inHeader = sparse === 'after-header' ? gnuHeaderRuns(bytes, at, this.#refuse) : [];
    const runs = typeof sparse === 'string' ? inHeader : [...sparse];
    this.#sparse = { header, stored, runs, map: new BodyMap(this.#refuse) };
    if (sparse === 'in-body') this.#state = 'map';
    else if (sparse === 'after-header' && bytes[at + FIELDS.gnuExtended[0]] !== 0) this.#state = 'extension';
    else this.#endMap();
  }

  #mapBlock(bytes: Buffer, at: number): void {
    const sparse = this.#sparse as Sparse;
    this.#offset += BLOCK_SIZE;
    let done: boolean;
    if (this.#state === 'extension') {
      const { runs, more } = gnuExtension(bytes, at, this.#refuse);
      sparse.runs.push(...runs);
      done = !more;
    } else {
      if (sparse.stored < BLOCK_SIZE) this.#refuse('the sparse map is longer than the body');
      sparse.stored -= BLOCK_SIZE;
      const runs = sparse.map.push(bytes.subarray(at, at + BLOCK_SIZE));
      for (const run of runs ?? []) sparse.runs.push(run);
      done = runs !== undefined;
    }
    this.#mapSize += BLOCK_SIZE;
    if (this.#mapSize > this.#limits.maxPaxSize)
      this.#fail('LIMIT_EXCEEDED', 'the map of a sparse file is too long');
    if (done) this.#endMap();
  }

  #endMap(): void {
    const { header, stored, runs } = this.#sparse as Sparse;
    this.#sparse = undefined;
    this.#mapSize = 0;
    this.#state = 'header';
    checkRuns(runs, { real: header.size, stored }, this.#refuse);
    this.#holes += header.size - stored;
    if (this.#holes > this.#limits.maxHoles)
      this.#fail('LIMIT_EXCEEDED', `sparse files have more than ${this.#limits.maxHoles} bytes of holes`);
    this.#expander = new SparseExpander(runs, header.size, (chunk) => this.#sink.data(chunk));
    this.#startBody(header, stored);
  }

  #startBody(header: TarHeader, stored: number): void {
    this.#sink.entry(header);
    this.#remaining = stored;
    this.#padding = (BLOCK_SIZE - (stored % BLOCK_SIZE)) % BLOCK_SIZE;
    if (stored === 0) this.#endBody();
  }

  #body(chunk: Uint8Array): void {
    this.#remaining -= chunk.length;
    this.#offset += chunk.length;
    if (this.#expander === undefined) this.#sink.data(chunk);
    else this.#expander.push(chunk);
    if (this.#remaining === 0) this.#endBody();
  }

  #endBody(): void {
    this.#expander?.finish();
    this.#expander = undefined;
    this.#sink.end();
  }

  #fail(code: ErrorCode, why: string): never {
    const name = this.#path === '' ? '' : `, near '${displayText(this.#path)}'`;
    throw new OnlayError(code, `Cannot read ${this.#what} at byte ${this.#offset}${name}: ${why}`);
  }
}
