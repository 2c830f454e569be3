// Makes .rpm files and headers for tests without rpmbuild: small, valid for rpm and createrepo_c, and easy to damage.
// Format 4: lead, signature header with digests, main header with an immutable region, newc cpio payload.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { Sense, SigTag, Tag } from '../../src/packages/rpm/tags.ts';
import { HeaderType } from '../../src/packages/rpm/header.ts';

export interface CraftedFile {
  /** Absolute. */
  readonly path: string;
  /** With type bits; default a file of mode 0644. */
  readonly mode?: number;
  readonly content?: string;
  /** Target of a symlink. */
  readonly link?: string;
  readonly flags?: number;
  readonly user?: string;
  readonly group?: string;
  readonly mtime?: number;
  readonly lang?: string;
  readonly color?: number;
  readonly caps?: string;
  /** Files with the same number are hard links. */
  readonly inode?: number;
  /** Stated instead of the real one. */
  readonly digest?: string;
}

export interface CraftedPackage {
  readonly name: string;
  readonly version?: string;
  readonly release?: string;
  readonly epoch?: number;
  readonly arch?: string;
  readonly vendor?: string;
  readonly sourceRpm?: string;
  /** "name", "name >= 1:2-3" or a rich dependency. */
  readonly provides?: readonly string[];
  readonly requires?: readonly string[];
  readonly conflicts?: readonly string[];
  readonly obsoletes?: readonly string[];
  readonly recommends?: readonly string[];
  readonly suggests?: readonly string[];
  readonly supplements?: readonly string[];
  readonly enhances?: readonly string[];
  readonly files?: readonly CraftedFile[];
  readonly scripts?: Readonly<Record<number, string>>;
  /** Further or other entries of the main header. */
  readonly entries?: readonly CraftedEntry[];
  /** Further or other entries of the signature header. */
  readonly signatureEntries?: readonly CraftedEntry[];
  /** Names in the archive instead of the files' own. */
  readonly archiveNames?: Readonly<Record<string, string>>;
}

export interface CraftedEntry {
  readonly tag: number;
  readonly type: number;
  /** undefined removes the entry. */
  readonly value: readonly number[] | readonly string[] | Uint8Array | undefined;
}

const WIDTHS: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8 };

/** A header blob (no magic) with a region over all of it; `region` 0 leaves it out. */
export function craftHeader(entries: readonly CraftedEntry[], region: number): Buffer {
  const sorted = [...new Map(entries.map((entry) => [entry.tag, entry])).values()]
    .filter(({ value }) => value !== undefined)
    .sort((a, b) => a.tag - b.tag);
  const index: Buffer[] = [];
  const data: Buffer[] = [];
  let size = 0;
  for (const { tag, type, value } of sorted) {
    const { bytes, count } = encode(type, value as Exclude<CraftedEntry['value'], undefined>);
    const width = WIDTHS[type] ?? 1;
    const padding = (width - (size % width)) % width;
    data.push(Buffer.alloc(padding), bytes);
    size += padding;
    index.push(words(tag, type, size, count));
    size += bytes.length;
  }
  if (region !== 0) {
    index.unshift(words(region, HeaderType.binary, size, 16));
    data.push(words(region, HeaderType.binary, -16 * index.length, 16));
    size += 16;
  }
  return Buffer.concat([words(index.length, size), ...index, ...data]);
}

function encode(
  type: number,
  value: readonly number[] | readonly string[] | Uint8Array,
): { bytes: Buffer; count: number } {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value), count: value.length };
  if (type === HeaderType.string || type >= HeaderType.stringArray)
    return {
      bytes: Buffer.concat((value as readonly string[]).map((text) => Buffer.from(`${text}\0`, 'latin1'))),
      count: value.length,
    };
  const width = WIDTHS[type] ?? 1;
  const bytes = Buffer.alloc(width * value.length);
  (value as readonly number[]).forEach((number, i) => {
    if (width === 8) bytes.writeBigUInt64BE(BigInt(number), 8 * i);
    else bytes.writeUIntBE(number, width * i, width);
  });
  return { bytes, count: value.length };
}

function words(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeInt32BE(value | 0, 4 * i));
  return out;
}

export const HEADER_MAGIC: Buffer = Buffer.from('8eade80100000000', 'hex');

const SENSES: Readonly<Record<string, number>> = {
  '<': Sense.less,
  '<=': Sense.less | Sense.equal,
  '=': Sense.equal,
  '>=': Sense.greater | Sense.equal,
  '>': Sense.greater,
};

function relations(
  list: readonly string[],
  tags: { name: number; flags: number; version: number },
  flags = 0,
): CraftedEntry[] {
  if (list.length === 0) return [];
  const parsed = list.map((text) => (text.startsWith('(') ? [text] : text.split(' ')));
  return [
    { tag: tags.name, type: HeaderType.stringArray, value: parsed.map(([name]) => name as string) },
    {
      tag: tags.flags,
      type: HeaderType.int32,
      value: parsed.map(([, operator]) => (SENSES[operator ?? ''] ?? 0) | flags),
    },
    { tag: tags.version, type: HeaderType.stringArray, value: parsed.map(([, , version]) => version ?? '') },
  ];
}

/** Entries of the main header, payload digest excepted. */
export function craftEntries(spec: CraftedPackage): readonly CraftedEntry[] {
  const { name, version = '1', release = '1', epoch, arch = 'noarch' } = spec;
  const evr = `${epoch ? `${epoch}:` : ''}${version}-${release}`;
  const string = (tag: number, value: string): CraftedEntry => ({
    tag,
    type: HeaderType.string,
    value: [value],
  });
  const int = (tag: number, value: number): CraftedEntry => ({ tag, type: HeaderType.int32, value: [value] });
  return [
    { tag: 100, type: HeaderType.stringArray, value: ['C'] },
    string(Tag.name, name),
    string(Tag.version, version),
    string(Tag.release, release),
    ...(epoch === undefined ? [] : [int(Tag.epoch, epoch)]),
    { tag: 1004, type: HeaderType.i18nString, value: [`${name} of the tests`] },
    { tag: 1005, type: HeaderType.i18nString, value: [`${name}.`] },
    int(Tag.buildTime, 1700000000),
    string(1007, 'builder'),
    int(
      Tag.size,
      (spec.files ?? []).reduce((sum, file) => sum + (file.content?.length ?? 0), 0),
    ),
    string(Tag.vendor, spec.vendor ?? 'Test'),
    string(1014, 'MIT'),
    { tag: Tag.group, type: HeaderType.i18nString, value: ['Unspecified'] },
    string(1021, 'linux'),
    string(Tag.arch, arch),
    string(Tag.sourceRpm, spec.sourceRpm ?? `${name}-${version}-${release}.src.rpm`),
    ...relations([...(spec.provides ?? []), `${name} = ${evr}`], {
      name: Tag.provideName,
      flags: Tag.provideFlags,
      version: Tag.provideVersion,
    }),
    ...relations(spec.requires ?? [], {
      name: Tag.requireName,
      flags: Tag.requireFlags,
      version: Tag.requireVersion,
    }),
    ...relations(spec.conflicts ?? [], {
      name: Tag.conflictName,
      flags: Tag.conflictFlags,
      version: Tag.conflictVersion,
    }),
    ...relations(spec.obsoletes ?? [], {
      name: Tag.obsoleteName,
      flags: Tag.obsoleteFlags,
      version: Tag.obsoleteVersion,
    }),
    ...relations(spec.recommends ?? [], {
      name: Tag.recommendName,
      flags: Tag.recommendFlags,
      version: Tag.recommendVersion,
    }),
    ...relations(spec.suggests ?? [], {
      name: Tag.suggestName,
      flags: Tag.suggestFlags,
      version: Tag.suggestVersion,
    }),
    ...relations(spec.supplements ?? [], {
      name: Tag.supplementName,
      flags: Tag.supplementFlags,
      version: Tag.supplementVersion,
    }),
    ...relations(spec.enhances ?? [], {
      name: Tag.enhanceName,
      flags: Tag.enhanceFlags,
      version: Tag.enhanceVersion,
    }),
    ...Object.entries(spec.scripts ?? {}).map(([tag, body]) => string(Number(tag), body)),
    ...fileEntries(spec.files ?? []),
    string(Tag.payloadFormat, 'cpio'),
    string(1125, 'gzip'),
    string(1126, '9'),
    string(1132, `${arch}-linux`),
    { tag: 1131, type: HeaderType.string, value: ['utf-8'] },
  ];
}

const REGULAR = 0o100000;
const TYPE = 0o170000;

function modeOf(file: CraftedFile): number {
  if (file.mode !== undefined) return file.mode;
  return file.link === undefined ? REGULAR | 0o644 : 0o120777;
}

function contentOf(file: CraftedFile): Buffer {
  if (file.link !== undefined) return Buffer.from(file.link, 'latin1');
  return (modeOf(file) & TYPE) === REGULAR ? Buffer.from(file.content ?? '', 'latin1') : Buffer.alloc(0);
}

const inodeOf = (file: CraftedFile, index: number): number => file.inode ?? 1000 + index;

function fileEntries(files: readonly CraftedFile[]): readonly CraftedEntry[] {
  if (files.length === 0) return [];
  const directories = [...new Set(files.map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)))];
  const ints = (tag: number, of: (file: CraftedFile, index: number) => number): CraftedEntry => ({
    tag,
    type: HeaderType.int32,
    value: files.map(of),
  });
  const shorts = (tag: number, of: (file: CraftedFile) => number): CraftedEntry => ({
    tag,
    type: HeaderType.int16,
    value: files.map(of),
  });
  const texts = (tag: number, of: (file: CraftedFile) => string): CraftedEntry => ({
    tag,
    type: HeaderType.stringArray,
    value: files.map(of),
  });
  return [
    ints(Tag.fileSizes, (file) => contentOf(file).length),
    shorts(Tag.fileModes, modeOf),
    shorts(Tag.fileRdevs, () => 0),
    ints(Tag.fileMtimes, (file) => file.mtime ?? 1700000000),
    texts(Tag.fileDigests, (file) =>
      (modeOf(file) & TYPE) === REGULAR
        ? (file.digest ?? createHash('sha256').update(contentOf(file)).digest('hex'))
        : '',
    ),
    texts(Tag.fileLinkTos, (file) => file.link ?? ''),
    ints(Tag.fileFlags, (file) => file.flags ?? 0),
    texts(Tag.fileUserName, (file) => file.user ?? 'root'),
    texts(Tag.fileGroupName, (file) => file.group ?? 'root'),
    ints(1045, () => 0xffffffff),
    ints(Tag.fileDevices, () => 1),
    ints(Tag.fileInodes, inodeOf),
    texts(Tag.fileLangs, (file) => file.lang ?? ''),
    ints(Tag.dirIndexes, ({ path }) => directories.indexOf(path.slice(0, path.lastIndexOf('/') + 1))),
    texts(Tag.baseNames, ({ path }) => path.slice(path.lastIndexOf('/') + 1)),
    { tag: Tag.dirNames, type: HeaderType.stringArray, value: directories },
    ints(Tag.fileColors, (file) => file.color ?? 0),
    { tag: 1141, type: HeaderType.int32, value: files.map(() => 0) },
    { tag: 1142, type: HeaderType.stringArray, value: [''] },
    { tag: Tag.fileDigestAlgorithm, type: HeaderType.int32, value: [8] },
    ...(files.some(({ caps }) => caps !== undefined) ? [texts(Tag.fileCaps, (file) => file.caps ?? '')] : []),
  ];
}

/** The payload, uncompressed. %ghost files are not in it; the last of several hard links carries the content. */
export function craftArchive(spec: CraftedPackage): Buffer {
  const entries: Buffer[] = [];
  const files = (spec.files ?? [])
    .map((file, index) => ({ file, inode: inodeOf(file, index) }))
    .filter(({ file }) => ((file.flags ?? 0) & 64) === 0);
  const links = (inode: number): number => files.filter((other) => other.inode === inode).length;
  // sets of hard links come last, their members together
  const ordered = [
    ...files.filter(({ inode }) => links(inode) === 1),
    ...files.filter(({ inode }) => links(inode) > 1).sort((a, b) => a.inode - b.inode),
  ];
  ordered.forEach(({ file, inode }, i) => {
    const isLast = ordered[i + 1]?.inode !== inode;
    const name = spec.archiveNames?.[file.path] ?? `.${file.path}`;
    entries.push(
      cpioEntry(
        name,
        { inode, mode: modeOf(file), links: links(inode), mtime: file.mtime ?? 1700000000 },
        isLast ? contentOf(file) : Buffer.alloc(0),
      ),
    );
  });
  entries.push(cpioEntry('TRAILER!!!', { inode: 0, mode: 0, links: 1, mtime: 0 }, Buffer.alloc(0)));
  return Buffer.concat(entries);
}

function cpioEntry(
  name: string,
  node: { inode: number; mode: number; links: number; mtime: number },
  content: Buffer,
): Buffer {
  const fields = [
    node.inode,
    node.mode,
    0,
    0,
    node.links,
    node.mtime,
    content.length,
    0,
    0,
    0,
    0,
    name.length + 1,
    0,
  ];
  const head = Buffer.from(
    `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`,
    'latin1',
  );
  return Buffer.concat([
    head,
    Buffer.alloc((4 - (head.length % 4)) % 4),
    content,
    Buffer.alloc((4 - (content.length % 4)) % 4),
  ]);
}

/** A whole package. */
export function craftRpm(spec: CraftedPackage): Buffer {
  const archive = craftArchive(spec);
  const payload = gzipSync(archive);
  const header = Buffer.concat([
    HEADER_MAGIC,
    craftHeader(
      [
        ...craftEntries(spec),
        {
          tag: Tag.payloadDigest,
          type: HeaderType.stringArray,
          value: [createHash('sha256').update(payload).digest('hex')],
        },
        { tag: Tag.payloadDigestAlgorithm, type: HeaderType.int32, value: [8] },
        ...(spec.entries ?? []),
      ],
      Tag.regionImmutable,
    ),
  ]);
  return assembleRpm(spec, header, payload, archive.length);
}

/** Lead and signature header around a main header (with magic) and a payload. */
export function assembleRpm(
  spec: CraftedPackage,
  header: Buffer,
  payload: Buffer,
  archiveSize: number,
): Buffer {
  const whole = Buffer.concat([header, payload]);
  const signature = Buffer.concat([
    HEADER_MAGIC,
    craftHeader(
      [
        {
          tag: Tag.sha1Header,
          type: HeaderType.string,
          value: [createHash('sha1').update(header).digest('hex')],
        },
        {
          tag: Tag.sha256Header,
          type: HeaderType.string,
          value: [createHash('sha256').update(header).digest('hex')],
        },
        { tag: SigTag.size, type: HeaderType.int32, value: [whole.length] },
        { tag: SigTag.md5, type: HeaderType.binary, value: createHash('md5').update(whole).digest() },
        { tag: SigTag.payloadSize, type: HeaderType.int32, value: [archiveSize] },
        ...(spec.signatureEntries ?? []),
      ],
      Tag.regionSignatures,
    ),
  ]);
  const lead = Buffer.alloc(96);
  lead.writeUInt32BE(0xedabeedb);
  lead[4] = 3;
  lead.writeUInt16BE(1, 8);
  lead.write(spec.name.slice(0, 60), 10, 'latin1');
  lead.writeUInt16BE(1, 76);
  lead.writeUInt16BE(5, 78);
  return Buffer.concat([lead, signature, Buffer.alloc((8 - (signature.length % 8)) % 8), whole]);
}
