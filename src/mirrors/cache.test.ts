import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hexDigest } from '../base/hash.ts';
import { silentLog } from '../base/log.ts';
import { openCache } from './cache.ts';

test('the cache keeps content by digest, drops damaged and oldest entries, and never throws', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cache-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const warnings: string[] = [];
  const cache = openCache(
    directory,
    { ...silentLog, warn: (message) => warnings.push(message) },
    { packages: 250, indexes: 10 },
  );
  const content = ['a', 'b', 'c'].map((letter) => Buffer.alloc(100, letter));
  const digests = content.map((bytes) => hexDigest('sha256', bytes));
  const path = (index: number): string =>
    join(directory, 'packages', (digests[index] as string).slice(0, 2), digests[index] as string);
  for (const index of [0, 1, 2]) {
    await cache.put('packages', digests[index] as string, content[index] as Buffer);
    utimesSync(path(index), 1000 + index, 1000 + index);
  }
  assert.deepEqual(await cache.get('packages', digests[0] as string), content[0]);
  await cache.prune();
  // reading the first made it the youngest
  assert.equal(await cache.get('packages', digests[1] as string), undefined);
  assert.deepEqual(await cache.get('packages', digests[0] as string), content[0]);
  writeFileSync(path(2), 'damaged');
  assert.equal(await cache.get('packages', digests[2] as string), undefined);
  assert.deepEqual(warnings, ['Removed a damaged file from the cache']);
  assert.equal(await cache.get('packages', digests[2] as string), undefined);
  await cache.put('packages', '../../evil', content[0] as Buffer);
  assert.equal(await cache.get('packages', '../../evil'), undefined);
  await cache.put('indexes', digests[0] as string, content[0] as Buffer);
  assert.equal(await cache.get('indexes', digests[0] as string), undefined);
  assert.deepEqual(readdirSync(directory), ['packages']);
  const nowhere = openCache('/dev/null/cache', silentLog);
  await nowhere.put('packages', digests[0] as string, content[0] as Buffer);
  assert.equal(await nowhere.get('packages', digests[0] as string), undefined);
  await nowhere.prune();
});
