// Whatever is done to a draft: its changes, written as a layer, read back and merged, give the tree of the draft.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { fromByteString } from '../../src/base/bytes.ts';
import { hasCode } from '../../src/errors.ts';
import type { NewNode } from '../../src/rootfs/change-set.ts';
import { createDraft, type Draft } from '../../src/rootfs/draft.ts';
import { decodeLayerIndex, encodeLayerIndex, type LayerIndex } from '../../src/rootfs/layer-index.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';
import { layerOfChanges, snapshot } from '../support/layers.ts';

type Operation = (draft: Draft) => void;

// few names and values, so that operations meet; '-' sorts before '/', 0xe9 is not ASCII
const path = fc.constantFrom('a', 'a-', '\xe9', 'a/a', 'a/\xe9', 'a-/a', '\xe9/a', 'a/a/a', '\xe9/a/a-');
const capability = new Map([['security.capability', new Uint8Array([1, 0, 0, 2, 0x80, 0, 0, 0xff])]]);
const plain = { mode: 0o755, uid: 0, gid: 0, mtime: 1_700_000_000 };
const attributes = fc.constantFrom(
  plain,
  plain,
  plain,
  { ...plain, uid: 3_000_000 },
  { ...plain, mode: 0o4711, xattrs: capability },
);
const kind: fc.Arbitrary<Pick<NewNode, 'type' | 'content' | 'link' | 'devMajor' | 'devMinor'>> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom('', 'x')
      .map((text) => ({ type: 'file' as const, content: fromByteString(text) })),
  },
  { weight: 4, arbitrary: fc.constant({ type: 'directory' as const }) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('a', '../a', '/\xe9', '.', 'no/where')
      .map((link) => ({ type: 'symlink' as const, link })),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'character' as const, devMajor: 1, devMinor: 3 }) },
  { weight: 1, arbitrary: fc.constant({ type: 'fifo' as const }) },
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(path, kind, attributes).map(
      ([at, what, how]): Operation =>
        (draft) =>
          draft.put(at, { ...what, ...how }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(path, path).map(
      ([at, target]): Operation =>
        (draft) =>
          draft.link(at, target),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(path, attributes).map(
      ([at, how]): Operation =>
        (draft) =>
          draft.setAttributes(at, how),
    ),
  },
  {
    weight: 3,
    arbitrary: path.map(
      (at): Operation =>
        (draft) =>
          draft.remove(at),
    ),
  },
);
const rounds = fc.array(fc.array(operation, { minLength: 1, maxLength: 20 }), { minLength: 2, maxLength: 3 });

test('a layer written from a draft gives the tree of the draft', async () => {
  await fc.assert(
    fc.asyncProperty(rounds, async (rounds) => {
      const layers: LayerIndex[] = [];
      for (const operations of rounds) {
        const draft = createDraft(mergeLayers(layers));
        for (const run of operations) attempt(() => run(draft));
        const before = snapshot(draft);
        const changes = draft.changes();
        assert.deepEqual(snapshot(draft), before, 'changes() changes nothing');
        layers.push(await layerOfChanges(changes, draft.base));
        const merged = mergeLayers(layers);
        assert.deepEqual(snapshot(merged), before);
        assert.deepEqual(createDraft(merged).changes().changes, [], 'an untouched draft has no changes');
      }
      assert.deepEqual(layers.map(encodeLayerIndex).map(decodeLayerIndex), layers);
    }),
    { numRuns: 400 },
  );
});

test('putting again what is there changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
      const first = createDraft(mergeLayers([]));
      for (const run of operations) attempt(() => run(first));
      const root = mergeLayers([await layerOfChanges(first.changes(), first.base)]);
      const draft = createDraft(root);
      for (const node of root.walk('')) {
        const [target = '', ...links] = root.hardLinks(node.path);
        if (node.path === '' || links.includes(node.path)) continue;
        const content = node.type === 'file' ? { content: root.read(node.path) as Uint8Array } : {};
        draft.put(node.path, { ...node, mtime: node.mtime + 1, ...content });
        for (const link of links) draft.link(link, target);
      }
      assert.deepEqual(draft.changes().changes, []);
    }),
    { numRuns: 100 },
  );
});

// an operation that cannot be (a directory that is a file, a link to nothing) is refused and changes nothing
function attempt(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!hasCode(error, 'CONFLICT', 'INTERNAL')) throw error;
  }
}
