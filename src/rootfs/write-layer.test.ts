import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { hasCode } from '../errors.ts';
import { collect, streamOf } from '../base/streams.ts';
import { decompress, zstdCompressor } from '../codec/index.ts';
import type { TarHeader } from '../archive/tar-entry.ts';
import { TarParser } from '../archive/tar-read.ts';
import { dir, file, hardLink, layer, sha256, symlink } from '../../test/support/layers.ts';
import type { Change, NewNode } from './change-set.ts';
import { createDraft, type Draft } from './draft.ts';
import { rootPath } from './path.ts';
import { mergeLayers } from './view.ts';
import { sealLayer, writeLayer, type WriteLayerOptions } from './write-layer.ts';

const capability = new Map([['security.capability', Uint8Array.of(1, 0, 0, 2, 0x80, 0xff)]]);
const base = mergeLayers([
  await layer(
    dir('usr', { mode: 0o711, uid: 3, gid: 4, mtime: 1234 }),
    dir('usr/bin', {
      xattrs: new Map([
        ...capability,
        ['trusted.overlay.opaque', Buffer.from('y')],
        ['security.selinux', Buffer.from('l')],
      ]),
    }),
    file('usr/bin/a', '1'),
    symlink('bin', 'usr/bin'),
    dir('d'),
    dir('d/sub'),
    file('d/sub/x'),
    file('d/!', 'sorts before .wh.'),
    file('z', 'z'),
    hardLink('zz', 'z'),
  ),
]);
const node = (content: string, attributes: Partial<NewNode> = {}): NewNode => ({
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1_700_000_000,
  content: Buffer.from(content),
  ...attributes,
});

async function headersOf(changes: readonly Change[], options: WriteLayerOptions = {}): Promise<TarHeader[]> {
  const headers: TarHeader[] = [];
  const parser = new TarParser({ entry: (header) => headers.push(header), data() {}, end() {} });
  for await (const chunk of writeLayer({ changes }, base, options)) parser.write(chunk);
  parser.finish();
  return headers;
}

function changesOf(run: (draft: Draft) => void): readonly Change[] {
  const draft = createDraft(base);
  run(draft);
  return draft.changes().changes;
}

const names = (headers: readonly TarHeader[]): string[] => headers.map(({ path }) => path);

test('parents come first, with the attributes they have below', async () => {
  const [usr, bin, added] = await headersOf(changesOf((draft) => draft.put('bin/new', node('n'))));
  assert.deepEqual(
    [usr?.path, usr?.type, usr?.mode, usr?.uid, usr?.gid, usr?.mtime],
    ['usr/', 'directory', 0o711, 3, 4, 1234],
  );
  assert.equal(bin?.path, 'usr/bin/');
  assert.deepEqual(
    [...(bin?.xattrs ?? [])],
    [...capability].map(([name, value]) => [name, Buffer.from(value)]),
    'labels and overlay marks are dropped',
  );
  assert.deepEqual([added?.path, added?.uname, added?.gname], ['usr/bin/new', '', '']);
});

test('whiteouts stand before their siblings, and only for what is below', async () => {
  const changes = changesOf((draft) => {
    draft.remove('d/sub');
    draft.put('d/!', node('changed'));
    draft.put('d/new', node(''));
    draft.remove('z');
  });
  const headers = await headersOf([...changes, { kind: 'remove', path: rootPath('d/none') }]);
  assert.deepEqual(names(headers), ['.wh.z', 'd/', 'd/.wh.sub', 'd/!', 'd/new']);
  const whiteout = headers[0] as TarHeader;
  assert.deepEqual([whiteout.type, whiteout.size, whiteout.mode], ['file', 0, 0o644]);
});

test('a directory that becomes a file, and a file that becomes a directory, need no whiteout', async () => {
  const changes = changesOf((draft) => {
    draft.put('d', node('file'));
    draft.put('z', { ...node(''), type: 'directory', mode: 0o755 });
    draft.put('z/in', node(''));
  });
  assert.deepEqual(names(await headersOf(changes)), ['d', 'z/', 'z/in']);
});

test('the first name of a group holds the content, the others repeat its attributes', async () => {
  const put = {
    kind: 'put',
    path: rootPath('m'),
    node: node('m', { mode: 0o4755, xattrs: capability }),
  } as const;
  const links = ['x', 'a'].map(
    (path) => ({ kind: 'link', path: rootPath(path), target: rootPath('m') }) as const,
  );
  const headers = await headersOf([put, ...links]);
  assert.deepEqual(
    headers.map(({ path, type, size, link, mode }) => [path, type, size, link, mode]),
    [
      ['a', 'file', 1, '', 0o4755],
      ['m', 'hardlink', 0, 'a', 0o4755],
      ['x', 'hardlink', 0, 'a', 0o4755],
    ],
  );
  for (const { xattrs } of headers) assert.equal(xattrs.has('security.capability'), true);
});

test('later times are set back to the epoch, earlier ones stay', async () => {
  const changes = changesOf((draft) => draft.put('bin/new', node('n', { mtime: 5000 })));
  const headers = await headersOf(changes, { epoch: 3000 });
  assert.deepEqual(
    headers.map(({ mtime }) => mtime),
    [1234, 3000, 3000],
  );
});

test('the bytes do not depend on the order of the changes', async () => {
  const changes = changesOf((draft) => {
    draft.put('bin/new', node('x'.repeat(600_000)));
    draft.link('again', 'zz');
    draft.remove('d/sub');
  });
  const bytes = async (list: readonly Change[]): Promise<string> =>
    sha256(await collect(writeLayer({ changes: list }, base), { limit: 2 ** 20, what: 'the layer' }));
  assert.equal(await bytes(changes), await bytes([...changes].reverse()));
});

test('a layer without changes is an empty archive', async () => {
  assert.deepEqual(await headersOf([]), []);
});

const IMPOSSIBLE: Readonly<Record<string, readonly Change[]>> = {
  'a path twice': [
    { kind: 'put', path: rootPath('a'), node: node('') },
    { kind: 'remove', path: rootPath('a') },
  ],
  'an entry through a symlink of the image': [{ kind: 'put', path: rootPath('bin/x'), node: node('') }],
  'a whiteout through a symlink of the change set': [
    { kind: 'put', path: rootPath('d'), node: { ...node(''), type: 'symlink', link: 'usr' } },
    { kind: 'remove', path: rootPath('d/sub') },
  ],
  'an entry in a directory that is nowhere': [{ kind: 'put', path: rootPath('no/x'), node: node('') }],
  'an entry below a file': [{ kind: 'put', path: rootPath('z/x'), node: node('') }],
  'a link to a file of the image': [{ kind: 'link', path: rootPath('a'), target: rootPath('z') }],
  'a link to a directory': [
    { kind: 'put', path: rootPath('d'), node: { ...node(''), type: 'directory' } },
    { kind: 'link', path: rootPath('a'), target: rootPath('d') },
  ],
  'a file without content': [
    { kind: 'put', path: rootPath('a'), node: { type: 'file', mode: 0, uid: 0, gid: 0, mtime: 0 } },
  ],
};

for (const [name, changes] of Object.entries(IMPOSSIBLE))
  test(`writeLayer() refuses ${name}`, async () => {
    await assert.rejects(headersOf(changes), (error) => hasCode(error, 'INTERNAL'));
  });

test('sealLayer() says digests and sizes of both sides', async () => {
  const tar = Buffer.from('not really a tar '.repeat(100_000));
  for (const compression of ['gzip', 'none', 'zstd'] as const) {
    if (compression === 'zstd' && !zstdCompressor()) {
      await assert.rejects(sealLayer(streamOf(tar), { compression }), (error) =>
        hasCode(error, 'CONFIG_INVALID'),
      );
      continue;
    }
    const sealed = await sealLayer(streamOf(tar), { compression });
    const blob = Buffer.concat(sealed.chunks);
    assert.deepEqual([sealed.diffId, sealed.uncompressedSize], [sha256(tar), tar.length]);
    assert.deepEqual([sealed.digest, sealed.size], [sha256(blob), blob.length]);
    const content = await collect(decompress(streamOf(blob), { limit: tar.length, what: 'the layer' }), {
      limit: tar.length,
      what: 'the layer',
    });
    assert.equal(Buffer.compare(content, tar), 0);
  }
});

test('sealLayer() compresses as hard as it is told', async () => {
  const tar = Buffer.from(Array.from({ length: 40_000 }, (_, n) => `line ${(n * 7919) % 10_007}\n`).join(''));
  const sizeAt = async (level: number): Promise<number> => {
    const { chunks, size } = await sealLayer(streamOf(tar), { compression: 'gzip', level });
    assert.equal(Buffer.compare(gunzipSync(Buffer.concat(chunks)), tar), 0);
    return size;
  };
  assert.ok((await sizeAt(9)) < (await sizeAt(1)));
});
