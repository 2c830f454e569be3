// A Packages file: 60 000 paragraphs, 50 MB, of which a few hundred matter. The bytes are scanned once for names and
// offsets (about 1 ms for a megabyte), and a paragraph becomes text when it is asked for.
import { byteString, view } from '../../base/bytes.ts';
import { parseStanza } from './control.ts';
import type { Stanza } from './control.ts';

export interface PackagesIndex {
  /** Number of paragraphs. */
  readonly size: number;
  has(name: string): boolean;
  /** Paragraphs of a package in order of the file. Throws INDEX_INVALID. */
  find(name: string): readonly Stanza[];
  /** Paragraphs whose Provides field names `name`, in order of the file. */
  providers(name: string): readonly Stanza[];
}

/** Scans `bytes`, which stay referenced. `what` names the index in messages. */
export function scanPackages(bytes: Uint8Array, what: string): PackagesIndex {
  const buffer = view(bytes);
  // most names come once: a number is the offset, an array are several
  const offsets = new Map<string, number | number[]>();
  let size = 0;
  for (let start = skipNewlines(buffer, 0); start < buffer.length;) {
    const blank = buffer.indexOf(BLANK_LINE, start);
    const end = blank === -1 ? buffer.length : blank + 1;
    const name = nameAt(buffer, start, end);
    if (name !== undefined) {
      size++;
      const known = offsets.get(name);
      if (known === undefined) offsets.set(name, start);
      else if (typeof known === 'number') offsets.set(name, [known, start]);
      else known.push(start);
    }
    start = skipNewlines(buffer, end);
  }
  const stanzaAt = (start: number): Stanza => {
    const blank = buffer.indexOf(BLANK_LINE, start);
    const text = byteString(buffer.subarray(start, blank === -1 ? buffer.length : blank + 1));
    return parseStanza(text, { what, code: 'INDEX_INVALID' });
  };
  return {
    size,
    has: (name) => offsets.has(name),
    find(name) {
      const found = offsets.get(name);
      if (found === undefined) return [];
      return (typeof found === 'number' ? [found] : found).map(stanzaAt);
    },
    providers(name) {
      const found: Stanza[] = [];
      for (
        let at = buffer.indexOf(name, 0, 'latin1');
        at !== -1;
        at = buffer.indexOf(name, at + 1, 'latin1')
      ) {
        if (!inProvides(buffer, at)) continue;
        const blank = buffer.lastIndexOf(BLANK_LINE, at);
        const stanza = stanzaAt(blank === -1 ? skipNewlines(buffer, 0) : skipNewlines(buffer, blank));
        if (PROVIDED(name).test(stanza.get('Provides') ?? '')) found.push(stanza);
        const next = buffer.indexOf(BLANK_LINE, at);
        if (next === -1) break;
        at = next;
      }
      return found;
    },
  };
}

const NEWLINE = 10;
const BLANK_LINE: Buffer = Buffer.from('\n\n');
const PACKAGE: Buffer = Buffer.from('Package: ');

function skipNewlines(buffer: Buffer, at: number): number {
  while (at < buffer.length && buffer[at] === NEWLINE) at++;
  return at;
}

function nameAt(buffer: Buffer, start: number, end: number): string | undefined {
  let at = start;
  while (at - start < PACKAGE.length && buffer[at] === PACKAGE[at - start]) at++;
  if (at - start === PACKAGE.length) {
    const from = at;
    while (at < end && (buffer[at] as number) > 32) at++;
    if (at > from && buffer[at] === NEWLINE) return buffer.latin1Slice(from, at);
  }
  // fields may come in any order and any case, with any blanks
  return /^package[ \t]*:[ \t]*(\S+)/im.exec(buffer.latin1Slice(start, end))?.[1];
}

/** True when the line that `at` is in, or the field it continues, is Provides. */
function inProvides(buffer: Buffer, at: number): boolean {
  let line = buffer.lastIndexOf(NEWLINE, at) + 1;
  while (line > 0 && (buffer[line] === 32 || buffer[line] === 9))
    line = buffer.lastIndexOf(NEWLINE, line - 2) + 1;
  return /^provides:/i.test(buffer.latin1Slice(line, line + 9));
}

function PROVIDED(name: string): RegExp {
  return new RegExp(`(?:^|[\\s,])${name.replace(/[^A-Za-z0-9]/g, '\\$&')}(?:$|[\\s,(:])`);
}
