// Which of the given reports are about an image. Several about the same one (two scanners) are taken together.
import type { Digest } from '../oci/digest.ts';
import type { Image } from '../oci/image.ts';
import { normalizePlatform } from '../oci/platform.ts';
import { mismatch } from '../reports/index.ts';
import type { Report } from '../reports/index.ts';

/** Distro and layers are checked once more, with an error, when the tree is known. */
export function reportsAbout(
  reports: readonly Report[],
  image: Image,
  indexDigest: Digest,
): readonly Report[] {
  const subject = {
    diffIds: image.layers.map(({ diffId }) => diffId),
    configDigest: image.manifest.config.digest,
    manifestDigests: [image.document.descriptor.digest, indexDigest],
    architecture: image.platform.architecture,
    distroIds: [],
  };
  return reports.filter((report) => mismatch(report, subject) === undefined && sameVariant(report, image));
}

/** Undefined for none. */
export function mergeReports([first, ...others]: readonly Report[]): Report | undefined {
  if (!first || others.length === 0) return first;
  const all = [first, ...others];
  return {
    ...first,
    source: all.map(({ source }) => source).join(', '),
    findings: all.flatMap(({ findings }) => findings),
    languageFindings: all.reduce((sum, report) => sum + report.languageFindings, 0),
  };
}

// arm/v6 and arm/v7 stand beside each other in many indexes
function sameVariant({ variant }: Report, { platform }: Image): boolean {
  if (variant === undefined || platform.variant === undefined) return true;
  return normalizePlatform({ ...platform, variant }).variant === normalizePlatform(platform).variant;
}
