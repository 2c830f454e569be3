// What a run made becomes what the target's name points at: one image, or the whole index with the patched images in
// the places of the old ones. Images that were not patched are copied where the target does not have them.
import { OnlayError } from '../errors.ts';
import type { Log } from '../base/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document, ImageStore } from '../oci/image-store.ts';
import { parseDocument } from '../oci/manifest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { attestationSubject } from '../oci/platform.ts';
import { replaceImages } from '../oci/replace-manifest.ts';
import type { Attempt } from './attempt.ts';
import { copyDocument, copyManifestParts, pushPatched, putDocument } from './push.ts';
import type { PushContext } from './push.ts';

export interface ResultContext extends PushContext {
  readonly log: Log;
}

export interface MovingTag {
  readonly name: string;
  /** What it pointed at when the image was read; set where image and result have the same name. */
  readonly expected?: Digest;
}

/** Answers the document the tag points at now. Throws CONFLICT when somebody else moved it meanwhile. */
export async function pushResult(
  context: ResultContext,
  document: Document,
  attempts: readonly Attempt[],
  tag: MovingTag,
): Promise<Document> {
  const outermost = await pushParts(context, document, attempts);
  await refuseMoved(context.target, tag);
  await putDocument(context, outermost, tag.name);
  return outermost;
}

/** Everything but the document the tag will point at. */
async function pushParts(
  context: ResultContext,
  document: Document,
  attempts: readonly Attempt[],
): Promise<Document> {
  const results = attempts.flatMap((item) => (item.kind === 'done' ? [item] : []));
  const replaced = new Map<Digest, Descriptor>();
  for (const { listed, result } of results) {
    const { appended, layer, base } = result;
    if (!appended || !layer) continue;
    await pushPatched(context, base, { appended, layer });
    if (listed.path.length === 0) return appended.manifest;
    await putDocument(context, appended.manifest, undefined);
    replaced.set(listed.descriptor.digest, appended.manifest.descriptor);
  }
  const { documents, dropped } = await replaceImages(knowing(context.source, attempts), document, replaced);
  for (const attestation of dropped)
    context.log.warn('An attestation is left out, because it speaks of an image as it was before patching', {
      attestation: attestation.digest,
      image: attestationSubject(attestation),
    });
  const outermost = documents.at(-1) ?? document;
  const made = new Set(
    [...replaced.values(), ...documents.map(({ descriptor }) => descriptor)].map(digestOf),
  );
  for (const index of documents.length === 0 ? [document] : documents) await copyParts(context, index, made);
  for (const inner of documents.slice(0, -1)) await putDocument(context, inner, undefined);
  return outermost;
}

/** The source; the indexes that were read to list the images are not read again. */
function knowing(source: ImageStore, attempts: readonly Attempt[]): Pick<ImageStore, 'document'> {
  const indexes = attempts.flatMap(({ listed }) => listed.path.map(({ document }) => document));
  const known = new Map(indexes.map((document) => [document.descriptor.digest, document]));
  return {
    document: async (descriptor) => known.get(descriptor.digest) ?? (await source.document(descriptor)),
  };
}

/** What `document` refers to and was not made just now must be in the target too. */
async function copyParts(context: PushContext, document: Document, made: ReadonlySet<Digest>): Promise<void> {
  if (context.source.identity === context.target.identity) return;
  const parsed = parseDocument(document);
  if (parsed.kind === 'manifest') return copyManifestParts(context, parsed);
  for (const child of parsed.manifests) if (!made.has(child.digest)) await copyDocument(context, child);
}

function digestOf({ digest }: { readonly digest: Digest }): Digest {
  return digest;
}

/** No registry knows a conditional PUT, so this is the last request before it. */
async function refuseMoved(target: ImageStore, { name, expected }: MovingTag): Promise<void> {
  if (expected === undefined) return;
  const now = target.tagged
    ? await target.tagged(name)
    : (await target.resolve({ tag: name })).descriptor.digest;
  if (now === expected) return;
  throw new OnlayError(
    'CONFLICT',
    `${target.name}:${name} was ${expected} when it was read and ${now === undefined ? 'is gone' : `is ${now}`} now: it is left alone`,
    { hint: 'run again: the image it is now is patched then' },
  );
}
