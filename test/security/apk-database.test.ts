// An image's database and configuration are hostile input: forged records, cycles, patterns and dependencies made to be
// slow. Refused, or read in time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromByteString } from '../../src/base/bytes.ts';
import { silentLog } from '../../src/base/log.ts';
import { apk } from '../../src/packages/apk/family.ts';
import { readInstalled } from '../../src/packages/apk/installed.ts';
import { readScriptsTar } from '../../src/packages/apk/scripts-tar.ts';
import { makeKey, makeRepository } from '../support/apks.ts';
import type { ToyApk } from '../support/apks.ts';
import { openSystem, request, served, systemRoot } from '../support/apk-system.ts';
import { memoryRoot } from '../support/memory-root.ts';

const open = (installed: string): ReturnType<typeof apk.open> =>
  apk.open({
    root: memoryRoot({ 'lib/apk/db/installed': installed }),
    distro: undefined,
    imageArch: 'amd64',
    log: silentLog,
  });

test('forged records are refused', async () => {
  for (const text of [
    'P:a\nV:1\n\nP:a\nV:2\n\n',
    'P:a/../b\nV:1\n\n',
    'P:a\nV:1\nF:../../etc\nR:passwd\n\n',
    'P:a\nV:1 2\n\n',
    'P\n',
  ])
    await assert.rejects(open(text), { code: 'DATABASE_INVALID' }, text);
});

test('a database of another family is none, an empty one has no packages', async () => {
  assert.equal(
    await apk.open({ root: memoryRoot({}), distro: undefined, imageArch: 'amd64', log: silentLog }),
    undefined,
  );
  assert.deepEqual((await open(''))?.packages, []);
});

test('scripts.tar may be anything: what is no script is left out, what is no archive is refused', () => {
  assert.throws(() => readScriptsTar(fromByteString('x'.repeat(1024)), 'scripts.tar'), {
    code: /ARCHIVE_INVALID|DATABASE_INVALID/,
  });
});

test('a million files and lines are read at once', () => {
  const text = `P:a\nV:1\nF:usr\n${'R:f\n'.repeat(500_000)}\n`;
  assert.equal(readInstalled(fromByteString(text), 'installed')[0]?.directories[0]?.files.length, 500_000);
});

test('circles and long chains of dependencies come to an end', async () => {
  const key = makeKey('k.rsa.pub');
  const url = 'https://host/main';
  const chain = (version: string): ToyApk[] =>
    Array.from({ length: 1500 }, (_, index) => ({
      name: `p${index}`,
      version,
      depends: [`p${(index + 1) % 1500}`],
    }));
  const root = systemRoot({ installed: chain('1'), world: ['p0'], keys: [key], repositories: [url] });
  const files = served(url, makeRepository(chain('2'), key).files);
  const { packages } = await (await openSystem(root)).resolve(request(files));
  assert.equal(packages.length, 1500);
});
