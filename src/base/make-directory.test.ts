import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from './make-directory.ts';

test('makeDirectory() makes parents, takes what is there, and several may do so at once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'onlay-mkdir-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await Promise.all(['a/b/c', 'a/b/c', 'a/b/d', 'a'].map((path) => makeDirectory(join(folder, path), 0o700)));
  assert.equal(statSync(join(folder, 'a/b')).mode & 0o777, 0o700);
  assert.ok(existsSync(join(folder, 'a/b/d')));
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(makeDirectory(join(folder, 'file')), { code: 'EEXIST' });
  await assert.rejects(makeDirectory(join(folder, 'file/x')), { code: 'ENOTDIR' });
});

test('makeDirectory() ends where nothing can be made', { timeout: 10_000 }, async (t) => {
  if (!existsSync('/proc/self')) return t.skip('there is no /proc');
  await assert.rejects(makeDirectory('/proc/onlay/layers'), /ENOENT|EACCES|EPERM/);
});
