// GET of whole files over http and https: own bounded redirects (credentials stay with their origin, https is not left
// for http), retries with growing pauses, limits on bytes and idle time. Bodies come as they are stored: no content
// encoding is asked for or undone, because digests are over the stored form.
import { OnlayError } from '../errors.ts';
import { sleep, throwIfAborted } from '../base/abort.ts';
import { isRetryable, nextPause, retryAfter } from '../base/backoff.ts';
import type { RetryPolicy } from '../base/backoff.ts';
import { concatBytes } from '../base/bytes.ts';
import type { Task } from '../base/log.ts';
import type { FetchRequest } from '../packages/fetch.ts';
import { openConnections } from './connections.ts';
import type { ConnectionOptions } from './connections.ts';
import { describeFailure } from './failure.ts';

export interface HttpOptions extends ConnectionOptions {
  readonly signal?: AbortSignal;
  readonly retry?: RetryPolicy;
}

export interface HttpGet {
  readonly url: string;
  readonly request: FetchRequest;
  readonly task: Task;
}

export interface HttpClient extends AsyncDisposable {
  /** undefined: the server says that there is no such file (403 counts, as object stores say so), and that is `optional`. */
  get(get: HttpGet): Promise<Uint8Array | undefined>;
  readonly stats: { fetched: number; requests: number };
}

const RETRY: RetryPolicy = { attempts: 4, firstMs: 750, maxMs: 60_000, maxRetryAfterMs: 60_000 };

const MAX_REDIRECTS = 8;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export function openHttp(options: HttpOptions): HttpClient {
  const connections = openConnections(options);
  const stats = { fetched: 0, requests: 0 };
  const policy = options.retry ?? RETRY;
  return {
    stats,
    async get(get) {
      for (let failed = 1; ; failed++) {
        const outcome = await tryOnce(get).catch((error: unknown) => failureOf(error, get, options.signal));
        if (outcome.kind === 'done') return outcome.body;
        const pause = outcome.retry ? nextPause(failed, Math.random, policy, outcome.after) : undefined;
        if (pause === undefined) throw outcome.error;
        options.log.debug('Trying again', {
          what: get.request.what,
          attempt: failed + 1,
          why: outcome.error.message,
        });
        await sleep(pause, options.signal).catch(() => throwIfAborted(options.signal));
      }
    },
    [Symbol.asyncDispose]: () => connections[Symbol.asyncDispose](),
  };

  /** One try, redirects included. */
  async function tryOnce({ url, request, task }: HttpGet): Promise<Outcome> {
    const start = parseUrl(url, request);
    let at = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      throwIfAborted(options.signal);
      const { dispatcher } = await connections.to(
        at,
        at.origin === start.origin ? request : without(request),
        at.origin === start.origin && request.hostFiles !== false ? 'any' : 'no-metadata',
      );
      stats.requests++;
      const started = performance.now();
      const response = await dispatcher.request({
        origin: at.origin,
        path: at.pathname + at.search,
        method: 'GET',
        headers: headersFor(at, start, request),
        signal: options.signal ?? null,
      });
      const status = response.statusCode;
      options.log.debug('request', {
        method: 'GET',
        url: at.origin + at.pathname,
        status,
        milliseconds: Math.round(performance.now() - started),
      });
      const location = single(response.headers['location']);
      if (REDIRECTS.includes(status) && location !== undefined) {
        await discard(response.body);
        at = redirected(at, location, request);
        continue;
      }
      if (status === 200) return { kind: 'done', body: await readBody(response, at, request, task) };
      await discard(response.body);
      return statusOutcome(
        status,
        at,
        request,
        retryAfter({ header: (name) => single(response.headers[name]) }, Date.now()),
      );
    }
    throw new OnlayError(
      'SERVER',
      `Cannot fetch ${request.what} from ${url}: more than ${MAX_REDIRECTS} redirects`,
    );
  }

  async function readBody(
    response: Response,
    at: URL,
    request: FetchRequest,
    task: Task,
  ): Promise<Uint8Array> {
    const tooLarge = (): OnlayError =>
      new OnlayError(
        'LIMIT_EXCEEDED',
        `${request.what} from ${at.href} is larger than the limit of ${request.limit} bytes`,
      );
    if (Number(single(response.headers['content-length']) ?? 0) > request.limit) {
      await discard(response.body);
      throw tooLarge();
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      stats.fetched += chunk.length;
      // leaving the loop destroys the body and its connection
      if (size > request.limit) throw tooLarge();
      chunks.push(chunk);
      task.advance(chunk.length);
    }
    return concatBytes(chunks);
  }
}

type Response = Awaited<ReturnType<import('undici').Dispatcher['request']>>;

type Outcome =
  | { readonly kind: 'done'; readonly body: Uint8Array | undefined }
  | {
      readonly kind: 'failed';
      readonly error: OnlayError;
      readonly retry: boolean;
      readonly after?: number | undefined;
    };

function statusOutcome(status: number, at: URL, request: FetchRequest, after: number | undefined): Outcome {
  if (request.optional && (status === 404 || status === 403)) return { kind: 'done', body: undefined };
  const authenticated = request.credentials !== undefined || at.username !== '';
  const [code, why, hint] = ((): [OnlayError['code'], string, string] => {
    if (status === 401 && !authenticated)
      return ['AUTH_REQUIRED', 'it asks for a user name and password', AUTH_HINT];
    if (status === 401) return ['AUTH_DENIED', 'it refuses the user name and password', AUTH_HINT];
    if (status === 403) return ['AUTH_DENIED', 'access is forbidden (403)', AUTH_HINT];
    if (status === 407) return ['AUTH_REQUIRED', 'the proxy asks for a user name and password', PROXY_HINT];
    if (status === 404 || status === 410) return ['SERVER', `there is no such file (${status})`, MIRROR_HINT];
    return ['SERVER', `it answers ${status}`, MIRROR_HINT];
  })();
  const error = new OnlayError(code, `Cannot fetch ${request.what} from ${at.href}: ${why}`, { hint });
  return { kind: 'failed', error, retry: isRetryable(status), after };
}

const MIRROR_HINT = 'another mirror can take its place: --mirror FROM=TO';
const AUTH_HINT = 'give credentials in the URL of a mirror: --mirror FROM=https://USER:PASSWORD@HOST/PATH';
const PROXY_HINT = 'put them into the URL of the proxy: http://USER:PASSWORD@HOST:PORT';

function failureOf(error: unknown, { url, request }: HttpGet, signal: AbortSignal | undefined): Outcome {
  throwIfAborted(signal);
  if (error instanceof OnlayError) return { kind: 'failed', error, retry: false };
  const { code, why, retry, hint } = describeFailure(error);
  const text = `Cannot fetch ${request.what} from ${url}: ${why}`;
  return {
    kind: 'failed',
    error: new OnlayError(code, text, { hint: hint ?? MIRROR_HINT, cause: error }),
    retry,
  };
}

function parseUrl(url: string, request: FetchRequest): URL {
  try {
    const parsed = new URL(url);
    if (parsed.protocol === 'http:' || parsed.protocol === 'https:') return parsed;
  } catch {
    // told below
  }
  throw new OnlayError('NETWORK', `Cannot fetch ${request.what}: ${url} is no http, https or file URL`);
}

function redirected(from: URL, location: string, request: FetchRequest): URL {
  const refuse = (why: string): never => {
    throw new OnlayError(
      'SERVER',
      `Cannot fetch ${request.what} from ${from.href}: it redirects to ${location.slice(0, 200)}, ${why}`,
    );
  };
  if (!URL.canParse(location, from.href)) return refuse('which is no URL');
  const to = new URL(location, from);
  if (to.protocol !== 'http:' && to.protocol !== 'https:') return refuse('which is neither http nor https');
  if (from.protocol === 'https:' && to.protocol === 'http:') return refuse('which leaves https');
  // a server does not choose what we log in with
  if (to.origin !== from.origin) to.username = to.password = '';
  else [to.username, to.password] = [from.username, from.password];
  return to;
}

/** The request as it may go to another origin: nothing that was meant for the first one. */
function without(request: FetchRequest): Pick<FetchRequest, 'what' | 'proxy' | 'tls'> {
  return { what: request.what, ...(request.proxy === undefined ? {} : { proxy: request.proxy }) };
}

function headersFor(at: URL, start: URL, request: FetchRequest): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': 'onlay', accept: '*/*' };
  if (at.origin !== start.origin) return headers;
  Object.assign(headers, request.headers);
  const login =
    at.username !== ''
      ? { username: decodeURIComponent(at.username), password: decodeURIComponent(at.password) }
      : request.credentials;
  if (login)
    headers['authorization'] =
      `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  return headers;
}

async function discard(body: Response['body']): Promise<void> {
  await body.dump({ limit: 64 << 10 }).catch(() => {});
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
