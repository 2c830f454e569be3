// An image of one platform as a tree, for the commands that only look: inspect, diff, verify.
import { hasCode } from '../errors.ts';
import { listImages, readIndexImage } from '../oci/image.ts';
import type { Image } from '../oci/image.ts';
import type { Platform } from '../oci/manifest.ts';
import { choosePlatforms } from '../oci/platform.ts';
import { mergeLayers } from '../rootfs/view.ts';
import type { RootView } from '../rootfs/root-view.ts';
import { acquireLayers } from './acquire.ts';
import type { AcquireContext } from './acquire.ts';
import type { PatchSource } from './patch.ts';
import { readTree } from './plan-platform.ts';
import type { Tree } from './plan-platform.ts';

export interface OpenedImage {
  readonly image: Image;
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
  const document = await source.store.resolve(source);
  const images = await listImages(source.store, document);
  for (const listed of choosePlatforms(images, platforms.length > 0 ? platforms : undefined)) {
    const image = await readIndexImage(source.store, listed);
    const root = mergeLayers(await acquireLayers(source.store, image.layers, context));
    const { architecture, variant } = image.platform;
    const tree = await readTree(
      root,
      { name: source.name, architecture, variant },
      { log: context.log, anyDistro: true },
    ).catch((error: unknown) => {
      if (hasCode(error, 'NO_PACKAGE_DATABASE')) return undefined;
      throw error;
    });
    yield { image, root, tree };
  }
}
