import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, isValidVersion, matchesPrefix } from './version.ts';

// ascending; measured with apk 2.14.4 and 3.0.6
const LADDERS = [
  '1.0_alpha 1.0_alpha2 1.0_alpha10 1.0_beta 1.0_pre 1.0_rc 1.0_rc0 1.0_rc1 1.0_rc1_p2 1.0 1.0-r0 1.0-r9 1.0-r29',
  '1.0 1.0_cvs 1.0_svn 1.0_git 1.0_hg 1.0_p 1.0_p1 1.0a 1.0b 1.0b_p1 1.0.1',
  '1 1.0-r0 1.0.0 1.0.0-r0 1.9 1.10',
  '1_alpha 1 1.0',
  '1.001 1.01 1.010 1.1',
  '1.0 1.00',
  '1.2.4-r5 1.2.4_git20230717-r4 1.2.5-r0',
  '1.0_p1_rc1 1.0_p1',
  '1.0-r1 1.0~abc',
  '999999999999999999999 1000000000000000000000',
];

test('compareVersions() keeps every ladder in order', () => {
  for (const ladder of LADDERS) {
    const versions = ladder.split(' ');
    for (const [i, low] of versions.entries())
      for (const high of versions.slice(i + 1)) {
        assert.ok(compareVersions(low, high) < 0, `${low} < ${high}`);
        assert.ok(compareVersions(high, low) > 0, `${high} > ${low}`);
      }
  }
});

test('compareVersions() finds different spellings of one version equal', () => {
  for (const [a, b] of [
    ['1.0-r00', '1.0-r0'],
    ['01.0', '1.0'],
    ['1.0_p01', '1.0_p1'],
  ] as const)
    assert.equal(compareVersions(a, b), 0, `${a} = ${b}`);
});

test('compareVersions() ranks what is no version below every version', () => {
  for (const invalid of ['', '1.0-1', '1.0A', '1:1.0', '1.0+b', '1.0_foo', 'v1', '1.', '1.0-r']) {
    assert.ok(!isValidVersion(invalid), invalid);
    assert.ok(compareVersions(invalid, '0') < 0, invalid);
    assert.ok(compareVersions('0', invalid) > 0, invalid);
    assert.equal(compareVersions(invalid, invalid), 0);
  }
});

test('matchesPrefix() compares component by component', () => {
  assert.ok(matchesPrefix('1.2.10-r0', '1.2'));
  assert.ok(matchesPrefix('1.2_rc1', '1.2'));
  assert.ok(matchesPrefix('1.2', '1.2'));
  assert.ok(!matchesPrefix('1.20', '1.2'));
  assert.ok(!matchesPrefix('1.2', '1.2.1'));
  assert.ok(!matchesPrefix('garbage', '1'));
});
