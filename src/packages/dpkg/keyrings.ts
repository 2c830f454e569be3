// Which keys may sign a repository: its Signed-By, else the image's etc/apt/trusted.gpg and trusted.gpg.d; the user's
// --trust-key in addition or instead; the distro's shipped keys where the image has none (distroless images, defaults).
import { hasCode } from '../../errors.ts';
import { fromByteString } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { readKeyring } from '../../trust/keyring.ts';
import type { Keyring } from '../../trust/keyring.ts';
import type { Distro } from '../distro.ts';
import type { TrustOptions } from '../family.ts';
import type { Source } from './sources.ts';

export interface KeyringOptions extends TrustOptions {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  readonly log: Log;
}

/** Answers, for each source, who may sign it. Keyrings are read once and only when asked for. */
export function keyringsOf(options: KeyringOptions): (source: Source) => Promise<readonly Keyring[]> {
  const { root, distro, log } = options;
  const memory = new Map<string, Promise<Keyring | undefined>>();
  const once = (name: string, bytes: () => Uint8Array, required: boolean): Promise<Keyring | undefined> => {
    let keyring = memory.get(name);
    if (!keyring) {
      keyring = readTolerant(name, bytes, required);
      memory.set(name, keyring);
    }
    return keyring;
  };
  const readTolerant = async (
    name: string,
    bytes: () => Uint8Array,
    required: boolean,
  ): Promise<Keyring | undefined> => {
    try {
      const keyring = await readKeyring(bytes(), name);
      for (const why of keyring.unusable) log.debug('A key cannot be used', { keyring: name, why });
      return keyring;
    } catch (error) {
      // apt ignores keyrings of the image that it cannot read, and says so
      if (required || !hasCode(error, 'CONFIG_INVALID', 'LIMIT_EXCEEDED')) throw error;
      log.warn('A keyring of the image is not used', { keyring: name, why: error.message });
      return undefined;
    }
  };
  const fromImage = async (path: string): Promise<readonly Keyring[]> => {
    if (!root.readable(path)) {
      const why = root.follow(path)
        ? 'keyrings are looked for in etc/ and usr/share/keyrings/'
        : 'it is missing';
      log.warn('A keyring that the image names cannot be read', { keyring: path, why });
      return [];
    }
    const keyring = await once(path, () => root.read(path) ?? new Uint8Array(), false);
    return keyring ? [keyring] : [];
  };
  const all = async (groups: readonly Promise<readonly Keyring[]>[]): Promise<readonly Keyring[]> =>
    (await Promise.all(groups)).flat();
  const users = (): Promise<readonly Keyring[]> =>
    all(
      options.trustKeys.map(async ({ name, bytes }) => [
        (await once(`--trust-key ${name}`, () => bytes, true)) as Keyring,
      ]),
    );
  const shipped = (): Promise<readonly Keyring[]> =>
    all(
      (distro?.keys ?? []).map(async ({ name, text }) => [
        (await once(`${distro?.name} key ${name}`, () => fromByteString(text), true)) as Keyring,
      ]),
    );
  const trusted = (): Promise<readonly Keyring[]> => all(trustedPaths(root).map(fromImage));

  return async (source) => {
    const added = await users();
    if (options.onlyTrustKeys) return added;
    const { signedBy } = source;
    const own: Keyring[] = [];
    if (signedBy) {
      own.push(...(await all(signedBy.files.map(fromImage))));
      for (const [index, text] of signedBy.keys.entries()) {
        const name = `key in ${source.origin}${index === 0 ? '' : ` (${index + 1})`}`;
        const keyring = await once(`${name}\n${text}`, () => fromByteString(text), false);
        if (keyring) own.push({ ...keyring, name });
      }
    }
    const fingerprints = signedBy && signedBy.fingerprints.length > 0 ? signedBy.fingerprints : undefined;
    if (!signedBy || fingerprints) own.push(...(await trusted()));
    // what the image lacks, or what it does not speak for: its distro's keys
    if (
      own.every(({ keys }) => keys.length === 0) ||
      source.origin.startsWith('defaults') ||
      source.origin === '--repo'
    )
      own.push(...(await shipped()));
    if (fingerprints === undefined) return [...own, ...added];
    // a fingerprint binds the image's keys; one that the user names is trusted for everything
    return [...own.map((keyring) => only(keyring, fingerprints)), ...added];
  };
}

function only(keyring: Keyring, fingerprints: readonly string[]): Keyring {
  const keys = keyring.keys.filter((key) =>
    key.getKeys().some((part) => fingerprints.includes(part.getFingerprint().toUpperCase())),
  );
  return { ...keyring, keys };
}

/** apt-key(8): only these extensions are looked at; .pgp came with Debian 13. */
function trustedPaths(root: RootView): readonly string[] {
  const parts = root
    .list('etc/apt/trusted.gpg.d')
    .filter((name) => /^[A-Za-z0-9_.-]+\.(?:gpg|asc|pgp)$/.test(name))
    .map((name) => `etc/apt/trusted.gpg.d/${name}`);
  return root.follow('etc/apt/trusted.gpg') ? ['etc/apt/trusted.gpg', ...parts] : parts;
}
