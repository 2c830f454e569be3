// A proxy before a registry that does one wrong thing at a time, always the same way: statuses, headers, cut, reset and
// corrupted bodies, delays, redirects. Rules are used up from the first to the last; what no rule matches passes.
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { startServer, type TestServer } from './http-server.ts';

export type Fault =
  /** Answered without asking the registry; the body of the request is left unread. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The answer's body ends after `bytes`, and the connection with it. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** The connection is reset after `bytes` of the request's body. */
  | { readonly kind: 'reset'; readonly bytes: number }
  /** One bit of the answer's body at `offset` is flipped. */
  | { readonly kind: 'corrupt'; readonly offset: number }
  /** One bit of the request's body at `offset` is flipped. */
  | { readonly kind: 'corrupt-upload'; readonly offset: number }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The registry is not told about a Range, and answers with everything. */
  | { readonly kind: 'ignore-range' }
  /** Headers of the answer: replaced, or dropped when undefined. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string | undefined>> };

export interface Rule {
  /** "GET", or several: /PUT|PATCH/. */
  readonly method?: string | RegExp;
  /** Matched against path and query. */
  readonly path?: RegExp;
  /** Matching requests that pass before it applies. */
  readonly after?: number;
  /** How many requests it applies to; 1 by default. */
  readonly times?: number;
  readonly fault: Fault;
}

export interface FaultProxy extends TestServer {
  /** Starts over with other rules and an empty log. */
  reset(rules: readonly Rule[]): void;
}

/** Starts a proxy for `upstream` ("http://127.0.0.1:5000"). */
export async function startFaultProxy(upstream: string, rules: readonly Rule[] = []): Promise<FaultProxy> {
  let counters = rules.map((rule) => ({ rule, seen: 0 }));
  const faultFor = (request: IncomingMessage): Fault | undefined => {
    for (const counter of counters) {
      const { method, path, after = 0, times = 1 } = counter.rule;
      if (
        typeof method === 'string' ? method !== request.method : method?.test(request.method ?? '') === false
      )
        continue;
      if (path && !path.test(request.url ?? '')) continue;
      counter.seen++;
      if (counter.seen > after && counter.seen <= after + times) return counter.rule.fault;
    }
    return undefined;
  };
  const server = await startServer((request, response) =>
    handle(request, response, upstream, faultFor(request)),
  );
  return {
    ...server,
    reset(rules) {
      counters = rules.map((rule) => ({ rule, seen: 0 }));
      server.requests.length = 0;
    },
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: string,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.kind === 'status') {
    response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
    response.end(request.method === 'HEAD' ? undefined : (fault.body ?? ''));
    return;
  }
  if (fault?.kind === 'delay') await new Promise((resolve) => void setTimeout(resolve, fault.milliseconds));
  const answer = await forward(request, upstream, fault);
  if (!answer) {
    request.socket.resetAndDestroy();
    return;
  }
  const headers = { ...answer.headers };
  if (fault?.kind === 'headers')
    for (const [name, value] of Object.entries(fault.headers))
      if (value === undefined) delete headers[name];
      else headers[name] = value;
  response.writeHead(answer.statusCode ?? 502, headers);
  await sendBody(answer, response, fault);
}

/** The registry's answer; undefined when the connection is to be reset. */
function forward(
  request: IncomingMessage,
  upstream: string,
  fault: Fault | undefined,
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const { range, ...others } = request.headers;
    const outgoing = httpRequest(upstream, {
      method: request.method,
      path: request.url,
      headers: range === undefined || fault?.kind === 'ignore-range' ? others : { ...others, range },
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    let offset = 0;
    request.on('data', (chunk: Buffer) => {
      const start = offset;
      offset += chunk.length;
      if (fault?.kind === 'reset' && offset >= fault.bytes) {
        outgoing.removeAllListeners('error');
        outgoing.on('error', () => {});
        outgoing.destroy();
        resolve(undefined);
      } else if (outgoing.writable)
        outgoing.write(fault?.kind === 'corrupt-upload' ? flip(chunk, fault.offset - start) : chunk);
    });
    request.on('end', () => {
      if (fault?.kind === 'reset' && offset >= fault.bytes) resolve(undefined);
      else outgoing.end();
    });
    request.on('error', () => outgoing.destroy());
  });
}

async function sendBody(
  answer: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  let offset = 0;
  for await (const data of answer) {
    const chunk = data as Buffer;
    const start = offset;
    offset += chunk.length;
    if (fault?.kind === 'cut' && offset > fault.bytes) {
      response.write(chunk.subarray(0, fault.bytes - start), () => response.destroy());
      return;
    }
    const sent = fault?.kind === 'corrupt' ? flip(chunk, fault.offset - start) : chunk;
    if (!response.write(sent)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function flip(chunk: Buffer, at: number): Buffer {
  if (at < 0 || at >= chunk.length) return chunk;
  const copy = Buffer.from(chunk);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
