import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { hasTool, runTool } from '../../test/support/tool.ts';
import type { TarType } from './tar-entry.ts';
import { readTarBytes } from './tar-read.ts';
import { TAR_END, tarHeader, tarPadding, type TarInput } from './tar-write.ts';

const BASE = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000 } as const;

function writeTar(entries: readonly { input: TarInput; content?: Uint8Array }[]): Buffer {
  const parts = entries.flatMap(({ input, content = new Uint8Array(0) }) => [
    tarHeader({ ...input, size: content.length }),
    content,
    tarPadding(content.length),
  ]);
  return Buffer.concat([...parts, TAR_END]);
}

const byteText = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)),
    minLength,
    maxLength,
  });
const asciiPath = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', '/'), minLength: 1, maxLength: 300 });
const path = fc.oneof(asciiPath, byteText(1, 300)).map((text) => text.replace(/\/+$/, '') || 'x');
const number = (octalDigits: number): fc.Arbitrary<number> =>
  fc.oneof(fc.nat({ max: 70000 }), fc.constantFrom(8 ** octalDigits - 1, 8 ** octalDigits), fc.maxSafeNat());

const entry = fc.record({
  type: fc.constantFrom<TarType>('file', 'directory', 'symlink', 'hardlink', 'character', 'block', 'fifo'),
  path,
  mode: fc.nat({ max: 0o7777 }),
  uid: number(7),
  gid: number(7),
  mtime: fc.oneof(number(11), fc.integer({ min: -(2 ** 31), max: -1 })),
  uname: byteText(0, 40),
  gname: byteText(0, 40),
  link: path,
  xattrs: fc.array(
    fc.tuple(
      byteText(1, 30).map((name) => name.replaceAll('=', '')),
      fc.uint8Array({ maxLength: 80 }),
    ),
  ),
  devMajor: fc.nat({ max: 0o7777777 }),
  devMinor: fc.nat({ max: 0o7777777 }),
  content: fc.uint8Array({ maxLength: 1100 }),
});

test('what is written reads back the same', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 4 }), (entries) => {
      const written = entries.map(({ content, link, devMajor, devMinor, xattrs, ...rest }) => {
        const device = rest.type === 'character' || rest.type === 'block';
        return {
          ...rest,
          path: rest.type === 'directory' ? `${rest.path}/` : rest.path,
          link: rest.type === 'symlink' || rest.type === 'hardlink' ? link : '',
          xattrs: new Map(
            xattrs.filter(([name]) => name !== '').map(([name, value]) => [name, Buffer.from(value)]),
          ),
          devMajor: device ? devMajor : 0,
          devMinor: device ? devMinor : 0,
          content: Buffer.from(rest.type === 'file' ? content : []),
        };
      });
      const archive = writeTar(written.map(({ content, ...input }) => ({ input, content })));
      const read = readTarBytes(archive, { requireEnd: true }).map(({ header, content }) => {
        const { pax: _, size: __, ...rest } = header;
        return { ...rest, content: Buffer.from(content) };
      });
      assert.deepEqual(read, written);
    }),
    { numRuns: 300 },
  );
});

test('the bytes do not depend on the order of attributes', () => {
  const a: [string, Uint8Array] = ['user.a', Buffer.from('1')];
  const b: [string, Uint8Array] = ['user.b', Buffer.from('2')];
  const header = (xattrs: [string, Uint8Array][]): Uint8Array =>
    tarHeader({ ...BASE, path: 'x', type: 'file', xattrs: new Map(xattrs) });
  assert.deepEqual(header([a, b]), header([b, a]));
});

test('an ordinary entry takes one block, also with a path that only the prefix field holds', () => {
  assert.equal(tarHeader({ ...BASE, path: 'usr/bin/env', type: 'file' }).length, 512);
  assert.equal(tarHeader({ ...BASE, path: `${'a/'.repeat(75)}${'f'.repeat(99)}`, type: 'file' }).length, 512);
  assert.equal(tarHeader({ ...BASE, path: `${'a/'.repeat(45)}directory`, type: 'directory' }).length, 512);
  assert.equal(tarHeader({ ...BASE, path: 'f'.repeat(101), type: 'file' }).length, 3 * 512);
});

const IMPOSSIBLE: readonly (readonly [title: string, input: Partial<TarInput>])[] = [
  ['no path', { path: '' }],
  ['a NUL byte in its path', { path: 'a\0b' }],
  ['no target', { type: 'symlink' }],
  ['content of a directory', { type: 'directory', size: 1 }],
  ['a file whose path ends in a slash', { path: 'a/' }],
  ['a negative owner', { uid: -1 }],
  ['half a second', { mtime: 0.5 }],
  ['a mode with a file type', { mode: 0o100644 }],
  ['a huge device number', { type: 'block', devMajor: 2 ** 24 }],
  ['an attribute with "=" in its name', { xattrs: new Map([['user.a=b', new Uint8Array(1)]]) }],
];
for (const [title, input] of IMPOSSIBLE) {
  test(`an entry with ${title} is not written`, () => {
    assert.throws(() => tarHeader({ ...BASE, path: 'x', type: 'file', ...input }), { code: 'INTERNAL' });
  });
}

const UTF8 = Buffer.from('größe/Ελλάδα', 'utf8').toString('latin1');
const ENTRIES: readonly { input: TarInput; content?: Uint8Array }[] = [
  { input: { ...BASE, path: 'directory', type: 'directory', mode: 0o1755 } },
  {
    input: { ...BASE, path: 'directory/file', type: 'file', mode: 0o4755, uid: 1000 },
    content: Buffer.from('body'),
  },
  { input: { ...BASE, path: 'hardlink', type: 'hardlink', link: 'directory/file' } },
  { input: { ...BASE, path: 'symlink', type: 'symlink', link: 'l'.repeat(150) } },
  { input: { ...BASE, path: UTF8, type: 'file', mtime: -86400 }, content: Buffer.alloc(513, 'u') },
  { input: { ...BASE, path: 'latin-\xe9', type: 'file' } },
  { input: { ...BASE, path: `${'long/'.repeat(60)}file`, type: 'file', uid: 3_000_000, gid: 4_000_000 } },
  { input: { ...BASE, path: 'fifo', type: 'fifo' } },
];

function needsTar(t: TestContext): boolean {
  if (hasTool('tar') && runTool('tar', ['--version']).includes('GNU tar')) return true;
  t.skip('GNU tar is not installed');
  return false;
}

test('GNU tar lists what was written', (t) => {
  if (!needsTar(t)) return;
  const args = ['-tv', '--numeric-owner', '--full-time', '--quoting-style=escape', '-f', '-'];
  const lines = runTool('tar', args, { input: writeTar(ENTRIES) })
    .toString()
    .trimEnd()
    .split('\n');
  assert.deepEqual(
    lines.map((line) => line.replace(/ +/g, ' ')),
    [
      'drwxr-xr-t 0/0 0 2023-11-14 22:13:20 directory/',
      '-rwsr-xr-x 1000/0 4 2023-11-14 22:13:20 directory/file',
      'hrw-r--r-- 0/0 0 2023-11-14 22:13:20 hardlink link to directory/file',
      `lrw-r--r-- 0/0 0 2023-11-14 22:13:20 symlink -> ${'l'.repeat(150)}`,
      `-rw-r--r-- 0/0 513 1969-12-31 00:00:00 ${octalEscapes(UTF8)}`,
      '-rw-r--r-- 0/0 0 2023-11-14 22:13:20 latin-\\351',
      `-rw-r--r-- 3000000/4000000 0 2023-11-14 22:13:20 ${'long/'.repeat(60)}file`,
      'prw-r--r-- 0/0 0 2023-11-14 22:13:20 fifo',
    ],
  );
});

function octalEscapes(text: string): string {
  return text.replace(/[^ -~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8)}`);
}

test('GNU tar extracts what was written', (t) => {
  if (!needsTar(t)) return;
  const folder = mkdtempSync(join(tmpdir(), 'onlay-tar-write-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  runTool('tar', ['-xp', '--no-same-owner', '-f', '-'], { input: writeTar(ENTRIES), cwd: folder });
  assert.equal(readFileSync(join(folder, 'directory/file'), 'utf8'), 'body');
  assert.equal(lstatSync(join(folder, 'hardlink')).ino, lstatSync(join(folder, 'directory/file')).ino);
  assert.equal(readlinkSync(join(folder, 'symlink')), 'l'.repeat(150));
  const utf8 = lstatSync(join(folder, 'größe/Ελλάδα'));
  assert.deepEqual([utf8.size, utf8.mtimeMs], [513, -86_400_000]);
});

test('GNU tar restores binary attributes and owners beyond ustar', (t) => {
  if (!needsTar(t)) return;
  if (process.getuid?.() !== 0 || !hasTool('python3')) {
    t.skip('needs root and python3');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'onlay-tar-xattr-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // cap_setuid=ep: bytes above 0x7f, which text in UTF-8 does not survive
  const capability = Buffer.from('0100000280000000000000000000000000000000', 'hex');
  const input: TarInput = {
    ...BASE,
    path: 'file',
    type: 'file',
    uid: 3_000_000,
    xattrs: new Map([['security.capability', capability]]),
  };
  const archive = writeTar([{ input, content: Buffer.from('x') }]);
  runTool('tar', ['-xp', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-f', '-'], {
    input: archive,
    cwd: folder,
  });
  const script = "import os,sys; sys.stdout.write(os.getxattr('file','security.capability').hex())";
  assert.equal(runTool('python3', ['-c', script], { cwd: folder }).toString(), capability.toString('hex'));
  assert.equal(lstatSync(join(folder, 'file')).uid, 3_000_000);
});
