import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteString } from '../../base/bytes.ts';
import { hasCode } from '../../errors.ts';
import { craftEntries, craftHeader } from '../../../test/support/rpm-craft.ts';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { parseHeader } from './header.ts';
import { MANIFEST_PATHS, readManifest, writeManifests } from './manifest.ts';

const ONE = 'zlib-1.2-1.cm2.x86_64\nold-compat-1-1.cm2.noarch\nca-data-2024-1.cm2.noarch\n';
const TWO =
  'zlib\t1.2-1.cm2\t1700000000\t1690000000\tMicrosoft\t(none)\t100\tx86_64\t0\tzlib-1.2-1.cm2.src.rpm\n' +
  'old-compat\t1-1.cm2\t1700000000\t1690000000\tMicrosoft\t(none)\t100\tnoarch\t0\told-1-1.cm2.src.rpm\n' +
  'ca-data\t2024-1.cm2\t1700000000\t1690000000\tMicrosoft\t(none)\t100\tnoarch\t3\t(none)\n';

const root = memoryRoot({ [MANIFEST_PATHS[0] as string]: ONE, [MANIFEST_PATHS[1] as string]: TWO });

function header(name: string, version: string): ReturnType<typeof parseHeader> {
  const blob = craftHeader(craftEntries({ name, version, release: '1.cm2', vendor: 'Microsoft' }), 63);
  return parseHeader(blob, { what: name, code: 'INTERNAL' });
}

test('readManifest() reads the ten columns; the epoch is part of the version', () => {
  assert.deepEqual(
    readManifest(root)?.map(({ name, version, arch, sourceRpm }) => [name, version, arch, sourceRpm]),
    [
      ['zlib', '1.2-1.cm2', 'x86_64', 'zlib-1.2-1.cm2.src.rpm'],
      ['old-compat', '1-1.cm2', 'noarch', 'old-1-1.cm2.src.rpm'],
      ['ca-data', '3:2024-1.cm2', 'noarch', ''],
    ],
  );
  assert.equal(readManifest(memoryRoot({})), undefined);
});

test('a line that scanners could not read is refused', () => {
  const bad = memoryRoot({ [MANIFEST_PATHS[1] as string]: 'zlib\t1.2-1\n' });
  assert.throws(
    () => readManifest(bad),
    (error) => hasCode(error, 'DATABASE_INVALID'),
  );
});

test('writeManifests() replaces in place, drops what is gone, appends what is new, keeps the rest byte for byte', () => {
  const written = writeManifests(root, {
    added: [header('new-dep', '1'), header('zlib', '2')],
    removed: new Set(['old-compat']),
    installTime: 1800000000,
  });
  assert.equal(
    byteString(written.get(MANIFEST_PATHS[0] as never) ?? new Uint8Array()),
    'zlib-2-1.cm2.noarch\nca-data-2024-1.cm2.noarch\nnew-dep-1-1.cm2.noarch\n',
  );
  assert.equal(
    byteString(written.get(MANIFEST_PATHS[1] as never) ?? new Uint8Array()),
    'zlib\t2-1.cm2\t1800000000\t1700000000\tMicrosoft\t(none)\t0\tnoarch\t0\tzlib-2-1.cm2.src.rpm\n' +
      'ca-data\t2024-1.cm2\t1700000000\t1690000000\tMicrosoft\t(none)\t100\tnoarch\t3\t(none)\n' +
      'new-dep\t1-1.cm2\t1800000000\t1700000000\tMicrosoft\t(none)\t0\tnoarch\t0\tnew-dep-1-1.cm2.src.rpm\n',
  );
});
