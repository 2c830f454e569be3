// Shell source → syntax tree (syntax.ts). Recursive descent; length and depth are bounded, because scripts come from
// packages. words.ts is the lexical half.
import type { Node, Redirection, Word } from './syntax.ts';
import { NotUnderstood, WordReader } from './words.ts';

const MAX_LENGTH = 1024 * 1024;

/** 'bash' is what sh is on systems with rpm: it knows `&>`. */
export type Dialect = 'posix' | 'bash';

/** Undefined when the script uses something that is not known here. */
export function parseShell(source: string, dialect: Dialect = 'posix'): Node | undefined {
  if (source.length > MAX_LENGTH || source.includes('\0')) return undefined;
  try {
    return new Parser(source, dialect, 0).script();
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

const RESERVED = new Set('! { } case do done elif else esac fi for if in then until while'.split(' '));
/** Of bash: here they would be commands of that name. */
const FOREIGN = new Set('[[ function select time coproc'.split(' '));

class Parser extends WordReader {
  readonly #dialect: Dialect;

  constructor(source: string, dialect: Dialect, depth: number) {
    super(source, depth);
    this.#dialect = dialect;
  }

  script(): Node {
    const node = this.list([], 'empty');
    this.expectEnd();
    return node;
  }

  protected nested(source: string, depth: number): Parser {
    return new Parser(source, this.#dialect, depth);
  }

  protected list(ends: readonly string[], mayBeEmpty?: 'empty'): Node {
    return this.deeper(() => {
      const items: Node[] = [];
      for (;;) {
        this.blank();
        if (this.peek() === '' || this.#looksAt(ends)) break;
        items.push(this.#andOr());
        this.space();
        // "&" would run in the background; ";;" ends an item of a case
        if (this.peek() === ';' && !this.source.startsWith(';;', this.at)) this.at++;
        else if (this.peek() !== '\n' && this.peek() !== '' && !this.#looksAt(ends)) this.fail();
      }
      if (items.length === 0 && mayBeEmpty === undefined) this.fail();
      return { kind: 'list', items };
    });
  }

  #andOr(): Node {
    let left = this.#pipeline();
    for (;;) {
      this.space();
      const operator = this.source.slice(this.at, this.at + 2);
      if (operator !== '&&' && operator !== '||') return left;
      this.at += 2;
      this.blank();
      left = { kind: operator === '&&' ? 'and' : 'or', left, right: this.#pipeline() };
    }
  }

  #pipeline(): Node {
    if (this.#reserved('!')) return { kind: 'not', body: this.#pipe() };
    return this.#pipe();
  }

  #pipe(): Node {
    const items = [this.#command()];
    for (;;) {
      this.space();
      if (this.peek() !== '|' || this.source[this.at + 1] === '|') break;
      this.at++;
      this.blank();
      items.push(this.#command());
    }
    return items.length === 1 ? (items[0] as Node) : { kind: 'pipe', items };
  }

  #command(): Node {
    return this.deeper(() => {
      this.space();
      if (this.#reserved('if')) return this.#if();
      if (this.#reserved('case')) return this.#case();
      if (this.#reserved('for')) return this.#for();
      if (this.#reserved('while')) return this.#while(false);
      if (this.#reserved('until')) return this.#while(true);
      if (this.#reserved('{')) return this.#group('}', false);
      if (this.peek() === '(') {
        this.at++;
        return this.#group(')', true);
      }
      const definition = /([A-Za-z_]\w*)[ \t]*\([ \t]*\)/y;
      definition.lastIndex = this.at;
      const match = definition.exec(this.source);
      if (!match || RESERVED.has(match[1] as string)) return this.#simple();
      this.at += match[0].length;
      this.blank();
      return { kind: 'function', name: match[1] as string, body: this.#command() };
    });
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
    const word = this.requireWord();
    this.blank();
    this.#require('in');
    const items: { patterns: Word[]; body: Node }[] = [];
    for (;;) {
      this.blank();
      if (this.#reserved('esac')) break;
      if (this.peek() === '(') this.at++;
      const patterns = [this.requireWord()];
      for (this.space(); this.peek() === '|'; this.space()) {
        this.at++;
        patterns.push(this.requireWord());
      }
      if (this.peek() !== ')') this.fail();
      this.at++;
      items.push({ patterns, body: this.list([';;', 'esac'], 'empty') });
      if (this.source.startsWith(';;', this.at)) this.at += 2;
      else if (!this.#looksAt(['esac'])) this.fail();
    }
    return this.#redirected({ kind: 'case', word, items });
  }

  #for(): Node {
    this.space();
    const pattern = /[A-Za-z_]\w*/y;
    pattern.lastIndex = this.at;
    const name = pattern.exec(this.source)?.[0] ?? this.fail();
    this.at += name.length;
    this.blank();
    let words: Word[] | undefined;
    if (this.#reserved('in')) {
      words = [];
      for (this.space(); !';\n'.includes(this.peek()); this.space()) words.push(this.requireWord());
      if (this.peek() === '') this.fail();
    }
    if (this.peek() === ';') this.at++;
    this.blank();
    return this.#redirected({ kind: 'for', name, words, body: this.#do() });
  }

  #while(until: boolean): Node {
    const condition = this.list(['do']);
    return this.#redirected({ kind: 'while', condition, body: this.#do(), until });
  }

  #do(): Node {
    this.#require('do');
    const body = this.list(['done']);
    this.#require('done');
    return body;
  }

  #group(end: string, subshell: boolean): Node {
    const body = this.list([end]);
    if (!this.#looksAt([end])) this.fail();
    this.at += end.length;
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
      this.space();
      const found = this.#redirection();
      if (found.length > 0) {
        redirections.push(...found);
        continue;
      }
      const assignment = /([A-Za-z_]\w*)=/y;
      assignment.lastIndex = this.at;
      const assigned = words.length === 0 ? assignment.exec(this.source) : null;
      if (assigned) {
        this.at += assigned[0].length;
        // NAME=(…) is an array of bash
        if (this.peek() === '(') this.fail();
        assignments.push({ name: assigned[1] as string, value: this.word() ?? [] });
        continue;
      }
      const word = this.word();
      if (!word) break;
      if (words.length === 0) this.#checkName(word, assignments.length + redirections.length === 0);
      words.push(word);
    }
    if (words.length + assignments.length + redirections.length === 0) this.fail();
    return { kind: 'simple', assignments, words, redirections };
  }

  #checkName([part, ...rest]: Word, isFirst: boolean): void {
    if (part?.kind !== 'text' || part.quoted || rest.length > 0) return;
    if ((isFirst && RESERVED.has(part.text)) || FOREIGN.has(part.text)) this.fail();
  }

  #redirections(): Redirection[] {
    const redirections: Redirection[] = [];
    for (;;) {
      this.space();
      const found = this.#redirection();
      if (found.length === 0) return redirections;
      redirections.push(...found);
    }
  }

  /** One redirection; `&>` of bash counts as two. */
  #redirection(): Redirection[] {
    const pattern = this.#dialect === 'bash' ? BASH_REDIRECTION : REDIRECTION;
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.source);
    if (!match) return [];
    this.at += match[0].length;
    const operator = match[2] as string;
    const target = this.requireWord();
    if (operator.startsWith('&')) {
      const both = { operator: operator.slice(1), target };
      return [
        { descriptor: 1, ...both },
        { descriptor: 2, ...both },
      ];
    }
    const descriptor = match[1] === '' ? (operator.startsWith('<') ? 0 : 1) : Number(match[1]);
    if (!operator.startsWith('<<')) return [{ descriptor, operator, target }];
    return [{ descriptor, operator: '<<', target, body: this.announce(target, operator === '<<-') }];
  }

  #reserved(word: string): boolean {
    this.space();
    if (!this.#looksAt([word])) return false;
    this.at += word.length;
    return true;
  }

  #require(word: string): void {
    if (!this.#reserved(word)) this.fail();
  }

  #looksAt(words: readonly string[]): boolean {
    return words.some((word) => {
      if (!this.source.startsWith(word, this.at)) return false;
      const next = this.source[this.at + word.length] ?? '';
      return word === ')' || word === ';;' || ' \t\n;&|()<>'.includes(next);
    });
  }
}

const REDIRECTION = /([0-9]?)(<<-?|>>|>&|<&|>\||<>|<|>)/y;
const BASH_REDIRECTION = /([0-9]?)(&>>?|<<-?|>>|>&|<&|>\||<>|<|>)/y;
