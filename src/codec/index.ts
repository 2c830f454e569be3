// Compression, one signature for all: what a stream is made of is sniffed, not believed, and every output has a limit.
export { codecAvailability, type CodecAvailability } from './availability.ts';
export { decompress, decompressBytes, type DecompressOptions } from './decompress.ts';
export type { DecodeOptions } from './failure.ts';
export { gunzipMembers, type GzipMember } from './gunzip.ts';
export { gzip } from './gzip.ts';
export { sniff, type CodecName } from './sniff.ts';
export { zstdCompressor, type Compressor } from './zstd.ts';
