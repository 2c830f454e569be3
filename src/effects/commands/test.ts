// test and [ (XCU test): files of the image, strings, integers; each part may be unknown.
import type { RootNode } from '../../rootfs/root-view.ts';
import { isKnown, not, sameText, UNKNOWN, type Truth } from '../shell/unknown.ts';
import { absolute, answer } from './command.ts';
import type { Call, Command, CommandTable } from './command.ts';

const test: Command = (call) => {
  const bracket = call.name === '[';
  if (bracket && call.args.at(-1) !== ']') return answer(undefined);
  return answer(new Expression(call, bracket ? call.args.slice(0, -1) : call.args).value());
};

export const TEST_COMMANDS: CommandTable = { test, '[': test };

class Expression {
  readonly #call: Call;
  readonly #words: readonly string[];
  #at = 0;

  constructor(call: Call, words: readonly string[]) {
    this.#call = call;
    this.#words = words;
  }

  value(): Truth {
    if (this.#words.length === 0) return false;
    const value = this.#or();
    return this.#at === this.#words.length ? value : undefined;
  }

  #or(): Truth {
    let left = this.#and();
    while (this.#words[this.#at] === '-o') {
      this.#at++;
      const right = this.#and();
      left =
        left === true || right === true
          ? true
          : left === undefined || right === undefined
            ? undefined
            : false;
    }
    return left;
  }

  #and(): Truth {
    let left = this.#primary();
    while (this.#words[this.#at] === '-a') {
      this.#at++;
      const right = this.#primary();
      left =
        left === false || right === false
          ? false
          : left === undefined || right === undefined
            ? undefined
            : true;
    }
    return left;
  }

  #primary(): Truth {
    const [word = '', next, third] = this.#words.slice(this.#at);
    const left = this.#words.length - this.#at;
    if (next !== undefined && left >= 3 && BINARY.has(next)) {
      this.#at += 3;
      return this.#binary(word, next, third as string);
    }
    if (word === '!' && left > 1) {
      this.#at++;
      return not(this.#primary());
    }
    if (word === '(' && left > 2) {
      this.#at++;
      const value = this.#or();
      if (this.#words[this.#at] !== ')') return undefined;
      this.#at++;
      return value;
    }
    if (/^-[a-zA-Z]$/.test(word) && next !== undefined && left >= 2 && next !== '-a' && next !== '-o') {
      this.#at += 2;
      return this.#unary(word, next);
    }
    this.#at++;
    // an unquoted empty value leaves "-n" alone, which is true
    return isNotEmpty(word);
  }

  #binary(a: string, operator: string, b: string): Truth {
    switch (operator) {
      case '=':
      case '==':
        return sameText(a, b);
      case '!=':
        return not(sameText(a, b));
      case '<':
      case '>':
        return isKnown(a + b) ? (operator === '<' ? a < b : a > b) : undefined;
      case '-nt':
      case '-ot':
      case '-ef':
        return undefined;
      default:
        return compareNumbers(a, operator, b);
    }
  }

  #unary(operator: string, operand: string): Truth {
    if (operator === '-z') return not(isNotEmpty(operand));
    if (operator === '-n') return isNotEmpty(operand);
    if (operator === '-t') return false;
    if (operator === '-v' || operator === '-o') return undefined;
    if (operand === '') return false;
    const { directory, scene } = this.#call;
    const path = absolute(operand, directory);
    if (!isKnown(path)) return undefined;
    // a running system has these
    if (/^\/(?:proc|sys|dev)\//.test(path))
      return path === '/dev/null' && operator === '-e' ? true : undefined;
    const isLink = operator === '-L' || operator === '-h';
    const node = isLink ? scene.root.lookup(path) : scene.root.follow(path);
    return node !== undefined && fileTest(operator, node);
  }
}

const BINARY = new Set('= == != < > -nt -ot -ef -eq -ne -lt -le -gt -ge'.split(' '));

function isNotEmpty(text: string): Truth {
  return text.replaceAll(UNKNOWN, '') !== '' ? true : isKnown(text) ? false : undefined;
}

function compareNumbers(a: string, operator: string, b: string): Truth {
  const [x, y] = [a, b].map((text) => (/^\s*-?[0-9]+\s*$/.test(text) ? Number(text) : NaN)) as [
    number,
    number,
  ];
  if (Number.isNaN(x) || Number.isNaN(y)) return isKnown(a + b) ? false : undefined;
  switch (operator) {
    case '-eq':
      return x === y;
    case '-ne':
      return x !== y;
    case '-lt':
      return x < y;
    case '-le':
      return x <= y;
    case '-gt':
      return x > y;
    default:
      return x >= y;
  }
}

function fileTest(operator: string, node: RootNode): Truth {
  switch (operator) {
    case '-e':
    case '-a':
    case '-r':
    case '-w':
    case '-L':
    case '-h':
      return operator === '-L' || operator === '-h' ? node.type === 'symlink' : true;
    case '-f':
      return node.type === 'file';
    case '-d':
      return node.type === 'directory';
    case '-x':
      return node.type === 'directory' || (node.mode & 0o111) !== 0;
    case '-s':
      return node.type === 'directory' || node.size > 0;
    case '-u':
      return (node.mode & 0o4000) !== 0;
    case '-g':
      return (node.mode & 0o2000) !== 0;
    case '-k':
      return (node.mode & 0o1000) !== 0;
    case '-b':
      return node.type === 'block';
    case '-c':
      return node.type === 'character';
    case '-p':
      return node.type === 'fifo';
    case '-S':
      return false;
    case '-O':
      return node.uid === 0;
    case '-G':
      return node.gid === 0;
    default:
      return undefined;
  }
}
