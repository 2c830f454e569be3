import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRich, richNames } from './rich.ts';

test('richNames() gives what rpm indexes', () => {
  // rows of a database that rpm 4.18 wrote (the first is of AlmaLinux 9)
  const rows: readonly (readonly [string, readonly string[]])[] = [
    [
      '(glibc-gconv-extra(aarch-64) = 2.34-83.el9 if redhat-rpm-config)',
      ['glibc-gconv-extra(aarch-64)', '!redhat-rpm-config'],
    ],
    ['((labkeep and labtwo) or labnone)', ['labkeep', 'labtwo', 'labnone']],
    ['(labkeep if labnone else labtwo)', ['labkeep', '!labnone', 'labnone', 'labtwo']],
    ['(laba with labb(x) >= 2)', ['laba', 'labb(x)']],
    ['(labq unless labr)', ['labq', '!labr']],
    ['(rpmlib(x) and a)', ['a']],
  ];
  for (const [dependency, names] of rows) assert.deepEqual(richNames(dependency), names, dependency);
});

test('parseRich() refuses what rpm refuses to build', () => {
  const wrong = [
    '',
    '(',
    '()',
    '(a',
    '(a and)',
    '(a and b or c)',
    '(a if b if c)',
    '(a else b)',
    '(a >= )',
    '(a >= 1 2)',
    'a',
    '(a) b',
    '(a if b else c else d)',
  ];
  for (const text of wrong) assert.equal(parseRich(text), undefined, text);
  assert.equal(parseRich('('.repeat(5000)), undefined, 'depth is limited');
});

test('parseRich() keeps versions with their names', () => {
  assert.deepEqual(parseRich('(a >= 1:2-3 if b)'), {
    kind: 'if',
    what: { kind: 'atom', relation: { name: 'a', comparison: '>=', version: '1:2-3' } },
    condition: { kind: 'atom', relation: { name: 'b' } },
    otherwise: undefined,
  });
});
