// Hostile rpm databases (catalogue R-c, L20): damaged files of all three formats, schemas that would run inside our
// writes, several databases. Refused as DATABASE_INVALID, never a crash, never silently less.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import initSqlJs from 'sql.js';
import { hasCode, messageOf } from '../../src/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { rpm } from '../../src/packages/rpm/family.ts';
import { craftEntries, craftHeader, type CraftedPackage } from '../support/rpm-craft.ts';
import { craftDatabase } from '../support/rpm-image.ts';
import { memoryRoot } from '../support/memory-root.ts';
import { sharedFolder } from '../support/project.ts';
import { randomNumbers } from '../support/random.ts';

const PACKAGES: readonly CraftedPackage[] = [
  { name: 'a', files: [{ path: '/opt/a', content: 'a' }] },
  { name: 'b' },
  { name: 'c' },
];

async function open(files: Parameters<typeof memoryRoot>[0]): Promise<readonly string[]> {
  const database = await rpm.open({
    root: memoryRoot(files),
    distro: undefined,
    imageArch: 'amd64',
    log: silentLog,
  });
  return (database?.packages ?? []).map(({ name }) => name);
}

const invalid = (error: unknown): boolean => {
  assert.ok(hasCode(error, 'DATABASE_INVALID'), messageOf(error));
  return true;
};

/** Damages `bytes` in many ways; every reading ends in packages or in DATABASE_INVALID. */
async function survive(path: string, bytes: Buffer, times: number): Promise<void> {
  const random = randomNumbers(times);
  let refused = 0;
  for (let i = 0; i < times; i++) {
    const damaged = Buffer.from(bytes);
    const kind = random();
    // most damage goes where the structure is: the beginning
    const at = Math.floor(random() * (random() < 0.7 ? Math.min(4608, damaged.length) : damaged.length));
    if (kind < 0.6) damaged[at] = Math.floor(random() * 256);
    else if (kind < 0.8) damaged.fill(random() < 0.5 ? 0 : 255, at, at + 4);
    try {
      await open({ [path]: kind < 0.8 ? damaged : damaged.subarray(0, at) });
    } catch (error) {
      invalid(error);
      refused++;
    }
  }
  assert.ok(refused > 0, 'some damage was found');
}

test('a damaged ndb database never does more than be refused', () =>
  survive('var/lib/rpm/Packages.db', craftDatabase(PACKAGES), 300));

test('an ndb database with wrong frames, overlaps or checksums is refused', async () => {
  const damages: readonly (readonly [string, (bytes: Buffer) => void])[] = [
    ['a flipped bit in a header', (bytes) => void (bytes[4096 + 100] = (bytes[4096 + 100] ?? 0) ^ 1)],
    ['two slots of one package', (bytes) => void bytes.writeUInt32LE(1, 32 + 16 + 4)],
    ['blobs that overlap', (bytes) => void bytes.writeUInt32LE(bytes.readUInt32LE(32 + 8), 32 + 16 + 8)],
    ['a blob among the slots', (bytes) => void bytes.writeUInt32LE(1, 32 + 8)],
    ['a blob behind the end', (bytes) => void bytes.writeUInt32LE(0x0fffffff, 32 + 12)],
    ['a number beyond the next', (bytes) => void bytes.writeUInt32LE(99, 32 + 4)],
    ['slots behind the end', (bytes) => void bytes.writeUInt32LE(4000, 12)],
    ['another version', (bytes) => void bytes.writeUInt32LE(1, 4)],
  ];
  for (const [name, damage] of damages) {
    const bytes = craftDatabase(PACKAGES);
    damage(bytes);
    await assert.rejects(open({ 'var/lib/rpm/Packages.db': bytes }), invalid, name);
  }
});

test('a damaged BerkeleyDB never does more than be refused', async (t) => {
  const shared = sharedFolder();
  if (!shared) return t.skip('needs the real databases beside the project');
  await survive('var/lib/rpm/Packages', readFileSync(join(shared, 'data/rpm/rpmdb-libuuid-Packages')), 300);
});

async function sqlite(statements: readonly string[]): Promise<Buffer> {
  const { Database } = await initSqlJs();
  const database = new Database();
  database.run("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)");
  const blob = craftHeader(craftEntries({ name: 'a' }), 63);
  database.run('INSERT INTO Packages (blob) VALUES (?)', [blob]);
  database.run(
    "CREATE TABLE 'Installtid' (key 'BLOB' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)",
  );
  for (const statement of statements) database.run(statement);
  const bytes = Buffer.from(database.export());
  database.close();
  return bytes;
}

test('a damaged sqlite database never does more than be refused', async () => {
  const bytes = await sqlite([]);
  assert.deepEqual(await open({ 'var/lib/rpm/rpmdb.sqlite': bytes }), ['a']);
  await survive('var/lib/rpm/rpmdb.sqlite', bytes, 200);
});

test('a sqlite database with triggers, views or checks is refused: they would run inside our writes', async () => {
  for (const statement of [
    "CREATE TRIGGER t AFTER DELETE ON Packages BEGIN INSERT INTO Packages (blob) VALUES (x'00'); END",
    'CREATE VIEW Name AS SELECT 1 AS key',
    "CREATE TABLE Name (key 'TEXT' CHECK (length(key) < 9), hnum, idx)",
    "CREATE TABLE Name (key 'TEXT', hnum, idx AS (zeroblob(9)))",
  ])
    await assert.rejects(open({ 'var/lib/rpm/rpmdb.sqlite': await sqlite([statement]) }), invalid, statement);
});

test('a sqlite database without packages, or with rows that are no headers, is refused', async () => {
  await assert.rejects(open({ 'var/lib/rpm/rpmdb.sqlite': await sqlite(['DROP TABLE Packages']) }), invalid);
  await assert.rejects(
    open({ 'var/lib/rpm/rpmdb.sqlite': await sqlite(["UPDATE Packages SET blob = x'00'"]) }),
    invalid,
  );
  await assert.rejects(
    open({ 'var/lib/rpm/rpmdb.sqlite': await sqlite(["UPDATE Packages SET blob = 'text'"]) }),
    invalid,
  );
});

test('an interrupted transaction, a wrong name and several databases are refused by name', async () => {
  const bytes = await sqlite([]);
  const journal = Buffer.from('d9d505f920a163d7', 'hex');
  await assert.rejects(
    open({ 'var/lib/rpm/rpmdb.sqlite': bytes, 'var/lib/rpm/rpmdb.sqlite-journal': journal }),
    /interrupted/,
  );
  await assert.rejects(open({ 'var/lib/rpm/Packages.db': bytes }), /not what its name says/);
  await assert.rejects(
    open({ 'var/lib/rpm/rpmdb.sqlite': bytes, 'usr/lib/sysimage/rpm/rpmdb.sqlite': bytes }),
    /several rpm databases/,
  );
});

test('one database under two names is one, and a stale older one beside it does not count', async () => {
  const bytes = await sqlite([]);
  assert.deepEqual(
    await open({
      'usr/lib/sysimage/rpm/rpmdb.sqlite': bytes,
      'var/lib/rpm': { link: '../../usr/lib/sysimage/rpm' },
    }),
    ['a'],
  );
  assert.deepEqual(
    await open({ 'var/lib/rpm/rpmdb.sqlite': bytes, 'var/lib/rpm/Packages.db': craftDatabase(PACKAGES) }),
    ['a'],
  );
});

test('a write-ahead log that lies about its size is refused or ignored', async () => {
  const bytes = await sqlite([]);
  const random = randomNumbers(3);
  for (let i = 0; i < 100; i++) {
    const wal = Buffer.from(Array.from({ length: 32 + 24 + 4096 }, () => Math.floor(random() * 256)));
    wal.writeUInt32BE(0x377f0682 + (i % 2), 0);
    wal.writeUInt32BE(i % 3 === 0 ? 4096 : Math.floor(random() * 2 ** 32), 8);
    await open({ 'var/lib/rpm/rpmdb.sqlite': bytes, 'var/lib/rpm/rpmdb.sqlite-wal': wal }).catch(invalid);
  }
});
