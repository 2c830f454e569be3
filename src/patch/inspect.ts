// What an image holds, without changing anything: distro, database, packages, layers, lineage.
import { displayText } from '../base/bytes.ts';
import { hasCode } from '../errors.ts';
import { listImages, readIndexImage } from '../oci/image.ts';
import { findPatchLayer } from '../oci/lineage.ts';
import type { Platform } from '../oci/manifest.ts';
import { choosePlatforms, formatPlatform } from '../oci/platform.ts';
import { detectDistro } from '../distros/detect.ts';
import type { FamilyName, InstalledPackage } from '../packages/package.ts';
import { mergeLayers } from '../rootfs/view.ts';
import { acquireLayers } from './acquire.ts';
import type { AcquireContext } from './acquire.ts';
import type { PatchSource } from './patch.ts';
import { readTree } from './plan-platform.ts';

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
  const { source } = options;
  const document = await source.store.resolve(source);
  const images = await listImages(source.store, document);
  const found: Inspection[] = [];
  for (const listed of choosePlatforms(
    images,
    options.platforms.length > 0 ? options.platforms : undefined,
  )) {
    const image = await readIndexImage(source.store, listed);
    const root = mergeLayers(await acquireLayers(source.store, image.layers, options));
    const { architecture, variant } = image.platform;
    const { distro, osRelease } = detectDistro(root, { architecture });
    const tree = await readTree(
      root,
      { name: source.name, architecture, variant },
      { log: options.log, anyDistro: true },
    ).catch((error: unknown) => {
      if (hasCode(error, 'NO_PACKAGE_DATABASE')) return undefined;
      throw error;
    });
    const patched = findPatchLayer(image);
    found.push({
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
    });
  }
  return found;
}
