import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../errors.ts';
import { baseName, joinPath, parentOf, rootPath } from './path.ts';

const NORMALISED: readonly (readonly [string, string])[] = [
  ['usr/bin/sh', 'usr/bin/sh'],
  ['./usr/bin/', 'usr/bin'],
  ['/usr//bin/./sh', 'usr/bin/sh'],
  ['.', ''],
  ['/', ''],
  ['', ''],
  ['.hidden/..data', '.hidden/..data'],
  ['a/...', 'a/...'],
  ['back\\..\\slash', 'back\\..\\slash'],
  ['ends./with.', 'ends./with.'],
];

for (const [path, expected] of NORMALISED)
  test(`rootPath() makes '${path}' '${expected}'`, () => assert.equal(rootPath(path), expected));

for (const path of ['..', '../a', 'a/../b', '/a/..', './..', 'a\0b'])
  test(`rootPath() refuses ${JSON.stringify(path)}`, () => {
    assert.throws(
      () => rootPath(path, 'the entry'),
      (error) => hasCode(error, 'ARCHIVE_INVALID'),
    );
  });

test('a path is its parent and its name', () => {
  for (const path of ['a', 'a/b', 'a/b/c'].map((path) => rootPath(path)))
    assert.equal(joinPath(parentOf(path), baseName(path)), path);
  assert.equal(parentOf(rootPath('a')), '');
});
