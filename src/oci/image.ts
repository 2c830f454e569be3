// One image of a store: manifest and config read, checked against each other, layers paired with their diff IDs. From an
// index the wanted platform is chosen; nested indexes are legal and followed.
import { collect } from '../base/streams.ts';
import { OnlayError } from '../errors.ts';
import { MAX_CONFIG_SIZE, parseConfig, type ImageConfig } from './config.ts';
import type { Digest, DiffId } from './digest.ts';
import type { Document, ImageStore } from './image-store.ts';
import {
  isArtifact,
  parseDocument,
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  type Platform,
} from './manifest.ts';
import { childKind, choosePlatforms, formatPlatform, normalizePlatform } from './platform.ts';

export interface ImageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
}

export interface Image {
  /** The manifest as it is stored. */
  readonly document: Document;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
  /** The config's, completed by the index where the config is silent. */
  readonly platform: Platform;
  /** The index it was chosen from. */
  readonly index?: Document;
}

/** An image in an index. `path` holds the indexes from the outermost to the one that lists it. */
export interface IndexImage {
  readonly descriptor: Descriptor;
  readonly platform?: Platform;
  readonly path: readonly { readonly document: Document; readonly index: ImageIndex }[];
  /** Where it had to be read to be listed: a manifest that no index lists. */
  readonly image?: Image;
}

const MAX_NESTING = 4;
const MAX_IMAGES = 1000;
/** Of all indexes together: a few that list each other many times would make millions of visits. */
const MAX_ENTRIES = 4000;

/**
 * Reads the image behind a document, tag or digest. `platform` chooses from an index and must match a single image.
 * Throws IMAGE_NOT_FOUND, IMAGE_INVALID, IMAGE_UNSUPPORTED, PLATFORM_NOT_FOUND, and what the store throws.
 */
export async function readImage(
  store: ImageStore,
  source: Document | { readonly tag?: string; readonly digest?: Digest },
  platform?: Platform,
): Promise<Image> {
  const document = 'bytes' in source ? source : await store.resolve(source);
  const parsed = parseDocument(document);
  if (parsed.kind === 'manifest') {
    const image = await readManifest(store, document, parsed);
    if (platform) choosePlatforms([image], [platform]);
    return image;
  }
  const images = await listImages(store, document);
  const [child, ...others] = choosePlatforms(images, platform && [platform]);
  if (!child)
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${store.name}: index ${document.descriptor.digest} holds no image`,
    );
  if (others.length > 0)
    throw new OnlayError(
      'PLATFORM_NOT_FOUND',
      `${store.name} holds images for several platforms and none was chosen`,
      {
        hint: `choose with --platform from ${images.map((image) => (image.platform ? formatPlatform(image.platform) : 'unknown')).join(', ')}`,
      },
    );
  return readIndexImage(store, child);
}

/** Reads one image of `listImages`. */
export async function readIndexImage(store: ImageStore, child: IndexImage): Promise<Image> {
  if (child.image) return child.image;
  const document = await store.document(child.descriptor);
  const parsed = parseDocument(document);
  if (parsed.kind !== 'manifest')
    throw new OnlayError(
      'IMAGE_INVALID',
      `${store.name}: ${child.descriptor.digest} is listed as an image but is an index`,
    );
  const outermost = child.path[0]?.document;
  return readManifest(store, document, parsed, child.descriptor.platform, outermost);
}

/**
 * All images behind a document, those of nested indexes too, in order; attestations and artifacts are left out. A single
 * manifest gives one image with an empty path. Children that state no platform are asked for their config.
 */
export async function listImages(store: ImageStore, document: Document): Promise<readonly IndexImage[]> {
  const images: IndexImage[] = [];
  let entries = 0;
  const visit = async (document: Document, path: IndexImage['path']): Promise<void> => {
    const parsed = parseDocument(document);
    if (parsed.kind === 'manifest') {
      const image = await readManifest(store, document, parsed);
      images.push({ descriptor: document.descriptor, platform: image.platform, path, image });
      return;
    }
    if (path.length >= MAX_NESTING)
      throw new OnlayError('LIMIT_EXCEEDED', `${store.name}: indexes are nested deeper than ${MAX_NESTING}`);
    const inside = [...path, { document, index: parsed }];
    for (const child of parsed.manifests) {
      const kind = childKind(child);
      if (++entries > MAX_ENTRIES)
        throw new OnlayError(
          'LIMIT_EXCEEDED',
          `${store.name}: the indexes have more than ${MAX_ENTRIES} entries`,
        );
      if (images.length >= MAX_IMAGES)
        throw new OnlayError(
          'LIMIT_EXCEEDED',
          `${store.name}: the index holds more than ${MAX_IMAGES} images`,
        );
      if (kind === 'index') await visit(await store.document(child), inside);
      else if (kind === 'image') {
        const platform = child.platform ?? (await platformOf(store, child));
        if (platform) images.push({ descriptor: child, platform, path: inside });
      }
    }
  };
  await visit(document, []);
  return images;
}

// undefined for an artifact, which an index may list without saying so
async function platformOf(store: ImageStore, child: Descriptor): Promise<Platform | undefined> {
  const document = await store.document(child);
  const parsed = parseDocument(document);
  if (parsed.kind !== 'manifest' || isArtifact(parsed)) return undefined;
  return (await readManifest(store, document, parsed)).platform;
}

async function readManifest(
  store: ImageStore,
  document: Document,
  manifest: ImageManifest,
  listed?: Platform,
  index?: Document,
): Promise<Image> {
  const what = `${store.name}: image ${document.descriptor.digest}`;
  if (isArtifact(manifest))
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${what} is not a container image but ${manifest.artifactType ?? manifest.config.mediaType}`,
    );
  if (manifest.config.size > MAX_CONFIG_SIZE)
    throw new OnlayError('LIMIT_EXCEEDED', `${what} has a config of ${manifest.config.size} bytes`);
  const configBytes = await collect(store.blob(manifest.config), {
    limit: MAX_CONFIG_SIZE,
    what: `${what}: config`,
  });
  const config = parseConfig(configBytes, `${what}: config`);
  return {
    document,
    manifest,
    config,
    configBytes,
    layers: pairLayers(manifest, config, what),
    platform: imagePlatform(config, listed),
    ...(index && { index }),
  };
}

/** Layers with their diff IDs. Throws IMAGE_INVALID when manifest and config disagree on their number. */
export function pairLayers(manifest: ImageManifest, config: ImageConfig, what: string): ImageLayer[] {
  if (manifest.layers.length !== config.diffIds.length)
    throw new OnlayError(
      'IMAGE_INVALID',
      `${what} has ${manifest.layers.length} layers but its config lists ${config.diffIds.length} diff_ids`,
    );
  return manifest.layers.map((descriptor, at) => ({ descriptor, diffId: config.diffIds[at] as DiffId }));
}

function imagePlatform(config: ImageConfig, listed: Platform | undefined): Platform {
  const variant = config.variant ?? listed?.variant;
  const osVersion = config.osVersion ?? listed?.osVersion;
  return normalizePlatform({
    os: config.os || (listed?.os ?? ''),
    architecture: config.architecture || (listed?.architecture ?? ''),
    ...(variant !== undefined && { variant }),
    ...(osVersion !== undefined && { osVersion }),
  });
}
