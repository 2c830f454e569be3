// Turns the tar of a layer into entries while it passes: paths normalised, whiteouts understood, contents hashed, and
// kept or inspected where that is asked for. What no runtime could extract is refused.
import { createHash, hash as hashBytes, type Hash } from 'node:crypto';
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import type { TarHeader } from '../archive/tar-entry.ts';
import { TarParser, type TarSink } from '../archive/tar-read.ts';
import type { LayerDigest, LayerEntry } from './layer-entry.ts';
import type { IndexLayerOptions, Inspector } from './layer-options.ts';
import { rootPath, type RootPath } from './path.ts';
import { NO_FACTS, NO_XATTRS, SYMLINK_MODE } from './tree.ts';
import { isAufsLinkTarget, meaningOf } from './whiteout.ts';

/** Bytes of content kept of one layer; rpm databases reach 200 MB. */
const MAX_CAPTURED = 1024 ** 3;
const MAX_INSPECTED = 256 * 1024 ** 2;

export class LayerScan implements TarSink {
  readonly entries: LayerEntry[] = [];
  uncompressedSize = 0;

  readonly #options: IndexLayerOptions;
  readonly #diffId: Hash;
  readonly #algorithm: LayerDigest['algorithm'];
  readonly #parser: TarParser;
  #captured = 0;
  #file: FileScan | undefined;
  /** For contents that are inspected but not kept; grows to the largest. */
  #scratch: Uint8Array = new Uint8Array(0);

  constructor(options: IndexLayerOptions) {
    this.#options = options;
    this.#algorithm = options.diffId?.algorithm ?? 'sha256';
    this.#diffId = createHash(this.#algorithm);
    this.#parser = new TarParser(this, {
      what: options.what,
      ...(options.maxEntries === undefined ? {} : { limits: { maxEntries: options.maxEntries } }),
    });
  }

  write(chunk: Uint8Array): void {
    this.uncompressedSize += chunk.length;
    this.#diffId.update(chunk);
    this.#parser.write(chunk);
  }

  finish(): void {
    this.#parser.finish();
  }

  diffId(): LayerDigest {
    return { algorithm: this.#algorithm, hex: this.#diffId.digest('hex') };
  }

  entry(header: TarHeader): void {
    const { what } = this.#options;
    const path = rootPath(header.path, `${what}: a path`);
    const meaning = meaningOf(path, what);
    if (meaning.kind === 'aufs' && !isAufsLinkTarget(path)) return;
    if (meaning.kind === 'whiteout' || meaning.kind === 'opaque') {
      this.entries.push({ type: meaning.kind, path: meaning.path });
      return;
    }
    if (path === '' && header.type !== 'directory')
      throw new OnlayError('ARCHIVE_INVALID', `${what} has a ${header.type} in place of the root directory`);
    if (header.type === 'hardlink') {
      this.entries.push({ type: 'hardlink', path, target: rootPath(header.link, `${what}: a hard link`) });
      return;
    }
    this.#file = new FileScan(path, header);
    if (header.type !== 'file') return;
    const inspectors = header.size <= MAX_INSPECTED ? this.#options.inspectors : NO_INSPECTORS;
    this.#file.inspectors = inspectors.filter((inspector) => inspector.wants(path, header.size));
    if (!this.#options.captures(path, header.size)) return;
    this.#captured += header.size;
    if (this.#captured > MAX_CAPTURED)
      throw new OnlayError(
        'LIMIT_EXCEEDED',
        `${what} has more than ${MAX_CAPTURED} bytes in files whose content is needed, the last of them ${displayText(path)}`,
      );
    this.#file.content = Buffer.allocUnsafeSlow(header.size);
  }

  data(chunk: Uint8Array): void {
    const file = this.#file;
    if (!file) return; // of a whiteout
    const { size } = file.header;
    const whole = chunk.length === size;
    if (whole) file.sha256 = hashBytes('sha256', chunk, 'hex');
    else (file.hash ??= createHash('sha256')).update(chunk);
    file.content?.set(chunk, file.received);
    if (!file.content && file.inspectors.length > 0) {
      if (whole) file.inspect(chunk);
      else {
        if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafeSlow(size);
        this.#scratch.set(chunk, file.received);
      }
    }
    file.received += chunk.length;
  }

  end(): void {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    const { path, header, content } = file;
    const isFile = header.type === 'file';
    if (isFile && !file.inspected) file.inspect(content ?? this.#scratch.subarray(0, header.size));
    this.entries.push({
      type: header.type as Exclude<TarHeader['type'], 'hardlink'>,
      path,
      mode: header.type === 'symlink' ? SYMLINK_MODE : header.mode,
      uid: header.uid,
      gid: header.gid,
      size: header.size,
      mtime: header.mtime,
      link: header.type === 'symlink' ? header.link : '',
      xattrs: header.xattrs.size === 0 ? NO_XATTRS : header.xattrs,
      devMajor: header.devMajor,
      devMinor: header.devMinor,
      sha256: isFile ? file.digest() : '',
      facts: file.facts ?? NO_FACTS,
      content,
    });
  }
}

const NO_INSPECTORS: readonly Inspector[] = [];
const EMPTY_SHA256: string = hashBytes('sha256', new Uint8Array(0), 'hex');

/** The entry whose content passes. */
class FileScan {
  readonly path: RootPath;
  readonly header: TarHeader;
  inspectors: readonly Inspector[] = NO_INSPECTORS;
  /** Where content is kept. */
  content: Uint8Array | undefined;
  received = 0;
  hash: Hash | undefined;
  sha256: string | undefined;
  facts: Map<string, unknown> | undefined;
  inspected = false;

  constructor(path: RootPath, header: TarHeader) {
    this.path = path;
    this.header = header;
  }

  inspect(content: Uint8Array): void {
    this.inspected = true;
    for (const inspector of this.inspectors) {
      const fact = inspector.inspect(content);
      if (fact !== undefined) (this.facts ??= new Map()).set(inspector.name, fact);
    }
  }

  digest(): string {
    return this.sha256 ?? this.hash?.digest('hex') ?? EMPTY_SHA256;
  }
}
