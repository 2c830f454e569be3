// Bytes and byte strings. File names and database text are not always UTF-8, so inside onlay they are "byte strings":
// JavaScript strings in which every character is one byte (latin1). They compare and sort as the bytes do, survive
// unchanged, and ASCII literals can be written as they are. Only what is shown to people is decoded (`displayText`).

/** Bytes → byte string. */
export function byteString(bytes: Uint8Array): string {
  return view(bytes).latin1Slice(0, bytes.length);
}

/** Byte string → bytes. */
export function fromByteString(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** UTF-8 text (as JSON or arguments hold it) → byte string. */
export function encodeText(text: string): string {
  return Buffer.from(text, 'utf8').latin1Slice();
}

/** Byte string → text for people and for JSON: UTF-8 where it is valid, else the latin1 reading. */
export function displayText(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  const decoded = bytes.toString('utf8');
  return decoded.includes('\ufffd') ? text : decoded;
}

/** Order of byte strings: by byte. Never locale dependent. */
export function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

/** A Buffer over the same memory: the fast string and search methods without a copy. */
export function view(bytes: Uint8Array): Buffer & { latin1Slice(start?: number, end?: number): string } {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
  }
}
