// From an image in a store to one read-only tree: layers are read once each, several at a time, or taken from the cache.
import { OnlayError, hasCode } from '../errors.ts';
import { mapConcurrent } from '../base/concurrency.ts';
import type { Log, Progress } from '../base/log.ts';
import { digestAlgorithm, digestHex } from '../oci/digest.ts';
import type { ImageStore } from '../oci/image-store.ts';
import type { ImageLayer } from '../oci/image.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { layerType } from '../oci/media-types.ts';
import { effects } from '../effects/index.ts';
import { families } from '../packages/index.ts';
import { contentDigests } from '../rootfs/content-digests.ts';
import { indexLayer } from '../rootfs/layer-index.ts';
import type { IndexLayerOptions, LayerIndex } from '../rootfs/layer-index.ts';
import type { LayerCache } from './layer-cache.ts';

export interface AcquireContext {
  readonly cache: LayerCache | undefined;
  readonly log: Log;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  /** Layers read at the same time. */
  readonly concurrency: number;
  readonly onPulled: (bytes: number) => void;
  /** Keep what `PackageDatabase.audit` needs, too. */
  readonly audit?: boolean;
}

/** Names what is kept of each layer; a cached index of another policy is not used. Raise it when captures change. */
const POLICY = 'captures-3';

export async function acquireLayers(
  store: ImageStore,
  layers: readonly ImageLayer[],
  context: AcquireContext,
): Promise<readonly LayerIndex[]> {
  return mapConcurrent(layers, context.concurrency, async ({ descriptor, diffId }, number) => {
    context.signal?.throwIfAborted();
    refuseUnreadable(descriptor, store.name);
    const wanted = context.audit ? AUDITING : PATCHING;
    const label = `layer ${number + 1}/${layers.length}`;
    const task = context.progress.start(label, descriptor.size);
    const known = await context.cache?.get(descriptor.digest, wanted.policy);
    if (known && known.diffId.hex === digestHex(diffId)) {
      task.done('cached');
      return known;
    }
    const read = (): Promise<LayerIndex> =>
      indexLayer(store.blob(descriptor), {
        what: `Layer ${descriptor.digest} of ${store.name}`,
        digest: { algorithm: digestAlgorithm(descriptor.digest), hex: digestHex(descriptor.digest) },
        size: descriptor.size,
        diffId: { algorithm: digestAlgorithm(diffId), hex: digestHex(diffId) },
        ...wanted,
        onBytes: (bytes) => {
          task.advance(bytes);
          context.onPulled(bytes);
        },
      });
    const index = await read().catch((error: unknown) => {
      if (!hasCode(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH')) throw error;
      // damaged on its way, perhaps: the second time counts
      context.log.debug('reading a layer again', { layer: descriptor.digest, why: error.message });
      return read();
    });
    task.done();
    await context.cache?.put(descriptor.digest, index);
    return index;
  });
}

type Kept = Pick<IndexLayerOptions, 'captures' | 'inspectors'> & { readonly policy: string };

const PATCHING: Kept = {
  captures: (path, size) =>
    families.some((family) => family.captures(path, size)) ||
    effects.some((effect) => effect.captures?.(path, size) ?? false),
  inspectors: effects.flatMap((effect) => effect.inspectors ?? []),
  policy: POLICY,
};

const AUDITING: Kept = {
  captures: (path, size) =>
    PATCHING.captures(path, size) || families.some((family) => family.auditCaptures?.(path, size) ?? false),
  inspectors: [...PATCHING.inspectors, contentDigests],
  policy: `${POLICY}-audit`,
};

/** A layer that cannot be read may hide the package database or a symlink, so the result could not be right. */
function refuseUnreadable({ mediaType, digest }: Descriptor, store: string): void {
  const type = layerType(mediaType);
  if (type && !type.encrypted) return;
  throw new OnlayError(
    'IMAGE_UNSUPPORTED',
    `Layer ${digest} of ${store} cannot be read: its media type is ${mediaType}`,
    {
      hint: type ? 'decrypt the image first' : 'only file system layers of OCI and Docker images are known',
    },
  );
}
