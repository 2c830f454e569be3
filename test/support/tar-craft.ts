// Tar archives that no honest program writes: every field of every header is the test's to choose.

export interface CraftedEntry {
  readonly name?: string;
  /** Type flag, one character. */
  readonly type?: string;
  /** 'ustar', 'gnu' or 'v7' (no magic at all). */
  readonly magic?: 'ustar' | 'gnu' | 'v7';
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly uname?: string;
  readonly gname?: string;
  readonly body?: Uint8Array | string;
  /** What the header says of the size, when that is not the size of the body. */
  readonly size?: number;
  /** Bytes put at offsets of the header before its checksum is made. */
  readonly raw?: Readonly<Record<number, Uint8Array | string>>;
  /** Instead of the right checksum. */
  readonly checksum?: number;
}

/** An archive without its end marker. */
export function craftTar(...entries: readonly (CraftedEntry | Uint8Array)[]): Buffer {
  return Buffer.concat(entries.map((entry) => (entry instanceof Uint8Array ? entry : craftEntry(entry))));
}

/** A header block and its body, padded. */
export function craftEntry(entry: CraftedEntry): Buffer {
  const body =
    typeof entry.body === 'string' ? Buffer.from(entry.body, 'latin1') : (entry.body ?? Buffer.alloc(0));
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  };
  block.write(entry.name ?? 'file', 0, 100, 'latin1');
  octal(entry.mode ?? 0o644, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? body.length, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write(entry.link ?? '', 157, 100, 'latin1');
  if (entry.magic !== 'v7') {
    block.write(entry.magic === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257, 'latin1');
    block.write(entry.uname ?? '', 265, 32, 'latin1');
    block.write(entry.gname ?? '', 297, 32, 'latin1');
  }
  for (const [at, bytes] of Object.entries(entry.raw ?? {}))
    block.set(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, Number(at));
  block.write('        ', 148, 'latin1');
  const sum = entry.checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

/** A PAX header ('x', or 'g' for all that follows) with records as given. */
export function craftPax(records: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): Buffer {
  const body = Object.entries(records)
    .map(([key, value]) => craftRecord(key, value))
    .join('');
  return craftEntry({ name: 'PaxHeader', type, body });
}

/** One record, with its right length. */
export function craftRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`.length;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** A GNU long name ('L') or long link target ('K'). */
export function craftLong(text: string, type: 'L' | 'K' = 'L'): Buffer {
  return craftEntry({ name: '././@LongLink', type, magic: 'gnu', body: `${text}\0` });
}

/** The end-of-archive marker. */
export const END: Buffer = Buffer.alloc(1024);

/** A number as GNU tar writes what octal cannot hold. */
export function base256(value: bigint, length: number): Buffer {
  const field = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let at = length - 1; at >= 0; at--) {
    field[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = (field[0] as number) | 0x80;
  return field;
}
