// Mirror lists: one URL a line, or a metalink document that also states the digests repomd.xml may have.
import type { HashName } from '../../../base/hash.ts';
import { childOf, childrenOf, parseXml, type XmlElement } from './xml.ts';

export interface Mirrors {
  /** Base URLs of the repository, best first. */
  readonly urls: readonly string[];
  /** Any of these is right; empty: nothing is said. */
  readonly digests: readonly { readonly algorithm: HashName; readonly value: string }[];
}

const REPOMD = 'repodata/repomd.xml';

export function parseMirrorList(text: string): Mirrors {
  const urls = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(?:https?|file|ftp):\/\//.test(line));
  return { urls: supported(urls), digests: [] };
}

/** Throws INDEX_INVALID. */
export function parseMetalink(bytes: Uint8Array, what: string): Mirrors {
  const files = childOf(parseXml(bytes, what), 'files');
  const file =
    files && childrenOf(files, 'file').find(({ attributes }) => attributes['name'] === 'repomd.xml');
  if (!file) return { urls: [], digests: [] };
  const resources = childOf(file, 'resources');
  const urls = (resources ? childrenOf(resources, 'url') : [])
    .map(({ text, attributes }) => ({ url: text.trim(), preference: Number(attributes['preference'] ?? 0) }))
    .filter(({ url }) => url.endsWith(REPOMD))
    .sort((a, b) => b.preference - a.preference)
    .map(({ url }) => url.slice(0, -REPOMD.length));
  const alternates = childOf(file, 'mm0:alternates');
  const versions = [file, ...(alternates ? childrenOf(alternates, 'mm0:alternate') : [])];
  return { urls: supported(urls), digests: versions.flatMap(strongestDigest) };
}

function strongestDigest(element: XmlElement): Mirrors['digests'] {
  const verification = childOf(element, 'verification');
  const hashes = verification ? childrenOf(verification, 'hash') : [];
  for (const algorithm of ['sha512', 'sha256'] as const) {
    const hash = hashes.find(({ attributes }) => attributes['type'] === algorithm);
    if (hash) return [{ algorithm, value: hash.text.trim().toLowerCase() }];
  }
  return [];
}

/** https before http; ftp and rsync are not spoken. */
function supported(urls: readonly string[]): readonly string[] {
  const known = urls.filter((url) => /^(?:https?|file):/.test(url));
  return [
    ...known.filter((url) => !url.startsWith('http:')),
    ...known.filter((url) => url.startsWith('http:')),
  ];
}
