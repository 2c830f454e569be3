// What layers merge to is compared with umoci in test/oracle/merge.test.ts; here is what umoci cannot say.
import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../errors.ts';
import { dir, file, hardLink, indexBlob, layer, symlink, tarOf } from '../../test/support/layers.ts';
import type { RootView } from './root-view.ts';
import { mergeLayers } from './view.ts';

const merged = mergeLayers([
  await layer(
    dir('usr'),
    dir('usr/lib'),
    file('usr/lib/x', 'content'),
    symlink('lib', 'usr/lib'),
    symlink('abs', '/usr/lib/x'),
    symlink('up', '../../../usr'),
    symlink('usr/rel', '../lib/x'),
    symlink('loop', 'loop2'),
    symlink('loop2', 'loop'),
    symlink('dangling', 'usr/none/../y'),
    hardLink('usr/z', 'usr/lib/x'),
    hardLink('usr/lib/a', 'usr/lib/x'),
    dir('a-b'),
    dir('a'),
    file('a/c'),
    file('a.d'),
  ),
]);

const paths = (root: RootView, start: string): string[] => [...root.walk(start)].map(({ path }) => path);

test('lookup() follows symlinks in parents only', () => {
  assert.equal(merged.lookup('lib')?.type, 'symlink');
  assert.equal(merged.lookup('/lib/')?.type, 'symlink');
  assert.equal(merged.lookup('lib/x')?.path, 'usr/lib/x');
  assert.equal(merged.lookup('./up/lib/../lib/x')?.path, 'usr/lib/x');
  assert.equal(merged.lookup('')?.type, 'directory');
  assert.equal(merged.lookup('../..')?.path, '');
  for (const path of ['none', 'usr/lib/x/y', 'loop/x', 'dangling/x', 'none/../usr', 'usr/lib/x/..', 'a\0'])
    assert.equal(merged.lookup(path), undefined, path);
});

test('follow() follows to the end, inside the root', () => {
  assert.equal(merged.follow('abs')?.path, 'usr/lib/x');
  assert.equal(merged.follow('usr/rel')?.path, 'usr/lib/x');
  assert.equal(merged.follow('up')?.path, 'usr');
  for (const path of ['loop', 'dangling', 'none']) assert.equal(merged.follow(path), undefined, path);
});

test('resolve() says where something written to a path lands', () => {
  const places: readonly (readonly [string, string])[] = [
    ['lib/new', 'usr/lib/new'],
    ['lib', 'lib'],
    ['up/lib/deep/er', 'usr/lib/deep/er'],
    ['no/such/dir', 'no/such/dir'],
    ['dangling/x', 'usr/y/x'],
    ['/', ''],
    ['usr/lib/x/y', 'usr/lib/x/y'],
    ['loop/x', 'loop/x'],
    ['lib/none/../../x', 'usr/x'],
    ['lib/../../../../x', 'x'],
  ];
  for (const [path, place] of places) assert.equal(merged.resolve(path), place, path);
});

test('40 symlinks are followed, 41 are not', async () => {
  const links = Array.from({ length: 41 }, (_, n) => symlink(`l${n + 1}`, `l${n}`));
  const root = mergeLayers([await layer(file('l0'), ...links)]);
  assert.equal(root.follow('l40')?.path, 'l0');
  assert.equal(root.follow('l41'), undefined);
});

test('list() sorts by byte and follows', () => {
  assert.deepEqual(merged.list('lib'), ['a', 'x']);
  assert.deepEqual(merged.list('abs'), []);
  assert.deepEqual(merged.list('none'), []);
});

test('walk() yields parents first, in byte order of whole paths, and follows its start only', () => {
  assert.deepEqual(paths(merged, 'lib'), ['usr/lib', 'usr/lib/a', 'usr/lib/x']);
  assert.deepEqual(paths(merged, 'abs'), ['usr/lib/x']);
  assert.deepEqual(paths(merged, 'none'), []);
  const all = paths(merged, '');
  assert.deepEqual(all, [...all].sort());
  assert.deepEqual(all.slice(0, 6), ['', 'a', 'a-b', 'a.d', 'a/c', 'abs']);
});

test('hard links are one inode, and its names are sorted', () => {
  const names = ['usr/lib/a', 'usr/lib/x', 'usr/z'];
  for (const name of names) {
    assert.deepEqual(merged.hardLinks(name), names);
    assert.equal(merged.lookup(name)?.inode, merged.lookup('lib/x')?.inode);
  }
  assert.deepEqual(merged.hardLinks('a.d'), ['a.d']);
  assert.deepEqual(merged.hardLinks('none'), []);
});

test('a hard link that an upper layer replaces leaves its group', async () => {
  const lower = await layer(file('a', '1'), hardLink('b', 'a'), dir('d'), hardLink('d/c', 'a'));
  const root = mergeLayers([lower, await layer(file('b', '2'), hardLink('e', 'a'), file('.wh.d'))]);
  assert.deepEqual(root.hardLinks('a'), ['a', 'e']);
  assert.deepEqual(root.hardLinks('b'), ['b']);
});

test('read() gives what was kept and says what was not', async () => {
  const index = await indexBlob(tarOf([file('kept', 'k'), file('other', 'o'), symlink('l', 'other')]), {
    captures: (path) => path === 'kept',
  });
  const root = mergeLayers([index]);
  assert.equal(root.readable('kept'), true);
  assert.equal(Buffer.from(root.read('kept') ?? []).toString(), 'k');
  assert.equal(root.readable('l'), false);
  assert.throws(
    () => root.read('l'),
    (error) => hasCode(error, 'INTERNAL') && /Content of l was not kept/.test(error.message),
  );
  assert.equal(root.read('none'), undefined);
  assert.equal(root.readable(''), false);
});

test('old layers of aufs: its own files are not there, links to its link directory are copies', async () => {
  const root = mergeLayers([
    await layer(
      dir('.wh..wh.aufs'),
      dir('.wh..wh.plnk'),
      file('.wh..wh.plnk/17.1', 'linked', { mode: 0o755 }),
      hardLink('a', '.wh..wh.plnk/17.1', { mode: 0o755 }),
      hardLink('b', '.wh..wh.plnk/17.1', { mode: 0o755 }),
    ),
  ]);
  assert.deepEqual(root.list(''), ['a', 'b']);
  assert.equal(Buffer.from(root.read('b') ?? []).toString(), 'linked');
  assert.deepEqual(root.hardLinks('a'), ['a']);
});

test('an image without layers is an empty directory', () => {
  const root = mergeLayers([]);
  assert.deepEqual(paths(root, ''), ['']);
  assert.equal(root.lookup('')?.mode, 0o755);
});
