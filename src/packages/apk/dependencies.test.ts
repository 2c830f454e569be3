import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDependency, isSatisfied, parseDependencies, parseDependency } from './dependencies.ts';

const provided = (version: string): { version: string; checksum: string } => ({
  version,
  checksum: 'Q1abc=',
});

test('parseDependency() understands every form and formatDependency() writes it as apk does', () => {
  for (const [text, written] of [
    ['busybox', 'busybox'],
    ['so:libc.musl-x86_64.so.1', 'so:libc.musl-x86_64.so.1'],
    ['/bin/sh', '/bin/sh'],
    ['a=1.0-r0', 'a=1.0-r0'],
    ['a~=1.2', 'a~1.2'],
    ['a=~1.2', 'a~1.2'],
    ['a>=1', 'a>=1'],
    ['a=>1', 'a>=1'],
    ['!a<2', '!a<2'],
    ['a@edge', 'a@edge'],
    ['a=1@edge', 'a=1@edge'],
    ['a><Q1abc=', 'a><Q1abc='],
    ['.virtual=20261121.092402', '.virtual=20261121.092402'],
  ] as const) {
    const dependency = parseDependency(text);
    assert.ok(dependency, text);
    assert.equal(formatDependency(dependency), written);
  }
  for (const bad of ['', '!', '=1', 'a=', 'a<>1', '@edge', 'a b'])
    assert.equal(parseDependency(bad), undefined, bad);
});

test('parseDependencies() leaves malformed items out', () => {
  assert.deepEqual(
    parseDependencies(' a  =1 b>=2\tc\n').map(({ name }) => name),
    ['a', 'b', 'c'],
  );
});

test('isSatisfied() knows operators, conflicts and names without a version', () => {
  const satisfied = (text: string, version: string | undefined): boolean => {
    const dependency = parseDependency(text);
    assert.ok(dependency);
    return isSatisfied(dependency, version === undefined ? undefined : provided(version));
  };
  for (const [text, version, expected] of [
    ['a', '1.0', true],
    ['a', '', true],
    ['a', undefined, false],
    ['!a', undefined, true],
    ['!a', '1.0', false],
    ['!a<2', '2.0', true],
    ['!a<2', '1.0', false],
    ['a=1.0-r0', '1.0-r0', true],
    ['a=1.0-r0', '1.0-r00', true],
    ['a=1.0', '1.0-r0', false],
    ['a=1.0', '', false],
    ['a~1.2', '1.2.10-r0', true],
    ['a~1.2', '1.3', false],
    ['a<2.0', '2.0_rc1', true],
    ['a>=2.0', '2.0_rc1', false],
    ['a<=1', '1', true],
    ['a>1', '1.0', true],
    ['a><Q1abc=', '1', true],
    ['a><Q1xyz=', '1', false],
    ['a>~1.2', '1.3', true],
    ['a<~1.2', '1.2.9', true],
  ] as const)
    assert.equal(satisfied(text, version), expected, `${text} by ${version ?? 'nothing'}`);
});
