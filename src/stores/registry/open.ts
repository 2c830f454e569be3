// Opens a repository of a registry: puts together what the other files know.
import { silentProgress, type Log, type Progress } from '../../base/log.ts';
import { OnlayError } from '../../errors.ts';
import type { ImageStore } from '../../oci/image-store.ts';
import type { RegistryReference } from '../../oci/reference.ts';
import { Authorizer, type Access } from './authorizer.ts';
import { RegistryClient, schemeFor, type Endpoint } from './client.ts';
import { ConnectionPool } from './connection-pool.ts';
import { findCredential } from './credentials.ts';
import { systemEnvironment, type Environment } from './environment.ts';
import { locate, readRegistriesConf, type Location } from './registries-conf.ts';
import { Retrier } from './retry.ts';
import { RegistryStore, type Places } from './store.ts';
import { Transport, type RequestEvent } from './transport.ts';

export interface RegistryOptions {
  /** The only file credentials are taken from. */
  readonly authfile?: string | undefined;
  /** For this registry, not for its mirrors. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A Bearer token, sent as it is. */
  readonly registryToken?: string | undefined;
  /** Hosts ("host" or "host:port") whose certificate is not verified. */
  readonly insecure?: readonly string[];
  /** Hosts that are spoken to without TLS. */
  readonly plainHttp?: readonly string[];
  /** PEM files of authorities, besides the system's. */
  readonly caFiles?: readonly string[];
  /** Hosts of token servers on other domains that may see credentials. */
  readonly trustedRealms?: readonly string[];
  /** 'push' asks for both rights with the first token: saves a request when the same repository is written later. */
  readonly access?: Access;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** For uploads the caller cannot know of: those that repair a mount. */
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** For the jitter of pauses. */
  readonly random?: () => number;
  /** Each request as it was sent; without secrets. */
  readonly onRequest?: (event: RequestEvent) => void;
  /** Connections, tokens, knowledge about hosts, shared by the stores of a run. Absent: the store has one of its own. */
  readonly pool?: ConnectionPool;
}

/**
 * Opens a repository for reading and writing. Nothing is sent before the first call. Errors of the calls: AUTH_REQUIRED,
 * AUTH_DENIED, IMAGE_NOT_FOUND, NETWORK, SERVER, TIMEOUT, TARGET_REFUSED, DIGEST_MISMATCH, SIZE_MISMATCH, CONFIG_INVALID.
 */
export function openRegistry(reference: RegistryReference, options: RegistryOptions): ImageStore {
  const environment = systemEnvironment(options.env);
  const { pool = new ConnectionPool() } = options;
  return new RegistryStore({
    reference,
    progress: options.progress ?? silentProgress,
    places: () => openPlaces(reference, { ...options, pool }, environment),
    dispose: async () => {
      if (options.pool === undefined) await pool[Symbol.asyncDispose]();
    },
  });
}

/** For `login`: a client of the host, whatever the repository. */
export function openHost(
  reference: RegistryReference,
  options: RegistryOptions,
  environment: Environment,
): RegistryClient {
  const { domain, path } = reference;
  const location: Location = { domain, repository: path, insecure: false, pullFrom: 'all' };
  const { pool = new ConnectionPool() } = options;
  return openClient(location, undefined, { reference, options: { ...options, pool }, environment });
}

type PooledOptions = RegistryOptions & { readonly pool: ConnectionPool };

async function openPlaces(
  reference: RegistryReference,
  options: PooledOptions,
  environment: Environment,
): Promise<Places> {
  const { domain, path } = reference;
  const locations = locate(await readRegistriesConf(environment), domain, path);
  if (locations.blocked)
    throw new OnlayError('TARGET_REFUSED', `Cannot use ${domain}/${path}: registries.conf blocks it`, {
      hint: 'remove "blocked" from its [[registry]], or use another registry',
    });
  const context = { reference, options, environment };
  return {
    primary: openClient(locations.primary, undefined, context),
    mirrors: locations.mirrors.map((mirror) => ({
      client: openClient(mirror, `${mirror.domain}/${mirror.repository}`, context),
      pullFrom: mirror.pullFrom,
    })),
  };
}

function openClient(
  location: Location,
  mirror: string | undefined,
  {
    reference,
    options,
    environment,
  }: { reference: RegistryReference; options: PooledOptions; environment: Environment },
): RegistryClient {
  const { log, pool, signal } = options;
  const apiHost = location.domain === 'docker.io' ? 'registry-1.docker.io' : location.domain;
  const endpoint: Endpoint = {
    apiHost,
    repository: location.repository,
    mirror,
    scheme: schemeFor(apiHost, {
      plainHttp: listed(options.plainHttp),
      mayFallBack: location.insecure,
    }),
  };
  const isInsecure = listed(options.insecure);
  const insecure = (host: string): boolean => isInsecure(host) || (location.insecure && host === apiHost);
  const host = pool.host(apiHost, `${endpoint.scheme} ${insecure(apiHost)}`);
  const retrier = new Retrier({ clock: pool.clock, random: options.random ?? Math.random, log, signal });
  const transport = new Transport({
    pool,
    environment,
    caFiles: options.caFiles ?? [],
    insecure,
    log,
    signal,
    onRequest: options.onRequest,
  });
  // what the user typed is for the registry that was named, not for a mirror a file names
  const given = location.domain === reference.domain ? options : { authfile: options.authfile };
  const authorizer = new Authorizer({
    pool,
    host,
    registry: location.domain,
    repository: location.repository,
    credentials: () =>
      findCredential(
        {
          domain: location.domain,
          repository: location.repository,
          serverKey: location.domain === 'docker.io' ? 'https://index.docker.io/v1/' : location.domain,
        },
        given,
        environment,
      ),
    eager: mirror === undefined && options.registryToken !== undefined,
    trustedRealms: options.trustedRealms ?? [],
    transport,
    retrier,
    log,
  });
  return new RegistryClient({
    endpoint,
    place: `${reference.domain}/${reference.path}`,
    pool,
    host,
    transport,
    retrier,
    authorizer,
    // nothing is ever written to a mirror
    access: mirror === undefined ? (options.access ?? 'pull') : 'pull',
    variables: options.env,
    log,
    registry: location.domain,
  });
}

// "host" names all its ports
function listed(hosts: readonly string[] | undefined): (host: string) => boolean {
  const known = new Set((hosts ?? []).map((host) => host.toLowerCase().replace(/^https?:\/\/|\/+$/g, '')));
  return (host) =>
    known.has(host) ||
    known.has(host.replace(/:\d+$/, '')) ||
    (known.has('docker.io') && host === 'registry-1.docker.io');
}
