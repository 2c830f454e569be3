import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding, InstalledPackage, PlannedPackage } from '../packages/package.ts';
import { OnlayError } from '../errors.ts';
import { makePlan, parsePlans, serializePlans } from './plan.ts';
import type { Plan } from './plan.ts';
import { EVERYTHING, matchesGlob } from './policy.ts';
import { select } from './select.ts';

const installed = (name: string, source = name): InstalledPackage => ({
  name,
  arch: 'amd64',
  version: '1',
  source,
  sourceVersion: '1',
});
const finding = (name: string, more: Partial<Finding> = {}): Finding => ({
  id: `CVE-${name}`,
  name,
  match: 'binary',
  fixed: ['2'],
  ...more,
});

test('select() wants everything without a report and without filters', () => {
  assert.deepEqual(select([installed('a')], undefined, EVERYTHING), { wanted: 'all', skipped: [] });
});

test('select() turns package globs into a list', () => {
  const { wanted } = select([installed('liba'), installed('b')], undefined, {
    ...EVERYTHING,
    packages: ['lib*'],
  });
  assert.deepEqual(wanted, [{ name: 'liba', arch: 'amd64', floors: [], cves: [] }]);
});

test('select() joins the findings about a package and keeps every floor', () => {
  const { wanted } = select(
    [installed('a')],
    [finding('a'), finding('a', { id: 'CVE-2', fixed: ['3', '2.9'] })],
    EVERYTHING,
  );
  assert.deepEqual(wanted, [
    { name: 'a', arch: 'amd64', floors: [['2'], ['3', '2.9']], cves: ['CVE-2', 'CVE-a'] },
  ]);
});

test('select() names what it leaves out, with the reason', () => {
  const { wanted, skipped } = select(
    [installed('a'), installed('c')],
    [finding('gone'), finding('a', { fixed: [] }), finding('c', { severity: 'LOW' })],
    { ...EVERYTHING, severities: ['HIGH', 'UNKNOWN'] },
  );
  assert.deepEqual(wanted, []);
  assert.deepEqual(
    skipped.map(({ name, reason, failure }) => [name, reason, failure]),
    [
      ['a', 'no-fix-known', false],
      ['c', 'filtered', false],
      ['gone', 'not-installed', false],
    ],
  );
});

test('select() maps findings about a source to its packages', () => {
  const { wanted } = select(
    [installed('libx1', 'x'), installed('y')],
    [finding('x', { match: 'source' })],
    EVERYTHING,
  );
  assert.deepEqual(wanted === 'all' ? [] : wanted.map(({ name }) => name), ['libx1']);
});

for (const [glob, text, expected] of [
  ['lib*', 'libssl3', true],
  ['lib*', 'zlib', false],
  ['*ssl?', 'libssl3', true],
  ['a*b*c', 'axxbyyc', true],
  ['a*b*c', 'axxbyy', false],
  ['*', '', true],
  ['[ab]', 'a', false],
] as const)
  test(`matchesGlob(${glob}, ${text}) is ${expected}`, () => assert.equal(matchesGlob(glob, text), expected));

test('matchesGlob() is not quadratic on hostile patterns', () => {
  assert.equal(matchesGlob('a*'.repeat(500) + 'b', 'a'.repeat(20_000)), false);
});

const planned: PlannedPackage = {
  name: 'a',
  arch: 'amd64',
  from: '1',
  to: '2',
  source: 'a',
  sourceVersion: '2',
  repository: 'r',
  url: 'https://mirror.example/a.deb',
  size: 10,
  digests: [{ algorithm: 'sha256', over: 'file', value: 'ab' }],
  reason: 'requested',
  cves: ['CVE-1'],
};
const plan: Plan = makePlan(
  {
    packages: [{ ...planned, name: 'b' }, planned],
    removals: [],
    skipped: [],
    repositories: [{ name: 'r', url: 'https://mirror.example', signedBy: 'k' }],
  },
  {
    image: { digest: 'sha256:x', platform: 'linux/amd64' },
    distro: { id: 'debian', version: '12', family: 'dpkg' },
    unsigned: false,
  },
);

test('a plan is sorted and survives being written and read', () => {
  assert.deepEqual(
    plan.packages.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.deepEqual(parsePlans(serializePlans([plan]), 'p.json'), [plan]);
});

for (const [what, change] of [
  ['no digest', { digests: [] }],
  ['another digest algorithm', { digests: [{ algorithm: 'md5', over: 'file', value: 'ab' }] }],
  ['a URL that is none', { url: 'javascript:alert(1)' }],
  ['a negative size', { size: -1 }],
  ['no version', { to: undefined }],
] as const)
  test(`parsePlans() refuses a package with ${what}`, () => {
    const changed = JSON.parse(serializePlans([plan])) as { plans: { packages: object[] }[] };
    Object.assign(changed.plans[0]?.packages[0] ?? {}, change);
    assert.throws(
      () => parsePlans(JSON.stringify(changed), 'p.json'),
      (error) => error instanceof OnlayError && error.code === 'PLAN_INVALID',
    );
  });
