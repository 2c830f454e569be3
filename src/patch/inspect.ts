// What an image holds, without changing anything: distro, database, packages, layers, lineage.
import { displayText } from '../base/bytes.ts';
import { findPatchLayer } from '../oci/lineage.ts';
import type { Platform } from '../oci/manifest.ts';
import { formatPlatform } from '../oci/platform.ts';
import { detectDistro } from '../distros/detect.ts';
import type { FamilyName, InstalledPackage } from '../packages/package.ts';
import type { AcquireContext } from './acquire.ts';
import type { PatchSource } from './options.ts';
import { openImages } from './open-tree.ts';
import type { OpenedImage } from './open-tree.ts';

export interface Inspection {
  readonly platform: string;
  readonly digest: string;
  readonly created: string | null;
  readonly distro: {
    readonly id: string;
    readonly name: string;
    readonly version: string;
    readonly supported: boolean;
    readonly endOfLife: string | null;
  };
  readonly database: {
    readonly family: FamilyName;
    readonly kind: string;
    readonly path: string;
    readonly packages: readonly InstalledPackage[];
  } | null;
  readonly layers: readonly {
    readonly digest: string;
    readonly diffId: string;
    readonly mediaType: string;
    readonly size: number;
  }[];
  readonly lineage: {
    readonly by: string;
    readonly base: string | null;
    readonly name: string | null;
  } | null;
}

export interface InspectOptions extends AcquireContext {
  readonly source: PatchSource;
  readonly platforms: readonly Platform[];
}

export async function inspectImage(options: InspectOptions): Promise<readonly Inspection[]> {
  const found: Inspection[] = [];
  for await (const opened of openImages(options.source, options.platforms, options))
    found.push(describe(opened));
  return found;
}

function describe({ image, root, tree }: OpenedImage): Inspection {
  const { distro, osRelease } = tree ?? detectDistro(root, { architecture: image.platform.architecture });
  const patched = findPatchLayer(image);
  return {
    platform: formatPlatform(image.platform),
    digest: image.document.descriptor.digest,
    created: image.config.created ?? null,
    distro: {
      id: distro?.id ?? osRelease?.id ?? 'unknown',
      name: displayText(osRelease?.prettyName ?? distro?.name ?? 'unknown'),
      version: distro?.osRelease.versionId ?? osRelease?.versionId ?? '',
      supported: distro !== undefined,
      endOfLife: distro?.release?.endOfLife ?? null,
    },
    database: tree
      ? {
          family: tree.database.family,
          kind: tree.database.kind,
          path: displayText(tree.database.path),
          packages: tree.database.packages,
        }
      : null,
    layers: image.layers.map(({ descriptor, diffId }) => ({
      digest: descriptor.digest,
      diffId,
      mediaType: descriptor.mediaType,
      size: descriptor.size,
    })),
    lineage: patched
      ? { by: patched.by, base: patched.baseDigest ?? null, name: patched.baseName ?? null }
      : null,
  };
}
