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
  /** Paragraphs beside that of a package that are of the same source: indexes are sorted so. */
  neighbours(name: string): readonly Stanza[];
  /** Paragraphs whose Provides field names `name`, in order of the file. */
  providers(name: string): readonly Stanza[];
}

/** Scans `bytes`, which stay referenced. `what` names the index in messages. */
export function scanPackages(bytes: Uint8Array, what: string): PackagesIndex {
  const buffer = view(bytes);
  // most names come once: a number is the offset, an array are several
  const offsets = new Map<string, number | number[]>();
  const starts: number[] = [];
  for (let start = skipNewlines(buffer, 0); start < buffer.length;) {
    const blank = buffer.indexOf(BLANK_LINE, start);
    const end = blank === -1 ? buffer.length : blank + 1;
    const name = nameAt(buffer, start, end);
    if (name !== undefined) {
      starts.push(start);
      const known = offsets.get(name);
      if (known === undefined) offsets.set(name, start);
      else if (typeof known === 'number') offsets.set(name, [known, start]);
      else known.push(start);
    }
    start = skipNewlines(buffer, end);
  }
  let provided: ReadonlyMap<string, readonly number[]> | undefined;
  const stanzaAt = (start: number): Stanza => {
    const blank = buffer.indexOf(BLANK_LINE, start);
    const text = byteString(buffer.subarray(start, blank === -1 ? buffer.length : blank + 1));
    return parseStanza(text, { what, code: 'INDEX_INVALID' });
  };
  return {
    size: starts.length,
    has: (name) => offsets.has(name),
    find(name) {
      const found = offsets.get(name);
      if (found === undefined) return [];
      return (typeof found === 'number' ? [found] : found).map(stanzaAt);
    },
    neighbours(name) {
      const found = offsets.get(name);
      const first = typeof found === 'number' ? found : found?.[0];
      if (first === undefined) return [];
      const at = indexOf(starts, first);
      const source = sourceName(stanzaAt(first));
      const run = (step: 1 | -1): Stanza[] => {
        const stanzas: Stanza[] = [];
        for (
          let next = at + step;
          starts[next] !== undefined && stanzas.length < MAX_NEIGHBOURS;
          next += step
        ) {
          const stanza = stanzaAt(starts[next] as number);
          if (sourceName(stanza) !== source) break;
          stanzas.push(stanza);
        }
        return stanzas;
      };
      return [...run(-1).reverse(), ...run(1)];
    },
    providers: (name) => ((provided ??= scanProvides(buffer, starts)).get(name) ?? []).map(stanzaAt),
  };
}

/** Sources have some hundreds of packages at most. */
const MAX_NEIGHBOURS = 1000;

function sourceName(stanza: Stanza): string | undefined {
  return stanza.get('Source')?.replace(/\s.*$/s, '') ?? stanza.get('Package');
}

/** Where `value` is in ascending `numbers`. */
function indexOf(numbers: readonly number[], value: number): number {
  let low = 0;
  for (let high = numbers.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Offsets of paragraphs by the names in their Provides fields; 9 000 of them in Debian main. */
function scanProvides(buffer: Buffer, starts: readonly number[]): Map<string, number[]> {
  const provided = new Map<string, number[]>();
  let paragraph = 0;
  for (let at = buffer.indexOf(PROVIDES, 0); at !== -1; at = buffer.indexOf(PROVIDES, at + 1)) {
    while (paragraph + 1 < starts.length && (starts[paragraph + 1] as number) <= at) paragraph++;
    const start = starts[paragraph] as number;
    for (const item of buffer.latin1Slice(at + PROVIDES.length, endOfField(buffer, at + 1)).split(',')) {
      const name = /^\s*([^\s:(]+)/.exec(item)?.[1];
      if (name === undefined) continue;
      const known = provided.get(name);
      if (!known) provided.set(name, [start]);
      else if (known.at(-1) !== start) known.push(start);
    }
  }
  return provided;
}

/** The newline after the field at `at`: the next line does not continue it. */
function endOfField(buffer: Buffer, at: number): number {
  for (
    let newline = buffer.indexOf(NEWLINE, at);
    newline !== -1;
    newline = buffer.indexOf(NEWLINE, newline + 1)
  ) {
    const next = buffer[newline + 1];
    if (next !== 32 && next !== 9) return newline;
  }
  return buffer.length;
}

const NEWLINE = 10;
const BLANK_LINE: Buffer = Buffer.from('\n\n');
const PROVIDES: Buffer = Buffer.from('\nProvides:');
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
