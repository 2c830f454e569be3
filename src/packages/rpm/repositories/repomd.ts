// repodata/repomd.xml: the list of a repository's metadata files, with the digest and size of each.
import { OnlayError } from '../../../errors.ts';
import { hexDigest, type HashName } from '../../../base/hash.ts';
import { childOf, childrenOf, parseXml, textOf } from './xml.ts';

export interface MetadataFile {
  readonly type: string;
  /** Relative to the repository, as written. */
  readonly location: string;
  readonly algorithm: HashName;
  readonly digest: string;
  readonly size: number | undefined;
  readonly openSize: number | undefined;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

export interface Repomd {
  readonly files: ReadonlyMap<string, MetadataFile>;
  /** The newest timestamp in it, seconds since 1970; 0 if there is none. */
  readonly date: number;
}

const HASHES: Readonly<Record<string, HashName>> = {
  sha: 'sha1',
  sha1: 'sha1',
  sha224: 'sha224',
  sha256: 'sha256',
  sha384: 'sha384',
  sha512: 'sha512',
};

/** Throws INDEX_INVALID. */
export function parseRepomd(bytes: Uint8Array, what: string): Repomd {
  const root = parseXml(bytes, what);
  const invalid = (why: string): OnlayError => new OnlayError('INDEX_INVALID', `Cannot read ${what}: ${why}`);
  if (root.name !== 'repomd') throw invalid(`it is a ${root.name}`);
  const files = new Map<string, MetadataFile>();
  for (const data of childrenOf(root, 'data')) {
    const type = data.attributes['type'] ?? '';
    const checksum = childOf(data, 'checksum');
    const location = childOf(data, 'location')?.attributes['href'];
    const algorithm = HASHES[checksum?.attributes['type'] ?? ''];
    if (!checksum || location === undefined || !algorithm || type === '') continue;
    if (files.has(type)) throw invalid(`it lists ${type} twice`);
    files.set(type, {
      type,
      location,
      algorithm,
      digest: checksum.text.trim().toLowerCase(),
      size: count(textOf(data, 'size')),
      openSize: count(textOf(data, 'open-size')),
      timestamp: count(textOf(data, 'timestamp')) ?? 0,
    });
  }
  return { files, date: Math.max(0, ...[...files.values()].map(({ timestamp }) => timestamp)) };
}

function count(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,15}(?:\.\d+)?$/.test(text)) return undefined;
  return Math.floor(Number(text));
}

/** Throws SIZE_MISMATCH or DIGEST_MISMATCH. */
export function checkMetadata(file: MetadataFile, bytes: Uint8Array, what: string): void {
  const hint = 'the mirror may be in the middle of a synchronisation; try again or use another mirror';
  if (file.size !== undefined && file.size !== bytes.length)
    throw new OnlayError('SIZE_MISMATCH', `${what} has ${bytes.length} bytes, repomd.xml says ${file.size}`, {
      hint,
    });
  const actual = hexDigest(file.algorithm, bytes);
  if (actual !== file.digest)
    throw new OnlayError(
      'DIGEST_MISMATCH',
      `${what} has ${file.algorithm} ${actual}, repomd.xml says ${file.digest}`,
      { hint },
    );
}

/**
 * The URL of `location` in a repository. It may climb out of the repository's directory (Amazon Linux keeps packages
 * beside it), but stays on its host; a local one stays inside. Throws INDEX_INVALID.
 */
export function locate(base: string, location: string, what: string): string {
  const root = new URL(base.endsWith('/') ? base : `${base}/`);
  // what is no URL character in a file name ('+' and '~' are) is written as it is
  const url = URL.canParse(location.replace(/%(?![0-9a-f]{2})/gi, '%25'), root.href)
    ? new URL(
        location
          .replace(/%(?![0-9a-f]{2})/gi, '%25')
          .replace(/#/g, '%23')
          .replace(/\?/g, '%3f'),
        root,
      )
    : undefined;
  const inside = url?.protocol === 'file:' ? url.href.startsWith(root.href) : url?.host === root.host;
  if (
    !url ||
    url.protocol !== root.protocol ||
    !inside ||
    (url.username !== '' && url.username !== root.username)
  )
    throw new OnlayError('INDEX_INVALID', `${what} lies outside its repository: ${location}`);
  return url.href;
}
