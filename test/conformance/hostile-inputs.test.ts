// docs/hostile-inputs.md names a test for each attack: it must be there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../support/project.ts';

test('every attack of docs/hostile-inputs.md has the test it names', () => {
  const manual = readFileSync(join(projectRoot, 'docs', 'hostile-inputs.md'), 'utf8');
  const rows = [...manual.matchAll(/^\| *(.+?) *\| *`([^`]+)`: (.+?) *\|$/gm)];
  const tables = manual.match(/^\|(?! *-)(?! *attack)/gm) ?? [];
  assert.equal(rows.length, tables.length, 'every row is understood');
  for (const [, attack, file = '', name = ''] of rows) {
    const path = join(projectRoot, 'test', `${file}.test.ts`);
    assert.ok(existsSync(path), `${attack}: ${file}`);
    assert.ok(readFileSync(path, 'utf8').includes(name), `${attack}: no test "${name}" in ${file}`);
  }
});
