import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeLayers } from '../../rootfs/view.ts';
import { file, layer } from '../../../test/support/layers.ts';
import { readPathFilter } from './path-filter.ts';
import type { PathFilter } from './path-filter.ts';

async function filterOf(files: Readonly<Record<string, string>>): Promise<PathFilter> {
  const entries = Object.entries(files).map(([name, content]) => file(`etc/dpkg/${name}`, content));
  return readPathFilter(mergeLayers([await layer(...entries)]));
}

test('the last match wins, and a star matches slashes', async () => {
  const filter = await filterOf({
    'dpkg.cfg.d/docker':
      '# slim\npath-exclude /usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\nforce-unsafe-io\n',
  });
  assert.equal(filter.skips('/usr/share/doc/x/a/b', 'file'), true);
  assert.equal(filter.skips('/usr/share/doc/x/copyright', 'file'), false);
  assert.equal(filter.skips('/usr/share/documents', 'file'), false);
});

test('directories and symlinks stay where an include pattern may want something below', async () => {
  const filter = await filterOf({
    'dpkg.cfg': 'path-exclude="/usr/share/*"\npath-include=/usr/share/locale/de*\n',
  });
  assert.equal(filter.skips('/usr/share/locale/de', 'directory'), false);
  assert.equal(filter.skips('/usr/share/man', 'directory'), true);
  assert.equal(filter.skips('/usr/share/locale/fr', 'file'), true);
  assert.equal(filter.skips('/usr/share/locale/fr', 'directory'), true);
});

test('fragments come before dpkg.cfg; names that run-parts would not take do not count', async () => {
  const filter = await filterOf({
    'dpkg.cfg': 'path-include=/x\n',
    'dpkg.cfg.d/a': 'path-exclude=/x\n',
    'dpkg.cfg.d/b.dpkg-new': 'path-exclude=/y\n',
  });
  assert.equal(filter.skips('/x', 'file'), false);
  assert.equal(filter.skips('/y', 'file'), false);
});

// fnmatch(3) of glibc 2.36, without flags
const PATTERNS: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
  ['/a?c', '/abc', true],
  ['/a?c', '/a/c', true],
  ['/[a-c]x', '/bx', true],
  ['/[!a-c]x', '/bx', false],
  ['/[^a-c]x', '/dx', true],
  ['/[]x]y', '/]y', true],
  ['/[a', '/[a', true],
  ['/\\*', '/*', true],
  ['/\\*', '/x', false],
  ['/[[:digit:]]*', '/7zip', true],
  ['*', '/anything/at/all', true],
  ['/a*b*c', '/aXbYbZc', true],
  ['/a*b*c', '/aXbYbZ', false],
];

test('patterns are those of fnmatch', async () => {
  for (const [pattern, name, matches] of PATTERNS) {
    const filter = await filterOf({ 'dpkg.cfg': `path-exclude=${pattern}\n` });
    assert.equal(filter.skips(name, 'file'), matches, `${pattern} on ${name}`);
  }
});

test('a pattern of many stars costs no more than its length times the path', async () => {
  const filter = await filterOf({ 'dpkg.cfg': `path-exclude=${'*a'.repeat(2000)}b\n` });
  assert.equal(filter.skips(`/${'a'.repeat(4000)}`, 'file'), false);
});
