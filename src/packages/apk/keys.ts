// Which keys are trusted: those of the image (etc/apk/keys), those the distro ships where the image has none, and those
// the user gave.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { TrustOptions } from '../family.ts';
import type { TrustedKey } from './signature.ts';

const FOLDER = 'etc/apk/keys';
const MAX_SIZE = 64 * 1024;

export function trustedKeys(
  root: RootView,
  distro: Distro | undefined,
  trust: TrustOptions,
): readonly TrustedKey[] {
  const given = trust.trustKeys.map(({ name, bytes }) => ({
    name: name.replace(/^.*\//s, ''),
    pem: byteString(bytes),
    anyName: true,
  }));
  if (trust.onlyTrustKeys) return given;
  const own = imageKeys(root);
  const shipped = own.length > 0 ? [] : (distro?.keys ?? []);
  return [...given, ...own, ...shipped.map(({ name, text }) => ({ name, pem: text, anyName: false }))];
}

function imageKeys(root: RootView): readonly TrustedKey[] {
  return root.list(FOLDER).flatMap((name) => {
    const path = `${FOLDER}/${name}`;
    const node = root.follow(path);
    if (!name.endsWith('.pub') || node?.type !== 'file' || node.size > MAX_SIZE || !root.readable(path))
      return [];
    return [{ name, pem: byteString(root.read(path) ?? new Uint8Array()), anyName: false }];
  });
}
