// The media types of images and what they say: OCI image-spec media-types.md, Docker "image manifest version 2,
// schema 2". The family of a manifest decides what may be written into it. A layer's suffix only *claims* a compression;
// readers look at the bytes.

export type MediaFamily = 'oci' | 'docker';
export type LayerCompression = 'none' | 'gzip' | 'zstd';

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';
export const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

/** What an `Accept` header lists: no wildcard, because old registries would then answer with schema 1. */
export const DOCUMENT_TYPES: readonly string[] = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_INDEX;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

export function isDocumentType(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/** True for the configs of container images; other configs belong to artifacts (charts, models, signatures). */
export function isConfigType(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

export function isSchema1Type(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/.test(mediaType);
}

/** The family of any known media type of an image. */
export function mediaFamily(mediaType: string): MediaFamily | undefined {
  if (mediaType.startsWith('application/vnd.oci.')) return 'oci';
  if (mediaType.startsWith('application/vnd.docker.')) return 'docker';
  return undefined;
}

export interface LayerType {
  readonly family: MediaFamily;
  /** As claimed; undefined for a suffix that is not known. */
  readonly compression: LayerCompression | undefined;
  /** Not to be distributed: its descriptor may hold `urls` and registries need not have the blob. */
  readonly foreign: boolean;
  /** ocicrypt: unreadable without keys. */
  readonly encrypted: boolean;
}

const LAYER =
  /^application\/vnd\.(?:(oci)\.image\.layer\.(nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(foreign\.)?diff\.tar)([a-z0-9.+-]*)$/;

/** What a layer's media type says; undefined when it is no file system layer (attestations, artifacts). */
export function layerType(mediaType: string): LayerType | undefined {
  const match = LAYER.exec(mediaType);
  if (!match) return undefined;
  const encrypted = match[4]?.endsWith('+encrypted') ?? false;
  const suffix = (match[4] ?? '').replace(/\+encrypted$/, '');
  return {
    family: match[1] ? 'oci' : 'docker',
    compression: SUFFIXES[suffix],
    foreign: match[2] !== undefined || match[3] !== undefined,
    encrypted,
  };
}

// Docker writes '.gzip', OCI '+gzip'; both have been seen in the other family
const SUFFIXES: Readonly<Record<string, LayerCompression | undefined>> = {
  '': 'none',
  '+gzip': 'gzip',
  '.gzip': 'gzip',
  '+zstd': 'zstd',
  '.zstd': 'zstd',
};

/** The media type to write. zstd exists in OCI only: Docker's `.tar.zstd` is read, never written. */
export function layerMediaType(family: 'oci', compression: LayerCompression): string;
export function layerMediaType(family: MediaFamily, compression: 'none' | 'gzip'): string;
export function layerMediaType(family: MediaFamily, compression: LayerCompression): string {
  if (family === 'oci') return compression === 'none' ? OCI_LAYER : `${OCI_LAYER}+${compression}`;
  return compression === 'none' ? DOCKER_LAYER : `${DOCKER_LAYER}.${compression}`;
}
