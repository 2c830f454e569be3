// Compression, one signature for all: what a stream is made of is sniffed, not believed, and every output has a limit.
export { sniff, type CodecName } from './sniff.ts';
export { decompress, type DecompressOptions } from './decompress.ts';
export { gunzipMembers, type GzipMember } from './gunzip.ts';
