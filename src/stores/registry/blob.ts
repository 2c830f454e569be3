// Blobs, streamed: digest and size are checked on the way, and a connection that breaks is taken up where it broke
// (Range, RFC 9110 section 14). What has been handed on cannot be taken back, so small blobs are checked whole before
// their first byte is; a damaged one is fetched once more. For large ones the caller has to start over.
import { concatBytes } from '../../base/bytes.ts';
import { OnlayError } from '../../errors.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import { layerType } from '../../oci/media-types.ts';
import { verifyBytes, verifyStream } from '../../oci/verify.ts';
import type { Answer } from './answer.ts';
import type { Call, RegistryClient } from './client.ts';
import { ExchangeFailure, isDamaged } from './failure.ts';

const WHOLE_LIMIT = 8 << 20;
/** A connection that brought this much before it broke was worth taking up again. */
const PROGRESS = 1 << 20;
const MAX_BREAKS = 5;

/** The content of a blob. Throws DIGEST_MISMATCH or SIZE_MISMATCH before its end when it is not what it should be. */
export async function* fetchBlob(
  client: RegistryClient,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  const inline = inlineData(descriptor);
  if (inline) {
    if (inline.length > 0) yield inline;
  } else if (descriptor.size > WHOLE_LIMIT) yield* verifiedBlob(client, descriptor);
  else yield* await fetchWhole(client, descriptor);
}

function verifiedBlob(
  client: RegistryClient,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  return verifyStream(
    resumed(client, descriptor),
    descriptor,
    `Blob ${descriptor.digest} of ${client.place}`,
  );
}

async function fetchWhole(client: RegistryClient, descriptor: Descriptor): Promise<readonly Uint8Array[]> {
  for (let attempt = 1; ; attempt++) {
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of verifiedBlob(client, descriptor)) chunks.push(chunk);
      return chunks.length > 1 ? [concatBytes(chunks)] : chunks;
    } catch (error) {
      if (attempt === 2 || !isDamaged(error)) throw error;
      client.log.debug('fetching a damaged blob again', { digest: descriptor.digest });
    }
  }
}

// the `data` field of a descriptor holds small content itself; never trusted without its digest
function inlineData(descriptor: Descriptor): Uint8Array | undefined {
  const data = descriptor.raw['data'];
  if (typeof data !== 'string' || descriptor.size > WHOLE_LIMIT) return undefined;
  const bytes = Buffer.from(data, 'base64');
  try {
    verifyBytes(bytes, descriptor, 'data');
    return bytes;
  } catch {
    return undefined;
  }
}

async function* resumed(
  client: RegistryClient,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, digest } = descriptor;
  let offset = 0;
  let breaks = 0;
  for (;;) {
    const started = offset;
    const answer = await open(client, descriptor, offset);
    try {
      for await (const chunk of from(answer, offset)) {
        offset += chunk.length;
        yield chunk;
      }
      // an end without an error and without all bytes (a proxy that closes early) is a break too
      if (offset >= size) return;
      throw new ExchangeFailure('reset', `the connection ended after ${offset} of ${size} bytes`);
    } catch (error) {
      if (!(error instanceof ExchangeFailure)) throw error;
      // everything is there, only the end of the answer is not; a range from here would be past the end
      if (offset >= size) return;
      if (offset - started >= PROGRESS) breaks = 0;
      breaks++;
      if (breaks >= MAX_BREAKS || !(await client.retrier.again(client.host, error, breaks)))
        throw client.failure(error, `read blob ${digest} of ${client.place}`);
      client.log.debug('taking up a broken download', { digest, offset, size });
    } finally {
      answer.destroy();
    }
  }
}

// 206 brings the rest; a server that ignores Range answers 200 with everything, of which the known part is skipped
async function* from(answer: Answer, offset: number): AsyncGenerator<Uint8Array, void, undefined> {
  let skip = answer.status === 206 ? 0 : offset;
  for await (const chunk of answer.stream()) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      yield skip === 0 ? chunk : chunk.subarray(skip);
      skip = 0;
    }
  }
}

async function open(client: RegistryClient, descriptor: Descriptor, offset: number): Promise<Answer> {
  const call: Call = {
    method: 'GET',
    target: `blobs/${descriptor.digest}`,
    doing: `read blob ${descriptor.digest} of ${client.place}`,
    need: { access: 'pull' },
    headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
  };
  const answer = await client.call(call);
  if (answer.status === 200) return sized(answer, descriptor, client);
  if (isRest(answer, offset, descriptor.size)) return answer;
  // some servers refuse or mistake ranges; the whole blob is always to be had
  if (offset > 0 && (answer.status === 416 || answer.status === 206)) {
    answer.destroy();
    return sized(await accept(client, { ...call, headers: {} }), descriptor, client);
  }
  // a signed storage URL that expired between redirect and request
  if (answer.url.host !== client.endpoint.apiHost && (answer.status === 401 || answer.status === 403)) {
    await answer.discard();
    return sized(await accept(client, { ...call, headers: {} }), descriptor, client);
  }
  if (answer.status === 404 && descriptor.urls.length > 0 && layerType(descriptor.mediaType)?.foreign)
    return openForeign(client, descriptor, answer);
  throw await client.refused(call, answer);
}

// A blob of another length than its descriptor says is not cut off: asking for its rest would be asking past its end,
// which some registries answer by dropping the connection.
function sized(answer: Answer, { digest, size }: Descriptor, client: RegistryClient): Answer {
  const length = answer.header('content-length');
  if (length === undefined || answer.header('content-encoding') !== undefined || Number(length) === size)
    return answer;
  answer.destroy();
  throw new OnlayError(
    'SIZE_MISMATCH',
    `Blob ${digest} of ${client.place} has ${length} bytes, its descriptor says ${size}`,
  );
}

function isRest(answer: Answer, offset: number, size: number): boolean {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '');
  if (answer.status !== 206 || !range) return false;
  return Number(range[1]) === offset && (range[2] === '*' || Number(range[2]) === size);
}

async function accept(client: RegistryClient, call: Call): Promise<Answer> {
  const answer = await client.call(call);
  if (answer.status === 200) return answer;
  throw await client.refused(call, answer);
}

// Layers that may not be distributed live elsewhere. Their URLs come from the manifest, that is, from anybody: no
// credentials go there (CVE-2020-15157), only https, and no address the registry could not reach for us to see.
async function openForeign(client: RegistryClient, descriptor: Descriptor, missing: Answer): Promise<Answer> {
  await missing.discard();
  const doing = `read foreign blob ${descriptor.digest} of ${client.place}`;
  for (const text of descriptor.urls.slice(0, 5)) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') continue;
    try {
      const answer = await client.call({
        method: 'GET',
        target: url,
        doing,
        need: { access: 'pull' },
        foreign: client.reachBeside(),
        replay: false,
      });
      if (answer.status === 200) return answer;
      await answer.discard();
    } catch (error) {
      if (!(error instanceof ExchangeFailure)) throw error;
      client.log.debug('a foreign layer cannot be fetched', { host: url.host, why: error.message });
    }
  }
  throw new OnlayError(
    'IMAGE_NOT_FOUND',
    `Cannot ${doing}: the registry does not have it, and none of its URLs serves it`,
    {
      hint: 'only https URLs that need no login are tried',
    },
  );
}
