// A token server of the distribution token specification: GET with Basic, and POST with refresh tokens. Tokens are
// opaque for the test registry, or JWTs that docker-registry accepts when a signing key is given.
import { randomBytes, sign, type KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { bodyOf, startServer, type TestServer } from './http-server.ts';

export interface Grant {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

export interface TokenServerOptions {
  /** User → password. */
  readonly users?: Readonly<Record<string, string>>;
  /** Refresh token → user. */
  readonly refreshTokens?: Readonly<Record<string, string>>;
  /** What of the asked-for actions a user (undefined: anonymous) gets; default: all for users, pull for everybody. */
  readonly allow?: (user: string | undefined, wanted: Grant) => readonly string[];
  /** Stated lifetime; left out of the answer when undefined. */
  readonly expiresIn?: number;
  /** Status of a POST; 200 by default. */
  readonly postStatus?: number;
  /** Name of the field that holds the token. */
  readonly field?: 'token' | 'access_token';
  /** P-256. */
  readonly signing?: { readonly key: KeyObject; readonly certificate: string; readonly issuer: string };
}

export interface TokenServer extends TestServer {
  readonly realm: string;
  /** What a token of this server allows; undefined for strangers' and revoked ones. */
  grants(token: string): readonly Grant[] | undefined;
  /** Makes all tokens invalid that have been given out. */
  revokeAll(): void;
}

export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const issued = new Map<string, readonly Grant[]>();
  const allow =
    options.allow ??
    ((user, { actions }) => (user ? actions : actions.filter((action) => action === 'pull')));
  const server = await startServer(async (request, response) => {
    const answer = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const url = new URL(request.url ?? '/', 'http://localhost');
    const form =
      request.method === 'POST' ? new URLSearchParams((await bodyOf(request)).toString()) : undefined;
    if (form && (options.postStatus ?? 200) !== 200) return answer(options.postStatus ?? 404, {});
    const user = form
      ? options.refreshTokens?.[form.get('refresh_token') ?? '']
      : basicUser(request, options.users);
    if (user === null || (form && user === undefined))
      return answer(401, { details: 'incorrect username or password' });
    const scopes = (form ? [form.get('scope') ?? ''] : url.searchParams.getAll('scope')).flatMap((scope) =>
      scope.split(' '),
    );
    const grants = scopes.flatMap(parseScope).map((wanted) => ({ ...wanted, actions: allow(user, wanted) }));
    const service = form?.get('service') ?? url.searchParams.get('service') ?? '';
    const token = options.signing
      ? jwt(grants, service, options.signing)
      : randomBytes(24).toString('base64url');
    issued.set(token, grants);
    const { expiresIn, field = 'token' } = options;
    return answer(200, { [field]: token, ...(expiresIn !== undefined && { expires_in: expiresIn }) });
  });
  return {
    ...server,
    realm: `${server.url}/token`,
    grants: (token) => issued.get(token),
    revokeAll: () => issued.clear(),
  };
}

/** undefined: nobody; null: somebody with a wrong password. */
export function basicUser(
  request: IncomingMessage,
  users: Readonly<Record<string, string>> = {},
): string | undefined | null {
  const match = /^Basic (.+)$/.exec(request.headers.authorization ?? '');
  if (!match?.[1]) return undefined;
  const text = Buffer.from(match[1], 'base64').toString('utf8');
  const user = text.slice(0, text.indexOf(':'));
  return users[user] === text.slice(user.length + 1) ? user : null;
}

function parseScope(scope: string): Grant[] {
  const match = /^([a-z()]+):(.+):([a-z,*]+)$/.exec(scope);
  return match ? [{ type: match[1] ?? '', name: match[2] ?? '', actions: (match[3] ?? '').split(',') }] : [];
}

function jwt(
  grants: readonly Grant[],
  audience: string,
  { key, certificate, issuer }: NonNullable<TokenServerOptions['signing']>,
): string {
  const now = Math.floor(Date.now() / 1000);
  const x5c = [certificate.replace(/-----[A-Z ]+-----|\s/g, '')];
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: issuer,
    sub: '',
    aud: audience,
    nbf: now - 10,
    iat: now,
    exp: now + 300,
    jti: randomBytes(8).toString('hex'),
  };
  const text = `${part({ typ: 'JWT', alg: 'ES256', x5c })}.${part({ ...claims, access: grants })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
