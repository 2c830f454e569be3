import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryRoot } from '../../test/support/memory-root.ts';
import { createDraft } from '../rootfs/draft.ts';
import type { EffectContext } from './effect.ts';
import { javaArchive } from './java-archive.ts';
import { compareLibraries, readLayout, writeCache } from './ld-so-cache.ts';
import { certificateNames } from './x509-subject.ts';

// order as `ldconfig -p` of glibc 2.36 shows it, which sorts descending
test('compareLibraries() compares runs of digits as numbers and digits above letters', () => {
  assert.ok(compareLibraries('libx.so.10', 'libx.so.9') > 0);
  assert.ok(compareLibraries('libx.so.1', 'libx.so') > 0);
  assert.ok(compareLibraries('liba1.so', 'libab.so') > 0);
  assert.equal(compareLibraries('libz.so.1', 'libz.so.1'), 0);
});

// glibc 2.31 (Debian 11), 2.35 (Ubuntu 22.04) and 2.36 (Debian 12)
test('writeCache() writes what readLayout() recognises, in all layouts', () => {
  const entries = [
    { key: 'liba.so.1', path: '/lib/liba.so.1', flags: 0x303, osVersion: 197120, hwcaps: '', isaLevel: 0 },
  ];
  for (const layout of [
    { generator: undefined, hasOsVersions: true },
    { generator: 'ldconfig (Ubuntu GLIBC 2.35-0ubuntu3) stable release version 2.35', hasOsVersions: true },
    { generator: 'ldconfig (GNU libc) stable release version 2.36', hasOsVersions: false },
  ]) {
    const expected = { ...layout, bigEndian: false, endianFlag: 2 };
    assert.deepEqual(readLayout(writeCache(entries, expected)), expected);
  }
});

test('readLayout() refuses what is no cache of a known kind', () => {
  assert.equal(readLayout(Buffer.from('ld.so-1.7.0')), undefined);
  assert.equal(readLayout(new Uint8Array(48)), undefined);
});

test('certificateNames() refuses what holds no certificate or several', () => {
  assert.equal(certificateNames(''), undefined);
  assert.equal(certificateNames('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), undefined);
});

test('class data of a Java virtual machine that changed are dropped, those of another stay', () => {
  const draft = createDraft(
    memoryRoot({
      'usr/lib/jvm/a/lib/server/libjvm.so': 'old',
      'usr/lib/jvm/a/lib/server/classes.jsa': 'of old',
      'usr/lib/jvm/b/lib/server/libjvm.so': 'same',
      'usr/lib/jvm/b/lib/server/classes.jsa': 'of same',
    }),
  );
  draft.put('usr/lib/jvm/a/lib/server/libjvm.so', {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 1,
    content: Buffer.from('new'),
  });
  void javaArchive.apply({ draft } as EffectContext);
  assert.equal(draft.lookup('usr/lib/jvm/a/lib/server/classes.jsa'), undefined);
  assert.ok(draft.lookup('usr/lib/jvm/b/lib/server/classes.jsa'));
});
