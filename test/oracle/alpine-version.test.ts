// Version order against the real apk 2.14: thousands of generated pairs in two processes, as the installed version and
// the version in a repository of as many packages. Zeros in front of later components are left out: there apk 3, whose
// rules onlay follows, differs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, isValidVersion } from '../../src/packages/apk/version.ts';
import { NO_APK, RealApk } from './alpine-apk.ts';
import { Random } from './alpine-random.ts';

test('compareVersions() orders generated versions as apk 2.14 does', (t) => {
  using apk = RealApk.open();
  if (!apk) return t.skip(NO_APK);
  const random = new Random(20240101);
  const pairs = Array.from({ length: 4000 }, () => {
    const a = version(random);
    return [a, random.chance(0.5) ? mutate(random, a) : version(random)] as const;
  });
  const below = older(apk, pairs);
  const above = older(
    apk,
    pairs.map(([a, b]) => [b, a] as const),
  );
  assert.ok(below.size > 1000 && above.size > 1000, 'apk told both kinds of difference');
  const wrong = pairs.filter(([a, b], index) => {
    assert.ok(isValidVersion(a) && isValidVersion(b), `${a} ${b}`);
    const expected = Number(above.has(index)) - Number(below.has(index));
    return Math.sign(compareVersions(a, b)) !== expected;
  });
  assert.deepEqual(wrong, []);
});

/** Indexes of the pairs whose first version is lower. */
function older(apk: RealApk, pairs: readonly (readonly [string, string])[]): ReadonlySet<number> {
  const record = (index: number, side: number, version: string): string =>
    `C:Q1${Buffer.from(`${side}${String(index).padStart(19, '0')}`).toString('base64')}\nP:p${index}\nV:${version}\nA:x86_64\nS:1\nI:1\nT:\nU:\nL:\n\n`;
  const root = apk.root({
    installed: pairs.map(([a], index) => record(index, 0, a)).join(''),
    world: '',
    repositories: [{ tag: '', index: pairs.map(([, b], index) => record(index, 1, b)).join('') }],
  });
  const { output } = apk.run(root, 'version', '-l', '<');
  return new Set([...output.matchAll(/^p(\d+)-/gm)].map(([, index]) => Number(index)));
}

const SUFFIXES = ['alpha', 'beta', 'pre', 'rc', 'cvs', 'svn', 'git', 'hg', 'p'];

function version(random: Random): string {
  let text = number(random);
  while (random.chance(0.6)) text += `.${random.chance(0.1) ? '0' : number(random)}`;
  if (random.chance(0.2)) text += String.fromCharCode(97 + random.below(3));
  while (random.chance(0.3)) text += `_${random.pick(SUFFIXES)}${random.chance(0.5) ? number(random) : ''}`;
  if (random.chance(0.7)) text += `-r${random.below(12)}`;
  return text;
}

function number(random: Random): string {
  return String(random.chance(0.7) ? 1 + random.below(3) : 1 + random.below(20240101));
}

/** The same version with one part changed, so that the difference is late. */
function mutate(random: Random, text: string): string {
  const release = /-r\d+$/.exec(text)?.[0] ?? '';
  const body = text.slice(0, text.length - release.length);
  switch (random.below(5)) {
    case 0:
      return `${body}-r${random.below(12)}`;
    case 1:
      return body;
    case 2:
      return `${body}_${random.pick(SUFFIXES)}${release}`;
    case 3:
      return `${body.replace(/\d+$/, '')}${/\d$/.test(body) ? number(random) : ''}${release}`;
    default:
      return /^[\d.]+$/.test(body) ? `${body}.${number(random)}${release}` : text;
  }
}
