// Which compression bytes are in, by their first bytes; names and tags beside them are not believed.

export type CodecName = 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'lzma' | 'none';

/** Bytes that `sniff` needs at most. */
export const SNIFF_SIZE = 13;

/** The compression of what starts with `bytes`; 'none' when it is no known one. */
export function sniff(bytes: Uint8Array): CodecName {
  if (startsWith(bytes, [0x1f, 0x8b])) return 'gzip';
  if (startsWith(bytes, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  // a skippable frame may come first: 0x184d2a50 to 0x184d2a5f
  if (startsWith(bytes.subarray(1), [0x2a, 0x4d, 0x18]) && ((bytes[0] as number) & 0xf0) === 0x50)
    return 'zstd';
  if (startsWith(bytes, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return 'xz';
  if (startsWith(bytes, [0x42, 0x5a, 0x68]) && isBzip2Level(bytes[3])) return 'bzip2';
  if (isLzma(bytes)) return 'lzma';
  return 'none';
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, at) => bytes[at] === byte);
}

function isBzip2Level(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x31 && byte <= 0x39;
}

// .lzma has no magic: properties (0x5d in practice), dictionary size 2^n or 2^n + 2^(n-1), size or -1. As liblzma.
function isLzma(bytes: Uint8Array): boolean {
  if (bytes.length < SNIFF_SIZE || bytes[0] !== 0x5d) return false;
  const fields = new DataView(bytes.buffer, bytes.byteOffset, SNIFF_SIZE);
  const dictionary = fields.getUint32(1, true);
  const top = 2 ** Math.floor(Math.log2(dictionary));
  const size = fields.getBigUint64(5, true);
  const plausible = dictionary >= 4096 && (dictionary === top || dictionary === top + top / 2);
  return plausible && (size === 0xffffffffffffffffn || size < 1n << 38n);
}
