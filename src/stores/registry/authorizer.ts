// The Authorization header of one repository: what the registry asks for (its challenge), credentials found once, tokens
// from the shared cache. Scopes are the repository's own unless the challenge names others (registries behind a path
// prefix know the repository by another name).
import { createHash } from 'node:crypto';
import { hasCode, OnlayError } from '../../errors.ts';
import type { Log } from '../../base/log.ts';
import type { Answer } from './answer.ts';
import { challengeScopes, chooseChallenge, parseChallenges, type Challenge } from './challenge.ts';
import type { ConnectionPool } from './connection-pool.ts';
import { secretsOf, type Credential, type CredentialSearch } from './credentials.ts';
import type { Host, HostChallenge } from './host.ts';
import { judgeRealm, type Realm } from './realm.ts';
import type { Retrier } from './retry.ts';
import { basicValue, fetchToken } from './token.ts';
import type { Transport } from './transport.ts';

export type Access = 'pull' | 'push';

/** What a request needs to be allowed. */
export interface Need {
  /** 'login': no repository at all. */
  readonly access: Access | 'login';
  /** Another repository to read from, for a mount. */
  readonly mountFrom?: string | undefined;
}

export interface Authorization {
  readonly value: string;
  /** Where the credentials came from; undefined for an anonymous token. */
  readonly source: string | undefined;
  readonly scopes: readonly string[];
}

export interface AuthorizerOptions {
  readonly pool: ConnectionPool;
  readonly host: Host;
  /** As the user knows it: "docker.io". */
  readonly registry: string;
  readonly repository: string;
  readonly credentials: () => Promise<CredentialSearch>;
  /** Send credentials with the first request, without being asked: the user gave a token for that. */
  readonly eager: boolean;
  readonly trustedRealms: readonly string[];
  readonly transport: Transport;
  readonly retrier: Retrier;
  readonly log: Log;
}

export class Authorizer {
  readonly #options: AuthorizerOptions;
  /** By need: scopes a challenge asked for instead of ours. */
  readonly #scopes = new Map<string, readonly string[]>();
  #search: Promise<CredentialSearch> | undefined;
  readonly #tokens = new Set<string>();
  #warnedRealm = false;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The header to send at once; undefined while the registry has not asked for any. */
  async current(need: Need, registry: URL): Promise<Authorization | undefined> {
    const { host, eager } = this.#options;
    if (!host.challenge && !eager) return undefined;
    const { credential } = await this.#credentials(need);
    if (credential?.kind === 'registry-token') return registryToken(credential);
    return host.challenge && this.#authorize(host.challenge, this.#scopesFor(need), registry, need);
  }

  /**
   * The header to answer a 401 with. `sent` is what the refused request held. Undefined: there is nothing better to
   * send. Throws AUTH_* when the token server refuses.
   */
  async challenged(
    answer: Answer,
    need: Need,
    sent: Authorization | undefined,
  ): Promise<Authorization | undefined> {
    const { host } = this.#options;
    const challenge = chooseChallenge(parseChallenges(answer.headerValues('www-authenticate')));
    if (challenge) host.challenge = hostChallenge(challenge);
    const scopes = this.#learnScopes(need, challenge);
    const { credential } = await this.#credentials(need);
    const header =
      credential?.kind === 'registry-token'
        ? registryToken(credential)
        : host.challenge && (await this.#authorize(host.challenge, scopes, answer.url, need, sent));
    return header?.value === sent?.value ? undefined : header;
  }

  /** Where the credentials came from, for messages. */
  async source(): Promise<string | undefined> {
    return (await this.#found())?.source;
  }

  /** What must not appear in a message, whatever the server sends back. */
  async secrets(): Promise<readonly string[]> {
    const credential = await this.#found();
    return [...(credential ? secretsOf(credential) : []), ...this.#tokens];
  }

  scopesOf(need: Need): readonly string[] {
    return this.#options.host.challenge?.scheme === 'bearer' ? this.#scopesFor(need) : [];
  }

  async #credentials(need: Need): Promise<CredentialSearch> {
    this.#search ??= this.#find();
    const search = await this.#search;
    if (search.credential === undefined && search.problems.length > 0 && need.access === 'push')
      throw new OnlayError(
        'AUTH_REQUIRED',
        `Cannot find credentials for ${this.#options.registry}: ${search.problems.join('; ')}`,
        {
          hint: 'correct the docker config file, or give credentials with --authfile FILE',
        },
      );
    return search;
  }

  async #found(): Promise<Credential | undefined> {
    return (await this.#search?.catch(() => undefined))?.credential;
  }

  async #find(): Promise<CredentialSearch> {
    const search = await this.#options.credentials();
    for (const problem of search.problems)
      this.#options.log.warn('a source of credentials cannot be used', {
        registry: this.#options.registry,
        problem,
      });
    return search;
  }

  #scopesFor(need: Need): readonly string[] {
    if (need.access === 'login') return [];
    const own = `repository:${this.#options.repository}:${need.access === 'push' ? 'pull,push' : 'pull'}`;
    const learned = this.#scopes.get(keyOf(need)) ?? [own];
    if (need.mountFrom === undefined) return learned;
    const from = `repository:${need.mountFrom}:pull`;
    return learned.includes(from) ? learned : [...learned, from];
  }

  // the challenge knows best, but may ask for less than the operation will need in a moment (a push starts with a pull)
  #learnScopes(need: Need, challenge: Challenge | undefined): readonly string[] {
    const asked = challenge ? challengeScopes(challenge) : [];
    if (asked.length > 0 && need.access !== 'login') {
      const wider = asked.map((scope) =>
        need.access === 'push' &&
        scope.startsWith('repository:') &&
        scope.endsWith(':pull') &&
        !isMountScope(scope, need)
          ? `${scope},push`
          : scope,
      );
      this.#scopes.set(keyOf(need), wider);
    }
    return this.#scopesFor(need);
  }

  async #authorize(
    challenge: HostChallenge,
    scopes: readonly string[],
    registry: URL,
    need: Need,
    sent?: Authorization,
  ): Promise<Authorization | undefined> {
    const { credential } = await this.#credentials(need);
    if (credential?.kind === 'registry-token') return registryToken(credential);
    if (challenge.scheme === 'basic')
      return credential && { value: basicValue(credential), source: credential.source, scopes: [] };
    const realm = this.#realm(challenge, registry);
    const used = realm.sendCredentials ? credential : undefined;
    if (credential && !used && !this.#warnedRealm)
      this.#options.log.warn(
        'credentials were not sent to a token server on another domain: see --trusted-realm',
        {
          registry: this.#options.registry,
          realm: realm.url.host,
        },
      );
    this.#warnedRealm ||= used !== credential;
    const value = await this.#token(challenge, realm, scopes, used, sent);
    this.#tokens.add(value);
    return { value: `Bearer ${value}`, source: used?.source, scopes };
  }

  #realm(challenge: HostChallenge, registry: URL): Realm {
    const { pool, trustedRealms } = this.#options;
    return judgeRealm(challenge.realm, {
      registry,
      address: pool.address(registry.host),
      trusted: trustedRealms,
    });
  }

  #token(
    { service }: HostChallenge,
    realm: Realm,
    scopes: readonly string[],
    credential: Exclude<Credential, { kind: 'registry-token' }> | undefined,
    sent: Authorization | undefined,
  ): Promise<string> {
    const { pool, registry, transport, retrier } = this.#options;
    const key = createHash('sha256')
      .update(JSON.stringify([realm.url.href, service, [...scopes].sort(), credential]))
      .digest('hex');
    const context = { transport, retrier, host: pool.host(realm.url.host, 'realm') };
    return pool.tokens.get(
      key,
      () => fetchToken({ registry, realm, service, scopes, credential }, context),
      sent?.value.replace(/^Bearer /, ''),
    );
  }
}

/** True for refusals that say: you, not the network. */
export function isAuthError(error: unknown): error is OnlayError {
  return hasCode(error, 'AUTH_REQUIRED', 'AUTH_DENIED');
}

function hostChallenge({ scheme, parameters }: Challenge): HostChallenge {
  return {
    scheme: scheme === 'bearer' ? 'bearer' : 'basic',
    realm: parameters.get('realm') ?? '',
    service: parameters.get('service'),
  };
}

function registryToken(credential: Extract<Credential, { kind: 'registry-token' }>): Authorization {
  return { value: `Bearer ${credential.token}`, source: credential.source, scopes: [] };
}

function keyOf({ access, mountFrom }: Need): string {
  return `${access} ${mountFrom ?? ''}`;
}

function isMountScope(scope: string, { mountFrom }: Need): boolean {
  return mountFrom !== undefined && scope === `repository:${mountFrom}:pull`;
}
