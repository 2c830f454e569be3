// Hostile .apk files that are rightly signed: names that leave the root or break the database, links to elsewhere,
// members that are missing, doubled or made to explode; CVE-2021-30139 (names without end), apk-tools 6484ed98.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { tarHeader } from '../../src/archive/tar-write.ts';
import { controlDigest, readControl, readData, splitApk } from '../../src/packages/apk/apk-file.ts';
import { makeApk, makeKey, makeMembers, makeRepository, plainFile } from '../support/apks.ts';
import type { ToyFile } from '../support/apks.ts';
import { upgradeSystem, systemRoot, served } from '../support/apk-system.ts';

const read = (...files: readonly ToyFile[]): ReturnType<typeof readData> =>
  readData(splitApk(makeApk({ name: 'a', version: '1', files }), 'package'), 'package');

test('names that leave the root, are absolute, or hold control characters are refused', () => {
  for (const path of [
    '../etc/passwd',
    'usr/../../x',
    '/etc/passwd',
    'usr//x',
    './x',
    'usr/./x',
    '..',
    'a\nR:evil',
    'a\u0001b',
    'usr/\u007f',
  ])
    assert.throws(
      () => read({ path, content: 'x' }),
      { code: 'PACKAGE_INVALID', message: /unsafe name/ },
      JSON.stringify(path),
    );
});

test('names at the top that begin with a dot, and keepers of directories, are not extracted', () => {
  const entries = read(
    { path: '.hidden', content: 'x' },
    { path: 'usr', type: 'directory' },
    { path: 'usr/.keep_dir' },
    { path: 'usr/.real' },
  );
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['usr', 'usr/.real'],
  );
});

test('a hard link must lead to an earlier file of the package', () => {
  for (const link of ['../../etc/shadow', '/etc/shadow', 'later', 'usr'])
    assert.throws(
      () =>
        read(
          { path: 'usr', type: 'directory' },
          { path: 'usr/l', type: 'hardlink', link },
          { path: 'later' },
        ),
      { code: 'PACKAGE_INVALID', message: /hard link/ },
      link,
    );
});

test('a file may not appear twice', () => {
  assert.throws(() => read({ path: 'f', content: '1' }, { path: 'f', content: '2' }), {
    code: 'PACKAGE_INVALID',
    message: /twice/,
  });
});

test('names without end and damaged archives are refused', () => {
  assert.throws(() => read({ path: 'x/'.repeat(3000) + 'f' }), { code: /LIMIT_EXCEEDED|PACKAGE_INVALID/ });
  const { control, data } = makeMembers({ name: 'a', version: '1', files: [{ path: 'f', content: 'x' }] });
  for (const bytes of [
    new Uint8Array(),
    Buffer.from('hello'),
    control.subarray(0, 20),
    Buffer.from([0x1f, 0x8b, 8, 0xff]),
  ])
    assert.throws(() => splitApk(bytes, 'package'), { code: 'PACKAGE_INVALID' });
  assert.throws(
    () => readData(splitApk(Buffer.concat([control, data.subarray(0, -9)]), 'package'), 'package'),
    { code: 'PACKAGE_INVALID' },
  );
  assert.throws(() => readData(splitApk(Buffer.concat([control, data, data]), 'package'), 'package'), {
    code: 'PACKAGE_INVALID',
    message: /2 data members/,
  });
  assert.throws(() => readData(splitApk(control, 'package'), 'package'), { code: 'PACKAGE_INVALID' });
  const cut = gzipSync(
    Buffer.concat([
      tarHeader({ path: 'f', type: 'file', mode: 0, uid: 0, gid: 0, mtime: 0, size: 9999 }),
      Buffer.from('x'),
    ]),
  );
  assert.throws(() => readData(splitApk(Buffer.concat([control, cut]), 'package'), 'package'), {
    code: 'PACKAGE_INVALID',
  });
});

test('a control member that explodes is stopped, and its digest is known before the payload is decoded', () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  assert.throws(() => splitApk(bomb, 'package'), { code: 'LIMIT_EXCEEDED' });
  const { control } = makeMembers({ name: 'a', version: '1' });
  const parts = splitApk(Buffer.concat([control, gzipSync(Buffer.alloc(64 * 1024 * 1024))]), 'package');
  assert.match(controlDigest(parts), /^[0-9a-f]{40}$/);
});

test('the control member has one .PKGINFO, no script twice, and no signature', () => {
  const control = (...files: readonly Uint8Array[]): Parameters<typeof readControl>[0] =>
    splitApk(gzipSync(Buffer.concat(files)), 'package');
  const info = plainFile('.PKGINFO', 'pkgname = a\n');
  assert.throws(() => readControl(control(plainFile('.post-install', '')), 'package'), {
    code: 'PACKAGE_INVALID',
    message: /0 files .PKGINFO/,
  });
  assert.throws(() => readControl(control(info, info), 'package'), {
    code: 'PACKAGE_INVALID',
    message: /2 files .PKGINFO/,
  });
  assert.throws(
    () => readControl(control(info, plainFile('.trigger', ''), plainFile('.trigger', 'x')), 'package'),
    { code: 'PACKAGE_INVALID' },
  );
});

test('a symlink of the image or of a package does not lead a write out of the image', async () => {
  const key = makeKey('k.rsa.pub');
  const url = 'https://host/main';
  const fresh = {
    name: 'a',
    version: '2',
    files: [
      { path: 'usr', type: 'directory' as const },
      { path: 'usr/out', type: 'symlink' as const, link: '../../../../outside' },
      { path: 'usr/out/f', content: 'x' },
    ],
  };
  const root = systemRoot({ installed: [{ name: 'a', version: '1' }], keys: [key], repositories: [url] });
  const { draft } = await upgradeSystem(root, served(url, makeRepository([fresh], key).files)).catch(
    (error: unknown) => {
      assert.match(String(error), /no directory|CONFLICT|symlink/);
      return { draft: undefined };
    },
  );
  const paths = draft?.changes().changes.map(({ path }) => path) ?? [];
  assert.ok(paths.every((path) => !path.includes('..')));
});
