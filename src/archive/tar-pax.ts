// PAX extended header records ("27 path=…\n"), raw: keys are byte strings, values are bytes.
// POSIX.1-2017 pax "pax Extended Header". What the keys mean for an entry is decided in tar-read.ts.
import { byteString, compareBytes, fromByteString } from '../base/bytes.ts';
import type { Refuse } from './tar-entry.ts';

export type PaxRecord = readonly [key: string, value: Uint8Array];

/** Decodes the body of an extended header; the values share its memory. Refuses what readers disagree on. */
export function decodePax(body: Uint8Array, refuse: Refuse): PaxRecord[] {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const digits = space === -1 || space - at > 8 ? '' : byteString(body.subarray(at, space));
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > body.length || end <= space + 1 || body[end - 1] !== 0x0a)
      refuse('a PAX record has a wrong length');
    const equals = body.indexOf(0x3d, space);
    if (equals === -1 || equals >= end) refuse('a PAX record has no "="');
    const key = byteString(body.subarray(space + 1, equals));
    if (key === '' || key.includes('\0')) refuse('a PAX record has an empty key or one with a NUL byte');
    records.push([key, body.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** Encodes records, sorted by key, as the body of an extended header. */
export function encodePax(records: readonly PaxRecord[]): Uint8Array {
  const sorted = records.toSorted(([a], [b]) => compareBytes(a, b));
  return Buffer.concat(sorted.flatMap(([key, value]) => encodeRecord(key, value)));
}

function encodeRecord(key: string, value: Uint8Array): Uint8Array[] {
  // the length counts its own digits
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length++;
  return [fromByteString(`${length} ${key}=`), value, fromByteString('\n')];
}
