// A layer index as bytes, for caches: a line that names the format and its version, the SHA-256 of the rest, then gzip
// of the length of a JSON document, the document (one row an entry), and the kept contents in the order of the rows.
// Damaged or foreign bytes throw; what is decoded is what was encoded.
import { gunzipSync, gzipSync } from 'node:zlib';
import { OnlayError } from '../errors.ts';
import { byteString, equalBytes, fromByteString, view } from '../base/bytes.ts';
import { rawDigest } from '../base/hash.ts';
import type { LayerEntry, LayerIndex, LayerNode } from './layer-entry.ts';
import type { RootPath } from './path.ts';
import { NO_FACTS, NO_XATTRS } from './tree.ts';

/** Raise the number whenever a row, or the meaning of something in it, changes. */
const FORMAT: Uint8Array = fromByteString('onlay layer index 1\n');
const DIGEST_SIZE = 32;

const LETTERS = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
  hardlink: 'h',
  whiteout: 'w',
  opaque: 'o',
} as const satisfies Record<LayerEntry['type'], string>;
type Letter = (typeof LETTERS)[keyof typeof LETTERS];
const TYPES = new Map(Object.entries(LETTERS).map(([type, letter]) => [letter, type as LayerEntry['type']]));

/** A node's row; -1 bytes of content: not kept. The rare things stand in one object at the end. */
type NodeRow = [
  letter: Letter,
  path: string,
  mode: number,
  uid: number,
  gid: number,
  size: number,
  mtime: number,
  link: string,
  sha256: string,
  contentSize: number,
  rare?: Rare,
];
interface Rare {
  readonly xattrs: readonly (readonly [name: string, value: string])[];
  readonly device: readonly [major: number, minor: number];
  readonly facts: readonly (readonly [name: string, fact: unknown])[];
}
type Row = NodeRow | [letter: 'h', path: string, target: string] | [letter: 'w' | 'o', path: string];
type Document = Omit<LayerIndex, 'entries'> & { readonly rows: readonly Row[] };

export function encodeLayerIndex({ entries, ...facts }: LayerIndex): Uint8Array {
  const document: Document = { ...facts, rows: entries.map(encodeRow) };
  const json = Buffer.from(JSON.stringify(document));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const contents = entries.flatMap((entry) => ('content' in entry && entry.content ? [entry.content] : []));
  const body = gzipSync(Buffer.concat([length, json, ...contents]), { level: 1 });
  return Buffer.concat([FORMAT, rawDigest('sha256', body), body]);
}

/** Throws ARCHIVE_INVALID for anything but an undamaged index of this version. */
export function decodeLayerIndex(bytes: Uint8Array): LayerIndex {
  const start = FORMAT.length + DIGEST_SIZE;
  if (!equalBytes(bytes.subarray(0, FORMAT.length), FORMAT))
    throw new OnlayError('ARCHIVE_INVALID', 'Not a layer index, or one of another version');
  const packed = bytes.subarray(start);
  if (!equalBytes(bytes.subarray(FORMAT.length, start), rawDigest('sha256', packed)))
    throw new OnlayError('ARCHIVE_INVALID', 'The layer index is damaged');
  const body = view(gunzipSync(packed));
  const jsonEnd = 4 + body.readUInt32LE();
  const { rows, ...facts } = JSON.parse(body.toString('utf8', 4, jsonEnd)) as Document;
  let at = jsonEnd;
  const takeContent = (size: number): Uint8Array => body.subarray(at, (at += size));
  return { ...facts, entries: rows.map((row) => decodeRow(row, takeContent)) };
}

function encodeRow(entry: LayerEntry): Row {
  if (entry.type === 'hardlink') return ['h', entry.path, entry.target];
  if (entry.type === 'whiteout' || entry.type === 'opaque') return [LETTERS[entry.type], entry.path];
  const { type, path, mode, uid, gid, size, mtime, link, sha256, content } = entry;
  const row: NodeRow = [
    LETTERS[type],
    path,
    mode,
    uid,
    gid,
    size,
    mtime,
    link,
    sha256,
    content?.length ?? -1,
  ];
  const rare = rareOf(entry);
  if (rare) row.push(rare);
  return row;
}

function rareOf({ xattrs, facts, devMajor, devMinor }: LayerNode): Rare | undefined {
  if (xattrs.size === 0 && facts.size === 0 && devMajor === 0 && devMinor === 0) return undefined;
  return {
    xattrs: [...xattrs].map(([name, value]) => [name, byteString(value)]),
    device: [devMajor, devMinor],
    facts: [...facts],
  };
}

function decodeRow(row: Row, takeContent: (size: number) => Uint8Array): LayerEntry {
  const path = row[1] as RootPath;
  const type = TYPES.get(row[0]);
  if (type === undefined)
    throw new OnlayError('ARCHIVE_INVALID', 'The layer index has a row of an unknown type');
  if (type === 'hardlink') return { type, path, target: row[2] as RootPath };
  if (type === 'whiteout' || type === 'opaque') return { type, path };
  const [, , mode, uid, gid, size, mtime, link, sha256, contentSize, rare] = row as NodeRow;
  const xattrs = rare?.xattrs.map(([name, value]) => [name, fromByteString(value)] as const);
  return {
    type,
    path,
    mode,
    uid,
    gid,
    size,
    mtime,
    link,
    xattrs: xattrs?.length ? new Map(xattrs) : NO_XATTRS,
    devMajor: rare?.device[0] ?? 0,
    devMinor: rare?.device[1] ?? 0,
    sha256,
    facts: rare?.facts.length ? new Map(rare.facts) : NO_FACTS,
    content: contentSize === -1 ? undefined : takeContent(contentSize),
  };
}
