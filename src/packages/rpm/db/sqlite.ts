// rpmdb.sqlite: headers in the table Packages, one table for each index. Read and written by sql.js, whose export is in
// rollback-journal mode: unlike a write-ahead one, anybody can open it in a directory that is not writable. Tables, rows
// and numbers are as rpm leaves them; the physical order of pages is sqlite's.
import type { Database, SqlJsStatic } from 'sql.js';
import { OnlayError, hasCode, messageOf } from '../../../errors.ts';
import { byteString, fromByteString } from '../../../base/bytes.ts';
import type { RootPath } from '../../../rootfs/path.ts';
import { number, parseHeader } from '../header.ts';
import { Tag } from '../tags.ts';
import type {
  DatabaseChange,
  DatabaseFiles,
  DatabaseInput,
  HeaderDatabase,
  StoredHeader,
} from './backend.ts';
import { INDEX_TABLES, indexRows, type IndexTable } from './rows.ts';
import { applyWal } from './wal.ts';

export const SQLITE_MAGIC = 'SQLite format 3\0';

export async function openSqlite(input: DatabaseInput): Promise<HeaderDatabase> {
  const what = input.path;
  const journal = input.sibling(`${fileName(what)}-journal`);
  if (journal && journal.bytes.length > 0 && (journal.bytes[0] ?? 0) !== 0)
    throw new OnlayError(
      'DATABASE_INVALID',
      `Cannot read ${what}: a transaction was interrupted (${journal.path})`,
      {
        hint: 'open the database once with rpm in a container of this image, which rolls it back',
      },
    );
  const bytes = applyWal(
    input.bytes,
    input.sibling(`${fileName(what)}-wal`)?.bytes ?? new Uint8Array(),
    what,
  );
  const sql = await load();
  const headers = withDatabase(sql, bytes, what, (database) => {
    checkSchema(database, what);
    return readHeaders(database, what);
  });
  const bigEndian = byteOrder(sql, bytes, what, headers) ?? input.bigEndian;
  return {
    kind: 'sqlite',
    path: input.path,
    headers,
    write: (change) => Promise.resolve(write(sql, bytes, input, { headers, change, bigEndian })),
  };
}

let sqlJs: Promise<SqlJsStatic> | undefined;
function load(): Promise<SqlJsStatic> {
  sqlJs ??= import('sql.js').then((module) => module.default());
  return sqlJs;
}

function withDatabase<T>(
  sql: SqlJsStatic,
  bytes: Uint8Array,
  what: string,
  use: (database: Database) => T,
): T {
  const database = new sql.Database(bytes);
  try {
    return use(database);
  } catch (error) {
    if (hasCode(error, 'DATABASE_INVALID')) throw error;
    throw new OnlayError('DATABASE_INVALID', `Cannot read ${what}: ${messageOf(error)}`, { cause: error });
  } finally {
    database.close();
  }
}

/** Only what rpm creates: a trigger or a view of a crafted database would run inside our writes. */
function checkSchema(database: Database, what: string): void {
  const rows = database.exec('SELECT type, name, sql FROM sqlite_master')[0]?.values ?? [];
  for (const [type, name, statement] of rows) {
    const plain =
      (type === 'table' && /^CREATE TABLE\b/i.test(String(statement))) ||
      (type === 'index' && (statement === null || /^CREATE INDEX\b/i.test(String(statement))));
    if (!plain || /\b(?:GENERATED|CHECK)\b|\bAS\s*\(/i.test(String(statement)))
      throw new OnlayError(
        'DATABASE_INVALID',
        `Cannot read ${what}: it has a ${String(type)} ${String(name)} that rpm does not create`,
      );
  }
  if (!rows.some(([type, name]) => type === 'table' && name === 'Packages'))
    throw new OnlayError('DATABASE_INVALID', `Cannot read ${what}: it has no table Packages`);
}

function readHeaders(database: Database, what: string): readonly StoredHeader[] {
  const out: StoredHeader[] = [];
  const statement = database.prepare('SELECT hnum, blob FROM Packages ORDER BY hnum');
  while (statement.step()) {
    const [hnum, blob] = statement.get();
    if (typeof hnum !== 'number' || !(blob instanceof Uint8Array))
      throw new OnlayError('DATABASE_INVALID', `Cannot read ${what}: a row of Packages is not a header`);
    out.push({
      number: hnum,
      header: parseHeader(blob, { what: `package ${hnum} in ${what}`, code: 'DATABASE_INVALID' }),
    });
  }
  statement.free();
  return out;
}

/** Install times are keys in the byte order of the machine; told by the first that is not the same in both. */
function byteOrder(
  sql: SqlJsStatic,
  bytes: Uint8Array,
  what: string,
  headers: readonly StoredHeader[],
): boolean | undefined {
  const times = new Set(headers.map(({ header }) => number(header, Tag.installTid)));
  return withDatabase(sql, bytes, what, (database) => {
    const keys = database.exec('SELECT DISTINCT key FROM Installtid LIMIT 100')[0]?.values ?? [];
    for (const [key] of keys) {
      if (!(key instanceof Uint8Array) || key.length !== 4) continue;
      const raw = Buffer.from(key);
      if (times.has(raw.readUInt32LE()) !== times.has(raw.readUInt32BE()))
        return times.has(raw.readUInt32BE());
    }
    return undefined;
  });
}

interface Writing {
  readonly headers: readonly StoredHeader[];
  readonly change: DatabaseChange;
  readonly bigEndian: boolean;
}

function write(sql: SqlJsStatic, bytes: Uint8Array, input: DatabaseInput, writing: Writing): DatabaseFiles {
  const { change, bigEndian } = writing;
  const what = input.path;
  const exported = withDatabase(sql, bytes, what, (database) => {
    const check = database.exec('PRAGMA quick_check(1)')[0]?.values[0]?.[0];
    if (check !== 'ok') throw new OnlayError('DATABASE_INVALID', `Cannot change ${what}: ${String(check)}`);
    database.run('BEGIN');
    for (const table of INDEX_TABLES) createTable(database, table);
    for (const hnum of change.removed) {
      for (const table of INDEX_TABLES) database.run(`DELETE FROM '${table.name}' WHERE hnum = ?`, [hnum]);
      database.run('DELETE FROM Packages WHERE hnum = ?', [hnum]);
    }
    let next = highest(database) + 1;
    for (const blob of change.added) {
      database.run('INSERT INTO Packages (hnum, blob) VALUES (?, ?)', [next, blob]);
      const header = parseHeader(blob, { what: `package ${next} for ${what}`, code: 'INTERNAL' });
      for (const table of INDEX_TABLES) {
        const statement = database.prepare(
          `INSERT INTO '${table.name}' (key, hnum, idx) VALUES (${table.key === 'TEXT' ? 'CAST(? AS TEXT)' : '?'}, ?, ?)`,
        );
        // keys go in as bytes, because names are not always UTF-8
        for (const row of indexRows(header, table, bigEndian))
          statement.run([fromByteString(row.key), next, row.index]);
        statement.free();
      }
      next++;
    }
    database.run('COMMIT');
    return database.export();
  });
  const removed: RootPath[] = [];
  for (const suffix of ['-wal', '-shm', '-journal']) {
    const sibling = input.sibling(fileName(what) + suffix);
    if (sibling) removed.push(sibling.path);
  }
  return { written: new Map([[input.path, exported]]), removed };
}

function createTable(database: Database, table: IndexTable): void {
  const { name } = table;
  database.run(
    `CREATE TABLE IF NOT EXISTS '${name}' (key '${table.key}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))`,
  );
  if (table.key === 'TEXT')
    database.run(`CREATE INDEX IF NOT EXISTS '${name}_key_idx' ON '${name}'(key ASC)`);
  if (table.array) database.run(`CREATE INDEX IF NOT EXISTS '${name}_hnum_idx' ON '${name}'(hnum ASC)`);
}

function highest(database: Database): number {
  const sequence = database.exec("SELECT seq FROM sqlite_sequence WHERE name = 'Packages'")[0]
    ?.values[0]?.[0];
  const stored = database.exec('SELECT max(hnum) FROM Packages')[0]?.values[0]?.[0];
  return Math.max(Number(sequence ?? 0), Number(stored ?? 0));
}

function fileName(path: RootPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** True for the content of a sqlite file. */
export function isSqlite(bytes: Uint8Array): boolean {
  return byteString(bytes.subarray(0, 16)) === SQLITE_MAGIC;
}
