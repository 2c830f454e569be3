// CRC-32 as gzip, xz and zip use it: from node:zlib, which has it since Node 20.15; a table for those without.
import * as zlib from 'node:zlib';

/** CRC-32 of `bytes`, continued from `value` when that is the CRC of what came before. */
export const crc32: (bytes: Uint8Array, value?: number) => number =
  (zlib as { crc32?: (bytes: Uint8Array, value?: number) => number }).crc32 ?? tableCrc32;

/** The pure twin, and what is used where node:zlib has none. */
export function tableCrc32(bytes: Uint8Array, value = 0): number {
  let crc = ~value;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

const TABLE: Int32Array = Int32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
