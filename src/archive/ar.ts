// Common ar archives, the outer shell of a .deb (deb(5), ar(5)). Strict: no symbol tables and no long names, which dpkg
// does not know either. Which members there must be, and in which order, is decided in packages/dpkg/deb.ts.
import { OnlayError } from '../errors.ts';
import { byteString, displayText } from '../base/bytes.ts';

export interface ArMember {
  /** Byte string, without padding and without the final slash that GNU ar adds. */
  readonly name: string;
  /** Shares the memory of the archive. */
  readonly content: Uint8Array;
}

const MAGIC = '!<arch>\n';
const HEADER_SIZE = 60;
/** [offset, length] in a member's header. */
const FIELDS = {
  name: [0, 16],
  mtime: [16, 12],
  uid: [28, 6],
  gid: [34, 6],
  mode: [40, 8],
  size: [48, 10],
} as const;
const HEADER_END = '`\n';
const MAX_MEMBERS = 100;

/** The members of an archive, in order. Throws ARCHIVE_INVALID; `what` names it in messages. */
export function readAr(bytes: Uint8Array, what: string): readonly ArMember[] {
  if (byteString(bytes.subarray(0, MAGIC.length)) !== MAGIC) refuse(what, 0, 'it is no ar archive');
  const members = new Map<string, ArMember>();
  let at = MAGIC.length;
  while (at < bytes.length) {
    const header = byteString(bytes.subarray(at, at + HEADER_SIZE));
    if (header.length < HEADER_SIZE) refuse(what, at, 'it is cut off');
    if (header.slice(-HEADER_END.length) !== HEADER_END) refuse(what, at, 'a member header is damaged');
    const name = memberName(header, what, at);
    const size = numberOf(header, 'size', /^[0-9]+ *$/, what, at);
    for (const field of ['mtime', 'uid', 'gid', 'mode'] as const)
      numberOf(header, field, /^[0-9]* *$/, what, at);
    const start = at + HEADER_SIZE;
    const end = start + size;
    if (end > bytes.length) refuse(what, at, `member '${displayText(name)}' is cut off`);
    if (members.has(name)) refuse(what, at, `member '${displayText(name)}' is there twice`);
    if (members.size === MAX_MEMBERS) refuse(what, at, `it has more than ${MAX_MEMBERS} members`);
    members.set(name, { name, content: bytes.subarray(start, end) });
    // a newline makes the size even; at the very end dpkg does without it
    if (size % 2 === 1 && end < bytes.length && bytes[end] !== 0x0a)
      refuse(what, end, 'the padding is damaged');
    at = end + (size % 2);
  }
  return [...members.values()];
}

function memberName(header: string, what: string, at: number): string {
  const padded = field(header, 'name');
  if (/^(?:\/|#1\/)/.test(padded)) refuse(what, at, 'tables of symbols or long names are not supported');
  const name = padded.trimEnd().replace(/\/$/, '');
  // oxlint-disable-next-line no-control-regex -- a member is named by printable characters
  if (name === '' || /[/\0-\x20\x7f]/.test(name)) refuse(what, at, 'a member has an impossible name');
  return name;
}

function numberOf(header: string, name: keyof typeof FIELDS, form: RegExp, what: string, at: number): number {
  const text = field(header, name);
  if (!form.test(text)) refuse(what, at, `the ${name} of a member is not a number: '${displayText(text)}'`);
  return Number(text);
}

function field(header: string, name: keyof typeof FIELDS): string {
  const [offset, length] = FIELDS[name];
  return header.slice(offset, offset + length);
}

function refuse(what: string, at: number, why: string): never {
  throw new OnlayError('ARCHIVE_INVALID', `Cannot read ${what} at byte ${at}: ${why}`);
}
