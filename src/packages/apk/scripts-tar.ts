// lib/apk/db/scripts.tar: the scripts of all installed packages, named NAME-VERSION.CHECKSUM.KIND. The checksum is
// base64 and may hold a slash, so a name is a label and never a path. apk writes its own dialect of tar: see `header`.
import { view } from '../../base/bytes.ts';
import { BLOCK_SIZE } from '../../archive/tar-entry.ts';
import { readTarBytes } from '../../archive/tar-read.ts';
import { checksumHex } from './checksum.ts';

/** In the order in which apk writes them. */
export const SCRIPT_KINDS = [
  'pre-install',
  'post-install',
  'pre-deinstall',
  'post-deinstall',
  'pre-upgrade',
  'post-upgrade',
  'trigger',
] as const;
export type ScriptKind = (typeof SCRIPT_KINDS)[number];

export interface StoredScript {
  /** NAME-VERSION, as in the label; cut where the label is too long for its field. */
  readonly package: string;
  /** "Q1…" or "X1…": `C:` of its package. */
  readonly checksum: string;
  readonly kind: ScriptKind;
  readonly mtime: number;
  readonly body: Uint8Array;
}

export interface ScriptsTar {
  readonly scripts: readonly StoredScript[];
  /** Up to apk 2.12.7 the numbers end in NUL; later ones fill the field. */
  readonly narrowNumbers: boolean;
}

/** How a generation of apk writes it. */
export interface ScriptsDialect {
  readonly narrowNumbers: boolean;
  /** apk 3 labels scripts with the checksum in hexadecimal, as "X1…". */
  readonly hexadecimal: boolean;
}

const LABEL = /^(.*)\.([QX]1[A-Za-z0-9+/=]+)\.([a-z-]+)$/s;

/** Reads every dialect of tar; entries that are no scripts are left out, as apk leaves them out. */
export function readScriptsTar(bytes: Uint8Array, what: string): ScriptsTar {
  const scripts: StoredScript[] = [];
  for (const { header, content } of readTarBytes(bytes, { dialect: 'apk', requireEnd: false, what })) {
    const [, name, checksum, kind] = LABEL.exec(header.path) ?? [];
    if (header.type !== 'file' || name === undefined || checksum === undefined || !isScriptKind(kind))
      continue;
    scripts.push({ package: name, checksum, kind, mtime: header.mtime, body: content });
  }
  const first = view(bytes);
  const narrowNumbers =
    first.length >= BLOCK_SIZE &&
    first.latin1Slice(257, 265) === 'ustar  \0' &&
    first[135] === 0 &&
    scripts.length > 0;
  return { scripts, narrowNumbers };
}

export function isScriptKind(text: string | undefined): text is ScriptKind {
  return SCRIPT_KINDS.some((kind) => kind === text);
}

/** The archive as apk writes it: no padding to records, two zero blocks at the end. */
export function writeScriptsTar(scripts: readonly StoredScript[], dialect: ScriptsDialect): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const script of scripts) {
    parts.push(header(script, dialect), script.body);
    if (script.body.length % BLOCK_SIZE !== 0)
      parts.push(new Uint8Array(BLOCK_SIZE - (script.body.length % BLOCK_SIZE)));
  }
  parts.push(new Uint8Array(2 * BLOCK_SIZE));
  return Buffer.concat(parts);
}

function header(
  { package: name, checksum, kind, mtime, body }: StoredScript,
  { narrowNumbers, hexadecimal }: ScriptsDialect,
): Uint8Array {
  const sum = hexadecimal && checksum.startsWith('Q1') ? `X1${checksumHex(checksum)}` : checksum;
  const block = Buffer.alloc(BLOCK_SIZE);
  const octal = (value: number, width: number): string =>
    value.toString(8).padStart(width, '0').slice(-width);
  const number = (value: number): string => (narrowNumbers ? `${octal(value, 11)}\0` : octal(value, 12));
  block.write(`${name}.${sum}.${kind}`.slice(0, 99), 0, 'latin1');
  block.write(
    `${octal(0o755, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${number(body.length)}${number(mtime)}        0`,
    100,
    'latin1',
  );
  block.write('ustar  \0root', 257, 'latin1');
  block.write('root', 297, 'latin1');
  const total = block.reduce((all, byte) => all + byte, 0);
  block.write(`${octal(total, 6)}\0 `, 148, 'latin1');
  return block;
}

/** The interpreter named in the first line; '' where the file is no script (a program of its own). */
export function interpreterOf(body: string): string {
  return /^#![ \t]*([^\n]*?)[ \t\r]*(?:\n|$)/.exec(body)?.[1] ?? '';
}
