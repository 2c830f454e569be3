import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import { craftHeader } from '../../../test/support/rpm-craft.ts';
import { data, HeaderType, number, numbers, parseHeader, strings, text } from './header.ts';

const OPTIONS = { what: 'the test', code: 'PACKAGE_INVALID' as const, wholeRegion: 63 };

function sample(): Buffer {
  return craftHeader(
    [
      { tag: 1000, type: HeaderType.string, value: ['bash'] },
      { tag: 1003, type: HeaderType.int32, value: [4294967295] },
      { tag: 1030, type: HeaderType.int16, value: [0o100644, 0o40755] },
      { tag: 1117, type: HeaderType.stringArray, value: ['a', '', 'c\xff'] },
      { tag: 5009, type: HeaderType.int64, value: [2 ** 40] },
      { tag: 261, type: HeaderType.binary, value: Buffer.from([1, 2, 3]) },
    ],
    63,
  );
}

test('parseHeader() reads numbers, strings and bytes of every type', () => {
  const header = parseHeader(sample(), OPTIONS);
  assert.equal(text(header, 1000), 'bash');
  assert.equal(number(header, 1003), 4294967295);
  assert.deepEqual(numbers(header, 1030), [0o100644, 0o40755]);
  assert.deepEqual(strings(header, 1117), ['a', '', 'c\xff']);
  assert.equal(number(header, 5009), 2 ** 40);
  assert.deepEqual([...(data(header, 261) ?? [])], [1, 2, 3]);
  assert.equal(text(header, 9999), undefined);
  assert.deepEqual(numbers(header, 1000), [], 'strings are no numbers');
  assert.equal(header.regionEntries, header.entries.length + 1);
});

/** Offsets: counts 0 and 4, then 16 bytes an entry: tag, type, offset, count. The first entry is the region. */
const entry = (index: number, field: 0 | 1 | 2 | 3): number => 8 + 16 * index + 4 * field;

const DAMAGES: readonly (readonly [string, (blob: Buffer) => void])[] = [
  ['more entries than there are bytes', (blob) => void blob.writeUInt32BE(0xffff, 0)],
  ['no entries', (blob) => void blob.writeUInt32BE(0, 0)],
  ['more data than any header has', (blob) => void blob.writeUInt32BE(0x7fffffff, 4)],
  ['a type that does not exist', (blob) => void blob.writeUInt32BE(10, entry(2, 1))],
  ['a type of nothing', (blob) => void blob.writeUInt32BE(0, entry(2, 1))],
  ['a count of zero', (blob) => void blob.writeUInt32BE(0, entry(2, 3))],
  ['a count beyond the data', (blob) => void blob.writeUInt32BE(0x10000000, entry(4, 3))],
  ['an offset beyond the data', (blob) => void blob.writeUInt32BE(0x00ffffff, entry(2, 2))],
  ['a negative offset', (blob) => void blob.writeInt32BE(-8, entry(2, 2))],
  ['an offset into the entry before', (blob) => void blob.writeUInt32BE(0, entry(3, 2))],
  [
    'a number that is not aligned',
    (blob) => void blob.writeUInt32BE(blob.readUInt32BE(entry(3, 2)) + 1, entry(3, 2)),
  ],
  ['a tag below all tags', (blob) => void blob.writeUInt32BE(7, entry(2, 0))],
  ['a tag that is negative', (blob) => void blob.writeUInt32BE(0x80000001, entry(2, 0))],
  ['a string that never ends', (blob) => void blob.fill(0x41, blob.length - 40)],
  ['a region of another type', (blob) => void blob.writeUInt32BE(4, entry(0, 1))],
  ['a region trailer elsewhere', (blob) => void blob.writeUInt32BE(0, entry(0, 2))],
  ['a region trailer behind the data', (blob) => void blob.writeUInt32BE(blob.length, entry(0, 2))],
  ['a region of no entries', (blob) => void blob.writeInt32BE(0, blob.length - 8)],
  ['a region of more entries than there are', (blob) => void blob.writeInt32BE(-16 * 100, blob.length - 8)],
  ['a region that leaves entries out', (blob) => void blob.writeInt32BE(-16 * 3, blob.length - 8)],
  ['a tag twice', (blob) => void blob.writeUInt32BE(1000, entry(3, 0))],
];

test('a header with anything out of place is refused', () => {
  for (const [name, damage] of DAMAGES) {
    const blob = sample();
    damage(blob);
    assert.throws(
      () => parseHeader(blob, OPTIONS),
      (error) => hasCode(error, 'PACKAGE_INVALID'),
      name,
    );
  }
});

test('a header that is cut off or has more behind it is refused', () => {
  const blob = sample();
  for (const length of [0, 7, 8, 100, blob.length - 1])
    assert.throws(
      () => parseHeader(blob.subarray(0, length), OPTIONS),
      (error) => hasCode(error, 'PACKAGE_INVALID'),
    );
  assert.throws(() => parseHeader(Buffer.concat([blob, Buffer.alloc(1)]), OPTIONS), /its counts give/);
});
