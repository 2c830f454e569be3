// Requests to one repository of one registry host (a mirror or the registry itself): scheme, Authorization, redirects
// and retries around each exchange. What is asked, and what an answer means, is known above (document, blob, upload).
import type { OnlayError } from '../../errors.ts';
import { isLoopbackHost } from '../../base/ip-address.ts';
import type { Log } from '../../base/log.ts';
import { proxyFor } from '../../base/proxy.ts';
import type { Reach } from '../../base/address.ts';
import type { Answer } from './answer.ts';
import type { Access, Authorization, Authorizer, Need } from './authorizer.ts';
import type { ConnectionPool } from './connection-pool.ts';
import { ExchangeFailure, failureError } from './failure.ts';
import type { Host } from './host.ts';
import { reachBeside } from './realm.ts';
import { followRedirects } from './redirect.ts';
import { refusal, serverMessage, type ServerMessage } from './refusal.ts';
import { Retrier } from './retry.ts';
import type { Exchange, Method, RequestBody, Transport } from './transport.ts';

/** One place that serves the repository. */
export interface Endpoint {
  /** Host of the API, with port. */
  readonly apiHost: string;
  readonly repository: string;
  /** "mirror.corp/hub/library/nginx" for a mirror; undefined for the registry itself. */
  readonly mirror: string | undefined;
  /** Which schemes may be spoken: `local` tries https first, then http. */
  readonly scheme: 'https' | 'http' | 'local';
}

export interface Call {
  readonly method: Method;
  /** Below /v2/REPOSITORY/, an absolute path, or a whole URL. */
  readonly target: string | URL;
  /** "read manifest 1.27 of docker.io/library/nginx", for messages. */
  readonly doing: string;
  readonly need: Need;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** false: one attempt, and a 401 comes back once credentials have been renewed; the caller starts over. */
  readonly replay?: boolean;
  /** Another origin, which gets no credentials. */
  readonly foreign?: Reach;
  readonly patienceMs?: number;
  readonly limitMs?: number;
}

export interface ClientOptions {
  readonly endpoint: Endpoint;
  /** For messages: "docker.io/library/nginx". */
  readonly place: string;
  readonly pool: ConnectionPool;
  readonly host: Host;
  readonly transport: Transport;
  readonly retrier: Retrier;
  readonly authorizer: Authorizer;
  /** The least every request asks for: 'push' saves a second token when a push follows. */
  readonly access: Access;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly registry: string;
}

export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly place: string;
  readonly log: Log;
  readonly host: Host;
  readonly retrier: Retrier;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.endpoint = options.endpoint;
    this.place = options.place;
    this.log = options.log;
    this.host = options.host;
    this.retrier = options.retrier;
  }

  /** The answer, good or bad, after redirects, login and retries. Throws when there is none. */
  async call(call: Call): Promise<Answer> {
    const kind = call.method === 'GET' || call.method === 'HEAD' ? 'reads' : 'writes';
    try {
      if (call.replay !== false) return await this.retrier.run(this.host, kind, () => this.#authorized(call));
      const outcome = await this.retrier.once(this.host, kind, () => this.#authorized(call));
      if (outcome instanceof ExchangeFailure) throw outcome;
      return outcome;
    } catch (error) {
      if (!(error instanceof ExchangeFailure) || call.replay === false) throw error;
      throw this.failure(error, call.doing);
    }
  }

  /** The error for an answer that cannot be gone on with. HEAD has no body, so its cause is asked for by GET. */
  async refused(call: Call, answer: Answer, said?: ServerMessage): Promise<OnlayError> {
    const { authorizer } = this.#options;
    if (call.method === 'HEAD') {
      await answer.discard();
      const again = await this.call({ ...call, method: 'GET', replay: true });
      if (again.status === answer.status) return this.refused({ ...call, method: 'GET' }, again);
      again.destroy();
    }
    return refusal(answer, said ?? (await this.explain(call, answer)), {
      doing: call.doing,
      method: call.method,
      registry: this.#options.registry,
      credentials: await authorizer.source(),
      scopes: authorizer.scopesOf(call.need),
      notes: this.#notes(answer.url),
    });
  }

  /** What the body of a refusal says. */
  async explain(call: Call, answer: Answer): Promise<ServerMessage> {
    return serverMessage(answer, call.method, await this.#options.authorizer.secrets());
  }

  failure(failure: ExchangeFailure, doing: string): OnlayError {
    return failureError(failure, doing, [this.endpoint.apiHost, ...this.#notes(this.base())].join(', '));
  }

  /** Where servers that this registry names may be. */
  reachBeside(): Reach {
    return reachBeside(this.#options.pool.address(this.endpoint.apiHost));
  }

  /** The registry's own URL, with the scheme in use. */
  base(): URL {
    const { endpoint } = this;
    const scheme = this.host.scheme ?? (endpoint.scheme === 'http' ? 'http' : 'https');
    return new URL(`${scheme}://${endpoint.apiHost}`);
  }

  url(target: string | URL): URL {
    if (target instanceof URL) return target;
    return new URL(
      target.startsWith('/') ? target : `/v2/${this.endpoint.repository}/${target}`,
      this.base(),
    );
  }

  #notes(url: URL): string[] {
    const proxy = proxyFor(url, this.#options.variables);
    return [
      ...(this.endpoint.mirror === undefined ? [] : [`mirror ${this.endpoint.mirror}`]),
      ...(proxy ? [`proxy ${proxy.host}`] : []),
      ...(url.host === this.endpoint.apiHost ? [] : [`redirected to ${url.host}`]),
    ];
  }

  async #authorized(call: Call): Promise<Answer> {
    if (call.foreign !== undefined) return this.#send(call, undefined);
    const wide = this.#options.access === 'push' && call.need.access === 'pull';
    const need: Need = wide ? { ...call.need, access: 'push' } : call.need;
    const { authorizer } = this.#options;
    let sent = await authorizer.current(need, this.base());
    let answer = await this.#send(call, sent);
    // a first challenge, and one for a token that has expired or is too narrow
    for (let round = 0; round < 2 && answer.status === 401 && this.#isOwn(answer); round++) {
      const next = await authorizer.challenged(await this.#withChallenge(answer), need, sent);
      if (next === undefined) break;
      if (call.replay === false && call.body) break;
      await answer.discard();
      sent = next;
      answer = await this.#send(call, sent);
    }
    return answer;
  }

  #isOwn(answer: Answer): boolean {
    return answer.url.origin === this.base().origin;
  }

  // gcr.io answers 401 without saying how to log in; its /v2/ does
  async #withChallenge(answer: Answer): Promise<Answer> {
    if (answer.headerValues('www-authenticate').length > 0 || this.host.challenge) return answer;
    const ping = await this.#options.transport.send({
      method: 'GET',
      url: new URL('/v2/', this.base()),
      headers: HEADERS,
      reach: 'any',
    });
    await ping.discard();
    return ping;
  }

  async #send(call: Call, authorization: Authorization | undefined): Promise<Answer> {
    const exchange = (): Exchange => ({
      method: call.method,
      url: this.url(call.target),
      headers: { ...HEADERS, ...call.headers, ...(authorization && { authorization: authorization.value }) },
      reach: call.foreign ?? 'any',
      ...(call.body && { body: call.body }),
      ...(call.patienceMs !== undefined && { patienceMs: call.patienceMs }),
      ...(call.limitMs !== undefined && { limitMs: call.limitMs }),
    });
    const send = async (exchange: Exchange): Promise<Answer> => {
      const answer = await this.#options.transport.send(exchange);
      if (exchange.url.host === this.endpoint.apiHost)
        this.host.scheme ??= exchange.url.protocol === 'https:' ? 'https' : 'http';
      return answer;
    };
    const follow = (): Promise<Answer> =>
      followRedirects(exchange(), send, { reach: () => this.reachBeside(), doing: call.doing });
    const tried = this.base().protocol;
    try {
      return await follow();
    } catch (error) {
      // another request may have found out meanwhile
      const mayBePlain =
        this.endpoint.scheme === 'local' && tried === 'https:' && this.host.scheme !== 'https';
      if (!mayBePlain || !(error instanceof ExchangeFailure) || !speaksPlain(error)) throw error;
      return this.#tryPlain(follow, error);
    }
  }

  async #tryPlain(follow: () => Promise<Answer>, first: ExchangeFailure): Promise<Answer> {
    this.host.scheme = 'http';
    try {
      return await follow();
    } catch (error) {
      if (!(error instanceof ExchangeFailure) || !error.connecting) throw error;
      this.host.scheme = undefined;
      throw first;
    }
  }
}

const HEADERS: Readonly<Record<string, string>> = { 'accept-encoding': 'identity', 'user-agent': 'onlay' };

/** May the host be one that speaks plain http? A certificate that does not count is no reason to think so. */
function speaksPlain({ kind, connecting }: ExchangeFailure): boolean {
  return connecting && (kind === 'not-tls' || kind === 'reset' || kind === 'timeout');
}

/** Which schemes may be spoken to a host, by the rules of the store. */
export function schemeFor(
  host: string,
  rules: { readonly plainHttp: (host: string) => boolean; readonly mayFallBack: boolean },
): Endpoint['scheme'] {
  if (rules.plainHttp(host)) return 'http';
  return rules.mayFallBack || isLoopbackHost(new URL(`https://${host}`).hostname) ? 'local' : 'https';
}
