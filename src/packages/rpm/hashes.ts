// Hash algorithms by the number that OpenPGP gives them (RFC 4880, 9.4), as digest tags of headers name them.
import type { HashName } from '../../base/hash.ts';

const HASHES: Readonly<Record<number, HashName>> = {
  1: 'md5',
  2: 'sha1',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
};

export function hashByNumber(algorithm: number): HashName | undefined {
  return HASHES[algorithm];
}
