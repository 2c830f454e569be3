// An index with some of its images replaced: their descriptors get the new digest and size and keep everything else
// (platform, annotations, place); all other descriptors stay as they are. Attestations of replaced images are dropped,
// because they speak of content that is no longer there.
import { OnlayError } from '../errors.ts';
import { digestOf, type Digest } from './digest.ts';
import type { Document, ImageStore } from './image-store.ts';
import { pointAt } from './lineage.ts';
import { makeDescriptor, parseDocument, serialize, type Descriptor, type ImageIndex } from './manifest.ts';
import { isIndexType } from './media-types.ts';
import { attestationSubject } from './platform.ts';

export type Replacements = ReadonlyMap<Digest, { readonly digest: Digest; readonly size: number }>;

export interface ReplacedIndex {
  /** The new index; equal in content to the old one where nothing was replaced. */
  readonly document: Document;
  /** Attestations that are no longer listed. */
  readonly dropped: readonly Descriptor[];
}

/** Replaces children of one index, by digest. Throws INTERNAL when a child to replace is not listed. */
export function replaceManifests(index: ImageIndex, replacements: Replacements): ReplacedIndex {
  const listed = new Set(index.manifests.map((child) => child.digest));
  for (const digest of replacements.keys())
    if (!listed.has(digest)) throw new OnlayError('INTERNAL', `The index does not list ${digest}`);
  const stale = (child: Descriptor): boolean => replacements.has((attestationSubject(child) ?? '') as Digest);
  const manifests = index.manifests
    .filter((child) => !stale(child))
    .map((child) => {
      const replacement = replacements.get(child.digest);
      return replacement ? pointAt(child.raw, replacement.digest, replacement.size) : child.raw;
    });
  const bytes = serialize({ ...index.raw, manifests });
  return {
    document: { descriptor: makeDescriptor(index.mediaType, digestOf(bytes), bytes.length), bytes },
    dropped: index.manifests.filter(stale),
  };
}

/**
 * Replaces images anywhere below an index, nested indexes included. The new documents come inner ones first, the
 * outermost last: the order in which they must be pushed. Nothing to replace below an index leaves it untouched.
 */
export async function replaceImages(
  store: Pick<ImageStore, 'document'>,
  document: Document,
  replacements: Replacements,
): Promise<{ readonly documents: readonly Document[]; readonly dropped: readonly Descriptor[] }> {
  const documents: Document[] = [];
  const dropped: Descriptor[] = [];
  const visit = async (document: Document): Promise<Document> => {
    const index = parseDocument(document);
    if (index.kind !== 'index') return document;
    const here = new Map<Digest, { readonly digest: Digest; readonly size: number }>();
    for (const child of index.manifests) {
      const replacement = replacements.get(child.digest) ?? (await visitChild(child));
      if (replacement && replacement.digest !== child.digest) here.set(child.digest, replacement);
    }
    if (here.size === 0) return document;
    const replaced = replaceManifests(index, here);
    documents.push(replaced.document);
    dropped.push(...replaced.dropped);
    return replaced.document;
  };
  const visitChild = async (child: Descriptor): Promise<Descriptor | undefined> =>
    isIndexType(child.mediaType) ? (await visit(await store.document(child))).descriptor : undefined;
  await visit(document);
  return { documents, dropped };
}
