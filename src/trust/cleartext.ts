// The cleartext signature framework: RFC 9580 section 7, read strictly. A document is one signed block and nothing
// else: text before, between or after is what CVE-2016-1252 was made of. What comes out is what was signed.
import { OnlayError } from '../errors.ts';
import { byteString, fromByteString } from '../base/bytes.ts';
import { readArmor } from './armor.ts';

export interface CleartextDocument {
  /** The signed lines, each ended by LF, without dash escapes and trailing white space. */
  readonly text: Uint8Array;
  /** The same as it was hashed: CRLF between lines, none after the last. */
  readonly canonical: Uint8Array;
  /** OpenPGP packets. */
  readonly signature: Uint8Array;
}

const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----';
const BEGIN_SIGNATURE = '-----BEGIN PGP SIGNATURE-----';
const END_SIGNATURE = '-----END PGP SIGNATURE-----';

export function isCleartextSigned(document: Uint8Array): boolean {
  return byteString(document.subarray(0, BEGIN.length)) === BEGIN;
}

/** Takes a signed document apart. Throws SIGNATURE_INVALID when it is anything but exactly one signed block. */
export function readCleartext(document: Uint8Array, what: string): CleartextDocument {
  const bad = (why: string): never => {
    throw new OnlayError('SIGNATURE_INVALID', `Cannot verify ${what}: ${why}`);
  };
  // white space at ends of lines is no part of what is signed (space, tab, and the CR of CRLF)
  const lines = byteString(document).split('\n').map(trimmed);
  const first = lines.findIndex((line) => line !== '');
  if (first === -1 || lines[first] !== BEGIN) bad('it does not begin with a signed message');
  const blank = lines.indexOf('', first + 1);
  const start = lines.indexOf(BEGIN_SIGNATURE, first + 1);
  const end = lines.indexOf(END_SIGNATURE, start + 1);
  if (start === -1 || end === -1) bad('its signature is missing');
  if (blank === -1 || blank >= start) bad('its header has no end');
  for (const header of lines.slice(first + 1, blank))
    // any other header could be made to look like signed text
    if (!/^Hash: [A-Za-z0-9, -]+$/.test(header)) bad('it has a header other than Hash');
  if (lines.slice(end + 1).some((line) => line !== '')) bad('there is text after the signed block');
  const signed = lines.slice(blank + 1, start).map((line, index) => {
    if (line.startsWith('- ')) return line.slice(2);
    if (line.startsWith('-')) bad(`line ${blank + index + 2} begins with an unescaped dash`);
    return line;
  });
  const blocks = readArmor(
    lines.slice(start, end + 1).join('\n'),
    `signature of ${what}`,
    'SIGNATURE_INVALID',
  );
  return {
    text: fromByteString(signed.map((line) => `${line}\n`).join('')),
    canonical: fromByteString(signed.join('\r\n')),
    signature: (blocks[0] as (typeof blocks)[number]).data,
  };
}

/** By hand: /[ \t\r]+$/ takes quadratic time over a long run of blanks that something follows. */
function trimmed(line: string): string {
  let end = line.length;
  while (end > 0 && BLANKS.includes(line[end - 1] as string)) end--;
  return end === line.length ? line : line.slice(0, end);
}

const BLANKS = ' \t\r';
