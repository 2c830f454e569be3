// Into the target store: blobs it lacks, mounted, copied or made just now, then the documents that refer to them.
// Everything was verified before the first byte is sent.
import { mapConcurrent } from '../base/concurrency.ts';
import type { Progress } from '../base/log.ts';
import { streamOf } from '../base/streams.ts';
import type { AppendedImage } from '../oci/append-layer.ts';
import type { Image } from '../oci/image.ts';
import type { Document, ImageStore } from '../oci/image-store.ts';
import { parseDocument } from '../oci/manifest.ts';
import type { Descriptor, ImageManifest } from '../oci/manifest.ts';
import { isDocumentType, layerType } from '../oci/media-types.ts';
import type { SealedLayer } from '../rootfs/write-layer.ts';

export interface PushContext {
  readonly source: ImageStore;
  readonly target: ImageStore;
  readonly progress: Progress;
  readonly onPushed: (bytes: number) => void;
}

/** Blobs sent at the same time. */
const CONCURRENCY = 4;

/** Layers and config of a patched image; its manifest is put afterwards. */
export async function pushPatched(
  context: PushContext,
  base: Image,
  { appended, layer }: { readonly appended: AppendedImage; readonly layer: SealedLayer },
): Promise<void> {
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
      fresh: true,
    });
    task.done(uploaded ? undefined : 'already there');
    if (uploaded) onPushed(descriptor.size);
  };
  await send(appended.layerDescriptor, layer.chunks, 'push layer');
  await send(appended.config.descriptor, [appended.config.bytes], 'push config');
}

export async function putDocument(
  context: PushContext,
  document: Document,
  tag: string | undefined,
): Promise<void> {
  await context.target.putDocument(document, tag);
  context.onPushed(document.bytes.length);
}

/** A child of an index with all it refers to, as it is. */
export async function copyDocument(context: PushContext, child: Descriptor): Promise<void> {
  if (!isDocumentType(child.mediaType)) return copyBlobs(context, [child]);
  const document = await context.source.document(child);
  const parsed = parseDocument(document);
  if (parsed.kind === 'manifest') await copyManifestParts(context, parsed);
  else for (const inner of parsed.manifests) await copyDocument(context, inner);
  await putDocument(context, document, undefined);
}

export function copyManifestParts(context: PushContext, { config, layers }: ImageManifest): Promise<void> {
  return copyBlobs(context, [config, ...layers]);
}

async function copyBlobs(
  { source, target, progress, onPushed }: PushContext,
  blobs: readonly Descriptor[],
): Promise<void> {
  if (source.identity === target.identity) return;
  const mountable = source.mountIdentity !== undefined && source.mountIdentity === target.mountIdentity;
  const mount = mountable && source.repository !== undefined ? { mountFrom: source.repository } : {};
  await mapConcurrent(unique(blobs.filter(isOwned)), CONCURRENCY, async (descriptor) => {
    const task = progress.start(`copy ${descriptor.digest.slice(7, 19)}`, descriptor.size);
    const open = (): AsyncIterable<Uint8Array> =>
      advancing(source.blob(descriptor), (bytes) => task.advance(bytes));
    const { uploaded } = await target.putBlob(descriptor, { open, ...mount });
    task.done(uploaded ? undefined : mountable ? 'mounted' : 'already there');
    if (uploaded) onPushed(descriptor.size);
  });
}

/** Layers that must not be distributed stay where their URLs say. */
function isOwned({ mediaType, urls }: Descriptor): boolean {
  return layerType(mediaType)?.foreign !== true || urls.length === 0;
}

/** Images repeat layers (the empty one), and no blob is sent twice. */
function unique(blobs: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
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
