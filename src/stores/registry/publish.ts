// Writing manifests: PUT by digest, or to a tag, which moves it in one step. What the registry says it stored is
// compared with what was sent; a tag that may not be moved is no error when it already is where it should be.
import { createHash } from 'node:crypto';
import { OnlayError } from '../../errors.ts';
import { digestAlgorithm, digestHex, isDigest, type Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/image-store.ts';
import { parseDocument } from '../../oci/manifest.ts';
import { layerType } from '../../oci/media-types.ts';
import type { Answer } from './answer.ts';
import type { Call, RegistryClient } from './client.ts';
import { ACCEPT, fetchDocument } from './document.ts';
import { isImmutableTag, type ServerMessage } from './refusal.ts';

/** Thrown as `cause` when the registry misses a blob the manifest refers to. */
export class MissingContent extends Error {
  override readonly name = 'MissingContent';
}

/** Throws TARGET_REFUSED, DIGEST_MISMATCH (the registry rewrote it), AUTH_*, SERVER, … */
export async function pushDocument(
  client: RegistryClient,
  document: Document,
  tag: string | undefined,
): Promise<void> {
  const { descriptor, bytes } = document;
  const call: Call = {
    method: 'PUT',
    target: `manifests/${tag ?? descriptor.digest}`,
    doing: `write manifest ${tag ?? descriptor.digest} of ${client.place}`,
    need: { access: 'push' },
    headers: { 'content-type': descriptor.mediaType },
    body: {
      size: bytes.length,
      async *open() {
        yield bytes;
      },
    },
  };
  const answer = await client.call(call);
  if (answer.ok) {
    await answer.discard();
    return checkStored(answer, document, client, tag);
  }
  const said = await client.explain(call, answer);
  if (tag !== undefined && isImmutableTag(answer.status, said, answer.url.hostname))
    return immutable(client, document, tag, said);
  const error = await client.refused(call, answer, said);
  if (said.codes.some((code) => code === 'MANIFEST_BLOB_UNKNOWN' || code === 'BLOB_UNKNOWN'))
    throw new OnlayError(error.code, error.message, {
      hint: hasForeignLayers(document) ? FOREIGN_HINT : error.hint,
      cause: new MissingContent(),
    });
  const dockers = descriptor.mediaType.startsWith('application/vnd.docker.');
  if (dockers && (answer.status === 415 || said.codes.includes('MANIFEST_INVALID')))
    throw new OnlayError(error.code, error.message, { hint: OCI_ONLY_HINT, cause: error });
  throw error;
}

const OCI_ONLY_HINT =
  "some registries (zot, as it is installed) take OCI images only and this one is in Docker's format: skopeo copy --format oci converts it before it is patched";
const FOREIGN_HINT =
  'the image has layers that are kept elsewhere (foreign layers), and this registry does not take them; docker-registry has the setting validation.manifests.urls.allow';

function hasForeignLayers(document: Document): boolean {
  const parsed = parseDocument(document);
  return (
    parsed.kind === 'manifest' &&
    parsed.layers.some(({ mediaType, urls }) => urls.length > 0 && layerType(mediaType)?.foreign === true)
  );
}

/** Whether a manifest or index is there. */
export async function hasDocument(client: RegistryClient, digest: string): Promise<boolean> {
  const answer = await head(client, digest);
  return answer !== undefined;
}

/** What a tag points at; undefined when there is none. */
export async function taggedDigest(client: RegistryClient, tag: string): Promise<Digest | undefined> {
  const answer = await head(client, tag);
  if (!answer) return undefined;
  const stated = answer.header('docker-content-digest');
  if (isDigest(stated) && stated.startsWith('sha256:')) return stated;
  return (await fetchDocument(client, { tag })).descriptor.digest;
}

async function head(client: RegistryClient, reference: string): Promise<Answer | undefined> {
  const call: Call = {
    method: 'HEAD',
    target: `manifests/${reference}`,
    doing: `look for manifest ${reference} of ${client.place}`,
    need: { access: 'pull' },
    headers: { accept: ACCEPT },
  };
  const answer = await client.call(call);
  await answer.discard();
  if (answer.ok) return answer;
  if (answer.status === 404) return undefined;
  throw await client.refused(call, answer);
}

function checkStored(
  answer: Answer,
  { descriptor, bytes }: Document,
  client: RegistryClient,
  tag: string | undefined,
): void {
  const stated = answer.header('docker-content-digest');
  if (!isDigest(stated)) return;
  const algorithm = digestAlgorithm(stated);
  if (createHash(algorithm).update(bytes).digest('hex') === digestHex(stated)) return;
  throw new OnlayError(
    'DIGEST_MISMATCH',
    `Manifest ${tag ?? descriptor.digest} of ${client.place} was stored as ${stated}, not as ${descriptor.digest}: the registry rewrote it`,
    { hint: 'the pushed tag may be broken; the registry, or a proxy before it, changes manifests' },
  );
}

async function immutable(
  client: RegistryClient,
  document: Document,
  tag: string,
  said: ServerMessage,
): Promise<void> {
  const { digest } = document.descriptor;
  const existing = await head(client, tag);
  if (existing?.header('docker-content-digest') === digest) return;
  const why = [said.codes.join(', '), said.text].filter((part) => part !== '').join(': ');
  throw new OnlayError(
    'TARGET_REFUSED',
    `Cannot write manifest ${tag} of ${client.place}: the tag exists and the registry does not let it move${why === '' ? '' : ` (${why})`}`,
    { hint: 'choose a new tag with -t, or change the immutability rule of the repository' },
  );
}
