// Which layer of an image is a patch layer, and the image without it. Patching again replaces our layer instead of
// stacking a second one. The mark is written twice, because each place gets lost somewhere: an annotation of the layer's
// descriptor (Docker's manifests have none, `docker push` drops it), and a history entry (config history is optional).
// Both hold the same record. The record is the image author's claim, not a proof: compare with the base where it matters.
import { OnlayError } from '../errors.ts';
import { parseConfig, type ImageConfig } from './config.ts';
import { digestOf, isDigest, type Digest, type DiffId } from './digest.ts';
import { pairLayers, type Image } from './image.ts';
import { isObject, parseJson, serialize } from './json.ts';
import { makeDescriptor, parseDocument, type ImageManifest, type JsonObject } from './manifest.ts';

/** Annotation of our layer's descriptor; its value is the record. */
export const PATCH_ANNOTATION = 'dev.onlay.patch';
/** Our history entries start so; the record is their comment. */
export const PATCH_CREATED_BY = 'onlay patch';
export const BASE_DIGEST = 'org.opencontainers.image.base.digest';
export const BASE_NAME = 'org.opencontainers.image.base.name';
/** Where the base annotations of the source image are kept while ours name the source image itself. */
export const ORIGINAL_BASE_DIGEST = 'dev.onlay.original.base.digest';
export const ORIGINAL_BASE_NAME = 'dev.onlay.original.base.name';
const OWN_PREFIX = 'dev.onlay.';

/** What our layer says of itself. */
export interface PatchRecord {
  /** Digest of the manifest that was patched. */
  readonly base: Digest;
  readonly name?: string;
  /** `belowDigest` of the layers under ours. */
  readonly below: Digest;
  /** `created` of the base's config, which ours may have replaced. */
  readonly created?: string;
  /** Free text for people. */
  readonly comment?: string;
}

export interface PatchLayer {
  readonly by: 'onlay' | 'copa';
  /** Index in `image.layers`. */
  readonly at: number;
  /** It is the topmost layer and lies on the layers it was made for. */
  readonly removable: boolean;
  readonly baseDigest?: Digest;
  readonly baseName?: string;
}

/** The topmost patch layer, ours or copa's; undefined when the image has none that can be told. */
export function findPatchLayer(image: Image): PatchLayer | undefined {
  const top = image.layers.length - 1;
  for (let at = top; at >= 0; at--) {
    const record = recordAt(image, at);
    if (!record) continue;
    return {
      by: 'onlay',
      at,
      removable: at === top && record.below === belowDigest(image.config.diffIds.slice(0, at)),
      baseDigest: record.base,
      ...(record.name !== undefined && { baseName: record.name }),
    };
  }
  return findCopaLayer(image);
}

/**
 * The image as it was before the topmost patch layer: last layer and its history entry gone, `created` and annotations
 * as they were. Undefined when there is no removable patch layer. White space is not restored, so the manifest's digest
 * need not be the base's: that one is `findPatchLayer(image).baseDigest`.
 */
export function withoutPatchLayer(image: Image): Image | undefined {
  const patch = findPatchLayer(image);
  if (!patch?.removable) return undefined;
  const record = recordAt(image, patch.at);
  const configBytes = serialize(configBelow(image.config, record));
  const config = parseConfig(configBytes);
  const bytes = serialize(manifestBelow(image.manifest, configBytes, record !== undefined));
  const document = {
    descriptor: makeDescriptor(image.manifest.mediaType, digestOf(bytes), bytes.length),
    bytes,
  };
  const manifest = parseDocument(document);
  if (manifest.kind !== 'manifest') throw new OnlayError('INTERNAL', 'A manifest became an index');
  const layers = pairLayers(manifest, config, 'Image without its patch layer');
  return { ...image, document, manifest, config, configBytes, layers };
}

/** Identifies a stack of layers by its diff IDs. */
export function belowDigest(diffIds: readonly DiffId[]): Digest {
  return digestOf(Buffer.from(diffIds.join('\n')));
}

/** The record as text; equal records give equal text. */
export function formatRecord(record: PatchRecord): string {
  const { base, name, below, created, comment } = record;
  return Buffer.from(serialize({ base, name, below, created, comment })).toString();
}

/** Undefined for text that is no record of ours. */
export function parseRecord(text: string): PatchRecord | undefined {
  if (!text.startsWith('{') || text.length > 10_000) return undefined;
  let value: unknown;
  try {
    value = parseJson(Buffer.from(text), 'Patch record');
  } catch (error) {
    if (error instanceof OnlayError && error.code === 'IMAGE_INVALID') return undefined;
    throw error;
  }
  if (!isObject(value) || !isDigest(value['base']) || !isDigest(value['below'])) return undefined;
  const { name, created, comment } = value;
  return {
    base: value['base'],
    below: value['below'],
    ...(typeof name === 'string' && { name }),
    ...(typeof created === 'string' && { created }),
    ...(typeof comment === 'string' && { comment }),
  };
}

function recordAt(image: Image, at: number): PatchRecord | undefined {
  const annotation = image.layers[at]?.descriptor.annotations[PATCH_ANNOTATION];
  const entry = image.config.history?.[historyIndex(image.config, at)];
  const comment = entry?.createdBy.startsWith(PATCH_CREATED_BY) ? entry.comment : undefined;
  return parseRecord(annotation ?? '') ?? parseRecord(comment ?? '');
}

// index of the entry of layer `at`; -1 where history does not speak of every layer
function historyIndex(config: ImageConfig, at: number): number {
  const history = config.history ?? [];
  const indexes = history.flatMap((entry, index) => (entry.emptyLayer ? [] : [index]));
  return indexes.length === config.diffIds.length ? (indexes[at] ?? -1) : -1;
}

// copa (BuildKit) names the base in a label and marks the manifest; the layer itself is told by its history entry only
function findCopaLayer(image: Image): PatchLayer | undefined {
  const baseName = image.config.labels['BaseImage'];
  if (baseName === undefined && image.manifest.annotations['sh.copa.image.patched'] === undefined)
    return undefined;
  const top = image.layers.length - 1;
  for (let at = top; at >= 0; at--) {
    const entry = image.config.history?.[historyIndex(image.config, at)];
    if (entry?.comment !== 'buildkit.exporter.image.v0' || !entry.createdBy.startsWith('mount / from exec '))
      continue;
    return { by: 'copa', at, removable: at === top && at > 0, ...(baseName !== undefined && { baseName }) };
  }
  return undefined;
}

function configBelow(config: ImageConfig, record: PatchRecord | undefined): JsonObject {
  const raw: JsonObject = { ...config.raw };
  const rootfs = raw['rootfs'] as JsonObject;
  raw['rootfs'] = { ...rootfs, diff_ids: config.diffIds.slice(0, -1) };
  const entry = historyIndex(config, config.diffIds.length - 1);
  if (entry !== -1) raw['history'] = (raw['history'] as unknown[]).toSpliced(entry, 1);
  if (record?.created !== undefined) raw['created'] = record.created;
  else if (record) delete raw['created'];
  return raw;
}

function manifestBelow(manifest: ImageManifest, configBytes: Uint8Array, restore: boolean): JsonObject {
  const raw: JsonObject = {
    ...manifest.raw,
    config: pointAt(manifest.config.raw, digestOf(configBytes), configBytes.length),
    layers: manifest.layers.slice(0, -1).map((layer) => layer.raw),
  };
  if (restore && isObject(raw['annotations'])) raw['annotations'] = annotationsBelow(manifest.annotations);
  return raw;
}

function annotationsBelow(annotations: Readonly<Record<string, string>>): JsonObject {
  const { [BASE_DIGEST]: _digest, [BASE_NAME]: _name, ...others } = annotations;
  const result = Object.create(null) as JsonObject;
  for (const [key, value] of Object.entries(others)) if (!key.startsWith(OWN_PREFIX)) result[key] = value;
  if (annotations[ORIGINAL_BASE_DIGEST] !== undefined)
    result[BASE_DIGEST] = annotations[ORIGINAL_BASE_DIGEST];
  if (annotations[ORIGINAL_BASE_NAME] !== undefined) result[BASE_NAME] = annotations[ORIGINAL_BASE_NAME];
  return result;
}

/** The descriptor `raw` made to point at other content; embedded `data` is dropped, all else stays. */
export function pointAt(raw: JsonObject, digest: Digest, size: number): JsonObject {
  const { data: _data, ...rest } = raw;
  return { ...rest, digest, size };
}
