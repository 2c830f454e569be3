import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasTool, runTool } from '../../test/support/tool.ts';
import { readAr } from './ar.ts';

interface CraftedMember {
  readonly name?: string;
  readonly size?: string;
  readonly mtime?: string;
  readonly end?: string;
  readonly content?: string;
  readonly padding?: string;
}

function craftAr(...members: readonly CraftedMember[]): Buffer {
  const parts = members.map(({ name = 'debian-binary', content = '2.0\n', ...member }) => {
    const size = member.size ?? String(content.length);
    const header = `${name.padEnd(16)}${(member.mtime ?? '0').padEnd(12)}${'0'.padEnd(6).repeat(2)}${'100644'.padEnd(8)}`;
    return `${header}${size.padEnd(10)}${member.end ?? '`\n'}${content}${member.padding ?? '\n'.repeat(content.length % 2)}`;
  });
  return Buffer.from(`!<arch>\n${parts.join('')}`, 'latin1');
}

function read(archive: Uint8Array): [string, string][] {
  return readAr(archive, 'package').map(({ name, content }) => [
    name,
    Buffer.from(content).toString('latin1'),
  ]);
}

test('members come in order, with the slash of GNU ar taken off', () => {
  const archive = craftAr(
    {},
    { name: 'control.tar.xz/', content: 'odd' },
    { name: 'data.tar.xz', content: '' },
  );
  assert.deepEqual(read(archive), [
    ['debian-binary', '2.0\n'],
    ['control.tar.xz', 'odd'],
    ['data.tar.xz', ''],
  ]);
});

test('the padding may be missing at the very end', () => {
  assert.deepEqual(read(craftAr({ content: 'odd', padding: '' })), [['debian-binary', 'odd']]);
});

const REFUSED: readonly (readonly [title: string, archive: Buffer, message: RegExp])[] = [
  ['something else', Buffer.from('PK\x03\x04'), /no ar archive/],
  ['an empty file', Buffer.alloc(0), /no ar archive/],
  ['a size that is no number', craftAr({ size: 'four' }), /size of a member is not a number/],
  ['a negative size', craftAr({ size: '-4' }), /size of a member is not a number/],
  ['an empty size', craftAr({ size: '' }), /size of a member is not a number/],
  ['a size with a sign', craftAr({ size: '+4' }), /size of a member is not a number/],
  ['a hexadecimal size', craftAr({ size: '0x4' }), /size of a member is not a number/],
  ['a size beyond the file', craftAr({ size: '9999999999' }), /cut off/],
  ['a time that is no number', craftAr({ mtime: 'now' }), /mtime of a member is not a number/],
  ['padding that is no newline', craftAr({ content: 'odd', padding: 'x' }, {}), /padding/],
  ['no padding between members', craftAr({ content: 'odd', padding: '' }, {}), /padding/],
  ['a damaged header', craftAr({ end: 'xx' }), /header is damaged/],
  ['a cut header', craftAr({}).subarray(0, 50), /cut off/],
  ['bytes after the last member', Buffer.concat([craftAr({}), Buffer.from('x')]), /cut off/],
  [
    'a GNU table of long names',
    craftAr({ name: '//', content: 'long-name/\n' }),
    /long names are not supported/,
  ],
  ['a GNU long name', craftAr({ name: '/0' }), /long names are not supported/],
  ['a BSD long name', craftAr({ name: '#1/20' }), /long names are not supported/],
  ['a table of symbols', craftAr({ name: '/' }), /not supported/],
  ['a path', craftAr({ name: '../../etc/x' }), /impossible name/],
  ['no name', craftAr({ name: '' }), /impossible name/],
  ['a NUL byte in a name', craftAr({ name: 'a\0b' }), /impossible name/],
  ['a member that is there twice', craftAr({ name: 'data.tar' }, { name: 'data.tar/' }), /there twice/],
  [
    'thousands of members',
    craftAr(...Array.from({ length: 200 }, (_, at) => ({ name: `m${at}` }))),
    /more than 100/,
  ],
];
for (const [title, archive, message] of REFUSED) {
  test(`${title} is refused`, () => {
    assert.throws(() => readAr(archive, 'package'), { code: 'ARCHIVE_INVALID', message });
  });
}

test('archives of ar and dpkg-deb are read', (t) => {
  if (!hasTool('ar') || !hasTool('dpkg-deb')) {
    t.skip('ar or dpkg-deb is not installed');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'onlay-ar-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'odd'), 'abc');
  writeFileSync(join(folder, 'even'), 'abcd');
  runTool('ar', ['rcD', 'archive.a', 'odd', 'even'], { cwd: folder });
  assert.deepEqual(read(readFileSync(join(folder, 'archive.a'))), [
    ['odd', 'abc'],
    ['even', 'abcd'],
  ]);
  mkdirSync(join(folder, 'package', 'DEBIAN'), { recursive: true });
  const control =
    'Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n';
  writeFileSync(join(folder, 'package', 'DEBIAN', 'control'), control);
  runTool('dpkg-deb', ['-b', '--root-owner-group', 'package', 'a.deb'], { cwd: folder });
  const names = readAr(readFileSync(join(folder, 'a.deb')), 'a.deb').map(({ name }) => name);
  assert.deepEqual(names, ['debian-binary', 'control.tar.xz', 'data.tar.xz']);
});
