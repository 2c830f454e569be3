import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryRoot } from '../../test/support/memory-root.ts';
import { byteString } from '../base/bytes.ts';
import { createDraft } from '../rootfs/draft.ts';
import type { RootView } from '../rootfs/root-view.ts';
import { caCertificates } from './ca-certificates.ts';
import type { EffectContext } from './effect.ts';
import { javaArchive } from './java-archive.ts';
import { compareLibraries, readLayout, writeCache } from './ld-so-cache.ts';
import { pythonBytecode } from './python-bytecode.ts';
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

test('bytecode of another release of the compiler is dropped from the packages that are upgraded', () => {
  const list = (name: string): Record<string, string> => ({
    [`var/lib/dpkg/info/${name}.list`]: `/.\n/usr/lib/python3/${name}.py\n`,
    [`usr/lib/python3/${name}.py`]: '',
    [`usr/lib/python3/__pycache__/${name}.cpython-310.pyc`]: '',
    [`usr/lib/python3/__pycache__/${name}.cpython-311.pyc`]: '',
  });
  const files = { ...list('libpython3.10-minimal:amd64'), ...list('python3-a'), ...list('python3-b') };
  const dropped = (to: string): string[] => {
    const draft = createDraft(memoryRoot(files));
    const packages = ['python3.10-minimal', 'libpython3.10-minimal', 'python3-a'].map((name) => ({
      name,
      arch: 'amd64',
      from: '3.10.4-3',
      to,
    }));
    const context: Partial<EffectContext> = { family: 'dpkg', draft, packages };
    void pythonBytecode.apply(context as EffectContext);
    return draft.changes().changes.map(({ path }) => path);
  };
  assert.deepEqual(dropped('3.10.4-3ubuntu0.1'), []);
  assert.deepEqual(dropped('3.10.12-1~22.04.9'), [
    'usr/lib/python3/__pycache__/libpython3.10-minimal:amd64.cpython-310.pyc',
    'usr/lib/python3/__pycache__/python3-a.cpython-310.pyc',
  ]);
});

test('a local certificate whose content is not known leaves the bundle as it was', () => {
  const root = memoryRoot({
    'etc/ca-certificates.conf': '',
    'etc/ssl/certs/ca-certificates.crt': 'old',
    'srv/own.crt': 'own',
    'usr/local/share/ca-certificates/own.crt': { link: '/srv/own.crt' },
  });
  const warnings: string[] = [];
  const context = (readable: RootView['readable']): EffectContext =>
    ({
      family: 'dpkg',
      draft: Object.assign(createDraft(root), { readable }),
      packages: [{ name: 'ca-certificates', arch: 'all', from: '1', to: '2' }],
      scripts: [],
      epoch: 0,
      warn: (message) => void warnings.push(message),
    }) as Partial<EffectContext> as EffectContext;
  const known = context((path) => root.readable(path));
  void caCertificates.apply(known);
  assert.equal(
    byteString(known.draft.read('etc/ssl/certs/ca-certificates.crt') ?? new Uint8Array()),
    'own\n',
  );
  const unknown = context((path) => !path.endsWith('own.crt'));
  void caCertificates.apply(unknown);
  assert.deepEqual(unknown.draft.changes().changes, []);
  assert.match(warnings.join(), /own\.crt was not kept/);
});
