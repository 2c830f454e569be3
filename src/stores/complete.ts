// Whether a store holds everything a document refers to: stores refuse documents that would dangle.
import { OnlayError } from '../errors.ts';
import type { Document, ImageStore } from '../oci/image-store.ts';
import { parseDocument, type Descriptor } from '../oci/manifest.ts';
import { layerType } from '../oci/media-types.ts';

/** What a document refers to and a store must have; layers that must not be distributed may be missing. */
export function partsOf(document: Document): readonly Descriptor[] {
  const parsed = parseDocument(document);
  if (parsed.kind === 'index') return parsed.manifests;
  return [parsed.config, ...parsed.layers.filter((layer) => layerType(layer.mediaType)?.foreign !== true)];
}

/** Throws IMAGE_INVALID when `store` lacks a part of `document`. */
export async function requireParts(store: ImageStore, document: Document): Promise<void> {
  for (const part of partsOf(document)) {
    if (await store.has(part)) continue;
    throw new OnlayError(
      'IMAGE_INVALID',
      `${store.name}: ${document.descriptor.digest} refers to ${part.digest}, which is not there`,
    );
  }
}
