import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../errors.ts';
import { rootPath } from './path.ts';
import { isAufsLinkTarget, meaningOf, whiteoutPath } from './whiteout.ts';

const MEANINGS: readonly (readonly [string, string, string?])[] = [
  ['d/.wh.name', 'whiteout', 'd/name'],
  ['.wh.name', 'whiteout', 'name'],
  ['.wh..hidden', 'whiteout', '.hidden'],
  ['d/.wh..wh..opq', 'opaque', 'd'],
  ['.wh..wh..opq', 'opaque', ''],
  ['.wh..wh.aufs', 'aufs'],
  ['.wh..wh.plnk/12.34', 'aufs'],
  ['d/.wh..wh.orph', 'aufs'],
  ['.whale', 'content'],
  ['.wh.d/file', 'content'],
  ['x.wh.name', 'content'],
];

for (const [path, kind, target] of MEANINGS)
  test(`an entry ${path} is ${kind}${target === undefined ? '' : ` of '${target}'`}`, () => {
    const expected = target === undefined ? { kind } : { kind, path: target };
    assert.deepEqual(meaningOf(rootPath(path), 'the layer'), expected);
  });

for (const path of ['.wh.', 'd/.wh.', 'd/.wh..', 'd/.wh...'])
  test(`a whiteout ${path} is refused`, () => {
    assert.throws(
      () => meaningOf(rootPath(path), 'the layer'),
      (error) => hasCode(error, 'ARCHIVE_INVALID'),
    );
  });

test('whiteoutPath() is read back as a whiteout of its path', () => {
  for (const path of ['a', 'a/b', '.a', 'a/.wh'].map((path) => rootPath(path)))
    assert.deepEqual(meaningOf(whiteoutPath(path), 'the layer'), { kind: 'whiteout', path });
});

test('only files in the link directory of aufs can be linked to', () => {
  assert.equal(isAufsLinkTarget(rootPath('.wh..wh.plnk/1.2')), true);
  assert.equal(isAufsLinkTarget(rootPath('d/.wh..wh.plnk/1.2')), false);
});
