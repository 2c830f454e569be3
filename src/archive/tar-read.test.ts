import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { sharedFolder } from '../../test/support/project.ts';
import { END, base256, craftLong, craftPax, craftTar } from '../../test/support/tar-craft.ts';
import { hasTool, runTool } from '../../test/support/tool.ts';
import type { TarHeader } from './tar-entry.ts';
import { TarParser, readTarBytes } from './tar-read.ts';

/** A line as `tar -tv --numeric-owner --full-time --quoting-style=escape` prints it, without the blanks between. */
function listing(header: TarHeader): string {
  const letters: Readonly<Record<TarHeader['type'], string>> = {
    file: '-',
    directory: 'd',
    symlink: 'l',
    hardlink: 'h',
    character: 'c',
    block: 'b',
    fifo: 'p',
  };
  const bits = 'rwxrwxrwx'.split('').map((letter, at) => (header.mode & (0o400 >> at) ? letter : '-'));
  for (const [bit, at, letter] of [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ] as const)
    if (header.mode & bit) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase();
  const device = header.type === 'character' || header.type === 'block';
  const size = device ? `${header.devMajor},${header.devMinor}` : header.size;
  const time = new Date(header.mtime * 1000).toISOString().slice(0, 19).replace('T', ' ');
  const link =
    header.type === 'symlink'
      ? ` -> ${header.link}`
      : header.type === 'hardlink'
        ? ` link to ${header.link}`
        : '';
  const line = `${letters[header.type]}${bits.join('')} ${header.uid}/${header.gid} ${size} ${time} ${header.path}${link}`;
  return escaped(line);
}

function escaped(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function gnuListing(archive: Uint8Array): string[] {
  const args = ['-tv', '--numeric-owner', '--full-time', '--quoting-style=escape', '-f', '-'];
  const lines = runTool('tar', args, { input: archive }).toString('latin1').trimEnd().split('\n');
  return lines.map((line) => line.replace(/^(\S+) (\S+) +(\S+) (\S+) ([0-9:]+)\S* +/, '$1 $2 $3 $4 $5 '));
}

/** False, with the reason printed, when GNU tar is not here. */
function needsTar(t: TestContext): boolean {
  if (hasTool('tar') && runTool('tar', ['--version']).includes('GNU tar')) return true;
  t.skip('GNU tar is not installed');
  return false;
}

const folder = fs.mkdtempSync(join(tmpdir(), 'onlay-tar-read-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A tree with one of everything that GNU tar can archive without privileges. */
function makeTree(): string {
  const tree = join(folder, 'tree');
  if (fs.existsSync(tree)) return tree;
  fs.mkdirSync(join(tree, 'directory'), { recursive: true });
  fs.writeFileSync(join(tree, 'directory', 'file'), 'content');
  fs.writeFileSync(join(tree, 'empty'), '');
  fs.writeFileSync(join(tree, 'block'), 'x'.repeat(512));
  fs.writeFileSync(join(tree, 'setuid'), '#!');
  fs.chmodSync(join(tree, 'setuid'), 0o4755);
  fs.chmodSync(join(tree, 'directory'), 0o1777);
  fs.symlinkSync('directory/file', join(tree, 'symlink'));
  fs.linkSync(join(tree, 'empty'), join(tree, 'zz-hardlink'));
  fs.writeFileSync(join(tree, Buffer.from('füß', 'utf8').toString()), 'utf-8');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from('latin-\xe9', 'latin1')]), 'latin1');
  const long = join(tree, 'd'.repeat(120), 'e'.repeat(150));
  fs.mkdirSync(long, { recursive: true });
  fs.writeFileSync(join(long, 'f'.repeat(130)), 'long');
  fs.symlinkSync('t'.repeat(200), join(tree, 'long-target'));
  runTool('touch', ['-d', '1969-12-31 00:00:00', join(tree, 'empty')]); // Node sets no time before 1970
  fs.utimesSync(join(tree, 'block'), 1e9 + 0.75, 1e9 + 0.75);
  return tree;
}

describe('archives of GNU tar read as GNU tar lists them', () => {
  for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
    test(`--format=${format}`, (t) => {
      if (!needsTar(t)) return;
      // v7 and ustar cannot hold all of it
      const limited = format === 'v7' || format === 'ustar';
      const names = limited ? ['directory', 'block', 'setuid', 'symlink'] : ['.'];
      const owner = limited ? ['--owner=:1000', '--group=:1000'] : ['--owner=:3000000', '--group=:4000000'];
      const archive = runTool('tar', ['-c', `--format=${format}`, '--sort=name', ...owner, ...names], {
        cwd: makeTree(),
      });
      const members = readTarBytes(archive);
      assert.deepEqual(
        members.map(({ header }) => listing(header)),
        gnuListing(archive),
      );
      const file = members.find(({ header }) => header.path.endsWith('directory/file'));
      assert.equal(Buffer.from(file?.content ?? []).toString(), 'content');
    });
  }
});

describe('sparse files of GNU tar come out expanded', () => {
  for (const [format, version] of [
    ['gnu', ''],
    ['oldgnu', ''],
    ['posix', '0.0'],
    ['posix', '0.1'],
    ['posix', '1.0'],
  ]) {
    test(`--format=${format} ${version}`, (t) => {
      if (!needsTar(t)) return;
      // more runs than fit a header block, a hole at the end, and a name that needs a long name
      const name = `sparse-${'n'.repeat(100)}`;
      const path = join(folder, name);
      const file = fs.openSync(path, 'w');
      for (let at = 0; at < 60; at++) fs.writeSync(file, `run ${at}`, at * 65536);
      fs.ftruncateSync(file, 60 * 65536 + 12345);
      fs.closeSync(file);
      const options = ['-S', `--format=${format}`, ...(version ? [`--sparse-version=${version}`] : [])];
      const archive = runTool('tar', ['-c', ...options, name], { cwd: folder });
      const [member, ...others] = readTarBytes(archive);
      assert.ok(member);
      assert.deepEqual(others, []);
      assert.ok(archive.length < member.header.size / 4, 'the file system keeps holes');
      assert.equal(member.header.path, name);
      assert.ok(fs.readFileSync(path).equals(member.content));
    });
  }
});

test('real root file systems read as GNU tar lists them', (t) => {
  if (!needsTar(t)) return;
  const shared = sharedFolder();
  if (shared === undefined) {
    t.skip('no shared data beside the project');
    return;
  }
  const layer = join(shared, 'data', 'alpine', 'alpine-minirootfs-3.20.3-x86_64.tar.gz');
  const archive = gunzipSync(fs.readFileSync(layer));
  const members = readTarBytes(archive);
  assert.equal(members.length, 518);
  assert.deepEqual(
    members.map(({ header }) => listing(header)),
    gnuListing(archive),
  );
});

test('the three members of an .apk read one by one and as one archive', (t) => {
  const shared = sharedFolder();
  if (shared === undefined) {
    t.skip('no shared data beside the project');
    return;
  }
  const file = join(shared, 'data', 'apk', 'alpine-317-alpine-baselayout-3.4.0-r0.apk');
  const members = readTarBytes(gunzipSync(fs.readFileSync(file)), { dialect: 'apk' });
  const paths = members.map(({ header }) => header.path);
  assert.match(paths[0] ?? '', /^\.SIGN\.RSA\./);
  assert.equal(paths[1], '.PKGINFO');
  const motd = members.find(({ header }) => header.path === 'etc/motd');
  assert.match(
    Buffer.from(motd?.header.pax.get('APK-TOOLS.checksum.SHA1') ?? []).toString(),
    /^[0-9a-f]{40}$/,
  );
  // with an end required, the cut members are refused; a gzip member alone is such an archive
  assert.throws(() => readTarBytes(craftTar({ name: 'a' }), { dialect: 'apk', requireEnd: true }), {
    message: /no end marker/,
  });
});

const MIXED = craftTar(
  craftPax({ path: 'ä'.repeat(150), mtime: '-1.5', uid: '3000000', 'SCHILY.xattr.user.a': '\x00\xff=\n' }),
  { body: 'a'.repeat(1000) },
  craftLong('b'.repeat(300)),
  craftLong('c'.repeat(300), 'K'),
  { magic: 'gnu', type: '2' },
  { name: 'd/', type: '5', mode: 0o1777 },
  craftPax({
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.realsize': '2000',
    'GNU.sparse.name': 's',
  }),
  { name: 'GNUSparseFile/s', body: '2\n0\n3\n1990\n4\n'.padEnd(512, '\0') + 'abcdefg' },
  { name: 'e', raw: { 108: base256(5n, 8), 136: base256(-7n, 12) } },
  END,
);

/** Everything a sink is told, with the pieces of a body joined. */
function events(archive: Uint8Array, step: number): unknown[] {
  const list: unknown[] = [];
  let body = '';
  const parser = new TarParser({
    entry: (header) => {
      list.push(header);
      body = '';
    },
    data: (chunk) => (body += Buffer.from(chunk).toString('latin1')),
    end: () => list.push(body),
  });
  for (let at = 0; at < archive.length; at += step) parser.write(archive.subarray(at, at + step));
  parser.finish();
  assert.equal(parser.offset, archive.length);
  return list;
}

test('how the archive is cut into chunks makes no difference', () => {
  const whole = events(MIXED, MIXED.length);
  assert.equal(whole.length, 10);
  for (const step of [1, 7, 511, 512, 513, 1000]) assert.deepEqual(events(MIXED, step), whole);
});

test('all kinds of headers say what they should', () => {
  const [file, link, directory, sparse, binary] = readTarBytes(MIXED);
  assert.deepEqual(
    [file?.header.path, file?.header.mtime, file?.header.uid, file?.content.length],
    ['ä'.repeat(150), -2, 3000000, 1000],
  );
  assert.deepEqual([...(file?.header.xattrs ?? [])], [['user.a', Buffer.from('00ff3d0a', 'hex')]]);
  assert.deepEqual([link?.header.path, link?.header.link], ['b'.repeat(300), 'c'.repeat(300)]);
  assert.deepEqual([directory?.header.type, directory?.header.mode], ['directory', 0o1777]);
  const content = Buffer.alloc(2000);
  content.write('abc', 0);
  content.write('defg', 1990);
  assert.deepEqual([sparse?.header.path, sparse?.header.size], ['s', 2000]);
  assert.ok(content.equals(sparse?.content ?? Buffer.alloc(0)));
  assert.deepEqual([binary?.header.uid, binary?.header.mtime], [5, -7]);
});

test('the offset during entry() is where the content begins', () => {
  const archive = craftTar({ name: 'a', body: 'first' }, craftPax({ path: 'b' }), { body: 'second' }, END);
  const offsets: number[] = [];
  const parser = new TarParser({ entry: () => offsets.push(parser.offset), data() {}, end() {} });
  parser.write(archive);
  assert.deepEqual(
    offsets.map((at) => archive.toString('latin1', at, at + 3)),
    ['fir', 'sec'],
  );
});

test('bodies are handed on without a copy', () => {
  const archive = craftTar({ body: 'content' }, END);
  assert.equal(readTarBytes(archive)[0]?.content.buffer, archive.buffer);
});

test('twenty thousand members in 30 MB are read', () => {
  const entry = craftTar({ name: 'many', body: 'x'.repeat(1000) });
  const archive = Buffer.concat([...Array.from({ length: 20_000 }, () => entry), END]);
  assert.equal(readTarBytes(archive).length, 20_000);
});
