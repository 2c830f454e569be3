// The images of a source as trees, for the commands that only look: inspect, diff, verify. Of images for other systems
// than Linux the documents are read, not the layers.
import { hasCode } from '../errors.ts';
import { listImages, readIndexImage } from '../oci/image.ts';
import type { Image } from '../oci/image.ts';
import type { Platform } from '../oci/manifest.ts';
import { choosePlatforms } from '../oci/platform.ts';
import { mergeLayers } from '../rootfs/view.ts';
import type { RootView } from '../rootfs/root-view.ts';
import { acquireLayers } from './acquire.ts';
import type { AcquireContext } from './acquire.ts';
import type { PatchSource } from './options.ts';
import { readTree } from './plan-platform.ts';
import type { Tree } from './plan-platform.ts';

export interface OpenedImage {
  readonly image: Image;
  /** Empty where the layers were not read. */
  readonly root: RootView;
  /** Undefined where there is no package database. */
  readonly tree: Tree | undefined;
}

/** The images of a source for the given platforms (none: all), one after the other. */
export async function* openImages(
  source: PatchSource,
  platforms: readonly Platform[],
  context: AcquireContext,
): AsyncGenerator<OpenedImage> {
  for (const image of await readImages(source, platforms)) yield openImage(source, image, context);
}

export async function readImages(
  source: PatchSource,
  platforms: readonly Platform[],
): Promise<readonly Image[]> {
  const listed = await listImages(source.store, await source.store.resolve(source));
  const chosen = choosePlatforms(listed, platforms.length > 0 ? platforms : undefined);
  const images: Image[] = [];
  for (const item of chosen) images.push(await readIndexImage(source.store, item));
  return images;
}

export async function openImage(
  { store, name }: PatchSource,
  image: Image,
  context: AcquireContext,
): Promise<OpenedImage> {
  const { os, architecture, variant } = image.platform;
  if (os !== 'linux') return { image, root: mergeLayers([]), tree: undefined };
  const root = mergeLayers(await acquireLayers(store, image.layers, context));
  try {
    const tree = await readTree(root, { name, architecture, variant }, { log: context.log, anyDistro: true });
    return { image, root, tree };
  } catch (error) {
    if (hasCode(error, 'NO_PACKAGE_DATABASE')) return { image, root, tree: undefined };
    throw error;
  }
}
