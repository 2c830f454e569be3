// apt's own configuration in an image: etc/apt/apt.conf.d/* and etc/apt/apt.conf, apt.conf(5). Scalars: the last one
// counts; lists keep their order. Nothing is executed, and `#include` and `#clear` are obeyed inside the image only.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';

export interface AptConfig {
  /** Value of an option, "Acquire::http::Proxy"; case does not matter. '' is a value. */
  get(option: string): string | undefined;
  /** apt's booleans: yes, true, on, enable, with, 1 and their opposites; else `otherwise`. */
  flag(option: string, otherwise: boolean): boolean;
  /** Values below an option: list elements and named ones. */
  list(option: string): readonly string[];
}

/** Files of a directory of parts as apt takes them: with the extension or without any (90ubuntu-advantage), plain names. */
export function partsOf(root: RootView, directory: string, extension: string): readonly string[] {
  return root
    .list(directory)
    .filter((name) => /^[A-Za-z0-9_:.-]+$/.test(name) && !name.startsWith('.'))
    .filter((name) => !name.includes('.') || name.endsWith(`.${extension}`))
    .map((name) => `${directory}/${name}`);
}

/** Reads the configuration of an image. Files that do not parse count as far as they do, as for apt's own tools. */
export function readAptConfig(root: RootView): AptConfig {
  const values = new Map<string, string[]>();
  for (const path of [...partsOf(root, 'etc/apt/apt.conf.d', 'conf'), 'etc/apt/apt.conf'])
    readFile(root, path, values, 0);
  return configOf(values);
}

/** A configuration from text alone, for tests and for images without any. */
export function parseAptConfig(text: string): AptConfig {
  const values = new Map<string, string[]>();
  parse(text, values, () => {});
  return configOf(values);
}

/** Content of a file of the image, as byte string; undefined when there is none or it was not kept. */
export function readImageText(root: RootView, path: string): string | undefined {
  if (!root.readable(path)) return undefined;
  const bytes = root.read(path);
  return bytes ? byteString(bytes) : undefined;
}

const MAX_INCLUDES = 10;

function readFile(root: RootView, path: string, values: Map<string, string[]>, depth: number): void {
  const text = readImageText(root, path);
  if (text === undefined || depth > MAX_INCLUDES) return;
  parse(text, values, (included) => readFile(root, included, values, depth + 1));
}

function configOf(values: ReadonlyMap<string, readonly string[]>): AptConfig {
  const get = (option: string): string | undefined => values.get(option.toLowerCase())?.at(-1);
  return {
    get,
    flag(option, otherwise) {
      const value = get(option)?.toLowerCase();
      if (value === undefined) return otherwise;
      if (['yes', 'true', 'with', 'on', 'enable'].includes(value) || Number.parseInt(value, 10) > 0)
        return true;
      if (['no', 'false', 'without', 'off', 'disable', '0'].includes(value)) return false;
      return otherwise;
    },
    list(option) {
      const prefix = `${option.toLowerCase()}::`;
      const found: string[] = [];
      for (const [name, list] of values) if (name.startsWith(prefix)) found.push(...list);
      return found;
    },
  };
}

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|#(?!(?:include|clear)\b)[^\n]*|"([^"]*)"|([{};])|([^\s{};"]+)/y;

/** Words, quoted values and the signs `{ } ;` of the grammar; comments and white space go. */
function* tokens(text: string): Generator<{ sign?: string; word?: string; value?: string }> {
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const at = TOKEN.lastIndex;
    const [, value, sign, word] = match;
    if (value !== undefined) yield { value };
    else if (sign !== undefined) yield { sign };
    else if (word !== undefined) yield { word };
    TOKEN.lastIndex = at;
  }
}

function parse(text: string, values: Map<string, string[]>, include: (path: string) => void): void {
  const scopes: string[] = [''];
  let words: string[] = [];
  let quoted: string | undefined;
  const set = (option: string, value: string): void => {
    // "Name::" and an unnamed element append to a list, a plain name is replaced
    const key = option.toLowerCase();
    if (key.endsWith('::')) values.set(key, [...(values.get(key) ?? []), value]);
    else values.set(key, [value]);
  };
  const scoped = (name: string): string => {
    const scope = scopes.at(-1) as string;
    return scope === '' ? name : `${scope}::${name}`;
  };
  const finish = (): void => {
    const [first, second] = words;
    if (first === '#include' && (second ?? quoted) !== undefined) include((second ?? quoted) as string);
    else if (first === '#clear' && second !== undefined)
      for (const key of values.keys()) {
        const cleared = second.toLowerCase();
        if (key === cleared || key.startsWith(`${cleared}::`)) values.delete(key);
      }
    else if (first !== undefined && (quoted ?? second) !== undefined)
      set(scoped(first), (quoted ?? second) as string);
    else if (first === undefined && quoted !== undefined) set(scoped(''), quoted);
    words = [];
    quoted = undefined;
  };
  for (const token of tokens(text)) {
    if (token.word !== undefined) words.push(token.word);
    else if (token.value !== undefined) quoted = token.value;
    else if (token.sign === ';') finish();
    else if (token.sign === '{') {
      scopes.push(scoped(words[0] ?? ''));
      words = [];
    } else {
      finish();
      if (scopes.length > 1) scopes.pop();
    }
  }
}
