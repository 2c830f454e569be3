// Control data: the "Field: value" paragraphs of dpkg and apt (deb822(5)), used by the status database, control files,
// Release, Packages and .sources. Everything is a byte string and nothing is decoded: a stanza is a range of its text,
// fields are found by scanning it, so that the 60 000 stanzas of an index cost no allocation until a value is asked
// for. Parsing follows libdpkg (lib/dpkg/parse.c): a continuation line starts with a space or a tab, white space
// around a value is trimmed, a value that starts on the next line keeps that newline in front.
import { OnlayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';

/** One paragraph. Field names compare without regard to ASCII case. */
export interface Stanza {
  /** The paragraph as it stands, without the empty line after it; ends with a newline unless the text itself does not. */
  readonly raw: string;
  /** Value of the first field of that name: trimmed, continuation lines verbatim. */
  get(field: string): string | undefined;
  /** All fields in order. Throws when a line is neither a field nor a continuation, or when a field comes twice. */
  fields(): readonly ControlField[];
}

export interface ControlField {
  readonly name: string;
  readonly value: string;
}

export interface ControlOptions {
  /** Names the text in error messages, "dpkg status at var/lib/dpkg/status". */
  readonly what: string;
  /** Code of errors: DATABASE_INVALID for databases, INDEX_INVALID for indexes, PACKAGE_INVALID for packages. */
  readonly code: ErrorCode;
  /** Lines that start with '#' are comments (.sources files, not dpkg's own). */
  readonly comments?: true;
}

/** All paragraphs of `text`, in order. */
export function parseStanzas(text: string, options: ControlOptions): Stanza[] {
  return [...stanzasOf(text, options)];
}

/** The only paragraph of `text`, as in a control or Release file. */
export function parseStanza(text: string, options: ControlOptions): Stanza {
  const stanzas = parseStanzas(text, options);
  const [first] = stanzas;
  if (!first || stanzas.length > 1)
    throw new OnlayError(options.code, `${options.what} has ${stanzas.length} paragraphs instead of one`);
  return first;
}

/** As `parseStanzas`, one at a time. */
export function* stanzasOf(text: string, options: ControlOptions): Generator<Stanza, void, undefined> {
  const source = options.comments ? text.replace(/^#[^\n]*(?:\n|$)/gm, '') : text;
  let start = 0;
  while (start < source.length) {
    if (source.charCodeAt(start) === NEWLINE) {
      start++;
      continue;
    }
    const blank = source.indexOf('\n\n', start);
    const end = blank === -1 ? source.length : blank + 1;
    yield new TextStanza(source, start, end, options);
    start = end + 1;
  }
}

const NEWLINE = 10;
const TAB = 9;
const SPACE = 32;
const COLON = 58;

class TextStanza implements Stanza {
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;
  readonly #options: ControlOptions;

  constructor(text: string, start: number, end: number, options: ControlOptions) {
    this.#text = text;
    this.#start = start;
    this.#end = end;
    this.#options = options;
  }

  get raw(): string {
    return this.#text.slice(this.#start, this.#end);
  }

  get(field: string): string | undefined {
    const text = this.#text;
    let line = this.#start;
    while (line < this.#end) {
      const colon = matchName(text, line, this.#end, field);
      if (colon !== -1) return this.#value(colon + 1, this.#valueEnd(colon));
      const newline = text.indexOf('\n', line);
      if (newline === -1) return undefined;
      line = newline + 1;
    }
    return undefined;
  }

  fields(): ControlField[] {
    const text = this.#text;
    const found: ControlField[] = [];
    const seen = new Set<string>();
    let line = this.#start;
    while (line < this.#end) {
      const newline = text.indexOf('\n', line);
      const lineEnd = newline === -1 || newline > this.#end ? this.#end : newline;
      const head = FIELD.exec(text.slice(line, lineEnd));
      if (!head)
        throw this.#invalid(`has a line that is no field: "${text.slice(line, lineEnd).slice(0, 60)}"`);
      const name = head[1] as string;
      const key = name.toLowerCase();
      if (seen.has(key)) throw this.#invalid(`has field ${name} twice`);
      seen.add(key);
      const end = this.#valueEnd(line);
      found.push({ name, value: this.#value(line + head[0].length, end) });
      line = end + 1;
    }
    return found;
  }

  /** End of the field that `position` is in: the newline that no continuation line follows. */
  #valueEnd(position: number): number {
    const text = this.#text;
    let at = position;
    for (;;) {
      const newline = text.indexOf('\n', at);
      if (newline === -1 || newline + 1 >= this.#end) return newline === -1 ? this.#end : newline;
      const next = text.charCodeAt(newline + 1);
      if (next !== SPACE && next !== TAB) return newline;
      at = newline + 1;
    }
  }

  #value(start: number, end: number): string {
    const text = this.#text;
    while (start < end && isBlank(text.charCodeAt(start)) && text.charCodeAt(start) !== NEWLINE) start++;
    while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
    return text.slice(start, end);
  }

  #invalid(problem: string): OnlayError {
    const { code, what } = this.#options;
    const name = this.get('Package');
    return new OnlayError(
      code,
      displayText(`Cannot read ${what}: ${name ? `package ${name}` : 'a paragraph'} ${problem}`),
    );
  }
}

const FIELD = /^([^\s:#-][^\s:]*)[ \t]*:/;

/** Position of the colon if the line at `line` starts with field `name`, else -1. */
function matchName(text: string, line: number, end: number, name: string): number {
  const { length } = name;
  if (line + length >= end) return -1;
  for (let i = 0; i < length; i++) {
    const a = text.charCodeAt(line + i);
    const b = name.charCodeAt(i);
    if (a !== b && lower(a) !== lower(b)) return -1;
  }
  let at = line + length;
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at++;
  return text.charCodeAt(at) === COLON ? at : -1;
}

function lower(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

function isBlank(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= 13);
}
