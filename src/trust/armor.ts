// ASCII armor of OpenPGP: RFC 9580 section 6. Several blocks one after the other are read as one list; text between
// blocks is allowed here, because key files carry comments (cleartext.ts, where it would matter, does not call this on
// a whole document). The checksum is checked where there is one.
import { OnlayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

export interface ArmorBlock {
  /** "PUBLIC KEY BLOCK", "SIGNATURE", … */
  readonly type: string;
  readonly data: Uint8Array;
}

export function isArmored(text: string): boolean {
  return text.includes('-----BEGIN PGP ');
}

/** Every armored block of `text` (byte string). `what` names it, `code` is the error's. */
export function readArmor(text: string, what: string, code: ErrorCode): readonly ArmorBlock[] {
  const blocks: ArmorBlock[] = [];
  const lines = text.split('\n').map((line) => line.trimEnd());
  for (let at = 0; at < lines.length; at++) {
    const begin = /^-----BEGIN PGP ([A-Z ,/0-9]+)-----$/.exec(lines[at] as string);
    if (!begin) continue;
    const type = begin[1] as string;
    const end = lines.indexOf(`-----END PGP ${type}-----`, at);
    if (end === -1)
      throw new OnlayError(code, `Cannot read ${what}: an armored block (line ${at + 1}) has no end`);
    blocks.push({ type, data: readBody(lines.slice(at + 1, end), what, code) });
    at = end;
  }
  return blocks;
}

function readBody(lines: readonly string[], what: string, code: ErrorCode): Uint8Array {
  // headers ("Version: …") end at the first empty line; some old files have neither
  let start = 0;
  while (start < lines.length && /^[A-Za-z0-9-]+: /.test(lines[start] as string)) start++;
  while (start < lines.length && lines[start] === '') start++;
  const body = lines.slice(start).filter((line) => line !== '');
  const last = body.at(-1);
  const checksum = last !== undefined && /^=[A-Za-z0-9+/]{4}$/.test(last) ? last.slice(1) : undefined;
  const base64 = (checksum === undefined ? body : body.slice(0, -1)).join('');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0)
    throw new OnlayError(code, `Cannot read ${what}: its armor is not valid base64`);
  const data = Buffer.from(base64, 'base64');
  if (checksum !== undefined && Buffer.from(checksum, 'base64').readUIntBE(0, 3) !== crc24(data))
    throw new OnlayError(code, `Cannot read ${what}: the checksum of its armor is wrong`);
  return data;
}

function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return crc;
}
