// The merged view beside the tree that umoci extracts from the same image, path by path: written cases of everything the
// layer rules know, and random layers. Needs umoci, python3 and root (owners, devices, capabilities).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { displayText } from '../../src/base/bytes.ts';
import { collect } from '../../src/base/streams.ts';
import { hasCode } from '../../src/errors.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import type { NodeType, RootView } from '../../src/rootfs/root-view.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';
import { writeLayer } from '../../src/rootfs/write-layer.ts';
import { dir, file, hardLink, indexBlob, sha256, symlink, tarOf, type Entry } from '../support/layers.ts';
import { sharedFolder } from '../support/project.ts';

const capability = new Map([
  ['security.capability', Uint8Array.from(Buffer.from('0100000200200000000000800000000000000000', 'hex'))],
  ['user.note', Uint8Array.from(Buffer.from('\xff\0\x80', 'latin1'))],
]);

const CASES: Readonly<Record<string, readonly (readonly Entry[])[]>> = {
  'whiteouts and opaque directories': [
    [
      dir('d'),
      file('d/old'),
      dir('d/sub'),
      file('d/sub/x'),
      file('f'),
      dir('o'),
      file('o/lower'),
      dir('o/keep'),
      file('o/keep/x'),
    ],
    [
      dir('d'),
      file('d/.wh.old'),
      file('.wh.f'),
      dir('o'),
      file('o/new'),
      file('o/.wh..wh..opq'),
      dir('o/keep'),
      file('o/keep/y'),
    ],
  ],
  'whiteout and re-add in one layer, in both orders': [
    [
      dir('a'),
      file('a/x', 'old'),
      dir('b'),
      file('b/x', 'old'),
      dir('b/sub'),
      file('b/sub/old'),
      file('c', 'old'),
    ],
    [
      file('.wh.a'),
      dir('a', { mode: 0o700 }),
      file('a/y', 'new'),
      dir('b', { uid: 5 }),
      file('b/y', 'new'),
      file('.wh.b'),
      file('c', 'new'),
      file('.wh.c'),
    ],
  ],
  'a whiteout of what is not there': [
    [dir('d')],
    [file('.wh.none'), file('d/.wh.none'), file('none/.wh.none')],
  ],
  'symlinked parents are followed': [
    [
      dir('usr'),
      dir('usr/bin', { mode: 0o711 }),
      file('usr/bin/old'),
      symlink('bin', 'usr/bin'),
      symlink('abs', '/usr/bin'),
      symlink('out', '../../usr'),
    ],
    [
      file('bin/new'),
      file('bin/.wh.old'),
      file('abs/newer'),
      file('out/newest'),
      hardLink('abs/linked', 'bin/new'),
    ],
  ],
  'a directory replaces a symlink, a symlink a directory': [
    [
      dir('t'),
      file('t/x'),
      symlink('l', 't'),
      dir('d'),
      file('d/x'),
      file('f'),
      symlink('dangling', 'no/where'),
    ],
    [dir('l'), file('l/y'), symlink('d', 't'), dir('f'), file('f/x'), file('dangling/x')],
  ],
  'hard links within a layer, across layers, and broken ones': [
    [
      file('a', 'one'),
      hardLink('b', 'a'),
      hardLink('c', './a'),
      file('x', 'x'),
      hardLink('y', '/x'),
      symlink('s', 'a'),
    ],
    [file('a', 'two'), hardLink('d', 'b'), hardLink('s2', 's'), file('.wh.x')],
  ],
  'owners, modes, devices, capabilities': [
    [
      dir('.', { mode: 0o711, uid: 7 }),
      file('ping', 'elf', { mode: 0o755, xattrs: capability }),
      file('su', 'elf', { mode: 0o4755, uid: 3_000_000, gid: 42 }),
      dir('tmp', { mode: 0o1777 }),
      { path: 'null', type: 'character', mode: 0o666, uid: 0, gid: 5, mtime: 0, devMajor: 1, devMinor: 3 },
      { path: 'disk', type: 'block', mode: 0o660, uid: 0, gid: 6, mtime: 0, devMajor: 8, devMinor: 1 },
      { path: 'pipe', type: 'fifo', mode: 0o600, uid: 1, gid: 1, mtime: 0 },
    ],
    [file('ping', 'new elf', { mode: 0o755 }), dir('tmp', { mode: 0o700, uid: 3 })],
  ],
  'missing parents, dots in names, long and odd names': [
    [
      file('no/dirs/here'),
      file('./dot/./name'),
      file(`deep/${'n'.repeat(120)}/${'m'.repeat(150)}`),
      file('\xc3\xa9/\xc3\xa9'),
      file('back\\slash'),
    ],
    [file('/absolute/name'), file('double//slash')],
  ],
  'a path twice in one layer': [
    [
      file('a', '1'),
      file('a', '2'),
      dir('d'),
      file('d/x'),
      file('d', 'now a file'),
      symlink('s', 'a'),
      file('s', 'now a file'),
    ],
  ],
};

for (const [name, layers] of Object.entries(CASES))
  test(`umoci extracts the same tree: ${name}`, async (t) => {
    const oracle = umoci(t);
    if (!oracle) return;
    const expected = oracle(layers.map(tarOf));
    assert.ok(expected, 'umoci extracts the image');
    assert.deepEqual(await merged(layers.map(tarOf)), expected);
  });

test('umoci extracts the same tree from random layers, or refuses them too', async (t) => {
  const oracle = umoci(t);
  if (!oracle) return;
  // mostly directories and files in their places, else nearly all images would be refused
  const directory = fc.constantFrom('a', 'b', 'a/a', 'a/b');
  const leaf = fc.tuple(directory, fc.constantFrom('x', 'y')).map((names) => names.join('/'));
  const any = fc.oneof(directory, leaf);
  const entry: fc.Arbitrary<Entry> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(leaf, fc.constantFrom('1', '2')).map(([at, content]) => file(at, content)),
    },
    {
      weight: 8,
      arbitrary: fc.tuple(directory, fc.constantFrom(0o755, 0o700)).map(([at, mode]) => dir(at, { mode })),
    },
    { weight: 1, arbitrary: any.map((at) => file(at)) },
    { weight: 1, arbitrary: any.map((at) => dir(at)) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(any, fc.constantFrom('x', '../b', '/a/b', '/a'))
        .map(([at, link]) => symlink(at, link)),
    },
    { weight: 2, arbitrary: fc.tuple(leaf, leaf).map(([at, target]) => hardLink(at, target)) },
    { weight: 5, arbitrary: any.map((at) => file(at.replace(/[^/]*$/, '.wh.$&'))) },
    { weight: 2, arbitrary: directory.map((at) => file(`${at}/.wh..wh..opq`)) },
  );
  const layers = fc.array(fc.array(entry, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 3 });
  const runs = Number(process.env['ONLAY_ORACLE_RUNS'] ?? 30);
  await fc.assert(
    fc.asyncProperty(layers, async (layers) => {
      const tars = layers.map(tarOf);
      assert.deepEqual(await merged(tars), oracle(tars));
    }),
    { numRuns: runs },
  );
});

test('umoci extracts our own layer to the tree of the draft', async (t) => {
  const oracle = umoci(t);
  if (!oracle) return;
  const lower = tarOf([
    dir('usr', { mode: 0o711 }),
    dir('usr/bin', { uid: 5, xattrs: capability }),
    symlink('bin', 'usr/bin'),
    file('usr/bin/perl', '1', { mode: 0o755 }),
    hardLink('usr/bin/perl5', 'usr/bin/perl', { mode: 0o755 }),
    file('usr/bin/ping', '1', { mode: 0o755, xattrs: capability }),
    dir('usr/etc'),
    symlink('etc', 'usr/etc'),
    file('gone/x'),
    file('emptied/x'),
    file('tree/x'),
    file('file'),
  ]);
  const base = mergeLayers([await indexBlob(lower)]);
  const draft = createDraft(base);
  const plain = { mode: 0o755, uid: 0, gid: 0, mtime: 1_700_000_000 };
  draft.put('bin/perl', { type: 'file', content: Buffer.from('2'), ...plain });
  draft.link('bin/perl5', 'bin/perl');
  draft.link('usr/lib/perl', 'bin/perl');
  draft.put('bin/ping', { type: 'file', content: Buffer.from('2'), ...plain, xattrs: capability });
  draft.setAttributes('bin/ping', { uid: 9 });
  draft.put('etc/conf', { type: 'file', content: Buffer.from('c'), ...plain });
  draft.put('tree', { type: 'symlink', link: 'usr', ...plain });
  draft.put('file', { type: 'directory', ...plain });
  draft.put('file/in', { type: 'fifo', ...plain });
  draft.remove('gone');
  draft.remove('emptied/x');
  const upper = await collect(writeLayer(draft.changes(), base), { limit: 2 ** 20, what: 'the layer' });
  assert.deepEqual(oracle([lower, upper]), linesOf(draft));
});

/** One path as tree.py says it. */
type Line = Readonly<Record<string, unknown>>;

async function merged(tars: readonly Uint8Array[]): Promise<readonly Line[] | undefined> {
  try {
    return linesOf(mergeLayers(await Promise.all(tars.map((tar) => indexBlob(tar)))));
  } catch (error) {
    if (hasCode(error, 'ARCHIVE_INVALID')) return undefined;
    throw error;
  }
}

const LETTERS: Readonly<Record<NodeType, string>> = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
};

function linesOf(root: RootView): readonly Line[] {
  const lines: Line[] = [];
  for (const node of root.walk('')) {
    if (node.path === '') continue;
    const links = node.type === 'file' ? root.hardLinks(node.path).filter((path) => path !== node.path) : [];
    lines.push({
      path: displayText(node.path),
      type: LETTERS[node.type],
      mode: node.mode.toString(8).padStart(4, '0'),
      uid: node.uid,
      gid: node.gid,
      ...(node.type === 'file' ? { size: node.size, sha256: node.sha256 } : {}),
      ...(node.type === 'symlink' ? { link: displayText(node.link) } : {}),
      ...(node.type === 'character' || node.type === 'block' ? { dev: [node.devMajor, node.devMinor] } : {}),
      ...(node.xattrs.size > 0
        ? {
            xattrs: Object.fromEntries(
              [...node.xattrs].map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
            ),
          }
        : {}),
      ...(links.length > 0 ? { hardlinks: links.map(displayText) } : {}),
    });
  }
  return lines.sort((a, b) => (String(a['path']) < String(b['path']) ? -1 : 1));
}

/** What umoci makes of layers, or undefined when it refuses them. */
type Oracle = (tars: readonly Uint8Array[]) => readonly Line[] | undefined;

function umoci(t: TestContext): Oracle | undefined {
  const shared = sharedFolder();
  const missing = [
    ...(shared ? [] : ['the shared oracles']),
    ...['umoci', 'python3'].filter((tool) => spawnSync(tool, ['--version']).error),
    ...(process.getuid?.() === 0 ? [] : ['root']),
  ];
  if (!shared || missing.length > 0) {
    t.skip(`needs ${missing.join(', ')}`);
    return undefined;
  }
  const work = mkdtempSync(join(tmpdir(), 'onlay-merge-'));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  let number = 0;
  return (tars) => {
    const image = join(work, String(++number));
    writeImage(image, tars);
    const unpacked = spawnSync('umoci', ['unpack', '--image', `${image}:base`, join(image, 'bundle')], {
      encoding: 'utf8',
    });
    if (unpacked.status !== 0) return undefined;
    const tree = spawnSync(
      'python3',
      [join(shared, 'oracles', 'lib', 'tree.py'), join(image, 'bundle', 'rootfs')],
      {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      },
    );
    assert.equal(tree.status, 0, tree.stderr);
    return tree.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  };
}

function writeImage(directory: string, tars: readonly Uint8Array[]): void {
  mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string): object => {
    writeFileSync(join(directory, 'blobs', 'sha256', sha256(bytes)), bytes);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${sha256(bytes)}`,
      size: bytes.length,
    };
  };
  const json = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
  const config = json({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) },
  });
  const layers = tars.map((tar) => put(gzipSync(tar), 'layer.v1.tar+gzip'));
  const manifest = json({ schemaVersion: 2, config: put(config, 'config.v1+json'), layers });
  const descriptor = {
    ...put(manifest, 'manifest.v1+json'),
    annotations: { 'org.opencontainers.image.ref.name': 'base' },
  };
  writeFileSync(join(directory, 'index.json'), json({ schemaVersion: 2, manifests: [descriptor] }));
  writeFileSync(join(directory, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}
