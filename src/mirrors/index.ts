// The adapter of the Fetch port: mirror map, cache, directories and http behind one `get`.
import { OnlayError } from '../errors.ts';
import { throwIfAborted } from '../base/abort.ts';
import type { RetryPolicy } from '../base/backoff.ts';
import { SingleFlight } from '../base/concurrency.ts';
import { hexDigest } from '../base/hash.ts';
import type { Log, Progress } from '../base/log.ts';
import type { Fetch, FetchRequest } from '../packages/fetch.ts';
import { openCache } from './cache.ts';
import type { CacheClass } from './cache.ts';
import { pathBelow, readLocal } from './directory.ts';
import { openHttp } from './http.ts';
import { parseMirrors, rewriteUrl } from './rewrite.ts';

export interface MirrorOptions {
  /** `FROM=TO`, as --mirror has it. */
  readonly mirrors: readonly string[];
  /** Absent: nothing is kept. */
  readonly cacheDir?: string;
  /** Open no connection: directories and the cache only. */
  readonly offline?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** PEM files trusted beyond the system's. */
  readonly caFiles?: readonly string[];
  /** host[:port] whose certificate is not checked. */
  readonly insecureHosts?: readonly string[];
  readonly retry?: RetryPolicy;
}

export interface MirrorFetch extends Fetch, AsyncDisposable {
  readonly stats: {
    /** Bytes received over the network. */
    readonly fetched: number;
    readonly requests: number;
  };
}

/** Throws USAGE for a mirror rule that is none. Dispose of it: it holds connections. */
export function createFetch(options: MirrorOptions): MirrorFetch {
  const rules = parseMirrors(options.mirrors);
  const cache = options.cacheDir === undefined ? undefined : openCache(options.cacheDir, options.log);
  const flights = new SingleFlight<Uint8Array | undefined>();
  const http = openHttp({
    environment: options.env,
    caFiles: options.caFiles ?? [],
    insecureHosts: options.insecureHosts ?? [],
    log: options.log,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.retry === undefined ? {} : { retry: options.retry }),
  });

  async function load(request: FetchRequest): Promise<Uint8Array | undefined> {
    throwIfAborted(options.signal);
    const target = rewriteUrl(request.url, rules);
    if (target.kind === 'directory') return readDirectory(target.directory, target.rest, request);
    if (/^(?:file|copy):/i.test(target.url)) {
      if (request.hostFiles === false)
        throw new OnlayError(
          'NETWORK',
          `Cannot fetch ${request.what}: ${request.url} is a path inside the image`,
          {
            hint: `map it to a directory of this machine: --mirror ${request.url.replace(/\/(?:dists|pool)\/.*$/, '')}=DIRECTORY`,
          },
        );
      return readDirectory(target.url, '', request);
    }
    const kind = classOf(request.url);
    const cached = request.sha256 === undefined ? undefined : await cache?.get(kind, request.sha256);
    const task = options.progress.start(request.what, request.size);
    if (cached) {
      task.done('cached');
      if (cached.length > request.limit) throw tooLarge(request);
      return cached;
    }
    if (options.offline)
      throw new OnlayError(
        'NETWORK',
        `Cannot fetch ${request.what} from ${target.url}: offline, and it is not in the cache`,
        {
          hint: 'map the repository to a directory: --mirror FROM=DIRECTORY',
        },
      );
    try {
      // what was meant for the repository's own server does not go to a mirror
      const body = await http.get({
        url: target.url,
        request: target.rule ? impersonal(request) : request,
        task,
      });
      task.done(body ? undefined : 'not there');
      if (cache && body && request.sha256 !== undefined && hexDigest('sha256', body) === request.sha256)
        await cache.put(kind, request.sha256, body);
      return body;
    } catch (error) {
      task.done('failed');
      throw error;
    }
  }

  function get(request: FetchRequest & { readonly optional?: false }): Promise<Uint8Array>;
  function get(request: FetchRequest): Promise<Uint8Array | undefined>;
  function get(request: FetchRequest): Promise<Uint8Array | undefined> {
    return flights.run(`${request.url}\n${request.sha256 ?? ''}\n${request.optional === true}`, () =>
      load(request),
    );
  }

  return {
    get,
    get stats() {
      return http.stats;
    },
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await cache?.prune();
    },
  };
}

async function readDirectory(
  directory: string,
  rest: string,
  request: FetchRequest,
): Promise<Uint8Array | undefined> {
  const path = pathBelow(directory, rest, request.what);
  const bytes = await readLocal(path, request);
  if (bytes || request.optional) return bytes;
  throw new OnlayError('SERVER', `Cannot fetch ${request.what}: there is no file ${path}`);
}

function tooLarge(request: FetchRequest): OnlayError {
  return new OnlayError(
    'LIMIT_EXCEEDED',
    `${request.what} is larger than the limit of ${request.limit} bytes`,
  );
}

function classOf(url: string): CacheClass {
  return /\.(?:deb|udeb|ddeb|rpm|drpm|apk)$/.test(url) && !/\/APKINDEX/.test(url) ? 'packages' : 'indexes';
}

/** The request as it may go to a mirror, which the user chose: nothing that the image or its repository says. */
function impersonal(request: FetchRequest): FetchRequest {
  const {
    credentials: _credentials,
    tls: _tls,
    proxy: _proxy,
    headers: _headers,
    hostFiles: _hostFiles,
    ...rest
  } = request;
  return rest;
}
