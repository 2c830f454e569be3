// Checksums as apk spells them: "Q1" and base64, in apk 3 also "X1" and hexadecimal; both are SHA-1.

/** "Q1" and base64, also for checksums in the spelling of apk 3 ("X1" and hexadecimal). */
export function normalChecksum(text: string): string {
  if (!/^X1[0-9a-f]{40}$/.test(text)) return text;
  return `Q1${Buffer.from(text.slice(2), 'hex').toString('base64')}`;
}

/** Hexadecimal SHA-1 of a "Q1…" checksum. */
export function checksumHex(checksum: string): string {
  return Buffer.from(normalChecksum(checksum).slice(2), 'base64').toString('hex');
}
