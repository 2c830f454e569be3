// A layer's bytes against what manifest and config say, and its entries against the rules of image-spec layer.md that
// runtimes depend on. Reading tar is the business of archive/, which this folder does not know: a scanner is passed in.
import { createHash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { displayText } from '../base/bytes.ts';
import type { ByteStream } from '../base/streams.ts';
import { decompress, sniff } from '../codec/index.ts';
import { hasCode, messageOf } from '../errors.ts';
import { digestAlgorithm, digestHex, type DiffId } from './digest.ts';
import type { ImageStore } from './image-store.ts';
import type { Descriptor } from './manifest.ts';
import { layerType } from './media-types.ts';
import { problem, type Problem } from './problem.ts';

/** What is looked at of a tar entry; a TarHeader of archive/ is one. */
export interface ScannedEntry {
  /** Byte string, raw. */
  readonly path: string;
  readonly type: string;
  readonly size: number;
  /** Target of a hard link, raw. */
  readonly link: string;
}

/** Reads a layer that is pushed to it; a TarParser of archive/ is one. Both methods throw ARCHIVE_INVALID. */
export interface LayerScanner {
  write(chunk: Uint8Array): void;
  finish(): void;
}
export type OpenScanner = (onEntry: (entry: ScannedEntry) => void, what: string) => LayerScanner;

/** Symlinks of the layers so far, by path. */
export type LowerSymlinks = Set<string>;

const MAX_LAYER = 64 * 1024 ** 3;

export interface LayerCheck {
  readonly store: ImageStore;
  readonly descriptor: Descriptor;
  readonly diffId: DiffId | undefined;
  readonly what: string;
  readonly openScanner: OpenScanner | undefined;
  readonly lower: LowerSymlinks;
}

/** Reads one layer whole. Other errors than those of damaged content are thrown on. */
export async function checkLayer(check: LayerCheck): Promise<readonly Problem[]> {
  const { store, descriptor, diffId, what } = check;
  const problems: Problem[] = [];
  const scan = startScan(check, problems);
  const hash = createHash(diffId ? digestAlgorithm(diffId) : 'sha256');
  const raw = new Watched(store.blob(descriptor));
  let size = 0;
  try {
    for await (const chunk of decompress(raw, { limit: MAX_LAYER, what })) {
      size += chunk.length;
      hash.update(chunk);
      scan.write(chunk);
    }
  } catch (error) {
    return [...problems, unreadable((await digestError(check)) ?? error, what)];
  }
  scan.finish();
  const actual = hash.digest('hex');
  if (diffId && actual !== digestHex(diffId))
    problems.push(
      problem(
        'diff-id',
        `${what}: content has ${digestAlgorithm(diffId)}:${actual}, the config says ${diffId}`,
      ),
    );
  const codec = sniff(raw.head);
  const claimed = layerType(descriptor.mediaType)?.compression;
  if (claimed !== undefined && claimed !== codec)
    problems.push(
      problem(
        'compression-mismatch',
        `${what}: ${descriptor.mediaType} is ${codec === 'none' ? 'not compressed' : codec}`,
      ),
    );
  // the last four bytes of a gzip member are its size; with several members only a second look can tell
  if (codec === 'gzip' && raw.tail !== size % 2 ** 32 && (await hasPadding(store.blob(descriptor))))
    problems.push(problem('gzip-padding', `${what}: zeros follow the gzip data`));
  return problems;
}

// damaged content shows as an error of its decoder first; whether it is the content that was meant counts for more
async function digestError({ store, descriptor }: LayerCheck): Promise<unknown> {
  try {
    for await (const chunk of store.blob(descriptor)) void chunk;
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The problem that an error of reading is; throws what is no problem of the image. */
export function unreadable(error: unknown, what: string): Problem {
  const message = `${what}: ${messageOf(error)}`;
  if (hasCode(error, 'DIGEST_MISMATCH')) return problem('blob-digest', message);
  if (hasCode(error, 'SIZE_MISMATCH')) return problem('blob-size', message);
  if (hasCode(error, 'IMAGE_NOT_FOUND')) return problem('blob-missing', message);
  if (hasCode(error, 'ARCHIVE_INVALID', 'IMAGE_INVALID', 'LIMIT_EXCEEDED'))
    return problem('layer-damaged', message);
  throw error;
}

/** A stream that remembers its first bytes and the number in its last four. */
class Watched implements AsyncIterable<Uint8Array> {
  readonly #stream: ByteStream;
  head: Uint8Array = new Uint8Array(0);
  #last = Buffer.alloc(4);

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  get tail(): number {
    return this.#last.readUInt32LE();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#stream) {
      if (this.head.length < 16) this.head = Buffer.concat([this.head, chunk.subarray(0, 16)]);
      this.#last = Buffer.from(Buffer.concat([this.#last, chunk.subarray(-4)]).subarray(-4));
      yield chunk;
    }
  }
}

async function hasPadding(stream: ByteStream): Promise<boolean> {
  const gunzip = createGunzip().resume();
  let wake = (): void => {};
  for (const event of ['error', 'close']) gunzip.on(event, () => wake());
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    await new Promise<void>((resolve) => {
      wake = resolve;
      gunzip.write(chunk, () => resolve());
    });
  }
  gunzip.destroy();
  return gunzip.bytesWritten < size;
}

interface Scan {
  write(chunk: Uint8Array): void;
  finish(): void;
}

function startScan(check: LayerCheck, problems: Problem[]): Scan {
  const entries = new LayerEntries(check.what, check.lower, problems);
  let scanner = check.openScanner?.((entry) => entries.add(entry), check.what);
  const guarded = (action: (scanner: LayerScanner) => void): void => {
    if (!scanner) return;
    try {
      action(scanner);
    } catch (error) {
      if (!hasCode(error, 'ARCHIVE_INVALID', 'LIMIT_EXCEEDED')) throw error;
      problems.push(problem('tar-invalid', `${check.what}: ${messageOf(error)}`));
      scanner = undefined;
    }
  };
  return {
    write: (chunk) => guarded((scanner) => scanner.write(chunk)),
    finish: () => {
      guarded((scanner) => scanner.finish());
      entries.settle();
    },
  };
}

/** The entries of one layer against each other and the layers below. */
class LayerEntries {
  readonly #what: string;
  readonly #lower: LowerSymlinks;
  readonly #problems: Problem[];
  readonly #types = new Map<string, string>();

  constructor(what: string, lower: LowerSymlinks, problems: Problem[]) {
    this.#what = what;
    this.#lower = lower;
    this.#problems = problems;
  }

  add(entry: ScannedEntry): void {
    const path = normalize(entry.path);
    const name = displayText(path).slice(0, 300);
    const found = (kind: Problem['kind'], why: string): void =>
      void this.#problems.push(problem(kind, `${this.#what}: ${name} ${why}`));
    if (path.split('/').includes('..')) return found('path-outside', 'leaves the root');
    if (this.#types.has(path)) found('path-duplicate', 'comes twice');
    const through = this.#symlinkAbove(path);
    if (through !== undefined)
      found(
        'path-through-symlink',
        `lies below ${displayText(through)}, which is a symlink in a lower layer`,
      );
    if (entry.type === 'hardlink' && !this.#types.has(normalize(entry.link)))
      found(
        'hardlink-outside',
        `is a hard link to ${displayText(entry.link).slice(0, 300)}, which is not before it in the layer`,
      );
    const base = path.slice(path.lastIndexOf('/') + 1);
    if (
      base.startsWith('.wh.') &&
      !base.startsWith('.wh..wh.') &&
      (base === '.wh.' || entry.type !== 'file' || entry.size > 0)
    )
      found('whiteout-invalid', 'is no valid whiteout');
    this.#types.set(path, entry.type);
  }

  /** Once the layer is read: its symlinks are lower ones to the next, and what it replaces or removes no longer is. */
  settle(): void {
    for (const [path, type] of this.#types) {
      const slash = path.lastIndexOf('/') + 1;
      const whiteout = path.startsWith('.wh.', slash)
        ? path.slice(0, slash) + path.slice(slash + 4)
        : undefined;
      if (type === 'symlink') this.#lower.add(path);
      else this.#lower.delete(whiteout ?? path);
    }
  }

  // a directory entry of this layer takes the symlink's place on purpose
  #symlinkAbove(path: string): string | undefined {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (this.#lower.has(parent) && this.#types.get(parent) !== 'directory') return parent;
    }
    return undefined;
  }
}

function normalize(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.join('/');
}
