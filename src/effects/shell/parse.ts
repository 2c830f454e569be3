// Shell source → syntax tree (syntax.ts). Recursive descent over characters; depth and length are bounded, because
// scripts come from packages.
import type { Node, Part, Redirection, Word } from './syntax.ts';

const MAX_LENGTH = 1024 * 1024;
const MAX_DEPTH = 200;

/** Undefined when the script uses something that is not known here. */
export function parseShell(source: string): Node | undefined {
  if (source.length > MAX_LENGTH) return undefined;
  const parser = new Parser(source);
  try {
    const node = parser.list([]);
    parser.expectEnd();
    return node;
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

class NotUnderstood extends Error {}

class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;
  #heredocs: { readonly delimiter: string; readonly strip: boolean }[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  expectEnd(): void {
    this.#blank();
    if (this.#at < this.#source.length) this.#fail();
  }

  /** Commands up to one of `ends` (reserved words, ')' or ';;'), which is not consumed. */
  list(ends: readonly string[]): Node {
    if (++this.#depth > MAX_DEPTH) this.#fail();
    const items: Node[] = [];
    for (;;) {
      this.#separators();
      if (this.#at >= this.#source.length || this.#looksAt(ends)) break;
      items.push(this.#andOr());
      this.#space();
      // "&" would run in the background
      if (this.#peek() === '&' && this.#source[this.#at + 1] !== '&') this.#fail();
    }
    this.#depth--;
    return { kind: 'list', items };
  }

  #andOr(): Node {
    let left = this.#pipeline();
    for (;;) {
      this.#space();
      const operator = this.#source.slice(this.#at, this.#at + 2);
      if (operator !== '&&' && operator !== '||') return left;
      this.#at += 2;
      this.#blank();
      left = { kind: operator === '&&' ? 'and' : 'or', left, right: this.#pipeline() };
    }
  }

  #pipeline(): Node {
    if (this.#reserved('!')) return { kind: 'not', body: this.#pipeline() };
    const items = [this.#command()];
    for (;;) {
      this.#space();
      if (this.#peek() !== '|' || this.#source[this.#at + 1] === '|') break;
      this.#at++;
      this.#blank();
      items.push(this.#command());
    }
    return items.length === 1 ? (items[0] as Node) : { kind: 'pipe', items };
  }

  #command(): Node {
    this.#space();
    if (this.#reserved('if')) return this.#if();
    if (this.#reserved('case')) return this.#case();
    if (this.#reserved('for')) return this.#for();
    if (this.#reserved('while')) return this.#while(false);
    if (this.#reserved('until')) return this.#while(true);
    if (this.#reserved('{')) return this.#group('}', false);
    if (this.#peek() === '(') {
      this.#at++;
      return this.#group(')', true);
    }
    const name = /^([A-Za-z_]\w*)[ \t]*\(\)/.exec(this.#source.slice(this.#at, this.#at + 200));
    if (name) {
      this.#at += name[0].length;
      this.#blank();
      return { kind: 'function', name: name[1] as string, body: this.#command() };
    }
    return this.#simple();
  }

  #if(): Node {
    const branches: { condition: Node; body: Node }[] = [];
    do {
      const condition = this.list(['then']);
      this.#require('then');
      branches.push({ condition, body: this.list(['elif', 'else', 'fi']) });
    } while (this.#reserved('elif'));
    const otherwise = this.#reserved('else') ? this.list(['fi']) : undefined;
    this.#require('fi');
    return this.#redirected({ kind: 'if', branches, otherwise });
  }

  #case(): Node {
    const word = this.#requireWord();
    this.#blank();
    this.#require('in');
    const items: { patterns: Word[]; body: Node }[] = [];
    for (;;) {
      this.#blank();
      if (this.#reserved('esac')) break;
      if (this.#peek() === '(') this.#at++;
      const patterns = [this.#requireWord()];
      for (this.#space(); this.#peek() === '|'; this.#space()) {
        this.#at++;
        patterns.push(this.#requireWord());
      }
      if (this.#peek() !== ')') this.#fail();
      this.#at++;
      items.push({ patterns, body: this.list([';;', 'esac']) });
      if (this.#source.startsWith(';;', this.#at)) this.#at += 2;
    }
    return this.#redirected({ kind: 'case', word, items });
  }

  #for(): Node {
    this.#space();
    const name = /^[A-Za-z_]\w*/.exec(this.#source.slice(this.#at, this.#at + 100))?.[0];
    if (name === undefined) this.#fail();
    this.#at += name.length;
    this.#blank();
    let words: Word[] | undefined;
    if (this.#reserved('in')) {
      words = [];
      for (this.#space(); !/[;\n]/.test(this.#peek()); this.#space()) words.push(this.#requireWord());
    }
    this.#separators();
    this.#require('do');
    const body = this.list(['done']);
    this.#require('done');
    return this.#redirected({ kind: 'for', name, words, body });
  }

  #while(until: boolean): Node {
    const condition = this.list(['do']);
    this.#require('do');
    const body = this.list(['done']);
    this.#require('done');
    return this.#redirected({ kind: 'while', condition, body, until });
  }

  #group(end: string, subshell: boolean): Node {
    const body = this.list([end]);
    if (!this.#source.startsWith(end, this.#at)) this.#fail();
    this.#at += end.length;
    return { kind: 'group', body, subshell, redirections: this.#redirections() };
  }

  #redirected(body: Node): Node {
    const redirections = this.#redirections();
    return redirections.length === 0 ? body : { kind: 'group', body, subshell: false, redirections };
  }

  #simple(): Node {
    const assignments: { name: string; value: Word }[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      this.#space();
      const redirection = this.#redirection();
      if (redirection) {
        redirections.push(redirection);
        continue;
      }
      const assigned = words.length === 0 ? /^([A-Za-z_]\w*)=/.exec(this.#source.slice(this.#at, this.#at + 200)) : null;
      if (assigned) {
        this.#at += assigned[0].length;
        assignments.push({ name: assigned[1] as string, value: this.#word() ?? [] });
        continue;
      }
      const word = this.#word();
      if (!word) break;
      words.push(word);
    }
    if (words.length + assignments.length + redirections.length === 0) this.#fail();
    return { kind: 'simple', assignments, words, redirections };
  }

  #redirections(): Redirection[] {
    const found: Redirection[] = [];
    for (;;) {
      this.#space();
      const redirection = this.#redirection();
      if (!redirection) return found;
      found.push(redirection);
    }
  }

  #redirection(): Redirection | undefined {
    const match = /^\d?(?:<<-?|>>|>&|<&|>\||<>|<|>)/.exec(this.#source.slice(this.#at, this.#at + 5));
    if (!match) return undefined;
    this.#at += match[0].length;
    const operator = match[0].replace(/^\d/, '');
    const descriptor = /^\d/.exec(match[0])?.[0];
    const target = this.#requireWord();
    if (operator.startsWith('<<')) {
      const delimiter = target.map((part) => (part.kind === 'text' ? part.text : this.#fail())).join('');
      this.#heredocs.push({ delimiter, strip: operator === '<<-' });
    }
    return { operator: descriptor === '2' && operator.startsWith('>') ? `2${operator}` : operator, target };
  }

  #requireWord(): Word {
    this.#space();
    return this.#word() ?? this.#fail();
  }

  #word(): Word | undefined {
    const parts: Part[] = [];
    for (;;) {
      const char = this.#peek();
      if (char === '' || /[\s;&|<>()]/.test(char)) break;
      if (char === "'") {
        const end = this.#source.indexOf("'", this.#at + 1);
        if (end < 0) this.#fail();
        parts.push({ kind: 'text', text: this.#source.slice(this.#at + 1, end), quoted: true });
        this.#at = end + 1;
      } else if (char === '"') this.#double(parts);
      else if (char === '\\') {
        if (this.#source[this.#at + 1] !== '\n') parts.push({ kind: 'text', text: this.#source[this.#at + 1] ?? '', quoted: true });
        this.#at += 2;
      } else if (char === '$' || char === '`') parts.push(this.#expansion(false));
      else {
        const text = /^[^\s;&|<>()'"\\$`]+/.exec(this.#source.slice(this.#at, this.#at + 4096))?.[0] as string;
        parts.push({ kind: 'text', text, quoted: false });
        this.#at += text.length;
      }
    }
    return parts.length === 0 ? undefined : parts;
  }

  #double(parts: Part[]): void {
    this.#at++;
    let text = '';
    const flush = (): void => {
      parts.push({ kind: 'text', text, quoted: true });
      text = '';
    };
    for (;;) {
      const char = this.#peek();
      if (char === '') this.#fail();
      if (char === '"') break;
      if (char === '\\') {
        const next = this.#source[this.#at + 1] ?? '';
        text += '$`"\\'.includes(next) ? next : next === '\n' ? '' : `\\${next}`;
        this.#at += 2;
      } else if (char === '$' || char === '`') {
        flush();
        parts.push(this.#expansion(true));
      } else {
        text += char;
        this.#at++;
      }
    }
    this.#at++;
    flush();
  }

  #expansion(quoted: boolean): Part {
    const rest = this.#source.slice(this.#at, this.#at + 300);
    if (rest.startsWith('$((') || rest.startsWith('`')) return rest.startsWith('`') ? this.#backticks(quoted) : this.#fail();
    if (rest.startsWith('$(')) {
      this.#at += 2;
      const body = this.list([')']);
      if (this.#peek() !== ')') this.#fail();
      this.#at++;
      return { kind: 'substitution', body, quoted };
    }
    const simple = /^\$([A-Za-z_]\w*|[0-9@*#?$!-])/.exec(rest);
    if (simple) {
      this.#at += simple[0].length;
      return { kind: 'parameter', name: simple[1] as string, operator: '', word: [], quoted };
    }
    const braced = /^\$\{(#?[A-Za-z_]\w*|[0-9@*#?])(:?[-=+?]|%%?|##?)?/.exec(rest);
    if (braced) {
      this.#at += braced[0].length;
      const word = this.#bracedWord();
      return { kind: 'parameter', name: braced[1] as string, operator: braced[2] ?? '', word, quoted };
    }
    if (!rest.startsWith('$')) this.#fail();
    this.#at++;
    return { kind: 'text', text: '$', quoted: true };
  }

  #bracedWord(): Word {
    const end = this.#source.indexOf('}', this.#at);
    const text = this.#source.slice(this.#at, end);
    if (end < 0 || /["'`\n]|\$[({]/.test(text)) this.#fail();
    const parts: Part[] = [];
    for (const token of text.match(/\$[A-Za-z_0-9]\w*|[^$]+|\$/g) ?? [])
      parts.push(
        /^\$\w/.test(token)
          ? { kind: 'parameter', name: token.slice(1), operator: '', word: [], quoted: true }
          : { kind: 'text', text: token, quoted: false },
      );
    this.#at = end + 1;
    return parts;
  }

  #backticks(quoted: boolean): Part {
    const end = this.#source.indexOf('`', this.#at + 1);
    const text = this.#source.slice(this.#at + 1, end);
    const body = end < 0 || text.includes('\\') ? undefined : parseShell(text);
    if (!body) this.#fail();
    this.#at = end + 1;
    return { kind: 'substitution', body, quoted };
  }

  #reserved(word: string): boolean {
    this.#space();
    if (!this.#looksAt([word])) return false;
    this.#at += word.length;
    return true;
  }

  #require(word: string): void {
    this.#separators();
    if (!this.#reserved(word)) this.#fail();
  }

  #looksAt(words: readonly string[]): boolean {
    return words.some((word) => {
      if (!this.#source.startsWith(word, this.#at)) return false;
      return word === ')' || word === ';;' || /^(?:[\s;&|()<>]|$)/.test(this.#source.slice(this.#at + word.length, this.#at + word.length + 1));
    });
  }

  #peek(): string {
    return this.#source[this.#at] ?? '';
  }

  /** Blanks, comments and continued lines. */
  #space(): void {
    for (;;) {
      const char = this.#peek();
      if (char === ' ' || char === '\t') this.#at++;
      else if (char === '\\' && this.#source[this.#at + 1] === '\n') this.#at += 2;
      else if (char === '#') {
        const end = this.#source.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#source.length : end;
      } else return;
    }
  }

  /** Space and line ends. */
  #blank(): void {
    for (this.#space(); this.#peek() === '\n'; this.#space()) this.#newline();
  }

  #separators(): void {
    for (this.#blank(); this.#peek() === ';' && this.#source[this.#at + 1] !== ';'; this.#blank()) this.#at++;
  }

  /** Behind a line end come the here-documents that the line announced. */
  #newline(): void {
    this.#at++;
    for (const { delimiter, strip } of this.#heredocs.splice(0)) {
      for (;;) {
        if (this.#at >= this.#source.length) this.#fail();
        const end = this.#source.indexOf('\n', this.#at);
        const line = this.#source.slice(this.#at, end < 0 ? undefined : end);
        this.#at = end < 0 ? this.#source.length : end + 1;
        if ((strip ? line.replace(/^\t+/, '') : line) === delimiter) break;
        // what a here-document expands could run commands
        if (/\$\(|`/.test(line)) this.#fail();
      }
    }
  }

  #fail(): never {
    throw new NotUnderstood();
  }
}

