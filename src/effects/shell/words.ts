// The lexical half of the shell parser: blanks, comments, here-documents, and words with their quoting and expansions
// (XCU 2.2 to 2.6).
import type { Node, Part, Word } from './syntax.ts';

/** The script is beyond what is known here, or is no shell script. */
export class NotUnderstood extends Error {}

const MAX_DEPTH = 100;

interface PendingDocument {
  readonly delimiter: string;
  readonly strip: boolean;
  readonly literal: boolean;
  readonly body: Part[];
}

export abstract class WordReader {
  protected readonly source: string;
  protected at = 0;
  #depth: number;
  readonly #documents: PendingDocument[] = [];

  constructor(source: string, depth: number) {
    this.source = source;
    this.#depth = depth;
  }

  /** Commands up to one of `ends`, which is not consumed. */
  protected abstract list(ends: readonly string[], mayBeEmpty?: 'empty'): Node;
  /** A reader of the same kind for text that was taken out of the source. */
  protected abstract nested(source: string, depth: number): WordReader;
  abstract script(): Node;

  /** Bounds the recursion that the source demands. */
  protected deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) this.fail();
    const result = read();
    this.#depth--;
    return result;
  }

  protected requireWord(): Word {
    this.space();
    return this.word() ?? this.fail();
  }

  protected word(): Word | undefined {
    const parts: Part[] = [];
    for (;;) {
      const char = this.peek();
      if (char === '' || ' \t\n;&|<>()'.includes(char)) break;
      if (char === "'") parts.push(this.#single());
      else if (char === '"') this.#double(parts);
      else if (char === '\\') {
        const next = this.source[this.at + 1];
        if (next === undefined) this.fail();
        if (next !== '\n') parts.push({ kind: 'text', text: next, quoted: true });
        this.at += 2;
      } else if (char === '$' || char === '`') parts.push(this.#expansion(false));
      else parts.push({ kind: 'text', text: this.#plain(/[^ \t\n;&|<>()'"\\$`]+/y), quoted: false });
    }
    return parts.length === 0 ? undefined : parts;
  }

  #plain(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const text = pattern.exec(this.source)?.[0] ?? this.fail();
    this.at += text.length;
    return text;
  }

  #single(): Part {
    const end = this.source.indexOf("'", this.at + 1);
    if (end < 0) this.fail();
    const text = this.source.slice(this.at + 1, end);
    this.at = end + 1;
    return { kind: 'text', text, quoted: true };
  }

  #double(parts: Part[]): void {
    this.at++;
    this.#quotedText(parts, '"');
    this.at++;
  }

  /** Text as between double quotes, up to `end` ('' for the end of the source), which is not consumed. */
  #quotedText(parts: Part[], end: string): void {
    let text = '';
    const start = parts.length;
    const flush = (): void => {
      // nothing between quotes is an empty word, but "$@" without parameters is none
      if (text === '' && parts.length > start) return;
      parts.push({ kind: 'text', text, quoted: true });
      text = '';
    };
    for (;;) {
      const char = this.peek();
      if (char === end) break;
      if (char === '') this.fail();
      if (char === '\\') {
        const next = this.source[this.at + 1] ?? '';
        const escapable = next !== '' && (`$\`\\${end}`.includes(next) || (end === '}' && next === '"'));
        text += escapable ? next : next === '\n' ? '' : `\\${next}`;
        this.at += 2;
      } else if (char === '$' || char === '`') {
        if (text !== '') flush();
        parts.push(this.#expansion(true));
      } else {
        text += char;
        this.at++;
      }
    }
    flush();
  }

  #expansion(quoted: boolean): Part {
    return this.deeper(() => {
      const start = this.source.slice(this.at, this.at + 3);
      if (start.startsWith('`')) return this.#backticks(quoted);
      if (start === '$((') return this.#arithmetic(quoted);
      if (start.startsWith('$(')) return this.#substitution(quoted);
      if (start.startsWith('${')) return this.#braced(quoted);
      const simple = /\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])/y;
      simple.lastIndex = this.at;
      const name = simple.exec(this.source)?.[0].slice(1);
      // "$" before anything else is itself; $'…' and $"…" are bash's
      if (name === undefined) {
        if (!quoted && /^\$['"]/.test(start)) this.fail();
        this.at++;
        return { kind: 'text', text: '$', quoted: true };
      }
      this.at += name.length + 1;
      return { kind: 'parameter', name, operator: '', word: [], quoted };
    });
  }

  #substitution(quoted: boolean): Part {
    this.at += 2;
    const body = this.list([')'], 'empty');
    if (this.peek() !== ')') this.fail();
    this.at++;
    return { kind: 'substitution', body, quoted };
  }

  #braced(quoted: boolean): Part {
    const pattern = /\$\{(?:#([A-Za-z_]\w*|[0-9]+)\}|([A-Za-z_]\w*|[0-9]+|[@*#?$!-])(:?[-=+?]|%%?|##?)?)/y;
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.source);
    if (!match) this.fail();
    this.at += match[0].length;
    if (match[1] !== undefined)
      return { kind: 'parameter', name: match[1], operator: '#length', word: [], quoted };
    const operator = match[3] ?? '';
    const parts: Part[] = [];
    if (operator === '') {
      if (this.peek() !== '}') this.fail();
    } else if (quoted && !/[%#]/.test(operator)) this.#quotedText(parts, '}');
    else this.#bracedWord(parts);
    this.at++;
    return { kind: 'parameter', name: match[2] as string, operator, word: parts, quoted };
  }

  #bracedWord(parts: Part[]): void {
    for (;;) {
      const char = this.peek();
      if (char === '') this.fail();
      if (char === '}') return;
      if (char === "'") parts.push(this.#single());
      else if (char === '"') this.#double(parts);
      else if (char === '\\') {
        parts.push({ kind: 'text', text: this.source[this.at + 1] ?? '', quoted: true });
        this.at += 2;
      } else if (char === '$' || char === '`') parts.push(this.#expansion(false));
      else parts.push({ kind: 'text', text: this.#plain(/[^}'"\\$`]+/y), quoted: false });
    }
  }

  #arithmetic(quoted: boolean): Part {
    this.at += 3;
    const parts: Part[] = [];
    for (let open = 0; ;) {
      const char = this.peek();
      if (char === '' || '\'"\\;&|'.includes(char)) this.fail();
      if (char === ')' && open === 0) break;
      if (char === '$' || char === '`') parts.push(this.#expansion(true));
      else {
        if (char === '(') open++;
        if (char === ')') open--;
        parts.push({ kind: 'text', text: char, quoted: true });
        this.at++;
      }
    }
    if (!this.source.startsWith('))', this.at)) this.fail();
    this.at += 2;
    return { kind: 'arithmetic', expression: parts, quoted };
  }

  #backticks(quoted: boolean): Part {
    let text = '';
    for (this.at++; this.peek() !== '`'; this.at++) {
      if (this.peek() === '') this.fail();
      const escaped = this.peek() === '\\' && '$`\\'.includes(this.source[this.at + 1] ?? ' ');
      if (escaped) this.at++;
      text += this.peek();
    }
    this.at++;
    return { kind: 'substitution', body: this.nested(text, this.#depth).script(), quoted };
  }

  protected peek(): string {
    return this.source[this.at] ?? '';
  }

  /** Blanks, comments and continued lines. */
  protected space(): void {
    for (;;) {
      const char = this.peek();
      if (char === ' ' || char === '\t') this.at++;
      else if (char === '\\' && this.source[this.at + 1] === '\n') this.at += 2;
      else if (char === '#') {
        const end = this.source.indexOf('\n', this.at);
        this.at = end < 0 ? this.source.length : end;
      } else return;
    }
  }

  /** Space and line ends. */
  protected blank(): void {
    for (this.space(); this.peek() === '\n'; this.space()) this.#newline();
  }

  /** A here-document is announced; its text follows the line. */
  protected announce(target: Word, strip: boolean): Word {
    if (target.some(({ kind }) => kind !== 'text')) this.fail();
    const body: Part[] = [];
    this.#documents.push({
      delimiter: target.map((part) => (part.kind === 'text' ? part.text : '')).join(''),
      literal: target.some(({ quoted }) => quoted),
      strip,
      body,
    });
    return body;
  }

  #newline(): void {
    this.at++;
    for (const { delimiter, strip, literal, body } of this.#documents.splice(0)) {
      let text = '';
      for (;;) {
        if (this.at >= this.source.length) this.fail();
        const end = this.source.indexOf('\n', this.at);
        const raw = this.source.slice(this.at, end < 0 ? undefined : end);
        this.at = end < 0 ? this.source.length : end + 1;
        const line = strip ? raw.replace(/^\t+/, '') : raw;
        if (line === delimiter) break;
        text += `${line}\n`;
      }
      if (literal) body.push({ kind: 'text', text, quoted: true });
      else this.nested(text, this.#depth).#quotedText(body, '');
    }
  }

  /** Here-documents that were announced on the last line have no text. */
  protected expectEnd(): void {
    this.blank();
    if (this.at < this.source.length || this.#documents.length > 0) this.fail();
  }

  protected fail(): never {
    throw new NotUnderstood();
  }
}
