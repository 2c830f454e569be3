// What we compute of a package against the real apk: `apk index` on generated packages must give the checksum, size and
// fields that planning and the database rely on, and `apk verify` must agree on what is signed.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { byteString } from '../../src/base/bytes.ts';
import { readTarBytes } from '../../src/archive/tar-read.ts';
import { parseIndex } from '../../src/packages/apk/apkindex.ts';
import { controlDigest, readControl, splitApk, xattrsChecksum } from '../../src/packages/apk/apk-file.ts';
import { newRecord } from '../../src/packages/apk/records.ts';
import { makeApk, makeKey } from '../support/apks.ts';
import type { ToyApk } from '../support/apks.ts';
import { missingTools } from '../support/root-from-directory.ts';
import { NO_APK, RealApk } from './alpine-apk.ts';

const PACKAGES: readonly ToyApk[] = [
  {
    name: 'plain',
    version: '1.0-r0',
    files: [
      { path: 'usr', type: 'directory' },
      { path: 'usr/f', content: 'x' },
    ],
  },
  {
    name: 'lists',
    version: '2.0_rc1-r3',
    origin: 'other',
    depends: ['plain>=1.0', 'so:libc.musl-x86_64.so.1', '!bad', 'fuzzy~1.2', 'near~=1.2', '/bin/sh'],
    provides: ['so:liblists.so.2=2.0', 'cmd:lists=2.0_rc1-r3', 'virtual'],
    installIf: ['plain=1.0-r0', 'docs'],
    priority: 10,
  },
];

test('checksums, sizes and fields of packages are those of `apk index`', (t) => {
  using apk = RealApk.open();
  if (!apk) return t.skip(NO_APK);
  const folder = apk.folder();
  const files = PACKAGES.map((item) => join(folder, `${item.name}-${item.version}.apk`));
  for (const [index, item] of PACKAGES.entries())
    writeFileSync(files[index] as string, makeApk(item, makeKey('toy.rsa.pub')));
  const list = join(folder, 'list');
  writeFileSync(list, '');
  const result: { status: number; output: string } = apk.runWith(
    list,
    folder,
    'index',
    '-o',
    join(folder, 'index'),
    ...files,
  );
  assert.equal(result.status, 0, result.output);
  const tar = readTarBytes(gunzipSync(readFileSync(join(folder, 'index'))), {
    dialect: 'apk',
    requireEnd: false,
  });
  const text = tar.find(({ header }) => header.path === 'APKINDEX')?.content ?? new Uint8Array();
  const entries = parseIndex(byteString(text), 'index');
  assert.equal(entries.length, PACKAGES.length);
  for (const [index, item] of PACKAGES.entries()) {
    const bytes = readFileSync(files[index] as string);
    const parts = splitApk(bytes, item.name);
    const checksum = `Q1${Buffer.from(controlDigest(parts), 'hex').toString('base64')}`;
    const { fields } = newRecord(readControl(parts, item.name).info, {
      checksum,
      arch: 'x86_64',
      size: bytes.length,
      tag: '',
    });
    const real = entries.find(({ name }) => name === item.name);
    assert.deepEqual(
      {
        checksum: real?.checksum,
        version: real?.version,
        origin: real?.origin,
        size: String(real?.size),
        installedSize: String(real?.installedSize),
        priority: String(real?.priority),
        depends: real?.depends,
        provides: real?.provides,
        installIf: real?.installIf,
      },
      {
        checksum,
        version: fields.get('V'),
        origin: fields.get('o'),
        size: fields.get('S'),
        installedSize: fields.get('I'),
        priority: fields.get('k') || '0',
        depends: fields.get('D'),
        provides: fields.get('p'),
        installIf: fields.get('i'),
      },
    );
  }
});

test('the checksum of extended attributes in the database is that of apk', (t) => {
  const missing = missingTools('tar');
  using apk = missing === undefined ? RealApk.open() : undefined;
  if (!apk) return t.skip(missing ?? NO_APK);
  const folder = apk.folder();
  const root = join(folder, 'root');
  mkdirSync(root);
  const xattrs = { 'user.b': 'two', 'user.a': 'one\0' };
  const file = join(folder, 'x-1.apk');
  writeFileSync(file, makeApk({ name: 'x', version: '1', files: [{ path: 'f', content: 'x', xattrs }] }));
  writeFileSync(join(folder, 'list'), '');
  const result: { status: number; output: string } = apk.runWith(
    join(folder, 'list'),
    root,
    'add',
    '--initdb',
    '--no-scripts',
    file,
  );
  assert.equal(result.status, 0, result.output);
  const installed = readFileSync(join(root, 'lib/apk/db/installed'), 'latin1');
  const expected = xattrsChecksum(
    new Map(Object.entries(xattrs).map(([name, value]) => [name, Buffer.from(value)])),
  );
  assert.match(installed, new RegExp(`^a:0:0:644:${expected.replace(/[+/]/g, '\\$&')}$`, 'm'));
});
