// Manifests, indexes and descriptors of OCI and Docker schema 2, parsed once from the bytes that were hashed. Unknown
// fields stay in `raw`; edits are made there (oci/append-layer.ts), so that nothing we do not know is lost. A document
// that two readers could take for different things is refused (CVE-2021-41190).
import { OnlayError } from '../errors.ts';
import { parseDigest, type Digest } from './digest.ts';
import type { Document } from './image-store.ts';
import { isObject, parseJsonObject } from './json.ts';
import * as types from './media-types.ts';
import type { MediaFamily } from './media-types.ts';

export { serialize } from './json.ts';

export type JsonObject = { [key: string]: unknown };

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly urls: readonly string[];
  readonly platform?: Platform;
  readonly artifactType?: string;
  /** The object as it stood in its document. */
  readonly raw: JsonObject;
}

interface Common {
  readonly mediaType: string;
  readonly family: MediaFamily;
  readonly annotations: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly raw: JsonObject;
}

export interface ImageManifest extends Common {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex extends Common {
  readonly kind: 'index';
  readonly manifests: readonly Descriptor[];
}

/** Registries refuse more than 4 MiB; nothing honest comes near. */
export const MAX_DOCUMENT_SIZE: number = 8 << 20;
const MAX_LAYERS = 1000;
const MAX_CHILDREN = 4000;

/**
 * Parses a manifest or an index. The descriptor's media type is what the transport claimed (parameters are ignored, and
 * generic types such as application/json say nothing). Throws IMAGE_INVALID; IMAGE_UNSUPPORTED for Docker schema 1.
 */
export function parseDocument(document: Document): ImageIndex | ImageManifest {
  const what = `Manifest ${document.descriptor.digest}`;
  if (document.bytes.length > MAX_DOCUMENT_SIZE)
    throw new OnlayError(
      'LIMIT_EXCEEDED',
      `${what} has ${document.bytes.length} bytes, more than ${MAX_DOCUMENT_SIZE}`,
    );
  const raw = parseJsonObject(document.bytes, what);
  const mediaType = documentMediaType(raw, document.descriptor.mediaType, what);
  const family = types.mediaFamily(mediaType) ?? 'oci';
  const common = {
    mediaType,
    family,
    annotations: parseAnnotations(raw['annotations'], what),
    ...(isText(raw['artifactType']) && { artifactType: raw['artifactType'] }),
    ...(isObject(raw['subject']) && { subject: parseDescriptor(raw['subject'], `${what}, subject`) }),
    raw,
  };
  if (types.isIndexType(mediaType))
    return { kind: 'index', ...common, manifests: descriptors(raw, 'manifests', MAX_CHILDREN, what) };
  return {
    kind: 'manifest',
    ...common,
    config: parseDescriptor(raw['config'], `${what}, config`),
    layers: descriptors(raw, 'layers', MAX_LAYERS, what),
  };
}

/**
 * The media type of a document from its own field, the type its transport claimed, and its shape; all that speak must
 * agree. `claimed` may be '' or generic. Throws as `parseDocument`.
 */
export function documentMediaType(raw: JsonObject, claimed: string, what: string): string {
  const claim = (claimed.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (types.isSchema1Type(claim) || raw['schemaVersion'] === 1)
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${what} is of Docker schema 1, which has no verifiable layers`,
      {
        hint: 'convert the image first: pull and push it with a current docker, or skopeo copy --format oci',
      },
    );
  if (raw['schemaVersion'] !== 2) throw invalid(what, 'its schemaVersion is not 2');
  refuseAmbiguity(raw, what);
  const field = raw['mediaType'] ?? '';
  if (typeof field !== 'string') throw invalid(what, 'its mediaType is not a string');
  if (field !== '' && !types.isDocumentType(field))
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${what} is of media type ${show(field)}, not an image or index`,
    );
  const shape = 'manifests' in raw ? 'index' : 'manifest';
  if (field !== '' && types.isIndexType(field) !== (shape === 'index'))
    throw invalid(
      what,
      `it says it is ${field} but holds ${shape === 'index' ? '"manifests"' : 'no "manifests"'}`,
    );
  if (GENERIC.has(claim)) return field !== '' ? field : inferType(raw, shape);
  if (!types.isDocumentType(claim))
    throw new OnlayError('IMAGE_UNSUPPORTED', `${what} came as ${show(claim)}, not as an image or index`);
  if (field !== '' && field !== claim)
    throw invalid(what, `it came as ${claim} but says it is ${field}`, {
      hint: 'the registry, or a proxy before it, states a wrong content type',
    });
  if (types.isIndexType(claim) !== (shape === 'index'))
    throw invalid(
      what,
      `it came as ${claim} but holds ${shape === 'index' ? '"manifests"' : 'no "manifests"'}`,
    );
  return claim;
}

const GENERIC: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'text/plain',
  'application/octet-stream',
  'binary/octet-stream',
]);

function inferType(raw: JsonObject, shape: 'index' | 'manifest'): string {
  const config = raw['config'];
  const docker = isObject(config) && config['mediaType'] === types.DOCKER_CONFIG;
  if (shape === 'index') return types.OCI_INDEX;
  return docker ? types.DOCKER_MANIFEST : types.OCI_MANIFEST;
}

// Go readers match keys without regard to case: "Layers" beside "manifests" is a second image to them
function refuseAmbiguity(raw: JsonObject, what: string): void {
  for (const key of Object.keys(raw)) {
    const known = KEYS.get(key.toLowerCase());
    if (known !== undefined && known !== key)
      throw invalid(what, `key ${show(key)} would be "${known}" to some readers`);
  }
  if ('manifests' in raw && ['layers', 'config', 'fsLayers', 'blobs'].some((key) => key in raw))
    throw invalid(what, 'it holds both "manifests" and the parts of an image', {
      hint: 'such a document means different images to different programs (CVE-2021-41190)',
    });
  if (!('manifests' in raw) && 'fsLayers' in raw)
    throw invalid(what, 'it holds "fsLayers", which belongs to schema 1');
}

const KEYS: ReadonlyMap<string, string> = new Map(
  [
    'schemaVersion',
    'mediaType',
    'artifactType',
    'config',
    'layers',
    'manifests',
    'subject',
    'annotations',
    'fsLayers',
    'blobs',
  ].map((key) => [key.toLowerCase(), key]),
);

function descriptors(raw: JsonObject, key: string, limit: number, what: string): Descriptor[] {
  const list = raw[key];
  // Go writes null for an empty list
  if (list === null) return [];
  if (!Array.isArray(list)) throw invalid(what, `its "${key}" is not a list`);
  if (list.length > limit)
    throw new OnlayError('LIMIT_EXCEEDED', `${what} holds ${list.length} ${key}, more than ${limit}`);
  return list.map((item, index) => parseDescriptor(item, `${what}, ${key}[${index}]`));
}

/** Parses one descriptor; `what` says where it stood. Throws IMAGE_INVALID. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw new OnlayError('IMAGE_INVALID', `${what} is not a descriptor`);
  const { mediaType, size, platform, urls, artifactType } = value;
  if (!isText(mediaType) || !MEDIA_TYPE.test(mediaType)) throw invalid(what, 'it has no valid mediaType');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(what, 'it has no valid size');
  if (urls !== undefined && urls !== null && !(Array.isArray(urls) && urls.every(isText)))
    throw invalid(what, 'its urls are not a list of strings');
  return {
    mediaType,
    digest: parseDigest(value['digest'], `${what}: digest`),
    size,
    annotations: parseAnnotations(value['annotations'], what),
    urls: urls ?? [],
    ...(isObject(platform) && { platform: parsePlatformObject(platform, what) }),
    ...(isText(artifactType) && artifactType !== '' && { artifactType }),
    raw: value,
  };
}

const MEDIA_TYPE =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:;.{0,100})?$/;

/** A descriptor of ours; `extra` fields follow in their order. */
export function makeDescriptor(
  mediaType: string,
  digest: Digest,
  size: number,
  extra: JsonObject = {},
): Descriptor {
  return parseDescriptor({ mediaType, digest, size, ...extra }, 'descriptor');
}

function parsePlatformObject(raw: JsonObject, what: string): Platform {
  const text = (key: string): string | undefined => {
    const value = raw[key];
    if (value === undefined || value === null || value === '') return undefined;
    if (!isText(value) || value.length > 200) throw invalid(what, `its platform has a bad "${key}"`);
    return value;
  };
  const variant = text('variant');
  const osVersion = text('os.version');
  return {
    os: text('os') ?? '',
    architecture: text('architecture') ?? '',
    ...(variant !== undefined && { variant }),
    ...(osVersion !== undefined && { osVersion }),
  };
}

function parseAnnotations(value: unknown, what: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return NONE;
  if (!isObject(value) || !Object.values(value).every(isText))
    throw invalid(what, 'its annotations are not texts');
  return value as Record<string, string>;
}
const NONE = Object.freeze(Object.create(null) as Record<string, string>);

/** True for manifests that carry something else than a root file system: charts, signatures, attestations. */
export function isArtifact(manifest: ImageManifest): boolean {
  return (
    (manifest.artifactType ?? '') !== '' ||
    !types.isConfigType(manifest.config.mediaType) ||
    (manifest.layers.length > 0 &&
      manifest.layers.every((layer) => types.layerType(layer.mediaType) === undefined))
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function invalid(what: string, why: string, options?: { hint: string }): OnlayError {
  return new OnlayError('IMAGE_INVALID', `${what} is invalid: ${why}`, options);
}
