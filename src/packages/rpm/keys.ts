// Keys that may sign repositories and packages: those the user gives, those the repository names (`gpgkey`), those
// imported into the image's rpm database (gpg-pubkey), those known of the distro.
import { OnlayError } from '../../errors.ts';
import { readKeyring, type Keyring } from '../../trust/keyring.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { TrustOptions } from '../family.ts';
import type { StoredHeader } from './db/backend.ts';
import { strings, text } from './header.ts';
import { Tag } from './tags.ts';

export const PUBKEY_NAME = 'gpg-pubkey';

export interface KeySources {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  readonly headers: readonly StoredHeader[];
}

/** A key the repository's configuration names by an https URL, fetched. */
export interface FetchedKey {
  readonly url: string;
  readonly text: string;
}

/** Everything that may sign for a repository with these `gpgkey` URLs. Files that are no keyring are passed over. */
export async function keyringsFor(
  sources: KeySources,
  trust: TrustOptions,
  keyUrls: readonly string[],
  fetched: readonly FetchedKey[],
): Promise<readonly Keyring[]> {
  const given = await Promise.all(trust.trustKeys.map(({ name, bytes }) => readKeyring(bytes, name)));
  if (trust.onlyTrustKeys) return given;
  const candidates: { name: string; bytes: Uint8Array }[] = [];
  for (const url of keyUrls) {
    const path = localPath(url);
    const bytes = path !== undefined && sources.root.readable(path) ? sources.root.read(path) : undefined;
    if (bytes) candidates.push({ name: path as string, bytes });
  }
  for (const key of fetched) candidates.push({ name: key.url, bytes: Buffer.from(key.text, 'latin1') });
  for (const { header } of sources.headers)
    if (text(header, Tag.name) === PUBKEY_NAME)
      for (const base64 of strings(header, Tag.pubkeys))
        candidates.push({
          name: `gpg-pubkey-${text(header, Tag.version) ?? ''}-${text(header, Tag.release) ?? ''}`,
          bytes: Buffer.from(base64, 'base64'),
        });
  for (const key of sources.distro?.keys ?? [])
    candidates.push({ name: key.name, bytes: Buffer.from(key.text, 'utf8') });
  const rings = await Promise.all(candidates.map(({ name, bytes }) => tolerantKeyring(bytes, name)));
  return [...given, ...rings.filter((ring) => ring !== undefined)];
}

async function tolerantKeyring(bytes: Uint8Array, name: string): Promise<Keyring | undefined> {
  try {
    return await readKeyring(bytes, name);
  } catch (error) {
    // a file that cannot be read trusts nobody; what needed it will say so
    if (error instanceof OnlayError) return undefined;
    throw error;
  }
}

/** The path in the image of a `file:` URL. */
export function localPath(url: string): string | undefined {
  if (url.startsWith('/')) return url;
  return url.startsWith('file:') ? decodeURI(url.replace(/^file:\/*/, '/')) : undefined;
}
