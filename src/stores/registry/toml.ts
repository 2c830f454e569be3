// As much TOML as registries.conf needs (https://toml.io/en/v1.0.0): tables, arrays of tables, strings, booleans,
// integers and arrays. Dates, floats, inline tables and multi-line strings are refused with their line.
import { OnlayError } from '../../errors.ts';

export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable | TomlTable[];
export interface TomlTable {
  [key: string]: TomlValue;
}

/** Throws CONFIG_INVALID with file and line. */
export function parseToml(text: string, path: string): TomlTable {
  const root: TomlTable = emptyTable();
  let table = root;
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const number = at + 1;
    const fail = (why: string): never => {
      throw new OnlayError('CONFIG_INVALID', `Cannot read ${path}: line ${number}: ${why}`);
    };
    let line = stripComment(lines[at] ?? '').trim();
    if (line === '') continue;
    if (line.startsWith('[')) {
      table = openTable(root, line, fail);
      continue;
    }
    const match =
      /^((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line);
    if (!match?.[1]) return fail('neither a table nor KEY = VALUE');
    // an array may go on over several lines
    while (line.slice(match[0].length).trim().startsWith('[') && !isClosed(line) && at + 1 < lines.length)
      line += ` ${stripComment(lines[++at] ?? '').trim()}`;
    const reader = new ValueReader(line.slice(match[0].length), fail);
    assign(table, splitKey(match[1]), reader.whole(), fail);
  }
  return root;
}

function emptyTable(): TomlTable {
  return Object.create(null) as TomlTable;
}

function splitKey(text: string): string[] {
  return (text.match(/[A-Za-z0-9_-]+|"[^"]*"|'[^']*'/g) ?? []).map((part) =>
    part.replace(/^(["'])(.*)\1$/, '$2'),
  );
}

function openTable(root: TomlTable, line: string, fail: (why: string) => never): TomlTable {
  const match = /^(\[\[?)([^[\]]+)(\]\]?)$/.exec(line);
  if (!match || match[1]?.length !== match[3]?.length) return fail('a table is written [name] or [[name]]');
  const keys = splitKey(match[2] ?? '');
  const last = keys.pop();
  if (last === undefined) return fail('a table without a name');
  const parent = keys.reduce((table, key) => descend(table, key, fail), root);
  if (match[1] === '[') return descend(parent, last, fail);
  const list = (parent[last] ??= []);
  if (!Array.isArray(list)) return fail(`${last} is no list of tables`);
  const table = emptyTable();
  list.push(table);
  return table;
}

// a list of tables stands for its last one: [[registry.mirror]] belongs to the [[registry]] above it
function descend(table: TomlTable, key: string, fail: (why: string) => never): TomlTable {
  const value = (table[key] ??= emptyTable());
  const inner: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof inner === 'object' && inner !== null ? (inner as TomlTable) : fail(`${key} is no table`);
}

function assign(table: TomlTable, keys: string[], value: TomlValue, fail: (why: string) => never): void {
  const last = keys.pop() ?? '';
  const target = keys.reduce((inner, key) => descend(inner, key, fail), table);
  if (last in target) fail(`${last} is set twice`);
  target[last] = value;
}

function stripComment(line: string): string {
  const match = /^(?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*')*/.exec(line);
  const rest = line.slice(match?.[0].length ?? 0);
  return rest.startsWith('#') ? line.slice(0, line.length - rest.length) : line;
}

function isClosed(line: string): boolean {
  const bare = line.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, '');
  return (bare.match(/\[/g)?.length ?? 0) <= (bare.match(/\]/g)?.length ?? 0);
}

class ValueReader {
  #rest: string;
  readonly #fail: (why: string) => never;

  constructor(text: string, fail: (why: string) => never) {
    this.#rest = text;
    this.#fail = fail;
  }

  whole(): TomlValue {
    const value = this.#value(0);
    return this.#rest.trim() === '' ? value : this.#fail('text after the value');
  }

  #value(depth: number): TomlValue {
    if (depth > 8) return this.#fail('arrays are nested too deeply');
    const text =
      this.#take(/^\s*"((?:[^"\\]|\\.)*)"/) ??
      this.#take(/^\s*'([^']*)'/) ??
      this.#take(/^\s*(true|false|[+-]?\d[\d_]*)\b/);
    if (text) return this.#scalar(text);
    if (!this.#take(/^\s*\[/)) return this.#fail('this kind of value is not supported');
    const values: TomlValue[] = [];
    while (!this.#take(/^\s*\]/)) {
      values.push(this.#value(depth + 1));
      if (!this.#take(/^\s*,/) && !/^\s*\]/.test(this.#rest)) return this.#fail('"," or "]" was expected');
    }
    return values;
  }

  #scalar([all, text = '']: RegExpExecArray): TomlValue {
    const opening = all.trimStart()[0];
    if (opening === '"') return this.#unescape(text);
    if (opening === "'") return text;
    return text === 'true' ? true : text === 'false' ? false : Number(text.replaceAll('_', ''));
  }

  #unescape(text: string): string {
    return text.replace(/\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)/g, (_all, escape: string) => {
      if (escape.length > 1) return String.fromCodePoint(parseInt(escape.slice(1), 16));
      return ESCAPES[escape] ?? this.#fail(`\\${escape} is no escape`);
    });
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#rest);
    if (match) this.#rest = this.#rest.slice(match[0].length);
    return match ?? undefined;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  '"': '"',
  '\\': '\\',
};
