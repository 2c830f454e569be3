// `onlay diff` and `onlay inspect` of what `patch` made, and of images for several platforms.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileDifference, PackageDifference } from '../../src/patch/diff.ts';
import { putImage } from '../support/images.ts';
import { registryStore } from '../support/inspect-image.ts';
import { dir, file, hardLink, symlink } from '../support/layers.ts';
import { onlay } from '../support/onlay.ts';
import { makeLayer } from '../support/toy-debian.ts';
import { putToyIndex, startIndexWorld } from '../support/toy-index.ts';
import { startToyWorld } from '../support/toy-world.ts';

interface Differences {
  readonly platforms: readonly {
    readonly platform: string;
    readonly before: string;
    readonly after: string;
    readonly packages: readonly PackageDifference[];
    readonly files: readonly FileDifference[];
  }[];
}

async function diff(before: string, after: string, more = ''): Promise<Differences['platforms']> {
  const run = await onlay(`diff ${before} ${after} --json ${more}`);
  assert.equal(run.status, 0, run.stderr);
  return (JSON.parse(run.stdout) as Differences).platforms;
}

test('diff shows what a patch changed, package by package and file by file', async () => {
  await using world = await startToyWorld();
  const place = `${world.registry.host}/toys/web`;
  await onlay(`patch -i ${world.image} -t patched --push --package libgreet1`);
  const [found] = await diff(world.image, `${place}:patched`);
  assert.equal(found?.before, world.document.descriptor.digest);
  assert.deepEqual(found?.packages, [
    { name: 'greet-tools', arch: 'amd64', before: '1.0-1', after: '1.0-1+deb12u2' },
    { name: 'libgreet1', arch: 'amd64', before: '1.0-1', after: '1.0-1+deb12u2' },
  ]);
  const changed = found?.files.filter(({ path }) => !path.startsWith('var/lib/'));
  assert.deepEqual(changed, [
    { path: 'usr/bin/greet', change: 'changed', fields: ['content'] },
    { path: 'usr/lib/libgreet.txt', change: 'changed', fields: ['content'] },
  ]);
  assert.ok(found?.files.some(({ path }) => path === 'var/lib/dpkg/status'));
  assert.deepEqual(await diff(world.image, world.layout), [
    { ...found, after: found?.before, packages: [], files: [] },
  ]);
  const text = await onlay(`diff ${world.image} ${place}:patched`);
  assert.match(text.stdout, /^linux\/amd64: 2 packages, \d+ files$/m);
  assert.match(text.stdout, /^ {2}libgreet1 amd64: 1\.0-1 → 1\.0-1\+deb12u2$/m);
  assert.match(text.stdout, /^ {2}changed usr\/bin\/greet \(content\)$/m);
});

test('diff tells attributes apart, and times are none', async () => {
  await using world = await startToyWorld();
  const place = `${world.registry.host}/toys/diff`;
  await using store = registryStore(place);
  const before = [
    ...[file('content', 'a'), file('gone'), file('link-target'), file('mode'), file('owner')],
    ...[file('same', 'x', { mtime: 1 }), file('type'), symlink('symlink', 'a'), dir('x/')],
    file('xattr', '', { xattrs: new Map([['user.a', Buffer.from([1])]]) }),
  ];
  const after = [
    ...[file('content', 'b'), file('link-target'), hardLink('new', 'link-target')],
    ...[file('mode', '', { mode: 0o4755 }), file('owner', '', { uid: 7 }), file('same', 'x', { mtime: 2 })],
    ...[dir('type/'), symlink('symlink', 'b'), dir('x/')],
    file('xattr', '', { xattrs: new Map([['user.a', Buffer.from([2])]]) }),
  ];
  await putImage(store, { layers: [makeLayer(before)] }, 'before');
  await putImage(store, { layers: [makeLayer(after)] }, 'after');
  const [found] = await diff(`${place}:before`, `${place}:after`);
  assert.deepEqual(
    found?.files.map(({ path, change, fields }) => `${change} ${path}: ${fields.join(' ')}`.trim()),
    [
      'changed content: content',
      'removed gone:',
      'changed mode: mode',
      'added new:',
      'changed owner: owner',
      'changed symlink: link',
      'changed type: type mode content',
      'changed xattr: xattrs',
    ],
  );
});

test('several platforms: each with its own; Windows is listed without being read', async () => {
  await using world = await startIndexWorld();
  await putToyIndex(world.store, world, '1');
  await onlay(`patch -i ${world.multi} -t patched --push --platform linux/arm64`);
  const patched = `${world.registry.host}/toys/multi:patched`;
  const found = await diff(world.multi, patched);
  assert.deepEqual(
    found.map(({ platform, packages }) => [platform, packages.length]),
    [
      ['linux/amd64', 0],
      ['windows/amd64', 0],
      ['linux/arm64', 3],
      ['linux/s390x', 0],
      ['freebsd/riscv64', 0],
    ],
  );
  assert.equal((await diff(world.multi, patched, '--platform linux/arm64')).length, 1);
  const missing = await onlay(`diff ${world.multi} ${world.image}`);
  assert.equal(missing.status, 4, missing.stderr);
  assert.match(missing.stderr, /has no windows\/amd64.*\nhint: choose one with --platform/);

  const from = world.registry.requests.length;
  const run = await onlay(`inspect ${patched} --json`);
  const { platforms } = JSON.parse(run.stdout) as {
    platforms: { platform: string; distro: { id: string }; lineage: { by: string } | null }[];
  };
  assert.deepEqual(
    platforms.map(({ platform, distro, lineage }) => [platform, distro.id, lineage?.by]),
    [
      ['linux/amd64', 'debian', undefined],
      ['windows/amd64', 'unknown', undefined],
      ['linux/arm64', 'debian', 'onlay'],
      ['linux/s390x', 'debian', undefined],
      ['freebsd/riscv64', 'unknown', undefined],
    ],
  );
  const blobs = world.registry.requests.slice(from).filter(({ path }) => path.includes('/blobs/'));
  assert.equal(blobs.length, 5 + 4, 'five configs, four layers of Linux');
});
