import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions } from './version.ts';

// `dpkg --compare-versions A OP B`, dpkg 1.21.22
const ROWS: readonly (readonly [a: string, order: '<' | '=', b: string])[] = [
  ['1.0~rc1', '<', '1.0'],
  ['1.0', '=', '1.0-0'],
  ['0:1', '=', '1'],
  ['1.001', '=', '1.1'],
  ['1.0~~', '<', '1.0~'],
  ['1.0~', '<', '1.0'],
  ['1.0Z', '<', '1.0a'],
  ['1.0a', '<', '1.0+'],
  ['1.0', '<', '1.0.'],
  ['1.0-1', '<', '1.0-1+b1'],
  ['2.0', '<', '1:0.9'],
  ['1.0-1~deb12u1', '<', '1.0-1'],
  ['1.0-1-1', '<', '1.0-1-2'],
  ['1.0-1+deb12u4', '<', '1.0-1+deb12u14'],
  ['1.0-1~esm1', '<', '1.0-1'],
  ['1.0-1', '<', '1.0-1+esm1'],
  ['7.88.1-10+deb12u9', '<', '7.88.1-10+deb12u15'],
  ['99999999999999999999', '<', '100000000000000000000'],
];

test('compareVersions() orders versions as dpkg does', () => {
  for (const [a, order, b] of ROWS) {
    const expected = order === '=' ? 0 : -1;
    assert.equal(Math.sign(compareVersions(a, b)), expected, `${a} ${order} ${b}`);
    assert.equal(Math.sign(compareVersions(b, a)), expected === 0 ? 0 : 1, `${b} against ${a}`);
  }
});
