// Connections, tokens and what is known about hosts: one pool per run, shared by all its stores, so that a host is asked
// for a token once and keep-alive works from image to image. undici is loaded when the first request is made.
import type { SecureContext } from 'node:tls';
import type { Pool } from 'undici';
import { isLoopbackHost } from '../../base/ip-address.ts';
import { addressKind, type AddressKind, type Reach } from '../../base/address.ts';
import { tlsMaterial, type TlsMaterial } from './certificates.ts';
import { systemClock, type Clock } from './clock.ts';
import { connector, type TlsOptions } from './connect.ts';
import { Host } from './host.ts';
import { TokenCache } from './token-cache.ts';
import type { TransportOptions } from './transport.ts';

const CONNECT_MS = 15_000;
/** A host of this machine answers at once or does not speak TLS. */
const LOCAL_CONNECT_MS = 4_000;
const KEEP_ALIVE_MS = 20_000;

export class ConnectionPool implements AsyncDisposable {
  readonly clock: Clock;
  readonly tokens: TokenCache;
  readonly #hosts = new Map<string, Host>();
  readonly #pools = new Map<string, Pool>();
  readonly #addresses = new Map<string, AddressKind>();
  readonly #contexts = new Map<string, SecureContext>();
  readonly #tls = new WeakMap<object, Map<string, Promise<TlsMaterial>>>();

  constructor(options: { readonly clock?: Clock } = {}) {
    this.clock = options.clock ?? systemClock;
    this.tokens = new TokenCache(this.clock);
  }

  /** `mode` keeps apart what differs by the rules a store has for the host. */
  host(name: string, mode = ''): Host {
    const key = `${name} ${mode}`;
    let host = this.#hosts.get(key);
    if (!host) this.#hosts.set(key, (host = new Host()));
    return host;
  }

  /** Where the last connection to a host led; undefined when there was none or a proxy made it. */
  address(host: string): AddressKind | undefined {
    return this.#addresses.get(host);
  }

  /** For the transport. */
  async dispatcher(url: URL, proxy: URL | undefined, reach: Reach, options: TransportOptions): Promise<Pool> {
    const undici = await import('undici');
    const tls = url.protocol === 'https:' ? await this.#material(url.host, options) : undefined;
    const proxyTls = proxy?.protocol === 'https:' ? await this.#material(proxy.host, options) : undefined;
    const origin = proxy && url.protocol === 'http:' ? proxy.origin : url.origin;
    const key = [url.origin, proxy?.href, reach, tls?.fingerprint, proxyTls?.fingerprint].join(' ');
    const known = this.#pools.get(key);
    if (known) return known;
    const pool = new undici.Pool(origin, {
      connections: null,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: connector(undici.buildConnector, {
        reach,
        proxy,
        tls: origin.startsWith('https:') ? this.#tlsOptions(tls ?? proxyTls) : undefined,
        proxyTls: this.#tlsOptions(proxyTls),
        timeoutMs: isLoopbackHost(url.hostname) ? LOCAL_CONNECT_MS : CONNECT_MS,
        onAddress: (address) => this.#addresses.set(url.host, addressKind(address)),
      }),
    });
    this.#pools.set(key, pool);
    return pool;
  }

  // hosts without certificates of their own share one context
  #tlsOptions(material: TlsMaterial | undefined): TlsOptions | undefined {
    if (!material) return undefined;
    const { fingerprint, verify } = material;
    let secureContext = this.#contexts.get(fingerprint);
    if (!secureContext) this.#contexts.set(fingerprint, (secureContext = material.context()));
    return { secureContext, rejectUnauthorized: verify };
  }

  #material(host: string, options: TransportOptions): Promise<TlsMaterial> {
    const { environment, caFiles, log } = options;
    let known = this.#tls.get(environment.variables);
    if (!known) this.#tls.set(environment.variables, (known = new Map()));
    const insecure = options.insecure(host);
    const key = JSON.stringify([host, insecure, caFiles]);
    let material = known.get(key);
    if (!material) known.set(key, (material = tlsMaterial(host, { caFiles, insecure }, environment, log)));
    return material;
  }

  /** Closes all connections; running requests fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }
}
