// Laws of the rpm formats, for any input: orders are orders, what is written is read back, what is not understood never
// breaks more than itself.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { writeBtree } from '../../src/packages/rpm/db/bdb-btree.ts';
import { HeaderType, numbers, parseHeader, strings } from '../../src/packages/rpm/header.ts';
import { storedBlob } from '../../src/packages/rpm/header-write.ts';
import { rangesOverlap, type Comparison } from '../../src/packages/rpm/dependencies.ts';
import { matchesGlob } from '../../src/packages/rpm/repositories/glob.ts';
import { parseRich, richNames } from '../../src/packages/rpm/rich.ts';
import { checkDigests, parseRpm } from '../../src/packages/rpm/rpm-file.ts';
import { compareSegments, compareVersions, formatEvr, parseEvr } from '../../src/packages/rpm/version.ts';
import { craftHeader, craftRpm, type CraftedEntry } from '../support/rpm-craft.ts';
import { hasTool, runTool } from '../support/tool.ts';

const piece = fc.constantFrom('0', '1', '01', '10', 'a', 'b', 'A', '.', '_', '~', '^', '+', '\xff', 'el9');
const segments = fc.array(piece, { maxLength: 6 }).map((parts) => parts.join(''));
const evr = fc
  .record({ epoch: fc.nat(3), version: segments, release: fc.option(segments, { nil: undefined }) })
  .map(formatEvr);

test('version order is an order: symmetric, transitive, reflexive', () => {
  for (const [order, value] of [
    [compareSegments, segments],
    [compareVersions, evr],
  ] as const)
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        assert.equal(order(a, a), 0);
        assert.equal(Math.sign(order(a, b)), 0 - Math.sign(order(b, a)));
        const sorted = [a, b, c].sort(order);
        assert.ok(order(sorted[0] as string, sorted[2] as string) <= 0);
      }),
      { numRuns: 2000 },
    );
});

test('a version survives being read and written', () => {
  const plain = fc.stringMatching(/^[\w.~^+]{1,8}$/);
  fc.assert(
    fc.property(fc.nat(9), plain, fc.option(plain, { nil: undefined }), (epoch, version, release) => {
      assert.deepEqual(parseEvr(formatEvr({ epoch, version, release })), { epoch, version, release });
    }),
  );
});

test('ranges overlap whichever is asked first', () => {
  const comparison = fc.constantFrom<Comparison>('<', '<=', '=', '>=', '>');
  const relation = fc.record({
    name: fc.constant('x'),
    comparison,
    version: fc.constantFrom('1', '1-1', '1-2', '2', '1:1'),
  });
  fc.assert(
    fc.property(relation, relation, (a, b) => assert.equal(rangesOverlap(a, b), rangesOverlap(b, a))),
  );
});

const byteText = fc
  .array(fc.integer({ min: 1, max: 255 }), { maxLength: 12 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const entry: fc.Arbitrary<CraftedEntry> = fc.integer({ min: 1000, max: 5200 }).chain((tag) =>
  fc.oneof(
    fc.record({
      tag: fc.constant(tag),
      type: fc.constant(HeaderType.int32),
      value: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 5 }),
    }),
    fc.record({
      tag: fc.constant(tag),
      type: fc.constant(HeaderType.int16),
      value: fc.array(fc.nat(65535), { minLength: 1, maxLength: 5 }),
    }),
    fc.record({
      tag: fc.constant(tag),
      type: fc.constant(HeaderType.stringArray),
      value: fc.array(byteText, { minLength: 1, maxLength: 5 }),
    }),
  ),
);
const entries = fc.uniqueArray(entry, { selector: ({ tag }) => tag, minLength: 1, maxLength: 12 });

test('every header that can be written is read back', () => {
  fc.assert(
    fc.property(entries, (list) => {
      const header = parseHeader(craftHeader(list, 63), { what: 'x', code: 'INTERNAL', wholeRegion: 63 });
      for (const { tag, type, value } of list)
        assert.deepEqual(
          type === HeaderType.stringArray ? strings(header, tag) : numbers(header, tag),
          value,
        );
    }),
  );
});

test('a stored header holds the original, byte for byte, and what was added', () => {
  const added = new Set([1008, 1029, 1046, 1099, 1127, 1128, 5090, 5091]);
  fc.assert(
    fc.property(entries, fc.nat(2 ** 31), fc.uint8Array({ maxLength: 9 }), (list, time, fileStates) => {
      const main = list.filter(({ tag }) => !added.has(tag));
      fc.pre(main.length > 0);
      const header = parseHeader(craftHeader(main, 63), { what: 'x', code: 'INTERNAL', wholeRegion: 63 });
      const signature = parseHeader(craftHeader([{ tag: 1000, type: HeaderType.int32, value: [5] }], 62), {
        what: 'x',
        code: 'INTERNAL',
      });
      const blob = storedBlob(signature, header, { time, color: 3, fileStates, keepOpenpgp: false }, 'x');
      const stored = parseHeader(blob, { what: 'x', code: 'INTERNAL' });
      for (const { tag } of main)
        assert.deepEqual(
          [strings(stored, tag), numbers(stored, tag)],
          [strings(header, tag), numbers(header, tag)],
        );
      assert.deepEqual(numbers(stored, 1008), [time]);
      assert.deepEqual(numbers(stored, 257), [5]);
      assert.deepEqual(numbers(stored, 1029), [...fileStates]);
      const data = header.blob.subarray(header.dataStart);
      assert.deepEqual(blob.subarray(stored.dataStart, stored.dataStart + data.length), data);
    }),
  );
});

test('rich dependencies of any shape are read or left alone', () => {
  const word = fc.constantFrom(
    '(',
    ')',
    'a',
    'b(x)',
    'and',
    'or',
    'if',
    'unless',
    'with',
    'else',
    '>=',
    '1',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 14 }), (words) => {
      const text = words.join(' ');
      const parsed = parseRich(text);
      assert.equal(richNames(text).length > 0, parsed !== undefined);
    }),
    { numRuns: 2000 },
  );
});

test('globs agree with regular expressions', () => {
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '*', '?', '[ab]', '[!a]'), { maxLength: 6 })
    .map((parts) => parts.join(''));
  const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, text, (glob, value) => {
      const expression = new RegExp(
        `^${glob.replace(/\*/g, '.*').replace(/\?/g, '.').replace(/\[!/g, '[^')}$`,
      );
      assert.equal(matchesGlob(glob, value), expression.test(value));
    }),
    { numRuns: 2000 },
  );
});

test('digests of a package cover every byte behind its signature', () => {
  const bytes = craftRpm({ name: 'x', files: [{ path: '/opt/x', content: 'content of x' }] });
  const start = bytes.length - parseRpm(bytes, 'x').signedWhole.length;
  fc.assert(
    fc.property(
      fc.integer({ min: start, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, mask) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ mask;
        assert.throws(() => checkDigests(parseRpm(damaged, 'x'), 'x'));
      },
    ),
  );
});

test('btrees of any keys are what BerkeleyDB would read', (t) => {
  if (!hasTool('db5.3_dump') || !hasTool('db5.3_verify')) return t.skip('needs db5.3_dump and db5.3_verify');
  const key = fc.oneof(
    byteText.filter((text) => text !== ''),
    fc.nat(99_999).map(String),
    // long ones share their beginning, so that separators are long too
    fc.nat(40).map((number) => `${'k'.repeat(1500)}${number}`),
  );
  const folder = mkdtempSync(join(tmpdir(), 'btree-'));
  try {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.record({ key, size: fc.oneof(fc.nat(40), fc.nat(9000)) }), {
          selector: (one) => one.key,
          maxLength: 400,
          size: 'max',
        }),
        fc.boolean(),
        fc.constantFrom(512, 4096),
        (list, bigEndian, pageSize) => {
          const file = join(folder, 'db');
          const tree = list.map((one, i) => ({ key: one.key, data: Buffer.alloc(one.size + 1, i & 255) }));
          writeFileSync(file, writeBtree(tree, { pageSize, bigEndian, uid: Buffer.alloc(20, 1) }));
          runTool('db5.3_verify', ['-q', file]);
          const lines = runTool('db5.3_dump', [file])
            .toString()
            .split('\n')
            .filter((line) => line.startsWith(' '));
          const expected = tree
            .toSorted((a, b) => (a.key < b.key ? -1 : 1))
            .flatMap((one) => [Buffer.from(one.key, 'latin1'), one.data])
            .map((bytes) => ` ${bytes.toString('hex')}`);
          assert.deepEqual(lines, expected);
        },
      ),
      { numRuns: 25 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
