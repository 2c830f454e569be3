// Hostile layers: each test is named for its number in the catalogue of hostile inputs, L17 to L25. Nothing is extracted
// here, so nothing can escape; what must hold is that the tree we see is the one runtimes see, and that the layer we
// write creates nothing elsewhere when it is extracted.
import assert from 'node:assert/strict';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { hasCode, type ErrorCode } from '../../src/errors.ts';
import { collect } from '../../src/base/streams.ts';
import { TarParser } from '../../src/archive/tar-read.ts';
import type { NewNode } from '../../src/rootfs/change-set.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import type { LayerEntry, LayerIndex } from '../../src/rootfs/layer-index.ts';
import { rootPath, type RootPath } from '../../src/rootfs/path.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { NO_FACTS, NO_XATTRS } from '../../src/rootfs/tree.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';
import { writeLayer } from '../../src/rootfs/write-layer.ts';
import {
  dir,
  file,
  hardLink,
  indexBlob,
  layer,
  layerOfChanges,
  snapshot,
  symlink,
  tarOf,
  type Entry,
} from '../support/layers.ts';

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
const text = (content: string): NewNode => ({ type: 'file', content: Buffer.from(content), ...plain });

async function refuses(run: Promise<unknown>, ...codes: ErrorCode[]): Promise<void> {
  await assert.rejects(run, (error) => hasCode(error, ...codes));
}

const tree = async (...layers: Entry[][]): Promise<RootView> =>
  mergeLayers(await Promise.all(layers.map((entries) => layer(...entries))));
const pathsOf = (root: RootView): string[] => [...root.walk('')].map(({ path }) => path).slice(1);

async function entriesOf(root: RootView, put: Readonly<Record<string, NewNode>>): Promise<string[]> {
  const draft = createDraft(root);
  for (const [path, node] of Object.entries(put)) draft.put(path, node);
  const tar = await collect(writeLayer(draft.changes(), root), { limit: 2 ** 20, what: 'the layer' });
  const names: string[] = [];
  new TarParser({
    entry: ({ path, link }) => names.push(path, ...(link ? [link] : [])),
    data() {},
    end() {},
  }).write(tar);
  return names;
}

for (const path of ['../etc/passwd', 'a/../../b', '/../x', 'a/..'])
  test(`L17: an entry ${path} is refused`, async () => {
    await refuses(layer(file(path)), 'ARCHIVE_INVALID');
    await refuses(layer(file('x'), hardLink('y', path)), 'ARCHIVE_INVALID');
  });

test('L17: absolute paths stay inside, backslashes and dots at the end are parts of names', async () => {
  const root = await tree([file('/etc/passwd'), file('a\\..\\b'), file('name.'), file('x//y'), dir('.')]);
  assert.deepEqual(pathsOf(root), ['a\\..\\b', 'etc', 'etc/passwd', 'name.', 'x', 'x/y']);
});

test('L17: the root directory cannot become anything else', async () => {
  for (const entry of [symlink('./', '/tmp'), hardLink('.', 'x'), file('.')])
    await refuses(layer(entry), 'ARCHIVE_INVALID');
});

test('L18: what is written through a symlink stays inside the root', async () => {
  const root = await tree(
    [symlink('out', '../../../../etc'), symlink('abs', '/etc'), symlink('self', '.')],
    [file('out/a'), file('abs/b'), file('self/self/c')],
  );
  assert.deepEqual(pathsOf(root), ['abs', 'c', 'etc', 'etc/a', 'etc/b', 'out', 'self']);
});

test('L18: our layer has no entry through a symlink, below or of its own', async () => {
  const root = await tree([
    dir('usr'),
    dir('usr/bin'),
    symlink('bin', 'usr/bin'),
    symlink('evil', '/../../tmp'),
  ]);
  assert.deepEqual(await entriesOf(root, { 'bin/x': text('x'), 'evil/y': text('y') }), [
    'tmp/',
    'tmp/y',
    'usr/',
    'usr/bin/',
    'usr/bin/x',
  ]);
  const link: NewNode = { type: 'symlink', link: 'usr/bin', ...plain };
  assert.deepEqual(await entriesOf(root, { new: link, 'new/z': text('z') }), [
    'new',
    'usr/bin',
    'usr/',
    'usr/bin/',
    'usr/bin/z',
  ]);
});

test('L18: hard links to what is not in the image are refused', async () => {
  await refuses(tree([hardLink('a', 'etc/shadow')]), 'ARCHIVE_INVALID');
  await refuses(tree([dir('d'), hardLink('a', 'd')]), 'ARCHIVE_INVALID');
  await refuses(tree([file('a'), hardLink('a', 'a')]), 'ARCHIVE_INVALID');
  await refuses(tree([symlink('l', 'l'), hardLink('a', 'l/x')]), 'ARCHIVE_INVALID');
});

test('L18: whiteouts through a symlinked parent remove inside the root only', async () => {
  const root = await tree(
    [dir('d'), file('d/x'), symlink('l', '/../../d')],
    [file('l/.wh.x'), file('l/.wh.none')],
  );
  assert.deepEqual(pathsOf(root), ['d', 'l']);
  await refuses(tree([symlink('l', 'l')], [file('l/.wh.x')]), 'ARCHIVE_INVALID');
});

for (const path of ['.wh.', 'd/.wh..', 'd/.wh...'])
  test(`L19: the whiteout ${path} is refused`, () => refuses(layer(file(path)), 'ARCHIVE_INVALID'));

test('L19: whiteouts remove what is below, not what the layer itself adds, in any order', async () => {
  const status = file('var/lib/dpkg/status', 'lower');
  const whiteout = file('var/lib/dpkg/.wh.status');
  const again = file('var/lib/dpkg/status', 'upper');
  assert.equal((await tree([status], [whiteout])).lookup('var/lib/dpkg/status'), undefined);
  for (const upper of [
    [whiteout, again],
    [again, whiteout],
    [again, file('.wh.var')],
    [again, file('var/lib/.wh..wh..opq')],
  ]) {
    const root = await tree([status, file('var/lib/other')], upper);
    assert.equal(Buffer.from(root.read('var/lib/dpkg/status') ?? []).toString(), 'upper');
  }
});

test('L19: a file of a package cannot become a whiteout in our layer', async () => {
  const root = await tree([file('.wh.d/x'), file('passwd')]);
  const draft = createDraft(root);
  assert.throws(
    () => draft.put('.wh.passwd', text('')),
    (error) => hasCode(error, 'CONFLICT'),
  );
  assert.throws(
    () => draft.link('.wh.passwd', 'passwd'),
    (error) => hasCode(error, 'CONFLICT'),
  );
  for (const path of ['.wh.passwd', '.wh.d/y'].map((path) => rootPath(path)))
    await refuses(layerOfChanges({ changes: [{ kind: 'put', path, node: text('') }] }, root), 'INTERNAL');
});

test('L20: a database that is a directory, a fifo or a dangling link has no content', async () => {
  const root = await tree([
    dir('dir'),
    { path: 'fifo', type: 'fifo', ...plain },
    symlink('dangling', '/none'),
    symlink('loop', 'loop'),
    file('real', 'r'),
    symlink('link', '/../real'),
    hardLink('hard', 'real'),
  ]);
  for (const path of ['dir', 'fifo', 'dangling', 'loop']) assert.equal(root.read(path), undefined, path);
  for (const path of ['link', 'hard']) assert.equal(Buffer.from(root.read(path) ?? []).toString(), 'r', path);
});

test('L21: of a path twice in one layer the last is seen', async () => {
  const root = await tree([file('a', '1'), file('./a', '2'), dir('d'), file('d/x'), symlink('d', 'a')]);
  assert.equal(Buffer.from(root.read('a') ?? []).toString(), '2');
  assert.deepEqual(pathsOf(root), ['a', 'd']);
});

/** An index as if made of a layer, for layers too large to make. */
function indexOf(entries: readonly LayerEntry[]): LayerIndex {
  const digest = { algorithm: 'sha256', hex: '0'.repeat(64) } as const;
  return { policy: '', digest, size: 0, diffId: digest, uncompressedSize: 0, entries };
}
function entryOf(path: string, type: 'file' | 'directory' | 'symlink', link = ''): LayerEntry {
  const content = { size: 0, sha256: '', content: undefined, facts: NO_FACTS };
  return {
    path: path as RootPath,
    type,
    link,
    ...plain,
    ...content,
    xattrs: NO_XATTRS,
    devMajor: 0,
    devMinor: 0,
  };
}

test('L22: a tree 10000 directories deep is merged, walked, patched and removed', async () => {
  const deep = rootPath(Array.from({ length: 10_000 }, () => 'd').join('/'));
  const root = mergeLayers([indexOf([entryOf(`${deep}/f`, 'file')])]);
  assert.equal(root.lookup(`${deep}/f`)?.type, 'file');
  let depth = 0;
  for (const _ of root.walk('')) depth++;
  assert.equal(depth, 10_002);
  const draft = createDraft(root);
  draft.remove('d/d');
  assert.deepEqual(
    draft.changes().changes.map(({ kind, path }) => [kind, path]),
    [['remove', 'd/d']],
  );
  const opaque: LayerEntry = { type: 'opaque', path: rootPath('d') };
  const upper = mergeLayers([
    indexOf([entryOf(`${deep}/f`, 'file')]),
    indexOf([entryOf(`${deep}/g`, 'file'), opaque]),
  ]);
  assert.deepEqual([upper.lookup(`${deep}/f`), upper.lookup(`${deep}/g`)?.type], [undefined, 'file']);
});

test('L22: many entries in one directory, all removed again one by one', () => {
  const names = Array.from({ length: 50_000 }, (_, n) => rootPath(`d/${n}`));
  const lower = indexOf(names.map((path) => entryOf(path, 'file')));
  const upper = indexOf([
    entryOf('d/new', 'file'),
    ...names.map((path): LayerEntry => ({ type: 'whiteout', path })),
    ...names.map((): LayerEntry => ({ type: 'opaque', path: rootPath('d') })),
  ]);
  assert.deepEqual(mergeLayers([lower, upper]).list('d'), ['new']);
});

test('L22: paths made to be slow to resolve are refused, not resolved for hours', () => {
  // every link leads through 2000 components and the link before it
  const detour = 'd/../'.repeat(1000);
  const links = Array.from({ length: 39 }, (_, n) => entryOf(`l${n + 1}`, 'symlink', `${detour}l${n}`));
  const files = Array.from({ length: 5000 }, (_, n) => entryOf(`l39/${n}`, 'file'));
  const entries = [entryOf('d', 'directory'), entryOf('l0', 'directory'), ...links, ...files];
  assert.throws(
    () => mergeLayers([indexOf(entries)]),
    (error) => hasCode(error, 'LIMIT_EXCEEDED'),
  );
});

test('L22: a file that claims to be huge costs nothing before its bytes come', async () => {
  const claims = tarOf([file('rpmdb')]).slice();
  const header = Buffer.from(claims.buffer, 0, 512);
  header.write('77777777777\0', 124, 'latin1'); // 8 GiB
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  await refuses(indexBlob(claims, { captures: () => true }), 'LIMIT_EXCEEDED');
  await refuses(indexBlob(claims, { captures: () => false }), 'ARCHIVE_INVALID');
});

test('L23: a layer that unpacks to more than the limit is refused', async () => {
  const bomb = gzipSync(Buffer.alloc(32 * 1024 ** 2));
  await refuses(indexBlob(bomb, { maxSize: 1024 ** 2 }), 'LIMIT_EXCEEDED');
});

test('L24: names that differ in case or Unicode form only are different names', async () => {
  const names = ['A', 'a', 'e\xcc\x81', '\xc3\xa9', '\xff'];
  const root = await tree(names.map((name) => file(name, name)));
  assert.deepEqual(root.list(''), [...names].sort());
  const draft = createDraft(root);
  draft.put('\xc3\xa9', text('changed'));
  assert.deepEqual(
    draft.changes().changes.map(({ path }) => path),
    ['\xc3\xa9'],
  );
});

test('L25: set-id bits, capabilities, owners and devices survive reading, merging and writing', async () => {
  const xattrs = new Map([['security.capability', Uint8Array.of(1, 0, 0, 2, 0x80, 0xc3, 0x28, 0xff)]]);
  const entries = [
    dir('d', {
      mode: 0o2775,
      uid: 4_000_000_000,
      gid: 7,
      xattrs: new Map([['user.a', Uint8Array.of(0, 10, 0xff)]]),
    }),
    file('d/su', 'su', { mode: 0o4755 }),
    file('d/ping', 'ping', { mode: 0o755, xattrs }),
    {
      path: 'd/null',
      type: 'character',
      mode: 0o666,
      uid: 0,
      gid: 0,
      mtime: 0,
      devMajor: 1,
      devMinor: 3,
    } as const,
    {
      path: 'd/disk',
      type: 'block',
      mode: 0o660,
      uid: 0,
      gid: 6,
      mtime: 0,
      devMajor: 259,
      devMinor: 70_000,
    } as const,
  ];
  const root = await tree(entries);
  const empty = mergeLayers([]);
  const draft = createDraft(empty);
  for (const node of root.walk('d')) {
    const content = node.type === 'file' ? { content: root.read(node.path) as Uint8Array } : {};
    draft.put(node.path, { ...node, ...content });
  }
  const written = mergeLayers([await layerOfChanges(draft.changes(), empty)]);
  assert.deepEqual(snapshot(written), snapshot(root));
  const more = createDraft(root);
  more.put('d/new', text(''));
  more.setAttributes('d/ping', { mode: 0o700 });
  const layers = [await layer(...entries), await layerOfChanges(more.changes(), root)];
  const patched = mergeLayers(layers);
  assert.deepEqual([patched.lookup('d')?.uid, patched.lookup('d')?.mode], [4_000_000_000, 0o2775]);
  assert.deepEqual(
    Buffer.from(patched.lookup('d/ping')?.xattrs.get('security.capability') ?? []),
    Buffer.from(xattrs.get('security.capability') ?? []),
  );
});
