import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { sharedFolder } from '../../test/support/project.ts';
import { hasTool, runTool } from '../../test/support/tool.ts';
import { collect, type ByteStream } from '../base/streams.ts';
import { crc32, tableCrc32 } from './crc32.ts';
import { gunzip, gunzipBytes, gunzipMembers } from './gunzip.ts';

const OPTIONS = { limit: 1 << 20, what: 'layer' };
const TEXT = Buffer.from('some text, '.repeat(8_000));
const GZIP = gzipSync(TEXT);

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function streamed(bytes: Uint8Array, size = 1000): Promise<Uint8Array> {
  return collect(gunzip(pieces(bytes, size), OPTIONS), OPTIONS);
}

/** A gzip member with every optional part of a header that `flags` asks for. */
function craftMember(flags: number, content: Uint8Array, headerCrc?: number): Buffer {
  const parts = [Buffer.from([0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3])];
  if (flags & 4) parts.push(Buffer.from([5, 0, 1, 2, 0, 4, 5]));
  if (flags & 8) parts.push(Buffer.from('name\0'));
  if (flags & 16) parts.push(Buffer.from('comment\0'));
  if (flags & 2) {
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE((headerCrc ?? crc32(Buffer.concat(parts))) & 0xffff);
    parts.push(sum);
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(content), 0);
  trailer.writeUInt32LE(content.length, 4);
  return Buffer.concat([...parts, deflateRawSync(content), trailer]);
}

describe('one content, however it is stored', () => {
  const stored: readonly (readonly [title: string, bytes: Uint8Array])[] = [
    ['one member', GZIP],
    [
      'several members',
      Buffer.concat([gzipSync(TEXT.subarray(0, 7)), gzipSync(''), gzipSync(TEXT.subarray(7))]),
    ],
    ['zeros after the last member', Buffer.concat([GZIP, Buffer.alloc(5000)])],
    ['all optional header fields', craftMember(2 + 4 + 8 + 16, TEXT)],
  ];
  for (const [title, bytes] of stored) {
    test(title, async () => {
      for (const size of [1, 100, bytes.length]) assert.ok(TEXT.equals(await streamed(bytes, size)));
      assert.ok(TEXT.equals(await gunzipBytes(bytes, OPTIONS)));
      assert.ok(TEXT.equals(Buffer.concat(gunzipMembers(bytes, OPTIONS).map(({ content }) => content))));
    });
  }
});

describe('what is refused, as a stream, as bytes and by members', () => {
  const damaged = Buffer.from(GZIP);
  damaged[GZIP.length - 6] = 0xff;
  const refused: readonly (readonly [title: string, bytes: Uint8Array, message: RegExp])[] = [
    ['nothing', Buffer.alloc(0), /cut off|no gzip/],
    ['a cut trailer', GZIP.subarray(0, -3), /cut off/],
    ['cut data', GZIP.subarray(0, GZIP.length / 2), /cut off/],
    ['a cut second member', Buffer.concat([GZIP, GZIP.subarray(0, 5)]), /cut off/],
    ['a wrong checksum', damaged, /incorrect data check|checksum/],
    [
      'text after the last member',
      Buffer.concat([GZIP, Buffer.from('text')]),
      /followed by something|no gzip member/,
    ],
    [
      'text after padding',
      Buffer.concat([GZIP, Buffer.alloc(100), Buffer.from('text')]),
      /something other than gzip/,
    ],
    ['a member after padding', Buffer.concat([GZIP, Buffer.alloc(100), GZIP]), /something other than gzip/],
  ];
  for (const [title, bytes, message] of refused) {
    test(title, async () => {
      const error = { code: 'ARCHIVE_INVALID', message };
      for (const size of [1, 1000, 1 << 20]) await assert.rejects(streamed(bytes, size), error);
      await assert.rejects(gunzipBytes(bytes, OPTIONS), error);
      assert.throws(() => gunzipMembers(bytes, OPTIONS), error);
    });
  }
});

test('content beyond the limit is refused by bytes and by members', async () => {
  const options = { limit: TEXT.length - 1, what: 'layer' };
  await assert.rejects(gunzipBytes(GZIP, options), { code: 'LIMIT_EXCEEDED' });
  assert.throws(() => gunzipMembers(GZIP, options), { code: 'LIMIT_EXCEEDED' });
  const twice = Buffer.concat([GZIP, GZIP]);
  assert.throws(() => gunzipMembers(twice, { limit: TEXT.length, what: 'layer' }), {
    code: 'LIMIT_EXCEEDED',
  });
  assert.throws(() => gunzipMembers(GZIP, { limit: 0, what: 'layer' }), { code: 'LIMIT_EXCEEDED' });
  assert.equal(gunzipMembers(GZIP, { limit: TEXT.length, what: 'layer' }).length, 1);
  assert.equal((await gunzipBytes(gzipSync(''), { limit: 0, what: 'layer' })).length, 0);
});

test('the source is read to its end, where its digest is checked', async () => {
  async function* unverified(): ByteStream {
    yield GZIP;
    yield Buffer.alloc(10);
    throw new Error('digest mismatch');
  }
  await assert.rejects(collect(gunzip(unverified(), OPTIONS), OPTIONS), { message: 'digest mismatch' });
});

test('a failure of the source comes through as it is', async () => {
  async function* broken(): ByteStream {
    yield GZIP.subarray(0, 100);
    throw new TypeError('socket hang up');
  }
  await assert.rejects(collect(gunzip(broken(), OPTIONS), OPTIONS), {
    name: 'TypeError',
    message: 'socket hang up',
  });
});

test('a reader who stops early closes the source', async () => {
  let closed = false;
  async function* source(): ByteStream {
    try {
      for (;;) yield GZIP;
    } finally {
      closed = true;
    }
  }
  for await (const chunk of gunzip(source(), OPTIONS)) {
    assert.ok(chunk.length > 0);
    break;
  }
  assert.ok(closed);
});

test('members keep their compressed bytes apart', () => {
  const members = [gzipSync('signature'), craftMember(8, Buffer.from('control')), gzipSync('data')];
  const read = gunzipMembers(Buffer.concat(members), OPTIONS);
  assert.deepEqual(
    read.map(({ content }) => Buffer.from(content).toString()),
    ['signature', 'control', 'data'],
  );
  for (const [at, { compressed }] of read.entries()) assert.ok(members[at]?.equals(compressed));
});

test('a header that lies about its checksum or is of an unknown kind has no members', () => {
  assert.throws(() => gunzipMembers(craftMember(2, TEXT, 1), OPTIONS), { message: /wrong checksum/ });
  assert.throws(() => gunzipMembers(craftMember(0x20, TEXT), OPTIONS), { message: /unknown kind/ });
  for (const flags of [4, 8, 16]) {
    const cut = craftMember(flags, Buffer.alloc(0)).subarray(0, 12);
    assert.throws(() => gunzipMembers(cut, OPTIONS), { message: /cut off/ });
  }
});

test('a stored size that is wrong is refused', () => {
  const member = craftMember(0, TEXT);
  member.writeUInt32LE(TEXT.length + 1, member.length - 4);
  assert.throws(() => gunzipMembers(member, OPTIONS), { message: /checksum of gzip member 1/ });
});

test('the members of a real .apk are those that gzip finds one after the other', (t) => {
  const shared = sharedFolder();
  if (shared === undefined) {
    t.skip('no shared data beside the project');
    return;
  }
  const file = readFileSync(join(shared, 'data', 'apk', 'alpine-317-alpine-baselayout-3.4.0-r0.apk'));
  const members = gunzipMembers(file, OPTIONS);
  assert.equal(members.length, 3);
  assert.equal(
    members.reduce((sum, { compressed }) => sum + compressed.length, 0),
    file.length,
  );
  if (!hasTool('gzip')) t.diagnostic('gzip is not installed: contents not compared');
  else
    for (const { compressed, content } of members)
      assert.ok(runTool('gzip', ['-dc'], { input: compressed }).equals(content));
});

test('crc32 is the same from the table and from node:zlib', () => {
  assert.equal(tableCrc32(Buffer.from('123456789')), 0xcbf43926); // the check value of CRC-32/ISO-HDLC
  assert.equal(crc32(TEXT), tableCrc32(TEXT));
  assert.equal(crc32(TEXT.subarray(9), crc32(TEXT.subarray(0, 9))), crc32(TEXT));
  assert.equal(tableCrc32(TEXT.subarray(9), tableCrc32(TEXT.subarray(0, 9))), crc32(TEXT));
});

test('a sync flush in the middle is no end', async () => {
  const first = deflateRawSync('first, ', { finishFlush: constants.Z_SYNC_FLUSH });
  const whole = Buffer.from('first, second');
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(whole), 0);
  trailer.writeUInt32LE(whole.length, 4);
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  const member = Buffer.concat([header, first, deflateRawSync('second'), trailer]);
  assert.ok(whole.equals(await streamed(member)));
  assert.ok(whole.equals(gunzipMembers(member, OPTIONS)[0]?.content ?? new Uint8Array(0)));
});
