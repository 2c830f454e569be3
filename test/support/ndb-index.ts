// Reads Index.db of the ndb format the way rpm looks keys up: an independent check of what the writer makes.

export interface NdbTable {
  readonly used: number;
  /** "package index" of every entry of a key. */
  lookup(key: string): string[];
}

export function readNdbIndex(bytes: Buffer): {
  userGeneration: number;
  tables: ReadonlyMap<number, NdbTable>;
} {
  const pageSize = bytes.readUInt32LE(16);
  const tables = new Map<number, NdbTable>();
  for (let at = 32; at < bytes.readUInt32LE(12) * pageSize; at += 16) {
    if (bytes.toString('latin1', at, at + 3) !== 'Slo') throw new Error(`no slot at ${at}`);
    const start = bytes.readUInt32LE(at + 8) * pageSize;
    if (start === 0) continue;
    const end = start + bytes.readUInt32LE(at + 12) * pageSize;
    if (end > bytes.length) throw new Error('a table lies outside the file');
    tables.set(bytes.readUInt32LE(at + 4), table(bytes.subarray(start, end)));
  }
  return { userGeneration: bytes.readUInt32LE(20), tables };
}

function table(bytes: Buffer): NdbTable {
  if (bytes.toString('latin1', 0, 4) !== 'RpmI') throw new Error('no table');
  const slots = bytes.readUInt32LE(12);
  const mask = bytes.readUInt32LE(24);
  const keys = 64 + slots * 12;
  if (slots & (slots - 1) || keys + bytes.readUInt32LE(28) > bytes.length)
    throw new Error('a table does not fit');
  const keyAt = (offset: number): string => {
    let at = keys + offset;
    let length = bytes[at++] ?? 0;
    if (length === 255) {
      length = bytes.readUInt16LE(at);
      at += 2;
    }
    return bytes.toString('latin1', at, at + length);
  };
  return {
    used: bytes.readUInt32LE(16),
    lookup(key) {
      const hash = murmur(Buffer.from(key, 'latin1'));
      const found: string[] = [];
      for (let slot = hash & (slots - 1), step = 7; ; slot = (slot + step++) & (slots - 1)) {
        const offset = bytes.readUInt32LE(64 + 8 * slot);
        if (offset === 0) return found;
        if (((offset ^ hash) & mask) !== 0 || keyAt((offset & ~mask) >>> 0) !== key) continue;
        const data = bytes.readUInt32LE(64 + 8 * slot + 4);
        const overflow = bytes.readUInt32LE(64 + 8 * slots + 4 * slot);
        if (data >= 0x80000000) found.push(`${overflow} ${data - 0x80000000}`);
        else if (data & 0x40000000) found.push(`${data & 0xffffff} ${(data >> 24) & 0x3f}`);
        else found.push(`${data & 0xfffff} ${data >>> 20}`);
      }
    },
  };
}

/** With 64-bit integers, unlike the writer. */
function murmur(key: Buffer): number {
  const factor = 0x5bd1e995n;
  const word = 0xffffffffn;
  let hash = (BigInt(key.length) * factor) & word;
  let at = 0;
  for (; key.length - at >= 4; at += 4) {
    hash = ((hash + BigInt(key.readUInt32LE(at))) * factor) & word;
    hash ^= hash >> 16n;
  }
  const rest = key.length - at;
  if (rest > 0) {
    let value = 0n;
    for (let i = 0; i < rest; i++) value += BigInt(key[at + i] ?? 0) << BigInt(8 * i);
    hash = ((hash + value) * factor) & word;
    hash ^= hash >> 16n;
  }
  hash = (hash * factor) & word;
  hash ^= hash >> 10n;
  hash = (hash * factor) & word;
  hash ^= hash >> 17n;
  return Number(hash);
}
