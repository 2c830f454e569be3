import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sharedFolder } from '../../test/support/project.ts';
import { hasTool, runTool } from '../../test/support/tool.ts';
import { decompressBytes, sniff } from '../codec/index.ts';
import { readCpio, type CpioEntry, type CpioOptions } from './cpio.ts';

interface CraftedFile {
  readonly name?: string;
  readonly content?: string;
  readonly inode?: number;
  readonly links?: number;
  readonly mode?: number;
  readonly magic?: string;
  readonly checksum?: number;
  /** What the header says of sizes, when that is not the truth. */
  readonly size?: number;
  readonly nameSize?: number;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function pad(text: string): string {
  return text + '\0'.repeat((4 - (text.length % 4)) % 4);
}

function craftFile(file: CraftedFile): string {
  const { name = './file', content = '', inode = 1, links = 1, mode = 0o100644, magic = '070701' } = file;
  const numbers = [inode, mode, 1, 2, links, 3, file.size ?? content.length, 0, 8, 4, 5];
  const header = [...numbers, file.nameSize ?? name.length + 1, file.checksum ?? 0].map(hex).join('');
  return pad(pad(`${magic}${header}${name}\0`) + content);
}

function craftStripped(index: number, content = ''): string {
  return pad(pad(`07070X${hex(index)}`) + content);
}

const TRAILER = craftFile({ name: 'TRAILER!!!', inode: 0, mode: 0 });

function read(text: string, options?: CpioOptions): readonly CpioEntry[] {
  return readCpio(Buffer.from(text, 'latin1'), 'payload', options);
}

function text(entry: CpioEntry | undefined): string {
  return Buffer.from(entry?.content ?? []).toString('latin1');
}

test('an entry says all that its header does', () => {
  const [entry] = read(craftFile({ content: 'abc' }) + TRAILER);
  assert.deepEqual(
    { ...entry, content: text(entry) },
    {
      path: './file',
      index: undefined,
      mode: 0o100644,
      uid: 1,
      gid: 2,
      links: 1,
      mtime: 3,
      inode: '0:8:1',
      devMajor: 4,
      devMinor: 5,
      content: 'abc',
    },
  );
});

test('all hard links of a set have the content that only the last carries', () => {
  const entries = read(
    craftFile({ name: './a', inode: 7, links: 2 }) +
      craftFile({ name: './other', content: 'other', inode: 8 }) +
      craftFile({ name: './b', inode: 7, links: 2, content: 'shared' }) +
      TRAILER,
  );
  assert.deepEqual(entries.map(text), ['shared', 'other', 'shared']);
});

test('directories with several links are no hard links', () => {
  const entries = read(
    craftFile({ name: './d', inode: 7, links: 2, mode: 0o040755 }) +
      craftFile({ name: './f', inode: 7, links: 2, content: 'x' }) +
      TRAILER,
  );
  assert.deepEqual(entries.map(text), ['', 'x']);
});

test('stripped entries have the index and the size that the package header knows', () => {
  const sizes = [3, 0, 5];
  const archive = craftStripped(2, 'hello') + craftStripped(1) + craftStripped(0, 'abc') + TRAILER;
  const entries = read(archive, {
    stripped: (index) => (index < 3 ? { size: sizes[index] as number } : undefined),
  });
  assert.deepEqual(
    entries.map((entry) => [entry.index, text(entry)]),
    [
      [2, 'hello'],
      [1, ''],
      [0, 'abc'],
    ],
  );
});

test('a checksum of 070702 is checked', () => {
  const file = { magic: '070702', content: 'abc' };
  assert.equal(text(read(craftFile({ ...file, checksum: 97 + 98 + 99 }) + TRAILER)[0]), 'abc');
  assert.throws(() => read(craftFile({ ...file, checksum: 1 }) + TRAILER), {
    message: /checksum of '.\/file'/,
  });
});

test('zeros after the trailer are padding', () => {
  assert.equal(read(craftFile({}) + TRAILER + '\0'.repeat(300)).length, 1);
});

const REFUSED: readonly (readonly [title: string, archive: string, message: RegExp])[] = [
  ['no trailer', craftFile({}), /no cpio header/],
  ['an empty archive', '', /no cpio header/],
  ['old cpio', '070707'.padEnd(76, '0'), /no cpio header/],
  ['a size beyond the archive', craftFile({ size: 0xffffffff }) + TRAILER, /cut off/],
  ['a name beyond the archive', craftFile({ nameSize: 4000 }), /cut off/],
  ['a name of 5000 bytes', craftFile({ name: 'n'.repeat(5000) }) + TRAILER, /name is too long/],
  ['an empty name', craftFile({ nameSize: 0 }) + TRAILER, /name is too long/],
  ['a name without its NUL byte', craftFile({ nameSize: 6 }) + TRAILER, /name is damaged/],
  ['a name with a NUL byte', craftFile({ name: './a\0b' }) + TRAILER, /name is damaged/],
  [
    'a header that is not hexadecimal',
    craftFile({}).replace('00000001', '0000000x') + TRAILER,
    /header is damaged/,
  ],
  ['a sign in a header', craftFile({}).replace('00000001', '-0000001') + TRAILER, /header is damaged/],
  ['a cut header', craftFile({}).slice(0, 60), /cut off/],
  ['something after the trailer', TRAILER + craftFile({}), /follows the trailer/],
  [
    'padding that is not zero',
    craftFile({ content: 'a' }).slice(0, -1) + 'x' + TRAILER,
    /padding is damaged/,
  ],
  ['a stripped entry nobody asked for', craftStripped(0) + TRAILER, /no file 0/],
];
for (const [title, archive, message] of REFUSED) {
  test(`${title} is refused`, () => {
    assert.throws(() => read(archive), { code: 'ARCHIVE_INVALID', message });
  });
}

test('a stripped entry of a file the package does not have is refused', () => {
  assert.throws(() => read(craftStripped(9) + TRAILER, { stripped: () => undefined }), {
    message: /no file 9/,
  });
});

test('a stripped entry that claims more than there is is refused', () => {
  assert.throws(() => read(craftStripped(0) + TRAILER, { stripped: () => ({ size: 2 ** 40 }) }), {
    message: /cut off/,
  });
});

test('more entries than allowed are over the limit', () => {
  assert.throws(() => read(craftFile({}).repeat(3) + TRAILER, { maxEntries: 2 }), { code: 'LIMIT_EXCEEDED' });
});

/** What follows the lead, the signature header and the main header of a package. */
function payloadOf(rpm: Buffer): Buffer {
  const headerEnd = (at: number): number =>
    at + 16 + rpm.readUInt32BE(at + 8) * 16 + rpm.readUInt32BE(at + 12);
  const signatureEnd = headerEnd(96);
  return rpm.subarray(headerEnd(Math.ceil(signatureEnd / 8) * 8));
}

describe('payloads of real packages', () => {
  const folder = sharedFolder();
  const packages: readonly (readonly [name: string, codec: string])[] = [
    ['payload-test-0.1-w.ufdio.x86_64.rpm', 'none'],
    ['payload-test-0.1-w9.gzdio.x86_64.rpm', 'gzip'],
    ['payload-test-0.1-w9.bzdio.x86_64.rpm', 'bzip2'],
    ['payload-test-0.1-w6.xzdio.x86_64.rpm', 'xz'],
    ['payload-test-0.1-w6.lzdio.x86_64.rpm', 'lzma'],
    ['payload-test-0.1-w3.zstdio.x86_64.rpm', 'zstd'],
    ['hlinktest-1.0-1.noarch.rpm', 'none'],
    ['epel-release-7-5.noarch.rpm', 'xz'],
    ['centos-release-6-0.el6.centos.5.x86_64.rpm', 'xz'],
  ];
  for (const [name, codec] of packages) {
    test(`${name} (${codec}) holds what rpm2cpio says`, async (t) => {
      if (folder === undefined) {
        t.skip('no shared data beside the project');
        return;
      }
      const path = join(folder, 'data', 'rpm', name);
      const payload = payloadOf(readFileSync(path));
      assert.equal(sniff(payload), codec);
      const archive = await decompressBytes(payload, { limit: 1 << 20, what: name });
      const entries = readCpio(archive, name);
      assert.ok(entries.length > 0);
      if (!hasTool('rpm2cpio')) t.diagnostic('rpm2cpio is not installed: bytes not compared');
      else assert.ok(runTool('rpm2cpio', [path]).equals(archive));
    });
  }

  test('hlinktest: every link of a set has the content', async (t) => {
    if (folder === undefined) {
      t.skip('no shared data beside the project');
      return;
    }
    const payload = payloadOf(readFileSync(join(folder, 'data', 'rpm', 'hlinktest-1.0-1.noarch.rpm')));
    const archive = await decompressBytes(payload, { limit: 1 << 20, what: 'hlinktest' });
    const linked = readCpio(archive, 'hlinktest').filter(
      (entry) => entry.links > 1 && (entry.mode & 0o170000) === 0o100000,
    );
    assert.ok(linked.length > 3);
    for (const entry of linked) assert.ok(entry.content.length > 0, entry.path);
    for (const { inode, content } of linked) {
      const first = linked.find((other) => other.inode === inode);
      assert.deepEqual(content, first?.content);
    }
  });
});
