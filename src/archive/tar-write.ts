// A deterministic tar writer: ustar headers, a PAX header before one only when ustar cannot say it. The bytes depend on
// the entry alone: no clock, no user, no host. Sparse files, GNU long names and global headers are never written.
import { OnlayError } from '../errors.ts';
import { displayText, fromByteString } from '../base/bytes.ts';
import { BLOCK_SIZE, FIELDS, encodeBlock, octalLimit, type TarHeader } from './tar-entry.ts';
import { encodePax, type PaxRecord } from './tar-pax.ts';

/** What an entry is written from; a TarHeader is one. `pax` is not written: its meaning is in the other fields. */
export type TarInput = Pick<TarHeader, 'path' | 'type' | 'mode' | 'uid' | 'gid' | 'mtime'> &
  Partial<Pick<TarHeader, 'size' | 'link' | 'uname' | 'gname' | 'xattrs' | 'devMajor' | 'devMinor'>>;

/** Two zero blocks: the end of an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK_SIZE);

/**
 * Everything of an entry that comes before its content. A directory gets the final slash that tar gives it. The content
 * of `size` bytes follows, then `tarPadding(size)`.
 */
export function tarHeader(input: TarInput): Uint8Array {
  check(input);
  const path = input.type === 'directory' && !input.path.endsWith('/') ? `${input.path}/` : input.path;
  const link = input.type === 'symlink' || input.type === 'hardlink' ? (input.link ?? '') : '';
  const device = input.type === 'character' || input.type === 'block';
  const records: PaxRecord[] = [];
  const text = (key: 'linkpath' | 'uname' | 'gname', value: string, width: number): string => {
    if (value.length <= width && isAscii(value)) return value;
    records.push([key, fromByteString(value)]);
    return toAscii(value).slice(0, width);
  };
  const number = (key: 'uid' | 'gid' | 'size' | 'mtime', value: number): number => {
    if (value >= 0 && value <= octalLimit(key)) return value;
    records.push([key, fromByteString(String(value))]);
    return 0;
  };
  const split = splitPath(path);
  if (split === undefined) records.push(['path', fromByteString(path)]);
  for (const [name, value] of input.xattrs ?? []) records.push([`SCHILY.xattr.${name}`, value]);
  const block = {
    path: split?.name ?? toAscii(path).slice(0, NAME_SIZE),
    prefix: split?.prefix ?? '',
    flag: FLAGS[input.type],
    mode: input.mode,
    uid: number('uid', input.uid),
    gid: number('gid', input.gid),
    size: number('size', input.size ?? 0),
    mtime: number('mtime', input.mtime),
    link: text('linkpath', link, NAME_SIZE),
    uname: text('uname', input.uname ?? '', FIELDS.uname[1] - 1),
    gname: text('gname', input.gname ?? '', FIELDS.gname[1] - 1),
    devMajor: device ? (input.devMajor ?? 0) : 0,
    devMinor: device ? (input.devMinor ?? 0) : 0,
  };
  if (records.length === 0) {
    const header = Buffer.alloc(BLOCK_SIZE);
    encodeBlock(header, 0, block);
    return header;
  }
  const body = encodePax(records);
  const bodyEnd = BLOCK_SIZE + body.length + tarPadding(body.length).length;
  const headers = Buffer.alloc(bodyEnd + BLOCK_SIZE);
  encodeBlock(headers, 0, { ...PAX_BLOCK, size: body.length });
  headers.set(body, BLOCK_SIZE);
  encodeBlock(headers, bodyEnd, block);
  return headers;
}

/** The zeros after `size` bytes of content. */
export function tarPadding(size: number): Uint8Array {
  return TAR_END.subarray(0, (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE);
}

const NAME_SIZE = FIELDS.name[1];
const PREFIX_SIZE = FIELDS.prefix[1];

const FLAGS: Readonly<Record<TarHeader['type'], string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

// The name of the PAX header itself matters to nobody, so it is always the same.
const PAX_BLOCK = {
  path: 'PaxHeader',
  flag: 'x',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
  link: '',
  uname: '',
  gname: '',
  devMajor: 0,
  devMinor: 0,
} as const;

// The path in the name and prefix fields, if it can be said so.
function splitPath(path: string): { name: string; prefix: string } | undefined {
  if (!isAscii(path)) return undefined;
  if (path.length <= NAME_SIZE) return { name: path, prefix: '' };
  // the first slash that leaves a name short enough; a final slash belongs to the name
  const slash = path.indexOf('/', path.length - NAME_SIZE - 1);
  if (slash <= 0 || slash > PREFIX_SIZE || slash === path.length - 1) return undefined;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- any byte below 0x80
  return /^[\x00-\x7f]*$/.test(text);
}

function toAscii(text: string): string {
  return text.replace(/[^ -~]/g, '_');
}

// What no reader would give back is a defect of the caller: better no layer than a wrong one.
function check(input: TarInput): void {
  const isLink = input.type === 'symlink' || input.type === 'hardlink';
  const size = input.size ?? 0;
  const numbers = [input.mode, input.uid, input.gid, size];
  const texts = [input.path, input.link ?? '', input.uname ?? '', input.gname ?? ''];
  const devices = [input.devMajor ?? 0, input.devMinor ?? 0];
  const names = [...(input.xattrs?.keys() ?? [])];
  const faults: readonly (readonly [boolean, string])[] = [
    [input.path === '', 'it has no path'],
    [texts.some((text) => text.includes('\0')), 'a text has a NUL byte'],
    [isLink && !input.link, 'it has no target'],
    [input.type !== 'file' && size > 0, `a ${input.type} has no content`],
    [input.type === 'file' && input.path.endsWith('/'), 'the path of a file ends in a slash'],
    [
      ![...numbers, ...devices].every((value) => Number.isSafeInteger(value) && value >= 0),
      'a number is negative',
    ],
    [!Number.isSafeInteger(input.mtime), 'the time is not a whole number'],
    [
      input.mode > 0o7777 || Math.max(...devices) > octalLimit('devMajor'),
      'the mode or device is out of range',
    ],
    [names.some((name) => name === '' || /[=\0]/.test(name)), 'an extended attribute has an impossible name'],
  ];
  const why = faults.find(([bad]) => bad)?.[1];
  if (why !== undefined)
    throw new OnlayError('INTERNAL', `Cannot write '${displayText(input.path)}' to a tar archive: ${why}`);
}
