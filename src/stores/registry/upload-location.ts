// Where the next request of an upload goes: the Location of the last answer, resolved and judged. Proxies garble it
// (http for https, a lost port); it is put right when it plainly is the registry's own. Another server gets bytes only
// over https and never credentials (CVE-2026-50151).
import { OnlayError } from '../../errors.ts';
import type { Reach } from '../../base/address.ts';
import type { Answer } from './answer.ts';
import type { RegistryClient } from './client.ts';

export interface UploadLocation {
  readonly url: URL;
  /** Set for a server that is not the registry. */
  readonly foreign: Reach | undefined;
  /** Bytes a chunk must have at least, but for the last one. */
  readonly minChunk: number;
}

/** A chunk is held in memory. */
const MAX_MIN_CHUNK = 128 << 20;

/** Throws SERVER for a location that bytes must not be sent to. */
export function uploadLocation(
  answer: Answer,
  client: RegistryClient,
  previous?: UploadLocation,
): UploadLocation {
  const stated = Number(answer.header('oci-chunk-min-length') ?? previous?.minChunk ?? 0) || 0;
  return { ...judge(answer, client, previous), minChunk: Math.min(stated, MAX_MIN_CHUNK) };
}

type Judged = Pick<UploadLocation, 'url' | 'foreign'>;

function judge(answer: Answer, client: RegistryClient, previous: UploadLocation | undefined): Judged {
  const text = answer.header('location');
  if (text === undefined && previous) return previous;
  const refuse = (why: string): OnlayError =>
    new OnlayError('SERVER', `Cannot upload to ${client.place}: ${why}`, {
      hint: 'a proxy before the registry may need its "relativeurls" setting, or X-Forwarded-Proto and Host passed on',
    });
  if (text === undefined || !URL.canParse(text, answer.url.href))
    throw refuse('the answer names no upload location');
  const url = new URL(text, answer.url);
  const base = client.base();
  url.hash = '';
  if (url.username !== '' || url.password !== '') throw refuse('the upload location holds user information');
  if (url.origin === base.origin) return { url, foreign: undefined };
  if (previous?.foreign !== undefined && url.origin === previous.url.origin)
    return { url, foreign: previous.foreign };
  if (isGarbled(url, base)) {
    client.log.warn(
      'the registry names an upload location with a wrong scheme or port; its own address is used',
      {
        registry: base.host,
        location: `${url.protocol}//${url.host}`,
      },
    );
    return { url: new URL(url.pathname + url.search, base), foreign: undefined };
  }
  if (url.protocol !== 'https:')
    throw refuse(`the upload location is on another server, ${url.protocol}//${url.host}`);
  if (url.hostname === base.hostname) throw refuse(`the upload location is on another port, ${url.host}`);
  return { url, foreign: client.reachBeside() };
}

// the same host without its port, or with http instead of https, and a path only the registry serves
function isGarbled(url: URL, base: URL): boolean {
  if (url.hostname !== base.hostname || !url.pathname.startsWith('/v2/')) return false;
  return url.port === '' || url.port === base.port;
}

/** The location with the digest added; its own query stays as it is (it may be signed or hold state). */
export function closing({ url }: UploadLocation, digest: string): URL {
  const closed = new URL(url);
  closed.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return closed;
}
