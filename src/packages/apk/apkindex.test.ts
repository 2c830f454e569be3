import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { projectRoot, sharedFolder } from '../../../test/support/project.ts';
import { openIndex, parseIndex } from './apkindex.ts';
import { checkDataHash, controlDigest, infoValue, readControl, readData, splitApk } from './apk-file.ts';

function key(folder: string, file: string, name: string): { name: string; pem: string; anyName: boolean } {
  return { name, pem: readFileSync(join(folder, file), 'latin1'), anyName: false };
}

test('openIndex() verifies a genuine index signed with RSA256', () => {
  const folder = join(projectRoot, 'fixtures/apk/index-rsa256');
  const index = openIndex(readFileSync(join(folder, 'APKINDEX.tar.gz')), {
    what: 'index',
    keys: [key(folder, 'test-rsa256.rsa.pub', 'test-rsa256.rsa.pub')],
    allowUnsigned: false,
    log: silentLog,
  });
  assert.equal(index.signedBy, 'test-rsa256.rsa.pub');
  assert.ok(index.entries.length > 0);
});

test('a genuine index and a genuine package of Alpine 3.17 are read', (t) => {
  const shared = sharedFolder();
  if (shared === undefined) return t.skip('the packages of ../shared/data are missing');
  const folder = join(shared, 'data/apk');
  const alpine = openIndex(readFileSync(join(folder, 'alpine-317-APKINDEX.tar.gz')), {
    what: 'index',
    keys: [],
    allowUnsigned: true,
    log: silentLog,
  });
  assert.equal(alpine.signedBy, undefined);
  assert.equal(alpine.entries.length, 5004);
  const baselayout = alpine.entries.find(({ name }) => name === 'alpine-baselayout');
  const bytes = readFileSync(join(folder, 'alpine-317-alpine-baselayout-3.4.0-r0.apk'));
  assert.equal(baselayout?.version, '3.4.0-r0');
  const parts = splitApk(bytes, 'package');
  const { info, scripts } = readControl(parts, 'package');
  checkDataHash(parts, info, 'package');
  assert.equal(infoValue(info, 'pkgname'), 'alpine-baselayout');
  assert.deepEqual(
    scripts.map(({ kind }) => kind),
    ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade'],
  );
  assert.match(controlDigest(parts), /^[0-9a-f]{40}$/);
  const entries = readData(parts, 'package');
  assert.ok(entries.some(({ path, type }) => path === 'var/run' && type === 'symlink'));
});

test('a genuine package of Wolfi is read, its files checked, its SBOM among them', (t) => {
  const shared = sharedFolder();
  if (shared === undefined) return t.skip('the packages of ../shared/data are missing');
  const parts = splitApk(readFileSync(join(shared, 'data/apk/hello-wolfi-2.12.1-r0.apk')), 'package');
  const { info } = readControl(parts, 'package');
  checkDataHash(parts, info, 'package');
  const paths = readData(parts, 'package').map(({ path }) => path);
  assert.ok(paths.includes('usr/bin/hello'));
  assert.ok(paths.some((path) => /^var\/lib\/db\/sbom\/.*\.spdx\.json$/.test(path)));
});

test('parseIndex() leaves records out whose names could not be part of a URL', () => {
  const record = (name: string, version = '1-r0', sum = 'Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA='): string =>
    `C:${sum}\nP:${name}\nV:${version}\nA:x86_64\nS:1\nI:1\n\n`;
  const text = [
    record('good'),
    record('gtk+3.0'),
    record('../../evil'),
    record('a', '1/../2'),
    record('a?x=1'),
    record('a', '1-r0', 'Q2abc'),
    record('last').trimEnd(),
  ].join('');
  assert.deepEqual(
    parseIndex(text, 'index').map(({ name }) => name),
    ['good', 'gtk+3.0', 'last'],
  );
  assert.throws(() => parseIndex('no field\n', 'index'), { code: 'INDEX_INVALID' });
});
