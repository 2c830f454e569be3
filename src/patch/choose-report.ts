// Which of the given reports is about an image. Several about the same one (two scanners) are taken together.
import type { Digest } from '../oci/digest.ts';
import type { Image } from '../oci/image.ts';
import { mismatch } from '../reports/index.ts';
import type { Report } from '../reports/index.ts';

/** Undefined when none is about it. Distro and layers are checked once more, with an error, when the tree is known. */
export function chooseReport(
  reports: readonly Report[],
  image: Image,
  indexDigest: Digest,
): Report | undefined {
  const subject = {
    diffIds: image.layers.map(({ diffId }) => diffId),
    configDigest: image.manifest.config.digest,
    manifestDigests: [image.document.descriptor.digest, indexDigest],
    architecture: image.platform.architecture,
    distroIds: [],
  };
  const [first, ...others] = reports.filter((report) => mismatch(report, subject) === undefined);
  if (!first || others.length === 0) return first;
  return {
    ...first,
    source: [first, ...others].map(({ source }) => source).join(', '),
    findings: [first, ...others].flatMap(({ findings }) => findings),
    languageFindings: [first, ...others].reduce((sum, report) => sum + report.languageFindings, 0),
  };
}
