// Manifests and indexes: fetched whole, hashed against what was asked for, and given the media type that header, body
// and descriptor agree on. A damaged copy is fetched once more. https://github.com/opencontainers/distribution-spec,
// "Pulling manifests".
import { createHash } from 'node:crypto';
import { OnlayError } from '../../errors.ts';
import { digestAlgorithm, digestHex, digestOf, isDigest, type Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/image-store.ts';
import { parseJsonObject } from '../../oci/json.ts';
import { documentMediaType, makeDescriptor, MAX_DOCUMENT_SIZE, type Descriptor } from '../../oci/manifest.ts';
import { DOCUMENT_TYPES, isIndexType, isManifestType } from '../../oci/media-types.ts';
import type { Answer } from './answer.ts';
import type { Call, RegistryClient } from './client.ts';
import { ExchangeFailure, isDamaged } from './failure.ts';

/** Without the full list registries answer 404 for what they hold; with a wildcard, old ones answer schema 1. */
export const ACCEPT: string = DOCUMENT_TYPES.join(', ');
/** A body that trickles in is given up. */
const LIMIT_MS = 120_000;

export interface Wanted {
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
  /** Known from the descriptor that refers to it. */
  readonly size?: number;
}

/** The document behind a tag or digest. Throws IMAGE_NOT_FOUND, AUTH_*, DIGEST_MISMATCH, SIZE_MISMATCH, … */
export async function fetchDocument(client: RegistryClient, wanted: Wanted): Promise<Document> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetchOnce(client, wanted);
    } catch (error) {
      const cut = error instanceof ExchangeFailure;
      if (attempt === 2 || !(isDamaged(error) || cut))
        throw cut ? client.failure(error, describe(wanted, client)) : error;
      client.log.debug('fetching a manifest again', { why: String(error) });
    }
  }
}

/** A child of an index: as `fetchDocument`, and its size and kind are those the descriptor states. */
export async function fetchChild(client: RegistryClient, descriptor: Descriptor): Promise<Document> {
  const { digest, size, mediaType } = descriptor;
  const document = await fetchDocument(client, { digest, size });
  const actual = document.descriptor.mediaType;
  const known = isIndexType(mediaType) || isManifestType(mediaType);
  if (known && isIndexType(mediaType) !== isIndexType(actual))
    throw new OnlayError(
      'IMAGE_INVALID',
      `${client.place}@${digest} is listed as ${mediaType} but is ${actual}`,
    );
  return { descriptor, bytes: document.bytes };
}

async function fetchOnce(client: RegistryClient, wanted: Wanted): Promise<Document> {
  const { digest, size } = wanted;
  const call: Call = {
    method: 'GET',
    target: `manifests/${digest ?? wanted.tag ?? 'latest'}`,
    doing: describe(wanted, client),
    need: { access: 'pull' },
    headers: { accept: ACCEPT },
    limitMs: LIMIT_MS,
  };
  const answer = await client.call(call);
  if (answer.status !== 200) throw await client.refused(call, answer);
  const what = `Manifest ${digest ?? wanted.tag ?? 'latest'} of ${client.place}`;
  const bytes = await answer.bytes({ limit: MAX_DOCUMENT_SIZE, what });
  if (size !== undefined && bytes.length !== size)
    throw new OnlayError('SIZE_MISMATCH', `${what} has ${bytes.length} bytes, its descriptor says ${size}`);
  const actual = digest ? digestLike(digest, bytes) : digestOf(bytes);
  if (digest && actual !== digest)
    throw new OnlayError('DIGEST_MISMATCH', `${what} has digest ${actual}`, { hint: HINT });
  checkHeader(answer, bytes, what);
  const mediaType = mediaTypeOf(answer, bytes, what, client);
  return { descriptor: makeDescriptor(mediaType, actual, bytes.length), bytes };
}

const HINT = 'the registry, or a proxy or mirror before it, delivers damaged or changed content';

function describe({ tag, digest }: Wanted, client: RegistryClient): string {
  return `read manifest ${digest ?? tag ?? 'latest'} of ${client.place}`;
}

function digestLike(model: Digest, bytes: Uint8Array): Digest {
  const algorithm = digestAlgorithm(model);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

// the only check there is for a tag; absence is legal, and what was asked for by digest is checked against that
function checkHeader(answer: Answer, bytes: Uint8Array, what: string): void {
  const stated = answer.header('docker-content-digest');
  if (!isDigest(stated)) return;
  const actual = digestLike(stated, bytes);
  if (digestHex(actual) !== digestHex(stated))
    throw new OnlayError('DIGEST_MISMATCH', `${what} has digest ${actual}, the registry says ${stated}`, {
      hint: HINT,
    });
}

// Artifactory and some proxies state one manifest type for all; the body is what was hashed, so its own word counts
function mediaTypeOf(answer: Answer, bytes: Uint8Array, what: string, client: RegistryClient): string {
  const raw = parseJsonObject(bytes, what);
  const claimed = (answer.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const own = typeof raw['mediaType'] === 'string' ? raw['mediaType'] : '';
  const sameKind =
    (isIndexType(own) && isIndexType(claimed)) || (isManifestType(own) && isManifestType(claimed));
  if (sameKind && own !== claimed)
    client.log.debug('the registry states another media type than the manifest', { claimed, own });
  return documentMediaType(raw, sameKind ? own : claimed, what);
}
