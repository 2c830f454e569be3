// Whether a path holds what a checksum of the database says: SHA-1 of the content, of the target for a symlink; the
// first 20 bytes of the SHA-256 for packages that apk 3 installed (flag S).
import { fromByteString } from '../../base/bytes.ts';
import { hexDigest, rawDigest } from '../../base/hash.ts';
import { contentDigestsOf } from '../../rootfs/content-digests.ts';
import type { RootNode, RootView } from '../../rootfs/root-view.ts';
import type { ApkEntry } from './apk-file.ts';

/** undefined: cannot be told, because the content was not kept when the layer was read. */
export function holds(
  root: RootView,
  node: RootNode,
  checksum: string,
  truncatedSha256: boolean,
): boolean | undefined {
  if (node.type === 'symlink')
    return encode(rawDigest(truncatedSha256 ? 'sha256' : 'sha1', fromByteString(node.link))) === checksum;
  if (node.type !== 'file') return false;
  if (truncatedSha256) return encode(Buffer.from(node.sha256, 'hex')) === checksum;
  const known = contentDigestsOf(node);
  if (known) return encode(Buffer.from(known.sha1, 'hex')) === checksum;
  if (!root.readable(node.path)) return undefined;
  return encode(rawDigest('sha1', root.read(node.path) ?? new Uint8Array())) === checksum;
}

function encode(digest: Uint8Array): string {
  return `Q1${Buffer.from(digest.subarray(0, 20)).toString('base64')}`;
}

/** True when the path holds what the package brings. */
export function sameContent(node: RootNode, { type, link, content }: ApkEntry): boolean {
  if (type === 'symlink') return node.type === 'symlink' && node.link === link;
  return node.type === 'file' && node.size === content.length && node.sha256 === hexDigest('sha256', content);
}
