import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteString, fromByteString } from '../../base/bytes.ts';
import { hexDigest } from '../../base/hash.ts';
import { silentLog } from '../../base/log.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { mergeLayers } from '../../rootfs/view.ts';
import { makeDeb } from '../../../test/support/debs.ts';
import { upgradeView } from '../../../test/support/dpkg-parity.ts';
import type { DebFile } from '../../../test/support/dpkg-parity.ts';
import { file, layer, symlink } from '../../../test/support/layers.ts';
import type { Entry } from '../../../test/support/layers.ts';
import { dpkg } from './family.ts';

function control(name: string, version: string): string {
  return `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\n`;
}

function md5sums(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .map(([path, content]) => `${hexDigest('md5', fromByteString(content))}  ${path}\n`)
    .join('');
}

async function image(...entries: readonly Entry[]): Promise<RootView> {
  return mergeLayers([await layer(...entries)]);
}

function deb(
  name: string,
  entries: readonly Entry[],
  members: Readonly<Record<string, string>> = {},
): DebFile {
  const bytes = makeDeb({
    control: { Package: name, Version: '2', Architecture: 'amd64' },
    members,
    entries,
  });
  return { name, version: '2', arch: 'amd64', bytes };
}

function text(view: RootView, path: string): string {
  return byteString(view.read(path) ?? new Uint8Array());
}

const DIRECTORY = 'var/lib/dpkg/status.d';

test('records are found whatever their files are called, and written back to the same files', async () => {
  const root = await image(
    file(`${DIRECTORY}/bGli`, control('libssl3', '1')),
    file(`${DIRECTORY}/bGli.md5sums`, md5sums({ 'usr/lib/x': 'old' })),
    file('usr/lib/x', 'old'),
  );
  const sums = md5sums({ 'usr/lib/x': 'new' });
  const { draft, database } = await upgradeView(root, [
    deb('libssl3', [file('usr/lib/x', 'new')], { md5sums: sums }),
  ]);
  assert.equal(database.kind, 'status.d');
  assert.deepEqual(draft.list(DIRECTORY), ['bGli', 'bGli.md5sums']);
  assert.match(text(draft, `${DIRECTORY}/bGli`), /^Package: libssl3\nVersion: 2\n/);
  assert.doesNotMatch(text(draft, `${DIRECTORY}/bGli`), /Status:/);
  assert.equal(text(draft, `${DIRECTORY}/bGli.md5sums`), sums);
  assert.equal(text(draft, 'usr/lib/x'), 'new');
});

test('of a package that is there in part, only what is there is upgraded', async () => {
  const old = { 'usr/lib/locale/C.utf8': 'old', 'usr/bin/ldd': 'old', 'usr/bin/getent': 'old' };
  const root = await image(
    file(`${DIRECTORY}/libc-bin`, control('libc-bin', '1')),
    file(`${DIRECTORY}/libc-bin.md5sums`, md5sums(old)),
    file('usr/lib/locale/C.utf8', 'old'),
  );
  const entries = [...Object.keys(old), 'usr/bin/brand-new'].map((path) => file(path, 'new'));
  const { draft } = await upgradeView(root, [deb('libc-bin', entries)]);
  assert.equal(text(draft, 'usr/lib/locale/C.utf8'), 'new');
  assert.equal(draft.lookup('usr/bin'), undefined);
});

test('new files of a whole package come, but not where the builder removed all others; dropped files go', async () => {
  const old = { 'usr/lib/a': '1', 'usr/lib/b': '1', 'usr/share/doc/x/copyright': '1' };
  const root = await image(
    file(`${DIRECTORY}/x`, control('x', '1')),
    file(`${DIRECTORY}/x.md5sums`, md5sums(old)),
    file('usr/lib/a', '1'),
    file('usr/lib/b', '1'),
  );
  const { draft, installation } = await upgradeView(root, [
    deb('x', [file('usr/lib/a', '2'), file('usr/lib/c', '2'), file('usr/share/doc/x/NEWS', '2')]),
  ]);
  assert.equal(text(draft, 'usr/lib/c'), '2');
  assert.equal(draft.lookup('usr/share'), undefined);
  assert.deepEqual(installation.removed, ['usr/lib/b']);
});

test('a file that moves from /lib to /usr/lib, which are one, stays', async () => {
  const root = await image(
    file(`${DIRECTORY}/x`, control('x', '1')),
    file(`${DIRECTORY}/x.md5sums`, md5sums({ 'lib/x': 'old', 'lib/y': 'old' })),
    file('usr/lib/x', 'old'),
    file('usr/lib/y', 'old'),
    symlink('lib', 'usr/lib'),
  );
  const { draft, installation } = await upgradeView(root, [deb('x', [file('usr/lib/x', 'new')])]);
  assert.equal(text(draft, 'usr/lib/x'), 'new');
  assert.deepEqual(installation.removed, ['usr/lib/y']);
});

test('what the builder made instead of a package file stays: os-release', async () => {
  const old = { 'usr/lib/os-release': 'Debian', 'usr/share/base': '1' };
  const root = await image(
    file(`${DIRECTORY}/base-files`, control('base-files', '1')),
    file(`${DIRECTORY}/base-files.md5sums`, md5sums(old)),
    file('usr/lib/os-release', 'Distroless'),
    file('usr/share/base', '1'),
    file('etc/debian_version', '12.1\n'),
  );
  const { draft, installation } = await upgradeView(root, [
    deb(
      'base-files',
      [
        file('usr/lib/os-release', 'Debian 2'),
        file('usr/share/base', '2'),
        file('etc/debian_version', '12.2\n'),
      ],
      {
        conffiles: '/etc/debian_version\n',
      },
    ),
  ]);
  assert.equal(text(draft, 'usr/lib/os-release'), 'Distroless');
  assert.equal(text(draft, 'usr/share/base'), '2');
  assert.equal(text(draft, 'etc/debian_version'), '12.2\n');
  assert.deepEqual(installation.conffiles, [
    { path: 'usr/lib/os-release', package: 'base-files', action: 'kept' },
  ]);
});

test('the bundle of certificates is made anew from a package that is not there itself', async () => {
  const root = await image(
    file(`${DIRECTORY}/ca-certificates`, control('ca-certificates', '1')),
    file(
      `${DIRECTORY}/ca-certificates.md5sums`,
      md5sums({ 'usr/share/ca-certificates/mozilla/A.crt': 'a', 'usr/sbin/u': '' }),
    ),
    file('etc/ssl/certs/ca-certificates.crt', 'a\n'),
  );
  const { draft } = await upgradeView(root, [
    deb('ca-certificates', [
      file('usr/share/ca-certificates/mozilla/B.crt', 'b\n'),
      file('usr/share/ca-certificates/mozilla/A.crt', 'a'),
      file('usr/sbin/update-ca-certificates', 'x'),
    ]),
  ]);
  assert.equal(text(draft, 'etc/ssl/certs/ca-certificates.crt'), 'a\nb\n');
  assert.deepEqual(draft.list('usr'), []);
});

test('a damaged record is refused, and told where it is', async () => {
  const root = await image(file(`${DIRECTORY}/x`, 'Package: x\n'));
  await assert.rejects(dpkg.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog }), {
    code: 'DATABASE_INVALID',
    message: `Cannot read package record ${DIRECTORY}/x: package x has no Version field`,
  });
});
