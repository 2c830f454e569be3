import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlaps, type Relation } from './dependencies.ts';

function relation(text: string): Relation {
  const [name = '', comparison, version] = text.split(' ');
  return comparison ? { name, comparison: comparison as Relation['comparison'], version } : { name };
}

test('overlaps() decides as rpm does', () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['a = 1-1', 'a', true],
    ['a', 'a >= 5', true],
    ['a = 1-1', 'b', false],
    ['a = 1-1', 'a = 1', true],
    ['a = 1-2', 'a = 1-1', false],
    ['a = 1-2', 'a >= 1-1', true],
    ['a = 1-2', 'a > 1-2', false],
    ['a = 2:1-1', 'a < 2', false],
    ['a = 1-1', 'a < 2:0', true],
    ['a >= 2', 'a <= 2', true],
    ['a > 2', 'a < 2', false],
    ['a > 2', 'a > 3', true],
    ['a < 3', 'a > 1', true],
    ['a <= 2', 'a > 2', false],
  ];
  for (const [provided, required, expected] of rows)
    assert.equal(overlaps(relation(provided), relation(required)), expected, `${provided} / ${required}`);
});
