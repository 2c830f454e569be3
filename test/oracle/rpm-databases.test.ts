// Real rpm databases in all three formats: what we read is what rpm reads, what we write keeps every untouched header
// byte for byte, and rpm, BerkeleyDB's verifier and an independent reader (oracles/rpm/rpmdb.py) accept it.
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { rootPath } from '../../src/rootfs/path.ts';
import type { HeaderDatabase } from '../../src/packages/rpm/db/backend.ts';
import { isBdb, openBdb } from '../../src/packages/rpm/db/bdb.ts';
import { isNdb, openNdb } from '../../src/packages/rpm/db/ndb.ts';
import { INDEX_TABLES, indexRows } from '../../src/packages/rpm/db/rows.ts';
import { openSqlite } from '../../src/packages/rpm/db/sqlite.ts';
import { text } from '../../src/packages/rpm/header.ts';
import { headerEvr } from '../../src/packages/rpm/scripts.ts';
import { readNdbIndex } from '../support/ndb-index.ts';
import { sharedFolder } from '../support/project.ts';
import { hasTool, runTool } from '../support/tool.ts';

const shared = sharedFolder();
const NEEDS = 'needs the real databases beside the project, python3, rpm, tar and xz';

interface Sample {
  readonly name: string;
  /** Puts the database's directory at `to` and answers the file. */
  readonly place: (to: string) => string;
  readonly packages: number;
}

const copyAs =
  (file: string, as: string) =>
  (to: string): string => {
    mkdirSync(to, { recursive: true });
    cpSync(join(shared ?? '', 'data/rpm', file), join(to, as));
    chmodSync(join(to, as), 0o644);
    return join(to, as);
  };
const extract =
  (archive: string, file: string) =>
  (to: string): string => {
    mkdirSync(to, { recursive: true });
    runTool('tar', ['-xJf', join(shared ?? '', 'data/rpm', archive), '-C', to, 'var/lib/rpm']);
    return join(to, 'var/lib/rpm', file);
  };

const SAMPLES: readonly Sample[] = [
  {
    name: 'CBL-Mariner 2.0, sqlite',
    place: copyAs('rpmdb-cbl-mariner-2.0-rpmdb.sqlite', 'rpmdb.sqlite'),
    packages: 129,
  },
  {
    name: 'AlmaLinux 9 aarch64, sqlite',
    place: extract('almalinux-9-micro-aarch64-rootfs.tar.xz', 'rpmdb.sqlite'),
    packages: 23,
  },
  { name: 'SLE 15 BCI, ndb', place: copyAs('rpmdb-sle15-bci-Packages.db', 'Packages.db'), packages: 35 },
  { name: 'one package, BerkeleyDB', place: copyAs('rpmdb-libuuid-Packages', 'Packages'), packages: 1 },
  {
    name: 'AlmaLinux 8 s390x, BerkeleyDB, big-endian',
    place: extract('almalinux-8-micro-s390x-rootfs.tar.xz', 'Packages'),
    packages: 20,
  },
];

function ready(): boolean {
  return shared !== undefined && ['python3', 'rpm', 'tar', 'xz'].every(hasTool);
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rpmdb-'));
  try {
    chmodSync(folder, 0o755);
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function open(file: string): Promise<HeaderDatabase> {
  const bytes = readFileSync(file);
  const input = {
    path: rootPath(basename(file)),
    bytes,
    bigEndian: false,
    sibling: (name: string) => {
      const path = join(dirname(file), name);
      return existsSync(path) ? { path: rootPath(name), bytes: readFileSync(path) } : undefined;
    },
  };
  return isBdb(bytes) ? openBdb(input) : isNdb(bytes) ? openNdb(input) : openSqlite(input);
}

/** Writes what a change makes of the directory of `file` into `to`. */
async function rewrite(
  file: string,
  to: string,
  change: Parameters<HeaderDatabase['write']>[0],
): Promise<string> {
  const database = await open(file);
  const { written, removed } = await database.write(change);
  cpSync(dirname(file), to, { recursive: true });
  for (const path of removed) rmSync(join(to, path));
  for (const [path, bytes] of written) writeFileSync(join(to, path), bytes);
  return join(to, basename(file));
}

function independent(...args: readonly string[]): string {
  const script = join(shared ?? '', 'oracles/rpm/rpmdb.py');
  return runTool('python3', ['-B', script, ...args]).toString();
}

function nevra(header: HeaderDatabase['headers'][number]['header']): string {
  const arch = text(header, 1022);
  return `${text(header, 1000)}-${headerEvr(header)}${arch === undefined ? '' : `.${arch}`}`;
}

for (const sample of SAMPLES) {
  test(`${sample.name}: the packages are those rpm lists`, async (t) => {
    if (!ready()) return t.skip(NEEDS);
    await inFolder(async (folder) => {
      const file = sample.place(join(folder, 'db'));
      const database = await open(file);
      assert.equal(database.headers.length, sample.packages);
      if (database.kind === 'ndb') return; // this machine's rpm has no ndb
      const { stdout } = spawnSync('rpm', ['--dbpath', dirname(file), '-qa', '--qf', '%{NEVRA}\\n'], {
        encoding: 'utf8',
      });
      assert.deepEqual(
        database.headers.map(({ header }) => nevra(header)).sort(),
        stdout.trim().split('\n').sort(),
      );
    });
  });

  test(`${sample.name}: written without a change, every header and row is the same`, async (t) => {
    if (!ready()) return t.skip(NEEDS);
    await inFolder(async (folder) => {
      const file = sample.place(join(folder, 'db'));
      const copy = await rewrite(file, join(folder, 'copy'), { removed: new Set(), added: [] });
      assert.equal(independent('headers', copy), independent('headers', file));
      independent('verify', copy);
    });
  });

  test(`${sample.name}: packages come and go, everything else stays, all indexes fit`, async (t) => {
    if (!ready()) return t.skip(NEEDS);
    await inFolder(async (folder) => {
      const file = sample.place(join(folder, 'db'));
      const database = await open(file);
      const [first, , , fourth] = database.headers;
      const going = [first, fourth].filter((one) => one !== undefined);
      const copy = await rewrite(file, join(folder, 'copy'), {
        removed: new Set(going.map(({ number }) => number)),
        added: going.map(({ header }) => header.blob),
      });
      independent('verify', copy);
      const after = await open(copy);
      const numbers = new Set(going.map(({ number }) => number));
      for (const { number, header } of database.headers) {
        const now = after.headers.find((one) => one.number === number);
        if (numbers.has(number)) assert.equal(now, undefined, 'numbers are not used again');
        else assert.deepEqual(now?.header.blob, header.blob);
      }
      if (database.kind === 'bdb' && hasTool('db5.3_verify'))
        for (const name of readdirSync(dirname(copy)).filter((one) => !one.startsWith('.')))
          runTool('db5.3_verify', ['-q', join(dirname(copy), name)]);
      if (database.kind === 'sqlite') {
        runTool('rpmdb', ['--dbpath', dirname(copy), '--verifydb']);
        // anybody can read it in a directory that is not writable
        for (const name of readdirSync(dirname(copy))) if (/-(?:wal|shm)$/.test(name)) assert.fail(name);
        if (process.getuid?.() === 0 && hasTool('setpriv')) {
          const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'env', 'HOME=/nonexistent'];
          const { status } = spawnSync('setpriv', [
            ...user,
            'rpm',
            '--dbpath',
            dirname(copy),
            '-q',
            text(first?.header as never, 1000) ?? '',
          ]);
          assert.equal(status, 0);
        }
      }
    });
  });
}

test('Index.db answers every lookup that the headers promise, and no other', async (t) => {
  if (!ready()) return t.skip(NEEDS);
  await inFolder(async (folder) => {
    const file = SAMPLES[2]?.place(join(folder, 'db')) ?? assert.fail();
    writeFileSync(join(dirname(file), 'Index.db'), 'stale');
    const database = await open(file);
    const [first] = database.headers;
    const copy = await rewrite(file, join(folder, 'copy'), {
      removed: new Set([first?.number ?? 0]),
      added: [first?.header.blob ?? assert.fail()],
    });
    independent('verify', copy);
    const index = readNdbIndex(readFileSync(join(dirname(copy), 'Index.db')));
    assert.equal(index.userGeneration, readFileSync(copy).readUInt32LE(8));
    for (const table of INDEX_TABLES) {
      const expected = new Map<string, string[]>();
      for (const { number, header } of (await open(copy)).headers)
        for (const row of new Set(
          indexRows(header, table, false).map(({ key, index: at }) => `${key}\n${at}`),
        )) {
          const [key = '', at = ''] = row.split(/\n(?=\d+$)/);
          expected.set(key, [...(expected.get(key) ?? []), `${number} ${at}`]);
        }
      const found = index.tables.get(table.tag) ?? assert.fail(`no table ${table.name}`);
      for (const [key, rows] of expected)
        assert.deepEqual(found.lookup(key).sort(), rows.sort(), `${table.name} ${key}`);
      assert.equal(found.used, [...expected.values()].flat().length, table.name);
      assert.deepEqual(found.lookup('nothing has this name'), []);
    }
  });
});

test('a write-ahead log that was not copied back yet is applied', async (t) => {
  if (!ready()) return t.skip(NEEDS);
  await inFolder(async (folder) => {
    const file = SAMPLES[1]?.place(join(folder, 'db')) ?? assert.fail();
    const before = await open(file);
    const victim = before.headers[2]?.number ?? 0;
    // the connection is killed, so that nobody copies the log back
    const script = `import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.execute("pragma journal_mode=wal"); db.execute("pragma wal_autocheckpoint=0")
db.execute("delete from Packages where hnum=?", (int(sys.argv[2]),))
for (name,) in db.execute("select name from sqlite_master where type='table' and name not like 'sqlite_%' and name != 'Packages'").fetchall():
    db.execute("delete from '%s' where hnum=?" % name, (int(sys.argv[2]),))
db.commit(); db.execute("delete from Packages"); sys.stdout.flush(); os._exit(0)`;
    runTool('python3', ['-c', script, file, String(victim)]);
    assert.ok(readFileSync(`${file}-wal`).length > 0);
    const database = await open(file);
    assert.deepEqual(
      database.headers.map(({ number }) => number),
      before.headers.map(({ number }) => number).filter((number) => number !== victim),
      'what was committed counts, what was not does not',
    );
    const { written, removed } = await database.write({ removed: new Set(), added: [] });
    assert.ok(removed.includes(rootPath(`${basename(file)}-wal`)));
    const copy = join(folder, 'rpmdb.sqlite');
    writeFileSync(copy, written.get(rootPath('rpmdb.sqlite')) ?? assert.fail());
    independent('verify', copy);
    assert.deepEqual(
      [...readFileSync(copy).subarray(18, 20)],
      [1, 1],
      'rollback journal: readable for everybody',
    );
  });
});
