// Into the target store: what the result needs and the target lacks, then the new layer, config and manifest; an index
// after its images; the tag moves last. Everything was verified before the first byte is sent.
import { mapConcurrent } from '../base/concurrency.ts';
import type { Progress } from '../base/log.ts';
import { streamOf } from '../base/streams.ts';
import type { AppendedImage } from '../oci/append-layer.ts';
import type { Image } from '../oci/image.ts';
import type { Document, ImageStore } from '../oci/image-store.ts';
import { parseDocument } from '../oci/manifest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { layerType } from '../oci/media-types.ts';
import type { SealedLayer } from '../rootfs/write-layer.ts';

export interface PushContext {
  readonly source: ImageStore;
  readonly target: ImageStore;
  readonly progress: Progress;
  readonly onPushed: (bytes: number) => void;
}

/** Blobs sent at the same time. */
const CONCURRENCY = 4;

/** Layer, config and manifest of a patched image; `tag` only when it is not part of an index. */
export async function pushPatched(
  context: PushContext,
  base: Image,
  patched: { readonly appended: AppendedImage; readonly layer: SealedLayer },
  tag: string | undefined,
): Promise<void> {
  const { appended, layer } = patched;
  await copyBlobs(
    context,
    base.layers.map(({ descriptor }) => descriptor),
  );
  const { target, progress, onPushed } = context;
  const send = async (
    descriptor: Descriptor,
    chunks: readonly Uint8Array[],
    label: string,
  ): Promise<void> => {
    const task = progress.start(label, descriptor.size);
    const { uploaded } = await target.putBlob(descriptor, {
      open: () => counted(chunks, (bytes) => task.advance(bytes)),
    });
    task.done(uploaded ? undefined : 'already there');
    if (uploaded) onPushed(descriptor.size);
  };
  await send(appended.layerDescriptor, layer.chunks, 'push layer');
  await send(appended.config.descriptor, [appended.config.bytes], 'push config');
  await putDocument(context, appended.manifest, tag);
}

/** A manifest or index with all it refers to, as it is; a store that already shares the blobs is left alone. */
export async function copyDocument(
  context: PushContext,
  document: Document,
  tag: string | undefined,
): Promise<void> {
  if (context.source.identity !== context.target.identity) {
    const parsed = parseDocument(document);
    if (parsed.kind === 'index') {
      for (const child of parsed.manifests)
        await copyDocument(context, await context.source.document(child), undefined);
    } else await copyBlobs(context, [parsed.config, ...parsed.layers]);
  } else if (tag === undefined) return;
  await putDocument(context, document, tag);
}

export async function putDocument(
  context: PushContext,
  document: Document,
  tag: string | undefined,
): Promise<void> {
  await context.target.putDocument(document, tag);
  context.onPushed(document.bytes.length);
}

async function copyBlobs(
  { source, target, progress, onPushed }: PushContext,
  blobs: readonly Descriptor[],
): Promise<void> {
  if (source.identity === target.identity) return;
  const mountable = source.mountIdentity !== undefined && source.mountIdentity === target.mountIdentity;
  const mount = mountable && source.repository !== undefined ? { mountFrom: source.repository } : {};
  // layers that must not be distributed stay where their URLs say
  const owned = blobs.filter(({ mediaType }) => layerType(mediaType)?.foreign !== true);
  await mapConcurrent(owned, CONCURRENCY, async (descriptor) => {
    const task = progress.start(`copy ${descriptor.digest.slice(7, 19)}`, descriptor.size);
    const open = (): AsyncIterable<Uint8Array> =>
      advancing(source.blob(descriptor), (bytes) => task.advance(bytes));
    const { uploaded } = await target.putBlob(descriptor, { open, ...mount });
    task.done(uploaded ? undefined : mountable ? 'mounted' : 'already there');
    if (uploaded) onPushed(descriptor.size);
  });
}

async function* counted(
  chunks: readonly Uint8Array[],
  advance: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield* advancing(streamOf(chunk), advance);
}

async function* advancing(
  stream: AsyncIterable<Uint8Array>,
  advance: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    advance(chunk.length);
    yield chunk;
  }
}
