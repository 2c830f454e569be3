import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesName, matchesPath } from './glob.ts';

test('matchesName() reads * ? sets and escapes', () => {
  for (const [pattern, name, expected] of [
    ['*', '', true],
    ['*.conf', 'a.conf', true],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['?', 'a', true],
    ['?', '', false],
    ['[abc]x', 'bx', true],
    ['[!abc]x', 'bx', false],
    ['[a-c]', 'b', true],
    ['[]]', ']', true],
    ['[', '[', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
  ] as const)
    assert.equal(matchesName(pattern, name), expected, `${pattern} ${name}`);
});

test('matchesPath() does not let a star match a slash', () => {
  assert.ok(matchesPath('/lib/modules/*', '/lib/modules/6.1'));
  assert.ok(!matchesPath('/lib/modules/*', '/lib/modules/6.1/kernel'));
  assert.ok(!matchesPath('/lib/*', '/lib'));
});

test('matchesName() stays fast for patterns made to be slow', () => {
  assert.ok(!matchesName(`${'a*'.repeat(50)}b`, 'a'.repeat(5000)));
});
