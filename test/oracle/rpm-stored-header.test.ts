// The header blob that the database gets: byte for byte what real rpm stores when it installs the same package.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootPath } from '../../src/rootfs/path.ts';
import { openSqlite } from '../../src/packages/rpm/db/sqlite.ts';
import { data, number } from '../../src/packages/rpm/header.ts';
import { storedBlob } from '../../src/packages/rpm/header-write.ts';
import { checkDigests, parseRpm } from '../../src/packages/rpm/rpm-file.ts';
import { unpackPayload } from '../../src/packages/rpm/unpack.ts';
import { sharedFolder } from '../support/project.ts';
import { craftRpm } from '../support/rpm-craft.ts';
import { NO_RPM, rpmSystem } from '../support/rpm-system.ts';

test('stored headers are byte-identical to those of rpm', { timeout: 120_000 }, async (t) => {
  const shared = sharedFolder();
  using system = rpmSystem();
  if (!system) return t.skip(NO_RPM);
  const crafted = system.write('crafted', [
    { name: 'empty' },
    {
      name: 'files',
      epoch: 3,
      arch: 'x86_64',
      files: [
        { path: '/opt/a', content: 'a' },
        { path: '/opt/g', flags: 64 },
      ],
      requires: ['(a if b)', 'c >= 1'],
    },
  ]);
  const real = shared
    ? readdirSync(join(shared, 'data/rpm'))
        .filter((name) => name.endsWith('.rpm') && !name.includes('corrupted'))
        .map((name) => join(shared, 'data/rpm', name))
    : [];
  if (!shared) t.diagnostic('without the real packages beside the project only crafted ones are compared');
  for (const [index, file] of [...crafted, ...real].entries()) {
    const root = system.makeRoot(`root-${index}`);
    const installed = system.rpm(
      root,
      '-i',
      '--nodeps',
      '--noscripts',
      '--nosignature',
      '--ignorearch',
      file,
    );
    assert.equal(installed.status, 0, installed.stderr);
    const database = await openSqlite({
      path: rootPath('rpmdb.sqlite'),
      bytes: readFileSync(join(root, 'var/lib/rpm/rpmdb.sqlite')),
      bigEndian: false,
      sibling: (name) => {
        const bytes = readFileSync(join(root, 'var/lib/rpm', name), { flag: 'a+' });
        return { path: rootPath(name), bytes };
      },
    });
    const [stored] = database.headers;
    assert.ok(stored && database.headers.length === 1);
    const rpm = parseRpm(readFileSync(file), file);
    checkDigests(rpm, file);
    const payload = await unpackPayload(rpm, file);
    assert.equal(payload.files.length, data(stored.header, 1029)?.length ?? 0);
    const time = number(stored.header, 1008) ?? 0;
    const blob = Buffer.from(
      storedBlob(
        rpm.signature,
        rpm.header,
        { time, color: 3, fileStates: data(stored.header, 1029) ?? new Uint8Array(), keepOpenpgp: false },
        file,
      ),
    );
    // the id of the transaction is when it began, which may be a second before
    const theirs = Buffer.from(stored.header.blob);
    for (const one of [blob, theirs]) one.writeUInt32BE(0, one.length - 4);
    assert.ok(blob.equals(theirs), file);
  }
});

test('a crafted package is what rpm takes for one', (t) => {
  using system = rpmSystem();
  if (!system) return t.skip(NO_RPM);
  const bytes = craftRpm({ name: 'x', files: [{ path: '/opt/x', content: 'x' }] });
  assert.ok(bytes.length > 96);
  const [file = ''] = system.write('x', [{ name: 'x', files: [{ path: '/opt/x', content: 'x' }] }]);
  const root = system.makeRoot('root');
  assert.equal(system.rpm(root, '-K', '--nosignature', file).status, 0);
});
