// One HTTP exchange: no redirects, no credentials, no retries; those are decided above. undici's `request` and not
// `fetch`, which unzips bodies (digests break) and joins repeated headers. Every wait has a limit.
import type { Readable } from 'node:stream';
import { throwIfAborted } from '../../base/abort.ts';
import type { Log } from '../../base/log.ts';
import { proxyAuthorization, proxyFor } from '../../base/proxy.ts';
import type { ByteStream } from '../../base/streams.ts';
import type { Reach } from '../../base/address.ts';
import { Answer } from './answer.ts';
import { checkLiteral } from './connect.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { Environment } from './environment.ts';
import { asFailure } from './failure.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A body that can be sent again. */
export interface RequestBody {
  readonly size: number;
  open(): ByteStream | Promise<ByteStream>;
}

export interface Exchange {
  readonly method: Method;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly reach: Reach;
  /** Longest wait for the answer once the body is sent. */
  readonly patienceMs?: number;
  /** Longest time for all of it, the answer's body included. */
  readonly limitMs?: number;
}

/** One request as it was sent, for --debug and tests. Holds no secret: queries of URLs are cut off. */
export interface RequestEvent {
  readonly method: Method;
  readonly url: string;
  readonly status?: number;
  readonly failure?: string;
  readonly authorization?: string;
  readonly range?: string;
  readonly proxy?: string;
  readonly milliseconds: number;
}

export interface TransportOptions {
  readonly pool: ConnectionPool;
  readonly environment: Environment;
  readonly caFiles: readonly string[];
  /** Hosts whose certificate is not verified. */
  readonly insecure: (host: string) => boolean;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
}

const IDLE_MS = 60_000;
const READ_SIZE = 256 << 10;

export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Throws ExchangeFailure, or an OnlayError from the body or the configuration. */
  async send(exchange: Exchange): Promise<Answer> {
    const { environment, pool, signal, onRequest } = this.#options;
    const { url, method } = exchange;
    throwIfAborted(signal);
    checkLiteral(url, exchange.reach);
    const proxy = proxyFor(url, environment.variables);
    const plainProxy = url.protocol === 'http:' ? proxy : undefined;
    const dispatcher = await pool.dispatcher(url, proxy, exchange.reach, this.#options);
    const started = performance.now();
    const event = (outcome: Partial<RequestEvent>): void =>
      onRequest?.({
        ...requestEvent(exchange, proxy),
        ...outcome,
        milliseconds: performance.now() - started,
      });
    try {
      const answer = await dispatcher.request({
        origin: plainProxy?.origin ?? url.origin,
        path: plainProxy ? url.href : url.pathname + url.search,
        method,
        headers: { ...exchange.headers, ...bodyHeaders(exchange), ...proxyHeaders(url, plainProxy) },
        body: exchange.body ? (writable(exchange.body) as unknown as Readable) : null,
        signal: joinSignals(signal, exchange.limitMs),
        headersTimeout: exchange.patienceMs ?? IDLE_MS,
        bodyTimeout: IDLE_MS,
        highWaterMark: READ_SIZE,
      });
      event({ status: answer.statusCode });
      return new Answer(answer.statusCode, answer.headers, answer.body, url);
    } catch (error) {
      throwIfAborted(signal);
      const failure = asFailure(error);
      event({ failure: failure.message });
      throw failure;
    }
  }
}

function joinSignals(signal: AbortSignal | undefined, limitMs: number | undefined): AbortSignal | null {
  if (limitMs === undefined) return signal ?? null;
  const limit = AbortSignal.timeout(limitMs);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

function bodyHeaders({ method, body }: Exchange): Record<string, string> {
  if (body) return { 'content-length': String(body.size) };
  return method === 'GET' || method === 'HEAD' || method === 'DELETE' ? {} : { 'content-length': '0' };
}

// through a proxy the whole URL is the request target, and the proxy's credentials are a header of the request
function proxyHeaders(url: URL, plainProxy: URL | undefined): Record<string, string> {
  if (!plainProxy) return {};
  const authorization = proxyAuthorization(plainProxy);
  return { host: url.host, ...(authorization !== undefined && { 'proxy-authorization': authorization }) };
}

const WRITE_SIZE = 256 << 10;

// Opened when the connection is there. In one piece, a large buffer would have to be sent within the time limit of a
// single write.
async function* writable(body: RequestBody): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of await body.open())
    for (let at = 0; at < chunk.length; at += WRITE_SIZE) yield chunk.subarray(at, at + WRITE_SIZE);
}

function requestEvent(
  { method, url, headers }: Exchange,
  proxy: URL | undefined,
): Omit<RequestEvent, 'milliseconds'> {
  const scheme = headers['authorization']?.split(' ', 1)[0];
  const range = headers['range'];
  return {
    method,
    url: `${url.origin}${url.pathname}${url.search === '' ? '' : '?…'}`,
    ...(scheme !== undefined && { authorization: scheme }),
    ...(range !== undefined && { range }),
    ...(proxy && { proxy: proxy.host }),
  };
}
