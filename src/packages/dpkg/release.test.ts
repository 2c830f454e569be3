import { test } from 'node:test';
import assert from 'node:assert/strict';
import { hasCode } from '../../errors.ts';
import { checkFreshness, checkSuite, parseRelease } from './release.ts';
import type { Release } from './release.ts';
import type { Source } from './sources.ts';

const DIGEST = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
// the head of Debian's own, shortened
const TEXT = `Origin: Debian
Label: Debian-Security
Suite: oldstable-security
Version: 12
Codename: bookworm-security
Date: Fri, 20 Nov 2026 00:12:42 UTC
Valid-Until: Fri, 27 Nov 2026 00:12:42 UTC
Acquire-By-Hash: yes
Architectures: amd64 arm64
Components: updates/main
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages
SHA256:
 ${DIGEST}        0 main/binary-amd64/Packages
 ${DIGEST.toUpperCase()} 32 main/binary-amd64/Packages.xz
 ${DIGEST} 5 main/source/Sources.xz
 odd row
`;
const parse = (text: string): Release => parseRelease(text, 'a test', undefined);
const at = (text: string): number => Date.parse(text);
const fresh = {
  checkValidUntil: true,
  checkDate: true,
  maxFuture: 10,
  validUntilMax: undefined,
  validUntilMin: undefined,
};

test('parseRelease() reads names, dates and the SHA-256 digests of package indexes', () => {
  const release = parse(TEXT);
  assert.deepEqual(
    [...release.files.keys()],
    ['main/binary-amd64/Packages', 'main/binary-amd64/Packages.xz'],
  );
  assert.deepEqual(release.files.get('main/binary-amd64/Packages.xz'), {
    path: 'main/binary-amd64/Packages.xz',
    sha256: DIGEST,
    size: 32,
  });
  assert.equal(release.date, at('2026-11-20T00:12:42Z'));
  assert.equal(release.acquireByHash, true);
  assert.equal(release.indexOfAll, false);
  assert.equal(parse(TEXT.replace('amd64 arm64', 'all amd64')).indexOfAll, true);
  assert.equal(
    parse(TEXT.replace('amd64 arm64', 'all amd64\nNo-Support-for-Architecture-all: Packages')).indexOfAll,
    false,
  );
  assert.equal(
    parse(TEXT.replace('Label', 'NotAutomatic: yes\nButAutomaticUpgrades: yes\nLabel')).butAutomaticUpgrades,
    true,
  );
});

test('parseRelease() refuses what it cannot trust', () => {
  for (const [text, why] of [
    [TEXT.replace(/SHA256:[^]*/, ''), /no SHA-256/],
    [TEXT.replace('main/binary-amd64/Packages.xz', '../main/Packages.xz'), /outside of its suite/],
    [TEXT.replace('main/binary-amd64/Packages.xz', '/etc/Packages'), /outside of its suite/],
    [TEXT.replace('Fri, 20', 'Fry, 99'), /Date is no date/],
    [`${TEXT}\n${TEXT}`, /2 paragraphs/],
    ['', /0 paragraphs/],
  ] as const)
    assert.throws(
      () => parse(text),
      (error) => hasCode(error, 'INDEX_INVALID') && why.test(error.message),
    );
});

test('checkFreshness() keeps to Date, Valid-Until and their configured bounds', () => {
  const release = parse(TEXT);
  const check = (now: string, more = {}): number | undefined =>
    checkFreshness(release, 'a test', { ...fresh, now: at(now), ...more });
  assert.equal(check('2026-11-21T00:00:00Z'), at('2026-11-27T00:12:42Z'));
  assert.equal(check('2026-11-20T00:12:35Z'), at('2026-11-27T00:12:42Z'));
  assert.throws(() => check('2026-11-20T00:12:30Z'), /in the future/);
  assert.throws(() => check('2026-11-27T00:12:43Z'), /was valid until 2026-11-27T00:12:42Z/);
  check('2026-12-24T00:00:00Z', { checkValidUntil: false });
  check('2026-11-01T00:00:00Z', { checkDate: false });
  assert.throws(() => check('2026-11-22T00:00:00Z', { validUntilMax: 86_400 }), /was valid until/);
  check('2026-11-28T00:00:00Z', { validUntilMin: 30 * 86_400 });
});

test('checkSuite() accepts the suite by either of its names and nothing else', () => {
  const release = parse(TEXT);
  const check = (suite: string, other: Release = release): void =>
    checkSuite(other, { suite } as Source, 'a test');
  for (const suite of ['bookworm-security', 'oldstable-security', './']) check(suite);
  for (const suite of ['bookworm', 'bookworm-updates', 'stable-security', 'bookworm-security-x'])
    assert.throws(() => check(suite), /is the index of oldstable-security, bookworm-security/, suite);
  check(
    'buster/updates',
    parse(TEXT.replace('oldstable-security', 'oldstable').replace('bookworm-security', 'buster')),
  );
  check('anything', parse(TEXT.replace(/Suite: .*\n/, '').replace(/Codename: .*\n/, '')));
});
