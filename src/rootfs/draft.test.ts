import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../errors.ts';
import { dir, file, hardLink, indexBlob, layer, sha256, symlink, tarOf } from '../../test/support/layers.ts';
import type { NewNode } from './change-set.ts';
import { createDraft, type Draft } from './draft.ts';
import { mergeLayers } from './view.ts';

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 1 };
const text = (content: string, attributes: Partial<NewNode> = {}): NewNode => ({
  type: 'file',
  content: Buffer.from(content),
  ...plain,
  ...attributes,
});
const directory = (mode = 0o755): NewNode => ({ type: 'directory', ...plain, mode });
const link = (target: string): NewNode => ({ type: 'symlink', link: target, ...plain });

const base = mergeLayers([
  await layer(
    dir('usr'),
    dir('usr/bin'),
    file('usr/bin/a', 'one'),
    symlink('bin', 'usr/bin'),
    dir('etc', { mode: 0o700, uid: 9 }),
    file('etc/conf', 'c', { mode: 0o640, gid: 4 }),
    hardLink('etc/conf2', 'etc/conf', { mode: 0o640, gid: 4 }),
    dir('tree'),
    dir('tree/sub'),
    file('tree/sub/x', 'x'),
    file('cap', 'p', { xattrs: new Map([['security.capability', Uint8Array.of(1, 2, 0x80)]]) }),
    file('labelled', 'l', { xattrs: new Map([['security.selinux', Uint8Array.of(1)]]) }),
  ),
]);

/** Changes as short lines: put PATH, link PATH TARGET, remove PATH. */
function changesOf(draft: Draft): string[] {
  return draft.changes().changes.map((change) => {
    if (change.kind === 'link') return `link ${change.path} ${change.target}`;
    return `${change.kind} ${change.path}`;
  });
}

interface Case {
  readonly run: (draft: Draft) => void;
  readonly changes: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  nothing: { run: () => {}, changes: [] },
  'a put through a symlinked parent lands where it leads': {
    run: (draft) => draft.put('bin/new', text('n')),
    changes: ['put usr/bin/new'],
  },
  'missing parents are created': {
    run: (draft) => draft.put('opt/a/b', text('n')),
    changes: ['put opt', 'put opt/a', 'put opt/a/b'],
  },
  'what is there already is no change, whatever its time': {
    run: (draft) => {
      draft.put('/bin/a', text('one', { mtime: 99 }));
      draft.put('etc', { ...directory(0o700), uid: 9 });
      draft.put('bin', link('usr/bin'));
    },
    changes: [],
  },
  'another mode is a change': {
    run: (draft) => draft.put('bin/a', text('one', { mode: 0o755 })),
    changes: ['put usr/bin/a'],
  },
  'other content of the same size is a change': {
    run: (draft) => draft.put('bin/a', text('two')),
    changes: ['put usr/bin/a'],
  },
  'a lost capability is a change': { run: (draft) => draft.put('cap', text('p')), changes: ['put cap'] },
  'a label that no layer holds is none': { run: (draft) => draft.put('labelled', text('l')), changes: [] },
  'a file over a directory removes the tree': {
    run: (draft) => draft.put('tree', text('f')),
    changes: ['put tree'],
  },
  'a directory over a symlink replaces it': {
    run: (draft) => {
      draft.put('bin', directory());
      draft.put('bin/a', text('one'));
    },
    changes: ['put bin', 'put bin/a'],
  },
  'what a replaced symlink led to is not in its place': {
    run: (draft) => {
      draft.put('bin', directory());
      draft.put('bin/a', text('one'));
      draft.remove('usr/bin/a');
    },
    changes: ['put bin', 'put bin/a', 'remove usr/bin/a'],
  },
  'removals cover what is below': { run: (draft) => draft.remove('tree'), changes: ['remove tree'] },
  'a symlink is removed, not what it leads to': {
    run: (draft) => draft.remove('bin'),
    changes: ['remove bin'],
  },
  'what is not there cannot be removed': { run: (draft) => draft.remove('none/x'), changes: [] },
  'removed and put again': {
    run: (draft) => {
      draft.remove('tree');
      draft.put('tree/new', text('n'));
    },
    changes: ['put tree/new', 'remove tree/sub'],
  },
  'put and removed again': {
    run: (draft) => {
      draft.put('new', text('n'));
      draft.remove('new');
    },
    changes: [],
  },
  'a new link writes the whole group': {
    run: (draft) => draft.link('a', 'etc/conf2'),
    changes: ['put a', 'link etc/conf a', 'link etc/conf2 a'],
  },
  'a link that is there is no change': { run: (draft) => draft.link('etc/conf', 'etc/conf2'), changes: [] },
  'a group put again is no change': {
    run: (draft) => {
      draft.put('etc/conf2', text('c', { mode: 0o640, gid: 4 }));
      draft.link('etc/conf', 'etc/conf2');
    },
    changes: [],
  },
  'a put over one of two links leaves the other': {
    run: (draft) => draft.put('etc/conf', text('new')),
    changes: ['put etc/conf'],
  },
  'a link put apart from its group is a change, though its content is the same': {
    run: (draft) => draft.put('etc/conf', text('c', { mode: 0o640, gid: 4 })),
    changes: ['put etc/conf'],
  },
  'a group put as separate files is written but for one': {
    run: (draft) => {
      draft.put('etc/conf', text('c', { mode: 0o640, gid: 4 }));
      draft.put('etc/conf2', text('c', { mode: 0o640, gid: 4 }));
    },
    changes: ['put etc/conf2'],
  },
  'attributes change on all links': {
    run: (draft) => draft.setAttributes('etc/conf', { mode: 0o600 }),
    changes: ['put etc/conf', 'link etc/conf2 etc/conf'],
  },
  'attributes of a directory change without its content': {
    run: (draft) => draft.setAttributes('etc', { mode: 0o755 }),
    changes: ['put etc'],
  },
  'attributes of the root': { run: (draft) => draft.setAttributes('', { uid: 1 }), changes: ['put '] },
  'the same attributes are no change': {
    run: (draft) => draft.setAttributes('etc/conf', { gid: 4, mtime: 5 }),
    changes: [],
  },
};

for (const [name, { run, changes }] of Object.entries(CASES))
  test(`draft: ${name}`, () => {
    const draft = createDraft(base);
    run(draft);
    assert.deepEqual(changesOf(draft), changes);
  });

test('a draft reads as what it would become', () => {
  const draft = createDraft(base);
  draft.put('bin/new', text('new content', { mode: 0o4755 }));
  draft.remove('tree/sub');
  draft.link('again', 'bin/new');
  const node = draft.lookup('usr/bin/new');
  assert.equal(node?.mode, 0o4755);
  assert.equal(node?.size, 11);
  assert.equal(node?.sha256, sha256(Buffer.from('new content')));
  assert.equal(node?.inode, draft.lookup('again')?.inode);
  assert.deepEqual(draft.hardLinks('again'), ['again', 'usr/bin/new']);
  assert.equal(Buffer.from(draft.read('again') ?? []).toString(), 'new content');
  assert.equal(Buffer.from(draft.read('bin/a') ?? []).toString(), 'one');
  assert.deepEqual(draft.list('tree'), []);
  assert.deepEqual(draft.list('bin'), ['a', 'new']);
  assert.equal(draft.lookup('tree/sub/x'), undefined);
  assert.equal(base.lookup('usr/bin/new'), undefined, 'the base stays as it is');
  assert.equal(draft.lookup('etc/conf')?.inode, base.lookup('etc/conf2')?.inode);
});

test('implied parents have the time of what is put into them', () => {
  const draft = createDraft(base);
  draft.put('opt/x', text('', { mtime: 77 }));
  assert.deepEqual(
    [draft.lookup('opt')?.mode, draft.lookup('opt')?.uid, draft.lookup('opt')?.mtime],
    [0o755, 0, 77],
  );
});

test('what cannot be is refused', async () => {
  const draft = createDraft(
    mergeLayers([await indexBlob(tarOf([file('f', 'x'), symlink('l', 'l')]), { captures: () => false })]),
  );
  const refused = (run: () => void, code: 'INTERNAL' | 'CONFLICT' | 'ARCHIVE_INVALID'): void =>
    assert.throws(run, (error) => hasCode(error, code));
  refused(() => draft.put('f/x', text('')), 'CONFLICT');
  refused(() => draft.put('l/x', text('')), 'CONFLICT');
  refused(() => draft.put('x', { type: 'file', ...plain }), 'INTERNAL');
  refused(() => draft.put('', text('')), 'INTERNAL');
  refused(() => draft.put('a/../b', text('')), 'ARCHIVE_INVALID');
  refused(() => draft.link('x', 'none'), 'INTERNAL');
  refused(() => draft.link('x', ''), 'INTERNAL');
  refused(() => draft.link('x', 'f'), 'INTERNAL');
  refused(() => draft.setAttributes('f', { mode: 0o600 }), 'INTERNAL');
  refused(() => draft.setAttributes('none', { mode: 0o600 }), 'INTERNAL');
  refused(() => draft.remove('/'), 'INTERNAL');
  draft.setAttributes('f', { mode: 0o644, mtime: 3 });
  assert.deepEqual(changesOf(draft), []);
});
