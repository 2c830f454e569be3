// Debian version order: what we say of generated pairs and what `dpkg --compare-versions` says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compareVersions } from '../../src/packages/dpkg/version.ts';
import { missingTools } from '../support/root-from-directory.ts';

const PAIRS = Number(process.env['ONLAY_RUNS'] ?? 1200);

/** Versions near each other: an edit or two apart, so that every rule decides some pair. */
const piece = fc.constantFrom(
  '0',
  '1',
  '9',
  '10',
  '00',
  '.',
  '+',
  '~',
  '~~',
  'a',
  'Z',
  'rc',
  'deb',
  '-',
  '-0',
  '-1',
  '+b1',
  '~deb12u1',
);
const body = fc.array(piece, { maxLength: 5 }).map((pieces) => `1${pieces.join('')}`);
const version = fc
  .tuple(fc.constantFrom('', '', '', '0:', '1:', '00:'), body)
  .map(([epoch, text]) => epoch + text)
  .filter((text) => !text.endsWith('-') && /^(?:\d+:)?\d/.test(text));
const pair = fc.oneof(
  fc.tuple(version, version),
  fc.tuple(version, piece, fc.nat(12)).map(([text, inserted, at]): [string, string] => {
    const place = Math.min(Math.max(at, text.indexOf(':') + 2), text.length);
    const other = text.slice(0, place) + inserted + text.slice(place);
    return [text, other.endsWith('-') ? `${other}1` : other];
  }),
);

test('compareVersions() agrees with dpkg on generated pairs', (t) => {
  const missing = missingTools('dpkg', 'sh');
  if (missing !== undefined && !missing.startsWith('needs root')) {
    t.skip(missing);
    return;
  }
  const pairs = fc.sample(pair, { numRuns: PAIRS, seed: 11 });
  const script = `while read -r a b; do
    if dpkg --compare-versions "$a" lt "$b"; then echo -1
    elif dpkg --compare-versions "$a" eq "$b"; then echo 0
    else echo 1; fi
  done`;
  const { stdout, stderr, status } = spawnSync('sh', ['-c', script], {
    input: pairs.map(([a, b]) => `${a} ${b}\n`).join(''),
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  assert.doesNotMatch(stderr, /error|warning/);
  const verdicts = stdout.trim().split('\n').map(Number);
  assert.equal(verdicts.length, pairs.length);
  const wrong = pairs.filter(([a, b], index) => Math.sign(compareVersions(a, b)) !== verdicts[index]);
  assert.deepEqual(wrong, []);
  assert.deepEqual(new Set(verdicts), new Set([-1, 0, 1]));
});

test('compareVersions() is a total order', () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
      assert.equal(compareVersions(a, a), 0);
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) assert.ok(compareVersions(a, c) <= 0);
    }),
    { numRuns: 2000 },
  );
});

test('compareVersions() never throws, whatever it is given', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.ok(!Number.isNaN(compareVersions(a, b)));
    }),
  );
});
