// Public keys that may sign: armored (also several blocks in one file), or binary, as apt and rpm keep them. Parsed by
// openpgp.js, loaded on the first call. GnuPG's keybox format is refused by name: apt does not read it either.
import type { PublicKey } from 'openpgp';
import { OnlayError, messageOf } from '../errors.ts';
import { byteString, concatBytes } from '../base/bytes.ts';
import { isArmored, readArmor } from './armor.ts';
import { TAG_PUBLIC_KEY, readPackets } from './packets.ts';

export interface Keyring {
  /** File name, for messages and results. */
  readonly name: string;
  readonly keys: readonly PublicKey[];
  /** Why keys of the file were left out ("version 3 keys are not supported"). */
  readonly unusable: readonly string[];
}

/** 8 MiB: the whole ring of Debian's developers has less. */
const MAX_KEYRING = 8 << 20;

/**
 * Reads a keyring. A key that openpgp.js cannot parse is left out and listed in `unusable`, the others stay. Throws
 * CONFIG_INVALID when the file is no keyring at all; an empty file is an empty keyring, as for apt.
 */
export async function readKeyring(bytes: Uint8Array, name: string): Promise<Keyring> {
  const what = `keyring ${name}`;
  if (bytes.length > MAX_KEYRING)
    throw new OnlayError('LIMIT_EXCEEDED', `${what} is larger than the limit of ${MAX_KEYRING} bytes`);
  if (byteString(bytes.subarray(8, 12)) === 'KBXf')
    throw new OnlayError('CONFIG_INVALID', `Cannot read ${what}: it is in GnuPG's keybox format`, {
      hint: `convert it: gpg --no-default-keyring --keyring ./${name.replace(/^.*\//, '')} --export >keys.gpg`,
    });
  const binary = dearmored(bytes, what);
  const keys: PublicKey[] = [];
  const unusable: string[] = [];
  if (binary.length > 0) {
    const { readKey } = await import('openpgp');
    for (const certificate of certificates(binary, what)) {
      try {
        keys.push((await readKey({ binaryKey: certificate })).toPublic());
      } catch (error) {
        unusable.push(messageOf(error));
      }
    }
  }
  return { name, keys, unusable };
}

function dearmored(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length === 0 || ((bytes[0] as number) & 0x80) !== 0) return bytes;
  const text = byteString(bytes);
  if (text.trim() === '') return new Uint8Array();
  const blocks = isArmored(text)
    ? readArmor(text, what, 'CONFIG_INVALID').filter((block) => block.type === 'PUBLIC KEY BLOCK')
    : [];
  if (blocks.length === 0)
    throw new OnlayError('CONFIG_INVALID', `Cannot read ${what}: there is no OpenPGP public key in it`);
  return concatBytes(blocks.map((block) => block.data));
}

/** Cuts a keyring before each primary key, so that one odd key cannot spoil the others. */
function certificates(binary: Uint8Array, what: string): readonly Uint8Array[] {
  const parts: Uint8Array[][] = [];
  for (const packet of readPackets(binary, what, 'CONFIG_INVALID')) {
    if (packet.tag === TAG_PUBLIC_KEY) parts.push([]);
    // what precedes the first key (a marker, a stray signature) belongs to nothing
    parts.at(-1)?.push(packet.raw);
  }
  return parts.map(concatBytes);
}
