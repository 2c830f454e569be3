// Patterns and precedence of pins; what apt makes of them is compared in test/oracle/apt-toy.test.ts.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { parseAptConfig } from './apt-config.ts';
import { readPins } from './preferences.ts';
import type { PinIndex, Pins } from './preferences.ts';
import type { Release } from './release.ts';

const release = {
  origin: 'Debian',
  label: 'Debian',
  suite: 'stable',
  codename: 'bookworm',
  version: '12.5',
  notAutomatic: false,
  butAutomaticUpgrades: false,
} as Release;
const index: PinIndex = { release, component: 'main', architecture: 'amd64', site: 'archive.invalid' };
const pinsOf = (text: string, config = '', more: Record<string, string> = {}): Pins =>
  readPins(memoryRoot({ 'etc/apt/preferences': text, ...more }), parseAptConfig(config));
const priority = (pins: Pins, name: string, version = '1.2-3', where = index): number =>
  pins.priority({ name, arch: 'amd64', version, source: 'src', index: where });
const pin = (packages: string, what: string, value: number | string = 900): string =>
  `Package: ${packages}\nPin: ${what}\nPin-Priority: ${value}\n`;

test('pins match names, sources, globs, expressions, versions, releases and hosts', () => {
  for (const [packages, what, matches] of [
    ['libfoo', 'version 1.2*', true],
    ['libfoo', 'version 1.3*', false],
    ['lib*', 'release a=stable', true],
    ['lib?oo', 'release a=stable, n=bookworm, o=Debian, l=Debian, c=main, v=12*', true],
    ['lib[a-f]oo', 'release a=stable', true],
    ['lib[!a-f]oo', 'release a=stable', false],
    ['[^l]ibfoo', 'release a=stable', false],
    ['other libfoo', 'release c=contrib', false],
    ['/^lib.*oo$/', 'release 12*', true],
    ['/^lib/', 'release bookworm', true],
    ['/(/', 'release a=stable', false],
    ['src:src', 'origin "archive.invalid"', true],
    ['src:libfoo', 'origin "archive.invalid"', false],
    ['libfoo:amd64', 'origin archive.invalid', true],
    ['libfoo:i386', 'origin archive.invalid', false],
    ['libfoo', 'origin ""', false],
    ['libfoo', 'nonsense x', false],
  ] as const)
    assert.equal(priority(pinsOf(pin(packages, what)), 'libfoo'), matches ? 900 : 500, `${packages} ${what}`);
});

test('the first specific pin counts, then the first general one, then the target release, then the suite', () => {
  const text = [
    pin('*', 'release a=stable', 10),
    pin('*', 'release a=stable', 20),
    pin('a*', 'version 1*', 30),
    pin('ab', 'version 1*', 40),
  ].join('\n');
  assert.equal(priority(pinsOf(text), 'ab'), 30);
  assert.equal(priority(pinsOf(text), 'b'), 10);
  assert.equal(priority(pinsOf('', 'APT::Default-Release "stable";'), 'b'), 990);
  assert.equal(priority(pinsOf('', 'APT::Default-Release "testing";'), 'b'), 500);
  const backports = { ...index, release: { ...release, notAutomatic: true, butAutomaticUpgrades: true } };
  assert.equal(priority(pinsOf(''), 'b', '1', backports), 100);
  assert.equal(priority(pinsOf(''), 'b', '1', { ...index, release: { ...release, notAutomatic: true } }), 1);
  assert.equal(pinsOf('').empty, true);
  assert.equal(pinsOf('Package: a\nPin: release a=stable\n').empty, true);
  assert.equal(pinsOf('', '', { 'etc/apt/preferences.d/x.pref': pin('a', 'version *') }).empty, false);
  assert.equal(pinsOf('', '', { 'etc/apt/preferences.d/x.bak': pin('a', 'version *') }).empty, true);
});

test('patterns of an image cannot keep the solver busy', () => {
  const name = 'a'.repeat(5000);
  // hours with a backtracking matcher; the runner's own limit is the check
  assert.equal(priority(pinsOf(pin(`${'*a'.repeat(50)}*b`, 'version *')), name), 500);
  assert.equal(priority(pinsOf(pin('/^(a+)+$/', 'version *')), `${name}b`), 500);
});
