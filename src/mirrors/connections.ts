// Connections of undici, made when first needed and kept for reuse: one pool for each combination of proxy and trust.
// undici costs 60 ms to load, so it is imported with the first request.
import type { Dispatcher, Pool } from 'undici';
import type { FetchRequest } from '../packages/fetch.ts';
import { secureContext } from './certificates.ts';
import { parseProxy, proxyFor } from './proxy.ts';
import type { Environment } from './proxy.ts';

export interface ConnectionOptions {
  readonly environment: Environment;
  /** PEM files that are trusted in addition. */
  readonly caFiles: readonly string[];
  /** host or host:port whose certificate is not checked. */
  readonly insecureHosts: readonly string[];
}

export interface Connections extends AsyncDisposable {
  /** What carries requests to `url`; `via` is the proxy, without credentials, for messages. */
  to(
    url: URL,
    request: Pick<FetchRequest, 'tls' | 'proxy' | 'what'>,
  ): Promise<{ dispatcher: Dispatcher; via?: string }>;
}

/** Requests to one host at the same time. */
const PER_HOST = 8;

export function openConnections(options: ConnectionOptions): Connections {
  const pools = new Map<string, Dispatcher>();
  return {
    async to(url, request) {
      const { Agent, Pool, ProxyAgent } = await import('undici');
      const proxy =
        request.proxy === 'direct'
          ? undefined
          : request.proxy === undefined
            ? proxyFor(url, options.environment)
            : parseProxy(request.proxy, request.what);
      const secure = url.protocol === 'https:';
      const verify = request.tls?.verify !== false && !isListed(url, options.insecureHosts);
      const { ca, cert, key } = request.tls ?? {};
      const id = JSON.stringify([proxy, secure, verify, ca, cert, key]);
      let dispatcher = pools.get(id);
      if (!dispatcher) {
        const tls = secure
          ? {
              secureContext: secureContext({
                environment: options.environment,
                caFiles: options.caFiles,
                ...(ca === undefined ? {} : { ca }),
                ...(cert === undefined ? {} : { cert }),
                ...(key === undefined ? {} : { key }),
              }),
              rejectUnauthorized: verify,
            }
          : {};
        const common = { connections: PER_HOST, headersTimeout: 60_000, bodyTimeout: 60_000 };
        dispatcher = proxy
          ? new ProxyAgent({
              ...common,
              uri: proxy,
              // plain http is asked of the proxy itself: many refuse CONNECT to port 80
              proxyTunnel: secure,
              requestTls: tls,
              clientFactory: (origin, settings) => failingOnce(new Pool(origin, settings)),
              ...(proxy.startsWith('https:')
                ? {
                    proxyTls: {
                      secureContext: secureContext({
                        environment: options.environment,
                        caFiles: options.caFiles,
                      }),
                    },
                  }
                : {}),
            })
          : new Agent({ ...common, connect: { timeout: 20_000, ...tls } });
        pools.set(id, dispatcher);
      }
      return { dispatcher, ...(proxy === undefined ? {} : { via: new URL(proxy).host }) };
    },
    async [Symbol.asyncDispose]() {
      const open = [...pools.values()];
      pools.clear();
      // idle connections end at once, and what still runs was given up by its caller
      await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/**
 * A proxy that closes the connection instead of answering CONNECT makes undici 7 dial again without end: a connector's
 * error with the code UND_ERR_SOCKET counts as passing (lib/dispatcher/client.js, onError). So it gets another code.
 */
function failingOnce(pool: Pool): Pool {
  const connect = pool.connect.bind(pool);
  const patient = (settings: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> =>
    connect(settings).catch((error: unknown) => {
      throw Object.assign(new Error('the proxy closed the connection', { cause: error }), {
        code: 'PROXY_CLOSED',
      });
    });
  return Object.assign(pool, { connect: patient as typeof pool.connect });
}

function isListed(url: URL, hosts: readonly string[]): boolean {
  return hosts.includes(url.host) || hosts.includes(url.hostname);
}
