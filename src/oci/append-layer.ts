// An image with one more layer: image-spec config.md and manifest.md. Only diff_ids, history, `created` and annotations
// change; all other fields stay, in their order. The media type family stays too: Docker's manifests get neither
// annotations nor zstd. The same input gives the same bytes.
import { OnlayError } from '../errors.ts';
import { countLayerHistory, parseConfig, type ImageConfig } from './config.ts';
import { digestOf, type Digest, type DiffId } from './digest.ts';
import { pairLayers, type Image } from './image.ts';
import type { Document } from './image-store.ts';
import { serialize } from './json.ts';
import * as lineage from './lineage.ts';
import {
  makeDescriptor,
  parseDocument,
  type Descriptor,
  type ImageManifest,
  type JsonObject,
} from './manifest.ts';
import { layerMediaType, type LayerCompression } from './media-types.ts';

export interface NewLayer {
  readonly digest: Digest;
  /** Bytes as stored. */
  readonly size: number;
  readonly diffId: DiffId;
  readonly compression: LayerCompression;
}

export interface LayerNote {
  /** What was done, for `history`; the mark of our layers is put before it. */
  readonly createdBy: string;
  readonly comment: string;
  /** RFC 3339; absent: the image keeps its own. */
  readonly created?: string;
  /** More manifest annotations; ignored where the family has none. Names start with "dev.onlay." to be removable. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The manifest that was patched, and its fully qualified name. */
  readonly base: { readonly digest: Digest; readonly name?: string };
}

export interface AppendedImage {
  readonly config: Document;
  readonly manifest: Document;
  readonly layerDescriptor: Descriptor;
  /** The same, parsed. */
  readonly image: Image;
}

/** Puts `layer` on top of `image`. Throws IMAGE_UNSUPPORTED for zstd in Docker's family. */
export function appendLayer(image: Image, layer: NewLayer, note: LayerNote): AppendedImage {
  const record: lineage.PatchRecord = {
    base: note.base.digest,
    ...(note.base.name !== undefined && { name: note.base.name }),
    below: lineage.belowDigest(image.config.diffIds),
    ...(image.config.created !== undefined && { created: image.config.created }),
  };
  const layerDescriptor = describeLayer(image.manifest, layer, record);
  const configBytes = serialize(extendConfig(image.config, layer.diffId, note, record));
  const config = makeDocument(image.manifest.config.mediaType, configBytes);
  const manifest = makeDocument(
    image.manifest.mediaType,
    serialize(extendManifest(image.manifest, config.descriptor, layerDescriptor, note)),
  );
  return { config, manifest, layerDescriptor, image: reread(image, config, manifest) };
}

function describeLayer(manifest: ImageManifest, layer: NewLayer, record: lineage.PatchRecord): Descriptor {
  const annotations = { [lineage.PATCH_ANNOTATION]: lineage.formatRecord(record) };
  if (manifest.family === 'oci')
    return makeDescriptor(layerMediaType('oci', layer.compression), layer.digest, layer.size, {
      annotations,
    });
  if (layer.compression === 'zstd')
    throw new OnlayError('IMAGE_UNSUPPORTED', 'A Docker manifest cannot hold a zstd layer', {
      hint: 'use --compression gzip',
    });
  return makeDescriptor(layerMediaType('docker', layer.compression), layer.digest, layer.size);
}

function extendConfig(
  config: ImageConfig,
  diffId: DiffId,
  note: LayerNote,
  record: lineage.PatchRecord,
): JsonObject {
  const { raw } = config;
  const created = note.created ?? config.created;
  const entry = {
    created,
    created_by: `${lineage.PATCH_CREATED_BY}${note.createdBy === '' ? '' : `: ${note.createdBy}`}`,
    comment: lineage.formatRecord({ ...record, ...(note.comment !== '' && { comment: note.comment }) }),
  };
  // Docker refuses more entries than layers; a short history is not "repaired" by us
  const history =
    config.history && countLayerHistory(config) === config.diffIds.length && (raw['history'] as unknown[]);
  return {
    ...raw,
    ...(created !== undefined && { created }),
    rootfs: { ...(raw['rootfs'] as JsonObject), diff_ids: [...config.diffIds, diffId] },
    ...(history && { history: [...history, entry] }),
  };
}

function extendManifest(
  manifest: ImageManifest,
  config: Descriptor,
  layer: Descriptor,
  note: LayerNote,
): JsonObject {
  const { raw } = manifest;
  // ECR wants the mediaType that OCI leaves optional
  const { schemaVersion } = raw;
  const typed = 'mediaType' in raw ? raw : { schemaVersion, mediaType: manifest.mediaType, ...raw };
  return {
    ...typed,
    config: lineage.pointAt(manifest.config.raw, config.digest, config.size),
    layers: [...manifest.layers.map(({ raw }) => raw), layer.raw],
    ...(manifest.family === 'oci' && { annotations: extendAnnotations(manifest.annotations, note) }),
  };
}

// image-spec annotations.md: base.* name the image whose layers come first; here that is the source image
function extendAnnotations(source: Readonly<Record<string, string>>, note: LayerNote): JsonObject {
  const { [lineage.BASE_DIGEST]: digest, [lineage.BASE_NAME]: name, ...others } = source;
  const result: JsonObject = {
    ...(digest !== undefined && { [lineage.ORIGINAL_BASE_DIGEST]: digest }),
    ...(name !== undefined && { [lineage.ORIGINAL_BASE_NAME]: name }),
    ...others,
    ...note.annotations,
    [lineage.BASE_DIGEST]: note.base.digest,
    ...(note.base.name !== undefined && { [lineage.BASE_NAME]: note.base.name }),
  };
  return Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function makeDocument(mediaType: string, bytes: Uint8Array): Document {
  return { descriptor: makeDescriptor(mediaType, digestOf(bytes), bytes.length), bytes };
}

function reread(image: Image, config: Document, document: Document): Image {
  const manifest = parseDocument(document);
  if (manifest.kind !== 'manifest') throw new OnlayError('INTERNAL', 'A manifest became an index');
  const parsed = parseConfig(config.bytes);
  const layers = pairLayers(manifest, parsed, 'Image with its patch layer');
  return { ...image, document, manifest, config: parsed, configBytes: config.bytes, layers };
}
