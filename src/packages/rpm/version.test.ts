import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareSegments, compareVersions, formatEvr, parseEvr } from './version.ts';

// results of rpm 4.18, `rpm --eval '%{lua: print(rpm.vercmp("a","b"))}'`; random pairs are in test/oracle
const ORDERS: readonly (readonly [string, string, -1 | 0 | 1])[] = [
  ['1.0', '1.0', 0],
  ['1.0', '2.0', -1],
  ['1.0', '1.0~rc1', 1],
  ['1.0^git1', '1.0', 1],
  ['1.0^git1', '1.0.1', -1],
  ['1.0~rc1^x', '1.0~rc1', 1],
  ['1.0a', '1.0', 1],
  ['1.0', '1.0.a', -1],
  ['1.a', '1.1', -1],
  ['010', '10', 0],
  ['1.0.0', '1.0', 1],
  ['1_0', '1.0', 0],
  ['1..0', '1.0', 0],
  ['abc', '123', -1],
  ['2a', '2.0', -1],
  ['10xyz', '10.1xyz', -1],
  ['1b.fc17', '1.fc17', -1],
  ['FC5', 'fc4', -1],
  ['1.0~~', '1.0~', -1],
  ['1.0~^', '1.0~', 1],
  ['11.el8', '11.el8_9.1', -1],
  ['1.el9_3.7', '1.el9_3.10', -1],
  ['1.1\xc3\xa9', '1.1', 0],
  ['20101122', '20101121', 1],
  ['5.5p1', '5.5p10', -1],
  ['6.0.rc1', '6.0', 1],
];

test('compareSegments() orders as rpm does, in both directions', () => {
  for (const [a, b, expected] of ORDERS) {
    assert.equal(Math.sign(compareSegments(a, b)), expected, `${a} ${b}`);
    assert.equal(Math.sign(compareSegments(b, a)), 0 - expected, `${b} ${a}`);
  }
});

test('numbers of any length are compared as numbers', () => {
  assert.ok(compareSegments('99999999999999999999998', '99999999999999999999999') < 0);
  assert.ok(compareSegments('0'.repeat(1000) + '2', '1') > 0);
});

test('epoch counts before version, version before release; a missing epoch is 0', () => {
  assert.ok(compareVersions('1:1.0-1', '2.0-1') > 0);
  assert.equal(compareVersions('0:1.0-1', '1.0-1'), 0);
  assert.ok(compareVersions('1.0-9', '1.1-1') < 0);
  assert.ok(compareVersions('1.0-2', '1.0-10') < 0);
  assert.ok(compareVersions('1.0', '1.0-5') < 0);
});

test('parseEvr() takes what stands before the first colon and after the last dash', () => {
  assert.deepEqual(parseEvr('2:1.2-3.el9'), { epoch: 2, version: '1.2', release: '3.el9' });
  assert.deepEqual(parseEvr('1.2'), { epoch: 0, version: '1.2', release: undefined });
  assert.deepEqual(parseEvr(''), { epoch: 0, version: '', release: undefined });
  assert.equal(formatEvr(parseEvr('0:1.2-3')), '1.2-3');
  assert.equal(formatEvr(parseEvr('7:1.2-3')), '7:1.2-3');
});
