import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sniff, type CodecName } from './sniff.ts';

const STARTS: readonly (readonly [hex: string, codec: CodecName])[] = [
  ['1f8b0800', 'gzip'],
  ['28b52ffd04', 'zstd'],
  ['502a4d1804000000', 'zstd'], // a skippable frame first
  ['5f2a4d1804000000', 'zstd'],
  ['602a4d1804000000', 'none'],
  ['fd377a585a000004', 'xz'],
  ['425a6839314159', 'bzip2'],
  ['425a6830314159', 'none'], // block size 0
  ['425a6861', 'none'], // text: "BZha"
  ['5d00008000ffffffffffffffff00', 'lzma'],
  ['5d000001000600000000000000', 'lzma'],
  ['5d00008002ffffffffffffffff00', 'none'], // no dictionary has that size
  ['5d000080000000000000008000', 'none'], // nor content this one
  ['5d00008000', 'none'],
  ['303730373031', 'none'], // cpio
  ['2e2f', 'none'],
  ['', 'none'],
];
for (const [hex, codec] of STARTS) {
  test(`what starts with ${hex || 'nothing'} is ${codec}`, () => {
    assert.equal(sniff(Buffer.from(hex, 'hex')), codec);
  });
}
