import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { byteString, fromByteString } from '../../base/bytes.ts';
import { makeAr, makeDeb } from '../../../test/support/debs.ts';
import { dir, file, hardLink, symlink, tarOf } from '../../../test/support/layers.ts';
import type { Entry } from '../../../test/support/layers.ts';
import { readDeb } from './deb.ts';

const CONTROL = { Package: 'toy', Version: '1', Architecture: 'all' };
const CONTROL_TAR = tarOf([file('./control', 'Package: toy\nVersion: 1\nArchitecture: all\n')]);

function archive(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return makeAr({ 'debian-binary': fromByteString('2.0\n'), ...members });
}

test('readDeb() reads control, members and entries, symlinks last', async () => {
  const deb = await readDeb(
    makeDeb({
      control: CONTROL,
      members: { postinst: '#!/bin/sh\n', conffiles: '/etc/a\nremove-on-upgrade /etc/b\n', 'x.y': 'ignored' },
      entries: [file('etc/a', 'text'), symlink('usr/l', 'a'), file('usr/z'), hardLink('usr/h', 'usr/z')],
    }),
    'toy',
  );
  assert.equal(deb.control.get('Package'), 'toy');
  assert.deepEqual(
    deb.members.map(({ member, mode }) => `${member} ${mode.toString(8)}`),
    ['postinst 755', 'conffiles 644'],
  );
  assert.deepEqual(
    deb.entries.map(({ name, type, link }) => `${name} ${type} ${link}`.trim()),
    [
      '/. directory',
      '/etc directory',
      '/etc/a file',
      '/usr directory',
      '/usr/z file',
      '/usr/h hardlink /usr/z',
      '/usr/l symlink a',
    ],
  );
  assert.deepEqual(deb.conffiles, [
    { path: '/etc/a', removeOnUpgrade: false },
    { path: '/etc/b', removeOnUpgrade: true },
  ]);
  assert.deepEqual([...deb.conffileHashes], [['/etc/a', '1cb251ec0d568de6a929b520c4aed8d1']]);
  assert.deepEqual([...(deb.md5sums?.keys() ?? [])], ['/etc/a', '/usr/z', '/usr/h']);
});

test('readDeb() reads compressed members and skips those that start with an underscore', async () => {
  const deb = await readDeb(
    archive({
      _gpgorigin: fromByteString('x'),
      'control.tar.gz': gzipSync(CONTROL_TAR),
      'data.tar.gz': gzipSync(tarOf([file('./usr/x', 'y')])),
    }),
    'toy',
  );
  assert.equal(byteString(deb.entries[0]?.content ?? new Uint8Array()), 'y');
});

test('readDeb() refuses what is no package of version 2', async () => {
  const data = tarOf([]);
  const rows: readonly (readonly [bytes: Uint8Array, message: RegExp])[] = [
    [makeAr({ 'control.tar': CONTROL_TAR, 'data.tar': data }), /first member is not debian-binary/],
    [
      makeAr({ 'debian-binary': fromByteString('3.0\n'), 'control.tar': CONTROL_TAR }),
      /format version is not 2/,
    ],
    [archive({ 'data.tar': data, 'control.tar': CONTROL_TAR }), /second member is not control.tar/],
    [archive({ 'control.tar': CONTROL_TAR, 'data.zip': data }), /third member is not data.tar/],
    [archive({ 'control.tar': tarOf([file('./postinst')]), 'data.tar': data }), /has no control file/],
    [
      archive({ 'control.tar': tarOf([file('./control', 'A: 1\n\nB: 2\n')]), 'data.tar': data }),
      /2 paragraphs/,
    ],
    [archive({ 'control.tar': tarOf([dir('./control')]), 'data.tar': data }), /is no plain file/],
    [archive({ 'control.tar': tarOf([file('./a/b')]), 'data.tar': data }), /is no plain file/],
  ];
  for (const [bytes, message] of rows)
    await assert.rejects(readDeb(bytes, 'toy'), (error: Error & { code?: string }) => {
      assert.match(error.message, message);
      assert.equal(error.code, 'PACKAGE_INVALID');
      return true;
    });
});

test('readDeb() refuses entries that leave the root or that no honest package has', async () => {
  const rows: readonly (readonly [entries: readonly Entry[], message: RegExp])[] = [
    [[file('../etc/shadow')], /leaves the root/],
    [[file('usr/../../x')], /leaves the root/],
    [[file('usr/a'), hardLink('usr/b', '../../etc/passwd')], /leaves the root/],
    [[hardLink('usr/b', 'etc/passwd')], /hard link to what it does not ship before/],
    [[file('usr/a\nb')], /newline/],
    [[file('usr/a', '1'), file('usr/a', '2')], /twice/],
    [[symlink('./', 'x')], /root is not a directory/],
  ];
  for (const [entries, message] of rows) {
    const bytes = archive({ 'control.tar': CONTROL_TAR, 'data.tar': tarOf(entries) });
    await assert.rejects(readDeb(bytes, 'toy'), message);
  }
});

test('readDeb() refuses conffiles lines that are no absolute path', async () => {
  for (const conffiles of ['etc/x\n', 'obsolete /etc/x\n', 'remove-on-upgrade etc/x\n'])
    await assert.rejects(
      readDeb(makeDeb({ control: CONTROL, members: { conffiles }, entries: [] }), 'toy'),
      /Cannot read conffiles of toy/,
    );
});
