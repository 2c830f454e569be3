// Connections of undici, made when first needed and kept for reuse: one pool for each combination of proxy and trust.
// undici costs 60 ms to load, so it is imported with the first request.
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';
import { forbiddenLiteral, guardedLookup } from '../base/address.ts';
import type { Reach } from '../base/address.ts';
import {
  beyondNode,
  certificatesIn,
  isCertificate,
  readAuthorities,
  tlsContext,
} from '../base/certificates.ts';
import { systemFiles } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { parseProxy, proxyFor } from '../base/proxy.ts';
import { OnlayError } from '../errors.ts';
import type { FetchRequest } from '../packages/fetch.ts';
import { ProxyClosed } from './failure.ts';

export interface ConnectionOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** PEM files that are trusted in addition. */
  readonly caFiles: readonly string[];
  /** host or host:port whose certificate is not checked. */
  readonly insecureHosts: readonly string[];
  readonly log: Log;
}

export interface Connections extends AsyncDisposable {
  /** What carries requests to `url`; `via` is the proxy, without credentials, for messages. */
  to(
    url: URL,
    request: Pick<FetchRequest, 'tls' | 'proxy' | 'what'>,
    reach: Reach,
  ): Promise<{ dispatcher: Dispatcher; via?: string }>;
}

/** Requests to one host at the same time. */
const PER_HOST = 8;

/** What undici's ProxyAgent can speak to. */
const PROXY_SCHEMES = ['http', 'https', 'socks5', 'socks'];

export function openConnections(options: ConnectionOptions): Connections {
  const pools = new Map<string, Dispatcher>();
  const { environment, caFiles, log } = options;
  let reading: Promise<readonly string[]> | undefined;
  const authorities = (): Promise<readonly string[]> =>
    (reading ??= readAuthorities({ variables: environment, files: systemFiles, caFiles, log }));

  return {
    async to(url, request, reach) {
      const { Agent, Pool, ProxyAgent } = await import('undici');
      const proxy =
        request.proxy === 'direct'
          ? undefined
          : request.proxy === undefined
            ? proxyFor(url, environment, PROXY_SCHEMES)
            : parseProxy(request.proxy, request.what, PROXY_SCHEMES);
      const secure = url.protocol === 'https:';
      const verify = request.tls?.verify !== false && !isListed(url, options.insecureHosts);
      const { ca, cert, key } = request.tls ?? {};
      const forbidden = forbiddenLiteral(url, reach);
      if (forbidden !== undefined) throw forbiddenAddress(forbidden);
      const id = JSON.stringify([proxy, secure, verify, reach, ca, cert, key]);
      const trusted = secure || proxy?.protocol === 'https:' ? await authorities() : [];
      let dispatcher = pools.get(id);
      if (!dispatcher) {
        const tls = secure
          ? {
              secureContext: contextFor(url.host, trusted, request.tls ?? {}, log),
              rejectUnauthorized: verify,
            }
          : {};
        const common = { connections: PER_HOST, headersTimeout: 60_000, bodyTimeout: 60_000 };
        dispatcher = proxy
          ? new ProxyAgent({
              ...common,
              uri: proxy.href,
              // plain http is asked of the proxy itself: many refuse CONNECT to port 80
              proxyTunnel: secure,
              requestTls: tls,
              clientFactory: (origin, settings) => failingOnce(new Pool(origin, settings)),
              ...(proxy.protocol === 'https:'
                ? { proxyTls: { secureContext: contextFor(proxy.host, trusted, {}, log) } }
                : {}),
            })
          : new Agent({ ...common, connect: { timeout: 20_000, ...tls, ...guard(reach) } });
        pools.set(id, dispatcher);
      }
      return { dispatcher, ...(proxy === undefined ? {} : { via: proxy.host }) };
    },
    async [Symbol.asyncDispose]() {
      const open = [...pools.values()];
      pools.clear();
      // idle connections end at once, and what still runs was given up by its caller
      await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function guard(reach: Reach): { readonly lookup?: LookupFunction } {
  return reach === 'any' ? {} : { lookup: guardedLookup(reach, forbiddenAddress) };
}

function forbiddenAddress(address: string): OnlayError {
  return new OnlayError(
    'NETWORK',
    `A package repository leads to ${address}, where clouds keep secrets of their machines; nothing is asked there`,
    { hint: 'if a mirror really is there, name it: --mirror FROM=TO' },
  );
}

/** TLS with `host`, for which a repository may name an authority and a client certificate of its own. */
function contextFor(
  host: string,
  trusted: readonly string[],
  { ca, cert, key }: NonNullable<FetchRequest['tls']>,
  log: Log,
): SecureContext {
  const own = ca === undefined ? [] : certificatesIn(Buffer.from(ca, 'latin1'));
  if (!own.every(isCertificate))
    throw new OnlayError('CONFIG_INVALID', `Cannot use the authority for ${host}: it is not valid PEM`);
  return tlsContext({
    authorities: beyondNode([...trusted, ...own]),
    certificates: cert === undefined ? [] : [cert],
    keys: key === undefined ? [] : [key],
    where: host,
    log,
  });
}

/**
 * A proxy that closes the connection instead of answering CONNECT makes undici 7 dial again without end: a connector's
 * error with the code UND_ERR_SOCKET counts as passing (lib/dispatcher/client.js, onError). So it becomes another one.
 */
function failingOnce(pool: Pool): Pool {
  const connect = pool.connect.bind(pool);
  const patient = (settings: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> =>
    connect(settings).catch((error: unknown) => {
      throw new ProxyClosed('the proxy closed the connection', { cause: error });
    });
  return Object.assign(pool, { connect: patient });
}

function isListed(url: URL, hosts: readonly string[]): boolean {
  return hosts.includes(url.host) || hosts.includes(url.hostname);
}
