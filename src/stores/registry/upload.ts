// Pushing a blob: POST opens a session, one PUT closes it with the bytes (distribution-spec, "Pushing blobs"). A mount
// is tried where the source is in the same registry. Whatever goes wrong in between (a reset, 5xx, a token that has
// expired, a session the registry has lost) is answered by a new session: the body can always be read again.
import type { ByteStream } from '../../base/streams.ts';
import { concatBytes } from '../../base/bytes.ts';
import { OnlayError } from '../../errors.ts';
import type { BlobSource } from '../../oci/image-store.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import { Answer } from './answer.ts';
import { isAuthError, type Access } from './authorizer.ts';
import type { Call, RegistryClient } from './client.ts';
import { ExchangeFailure, isDamaged } from './failure.ts';
import type { RequestBody } from './transport.ts';
import { closing, uploadLocation, type UploadLocation } from './upload-location.ts';

export type UploadOutcome = 'uploaded' | 'mounted' | 'present';

/** A blob that costs about as much to send as to ask for. */
const SMALL = 64 << 10;
/** Below the limits of Cloudflare (100 MB) and of nginx as it is installed (1 MiB). */
const CHUNK_SIZES: readonly number[] = [32 << 20, 768 << 10];
const MAX_RESTARTS = 3;
/** Hashing and moving a large blob to its storage takes a registry a while. */
const PATIENCE_MS = 60_000;
const PATIENCE_BYTES_PER_MS = 10_000;

/** Uploads a blob unless it is there. Throws TARGET_REFUSED, AUTH_*, SERVER, …; the source's own errors pass. */
export async function pushBlob(
  client: RegistryClient,
  descriptor: Descriptor,
  source: BlobSource,
): Promise<UploadOutcome> {
  const mount = await tryMount(client, descriptor, source);
  if (mount === 'mounted') return 'mounted';
  if (!source.fresh && descriptor.size > SMALL && (await isPresent(client, descriptor))) return 'present';
  await upload(client, descriptor, source, mount);
  return 'uploaded';
}

/** Whether a blob is there; with `access` 'push' by the token the upload will need anyway. Throws when it is not said. */
export async function hasBlob(
  client: RegistryClient,
  { digest, size }: Descriptor,
  access: Access = 'pull',
): Promise<boolean> {
  const call: Call = {
    method: 'HEAD',
    target: `blobs/${digest}`,
    doing: `look for blob ${digest} of ${client.place}`,
    need: { access },
  };
  const answer = await client.call(call);
  await answer.discard();
  // it was sent on to its storage, which may not answer HEAD
  if (answer.url.host !== client.endpoint.apiHost && answer.status !== 404) return true;
  if (answer.status === 404) return false;
  if (!answer.ok) throw await client.refused(call, answer);
  const length = answer.header('content-length');
  // a proxy that compresses states another length
  return length === undefined || answer.header('content-encoding') !== undefined || Number(length) === size;
}

// the push will show what is wrong, if anything is
async function isPresent(client: RegistryClient, descriptor: Descriptor): Promise<boolean> {
  try {
    return await hasBlob(client, descriptor, 'push');
  } catch (error) {
    if (!(error instanceof OnlayError) || error.code === 'ABORTED') throw error;
    return false;
  }
}

// Any refusal means: upload. Harbor, Quay, GitLab and Docker Hub answer mounts they do not allow in four ways, and the
// token for the other repository may be refused too. 202 is an upload session that waits to be used.
async function tryMount(
  client: RegistryClient,
  { digest }: Descriptor,
  { mountFrom }: BlobSource,
): Promise<'mounted' | UploadLocation | undefined> {
  if (mountFrom === undefined) return undefined;
  try {
    const answer = await client.call({
      method: 'POST',
      target: `blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(mountFrom)}`,
      doing: `mount blob ${digest} into ${client.place}`,
      need: { access: 'push', mountFrom },
    });
    await answer.discard();
    if (answer.status === 201) return 'mounted';
    if (answer.status === 202) return uploadLocation(answer, client);
    client.log.debug('a blob cannot be mounted', { digest, from: mountFrom, status: answer.status });
  } catch (error) {
    if (!isAuthError(error)) throw error;
    client.log.debug('a blob cannot be mounted', { digest, from: mountFrom, why: error.message });
  }
  return undefined;
}

async function upload(
  client: RegistryClient,
  descriptor: Descriptor,
  source: BlobSource,
  opened: UploadLocation | undefined,
): Promise<void> {
  let location = opened;
  let chunking = -1;
  let restarts = 0;
  for (let failed = 1; ; failed++) {
    const outcome = await attempt(client, descriptor, source, location, CHUNK_SIZES[chunking]);
    location = undefined;
    if (outcome instanceof Answer) {
      if (outcome.ok && outcome.status !== 202) return outcome.discard();
      if (outcome.status === 413 && chunking < CHUNK_SIZES.length - 1) {
        chunking = descriptor.size > (CHUNK_SIZES[0] ?? 0) ? chunking + 1 : CHUNK_SIZES.length - 1;
        await outcome.discard();
        continue;
      }
    }
    if (await client.retrier.again(client.host, outcome, failed)) continue;
    // 401: credentials have been renewed meanwhile; the others: the session is lost, or the bytes were on their way
    const lost = outcome instanceof Answer && [400, 401, 404, 416].includes(outcome.status);
    if (lost && ++restarts < MAX_RESTARTS) {
      await outcome.discard();
      await client.retrier.rest(restarts);
      continue;
    }
    if (outcome instanceof Answer) throw await client.refused(closingCall(client, descriptor), outcome);
    throw client.failure(outcome, `upload blob ${descriptor.digest} to ${client.place}`);
  }
}

async function attempt(
  client: RegistryClient,
  descriptor: Descriptor,
  source: BlobSource,
  opened: UploadLocation | undefined,
  chunkSize: number | undefined,
): Promise<Answer | ExchangeFailure> {
  for (let damaged = false; ; damaged = true) {
    const location = opened && !damaged ? opened : await openSession(client, descriptor);
    try {
      return chunkSize === undefined
        ? await sendWhole(client, descriptor, source, location)
        : await sendChunks(client, descriptor, source, location, chunkSize);
    } catch (error) {
      if (error instanceof ExchangeFailure) return error;
      // the source was damaged on its way to us: one more chance
      if (damaged || !isDamaged(error)) throw error;
    }
  }
}

async function openSession(client: RegistryClient, { digest }: Descriptor): Promise<UploadLocation> {
  const call: Call = {
    method: 'POST',
    target: 'blobs/uploads/',
    doing: `upload blob ${digest} to ${client.place}`,
    need: { access: 'push' },
  };
  const answer = await client.call(call);
  if (!answer.ok) throw await client.refused(call, answer);
  await answer.discard();
  return uploadLocation(answer, client);
}

async function sendWhole(
  client: RegistryClient,
  descriptor: Descriptor,
  source: BlobSource,
  location: UploadLocation,
): Promise<Answer> {
  const body = { size: descriptor.size, open: () => measured(source, descriptor) };
  return client.call(closingCall(client, descriptor, location, body));
}

function closingCall(
  client: RegistryClient,
  { digest, size }: Descriptor,
  location?: UploadLocation,
  body?: RequestBody,
): Call {
  return {
    method: 'PUT',
    target: location ? closing(location, digest) : client.base(),
    doing: `upload blob ${digest} to ${client.place}`,
    need: { access: 'push' },
    headers: { 'content-type': 'application/octet-stream' },
    replay: false,
    patienceMs: PATIENCE_MS + Math.ceil(size / PATIENCE_BYTES_PER_MS),
    ...(body && { body }),
    ...(location?.foreign !== undefined && { foreign: location.foreign }),
  };
}

// for proxies that limit the size of a request: PATCH by PATCH, each to the newest location
async function sendChunks(
  client: RegistryClient,
  descriptor: Descriptor,
  source: BlobSource,
  opened: UploadLocation,
  chunkSize: number,
): Promise<Answer> {
  let location = opened;
  let offset = 0;
  for await (const chunk of chunksOf(measured(source, descriptor), Math.max(chunkSize, opened.minChunk))) {
    const answer = await client.call({
      ...closingCall(client, descriptor, location, bodyOf(chunk)),
      method: 'PATCH',
      target: location.url,
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `${offset}-${offset + chunk.length - 1}`,
      },
    });
    if (!answer.ok) return answer;
    await answer.discard();
    offset += chunk.length;
    location = uploadLocation(answer, client, location);
  }
  return client.call(closingCall(client, descriptor, location));
}

function bodyOf(bytes: Uint8Array): RequestBody {
  return {
    size: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

async function* chunksOf(stream: ByteStream, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + size - length);
      pending.push(part);
      length += part.length;
      at += part.length;
      if (length < size) continue;
      yield concatBytes(pending);
      pending = [];
      length = 0;
    }
  }
  if (length > 0) yield concatBytes(pending);
}

async function* measured(
  source: BlobSource,
  { digest, size }: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sent = 0;
  for await (const chunk of await source.open()) {
    sent += chunk.length;
    if (sent > size) break;
    yield chunk;
  }
  if (sent !== size)
    throw new OnlayError(
      'SIZE_MISMATCH',
      `Blob ${digest} to be uploaded does not have the ${size} bytes of its descriptor`,
    );
}
