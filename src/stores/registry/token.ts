// Fetching a Bearer token: https://distribution.github.io/distribution/spec/auth/token/ (GET) and .../oauth/ (POST with
// a refresh token, which not all servers know). The realm has been judged before; redirects are not followed.
import { OnlayError } from '../../errors.ts';
import type { Answer } from './answer.ts';
import { secretsOf, type Credential } from './credentials.ts';
import { ExchangeFailure, failureError } from './failure.ts';
import type { Host } from './host.ts';
import type { Realm } from './realm.ts';
import { quote, serverMessage } from './refusal.ts';
import type { Retrier } from './retry.ts';
import type { Token } from './token-cache.ts';
import type { Transport } from './transport.ts';

export interface TokenRequest {
  readonly registry: string;
  readonly realm: Realm;
  readonly service: string | undefined;
  /** The most wanted first: some servers read only that one. */
  readonly scopes: readonly string[];
  /** Already undefined when the realm must not see it. */
  readonly credential: Exclude<Credential, { kind: 'registry-token' }> | undefined;
}

export interface TokenContext {
  readonly transport: Transport;
  readonly retrier: Retrier;
  readonly host: Host;
}

const ANSWER_LIMIT = 64 << 10;
const LIMIT_MS = 60_000;
/** How servers without the POST form answer it: GCR 404, Artifactory 401, ACR 400, others 405 and 415. */
const NO_POST: ReadonlySet<number> = new Set([400, 401, 404, 405, 415, 501]);

/** Throws AUTH_REQUIRED, AUTH_DENIED, or what stands for a token server that does not work. */
export async function fetchToken(request: TokenRequest, context: TokenContext): Promise<Token> {
  const { credential } = request;
  if (credential?.kind === 'identity-token') {
    const answer = await send(request, context, postForm(request, credential.token));
    if (!NO_POST.has(answer.status) || credential.username === '') return readToken(request, answer);
    await answer.discard();
  }
  return readToken(request, await send(request, context, undefined));
}

function postForm({ service, scopes }: TokenRequest, token: string): Uint8Array {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'onlay' });
  if (service !== undefined) form.set('service', service);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  form.set('refresh_token', token);
  return Buffer.from(form.toString(), 'utf8');
}

function queryUrl({ realm, service, scopes }: TokenRequest): URL {
  const url = new URL(realm.url);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  return url;
}

async function send(
  request: TokenRequest,
  context: TokenContext,
  form: Uint8Array | undefined,
): Promise<Answer> {
  const { realm, credential } = request;
  const basic = form === undefined && credential ? { authorization: basicValue(credential) } : {};
  try {
    return await context.retrier.run(context.host, 'reads', () =>
      context.transport.send({
        method: form ? 'POST' : 'GET',
        url: form ? realm.url : queryUrl(request),
        headers: {
          accept: 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'onlay',
          ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
          ...basic,
        },
        ...(form && { body: { size: form.length, open: () => once(form) } }),
        reach: realm.reach,
        limitMs: LIMIT_MS,
      }),
    );
  } catch (error) {
    if (!(error instanceof ExchangeFailure)) throw error;
    if (error.kind === 'forbidden')
      throw new OnlayError('AUTH_DENIED', `Cannot log in to ${request.registry}: ${error.message}`, {
        hint: 'the registry names a token server in a network it is not part of',
        cause: error,
      });
    throw failureError(error, `log in to ${request.registry}`, `token server ${realm.url.host}`);
  }
}

/** The Authorization value for user name and password; an identity token stands for the password. */
export function basicValue(credential: Exclude<Credential, { kind: 'registry-token' }>): string {
  const secret = credential.kind === 'password' ? credential.password : credential.token;
  return `Basic ${Buffer.from(`${credential.username}:${secret}`, 'utf8').toString('base64')}`;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

async function readToken(request: TokenRequest, answer: Answer): Promise<Token> {
  const where = `token server ${request.realm.url.host}`;
  if (answer.status !== 200) throw await refused(request, answer, where);
  const bytes = await answer
    .bytes({ limit: ANSWER_LIMIT, what: `Answer of ${where}` })
    .catch((error: unknown) => {
      throw error instanceof ExchangeFailure
        ? failureError(error, `log in to ${request.registry}`, where)
        : error;
    });
  const fields = parse(bytes);
  const value = fields?.['token'] || fields?.['access_token'];
  // it becomes a header: nothing but visible ASCII
  if (typeof value !== 'string' || !/^[!-~]+$/.test(value))
    throw new OnlayError('SERVER', `Cannot log in to ${request.registry}: ${where} answered without a token`);
  const seconds = Number(fields?.['expires_in'] ?? 0);
  return { value, lifetimeMs: Number.isFinite(seconds) ? seconds * 1000 : 0 };
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function refused(request: TokenRequest, answer: Answer, where: string): Promise<OnlayError> {
  const { credential, registry, scopes } = request;
  const said = await serverMessage(answer, 'GET', credential ? secretsOf(credential) : []);
  const wanted = scopes.length > 0 ? `, wanted scope ${scopes.join(' ')}` : '';
  const used = credential ? `credentials: ${credential.source}` : 'no credentials';
  const message = `Cannot log in to ${registry}: GET ${where} answered ${answer.status}${quote(said)}, ${used}${wanted}`;
  if (answer.status >= 300 && answer.status < 400)
    return new OnlayError('AUTH_DENIED', `${message}: redirects of token servers are not followed`);
  const denied =
    answer.status === 400 || answer.status === 401 || answer.status === 403 || answer.status === 404;
  if (!denied) return new OnlayError('SERVER', message);
  return new OnlayError(credential ? 'AUTH_DENIED' : 'AUTH_REQUIRED', message, {
    hint: credential
      ? 'the stored user name or password is wrong or has expired; log in again with: onlay login HOST'
      : 'log in with: onlay login HOST',
  });
}
