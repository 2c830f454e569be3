// The outer form of OpenPGP data: a sequence of packets, RFC 9580 section 4. Bodies are opened by openpgp.js, or by
// signature-v3.ts. Partial and indeterminate lengths, which only streamed data has, are refused.
import { OnlayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

export interface Packet {
  readonly tag: number;
  readonly body: Uint8Array;
  /** Header and body. */
  readonly raw: Uint8Array;
}

export const TAG_SIGNATURE = 2;
export const TAG_PUBLIC_KEY = 6;

/** Splits `bytes` into packets. Throws `code` when they are not OpenPGP data. */
export function readPackets(bytes: Uint8Array, what: string, code: ErrorCode): readonly Packet[] {
  const packets: Packet[] = [];
  for (let start = 0; start < bytes.length;) {
    const header = readHeader(bytes, start);
    if (!header || header.end > bytes.length)
      throw new OnlayError(code, `Cannot read ${what}: it is not OpenPGP data (byte ${start})`);
    packets.push({
      tag: header.tag,
      body: bytes.subarray(header.body, header.end),
      raw: bytes.subarray(start, header.end),
    });
    start = header.end;
  }
  return packets;
}

function readHeader(
  bytes: Uint8Array,
  start: number,
): { tag: number; body: number; end: number } | undefined {
  const first = bytes[start] as number;
  if ((first & 0x80) === 0) return undefined;
  const at = start + 1;
  if ((first & 0x40) !== 0) {
    const one = bytes[at] ?? 255;
    if (one < 192) return span(first & 0x3f, at + 1, one);
    if (one < 224) return span(first & 0x3f, at + 2, (one - 192) * 256 + (bytes[at + 1] ?? 0) + 192);
    if (one === 255 && at + 5 <= bytes.length) return span(first & 0x3f, at + 5, big(bytes, at + 1, 4));
    return undefined;
  }
  const width = [1, 2, 4, 0][first & 3] as number;
  if (width === 0 || at + width > bytes.length) return undefined;
  return span((first >> 2) & 0x0f, at + width, big(bytes, at, width));
}

function span(tag: number, body: number, length: number): { tag: number; body: number; end: number } {
  return { tag, body, end: body + length };
}

function big(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
