import { test } from 'node:test';
import assert from 'node:assert/strict';
import { dependencyGroups, relationList } from './dependencies.ts';
import { formatRelations } from './relations.ts';

test('dependencyGroups() reads versions, alternatives, qualifiers, old operators and odd spacing', () => {
  for (const [field, expected] of [
    ['libc6 (>= 2.36), zlib1g', 'libc6 (>= 2.36), zlib1g'],
    ['a(<1),b(>2)|c  (= 3:1-1) ,\n d', 'a (<= 1), b (>= 2) | c (= 3:1-1), d'],
    ['python3:any (>= 3.9~), perl:native, x:amd64', 'python3:any (>= 3.9~), perl:native, x:amd64'],
    ['a (1.0), , b,', 'a (= 1.0), b'],
    ['a (>= 1', 'a (>= 1'],
    ['', ''],
  ] as const)
    assert.equal(formatRelations(dependencyGroups(field)), expected);
  assert.equal(relationList('a (<< 2), b | c').length, 3);
  assert.deepEqual(dependencyGroups(undefined), []);
});
