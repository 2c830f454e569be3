// Scripts that an effect imitates are recognised by a digest of their commands: a new version of a script that does
// something else is reported instead of being taken for the old one.
import { fromByteString } from '../base/bytes.ts';
import { hexDigest } from '../base/hash.ts';

/** SHA-256 of the lines of a script without comments, indentation and empty lines. */
export function scriptDigest(body: string): string {
  const lines = body.split('\n').map((line) => line.trim());
  return hexDigest(
    'sha256',
    fromByteString(lines.filter((line) => line !== '' && !line.startsWith('#')).join('\n')),
  );
}
