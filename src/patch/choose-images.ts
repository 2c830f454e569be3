// Which images of a source are patched: those of --platform, else those the plans are about, else all of Linux. Windows,
// unknown platforms and artifacts stay as they are.
import { OnlayError } from '../errors.ts';
import type { IndexImage } from '../oci/image.ts';
import type { Platform } from '../oci/manifest.ts';
import { choosePlatforms, formatPlatform } from '../oci/platform.ts';
import type { Plan } from '../plan/plan.ts';

export interface Choice {
  /** Names the source in messages. */
  readonly name: string;
  /** Empty: all that can be patched. */
  readonly platforms: readonly Platform[];
  readonly plans: readonly Plan[] | undefined;
}

/** In the order of the index, each digest once. Throws PLATFORM_NOT_FOUND, PLAN_MISMATCH, IMAGE_UNSUPPORTED. */
export function chooseImages(images: readonly IndexImage[], choice: Choice): readonly IndexImage[] {
  if (images.length === 0) throw new OnlayError('IMAGE_UNSUPPORTED', `${choice.name} holds no image`);
  const named = choice.platforms.length > 0;
  const candidates = named ? choosePlatforms(images, choice.platforms) : planned(images, choice);
  const patchable = candidates.filter(isLinux);
  const other = named ? candidates.find((image) => !isLinux(image)) : undefined;
  if (patchable.length === 0 || other)
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${choice.name} is for ${platformsOf(other ? [other] : candidates)}: only images of Linux can be patched`,
    );
  // an index may list one image for several platforms
  return [...new Map(patchable.map((image) => [image.descriptor.digest, image])).values()];
}

function planned(images: readonly IndexImage[], { plans, name }: Choice): readonly IndexImage[] {
  if (!plans) return images;
  const found = images.filter(({ descriptor }) =>
    plans.some((plan) => plan.image.digest === descriptor.digest),
  );
  if (found.length > 0) return found;
  throw new OnlayError('PLAN_MISMATCH', `The plan is about another image than ${name}`, {
    hint: 'make a new plan with `onlay plan`, or give the image by the digest the plan names',
  });
}

function isLinux({ platform }: IndexImage): boolean {
  return platform?.os.toLowerCase() === 'linux';
}

function platformsOf(images: readonly IndexImage[]): string {
  const names = images.map(({ platform }) => (platform ? formatPlatform(platform) : 'an unknown platform'));
  return [...new Set(names)].join(', ');
}
