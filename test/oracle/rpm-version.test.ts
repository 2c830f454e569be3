// Version order against real rpm, through its Lua: thousands of generated pairs in one process.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareSegments, compareVersions } from '../../src/packages/rpm/version.ts';
import { randomNumbers } from '../support/random.ts';
import { hasTool, runTool } from '../support/tool.ts';

const PARTS = [
  '0',
  '1',
  '2',
  '9',
  '10',
  '010',
  '00',
  'a',
  'b',
  'rc',
  'A',
  'el9',
  '.',
  '.',
  '.',
  '_',
  '+',
  '~',
  '^',
  '~~',
  '~^',
  '%',
  '\xc3\xa9',
];

function generate(random: () => number): string {
  const count = 1 + Math.floor(random() * 7);
  return Array.from({ length: count }, () => PARTS[Math.floor(random() * PARTS.length)]).join('');
}

function ask(pairs: readonly (readonly [string, string])[]): readonly number[] {
  const directory = mkdtempSync(join(tmpdir(), 'vercmp-'));
  try {
    const file = join(directory, 'pairs');
    writeFileSync(file, pairs.map(([a, b]) => `${a}\t${b}\n`).join(''), 'latin1');
    const script = `for line in io.lines("${file}") do local a, b = line:match("^(.*)\\t(.*)$"); print(rpm.vercmp(a, b) .. "\\n") end`;
    const output = runTool('rpm', ['--eval', `%{lua: ${script}}`]).toString();
    return output.trim().split('\n').map(Number);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('compareSegments() orders generated strings as rpm does', (t) => {
  if (!hasTool('rpm')) return t.skip('needs rpm');
  const random = randomNumbers(4);
  const pairs = Array.from({ length: 6000 }, () => {
    const a = generate(random);
    const b = random() < 0.5 ? generate(random) : a + generate(random);
    return [a, (random() < 0.2 && a.slice(0, -1)) || b] as const;
  });
  const expected = ask(pairs);
  assert.equal(expected.length, pairs.length);
  pairs.forEach(([a, b], i) => {
    assert.equal(Math.sign(compareSegments(a, b)), expected[i], `${a} ${b}`);
  });
});

test('compareVersions() orders generated epoch:version-release as rpm does', (t) => {
  if (!hasTool('rpm')) return t.skip('needs rpm');
  const random = randomNumbers(5);
  const clean = (): string =>
    generate(random)
      .replace(/[^\w.~^+]/g, '1')
      .replace(/^$/, '1');
  const version = (): string =>
    `${random() < 0.3 ? `${Math.floor(random() * 3)}:` : ''}${clean()}${random() < 0.85 ? `-${clean()}` : ''}`;
  const pairs = Array.from({ length: 2000 }, () => [version(), version()] as const);
  const expected = ask(pairs);
  pairs.forEach(([a, b], i) => {
    assert.equal(Math.sign(compareVersions(a, b)), expected[i], `${a} ${b}`);
  });
});
