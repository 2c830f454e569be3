// Credentials go to the registry they are for and to nobody it names: redirects, upload locations, token servers, foreign
// layers, mirrors. In each case a second server stands where the secret must not arrive, and keeps what it has seen.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { collect, streamOf, type ByteStream } from '../../src/base/streams.ts';
import { hasCode, OnlayError, type ErrorCode } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { makeDescriptor, type Descriptor } from '../../src/oci/manifest.ts';
import type { RegistryOptions } from '../../src/stores/registry/index.ts';
import { createAuthority, hasOpenssl } from '../support/certificates.ts';
import { startServer, type Handler, type TestServer } from '../support/http-server.ts';
import { openForTest, type OpenedRegistry } from '../support/registry-client.ts';

const SECRET = 's3cret-password';
const TOKEN = 't0ken-of-the-registry';
const USER = { username: 'me', password: SECRET };
const BASIC = `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`;
const needsOpenssl = { skip: hasOpenssl() ? false : 'openssl is not installed' };

const content = randomBytes(50_000);
const blob = (extra: Record<string, unknown> = {}, type = 'application/octet-stream'): Descriptor =>
  makeDescriptor(type, digestOf(content), content.length, extra);
const read = (stream: ByteStream): Promise<Uint8Array> => collect(stream, { limit: 1 << 20, what: 'blob' });

/** Asks for Basic, sets a cookie, then does what `then` says. */
const guarded =
  (then: Handler): Handler =>
  (request, response) => {
    response.setHeader('set-cookie', 'session=from-the-registry');
    if (request.headers.authorization === BASIC) return then(request, response);
    return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  };

/** What the second server has seen holds nothing that identifies the user. */
function sawNoSecret({ requests }: TestServer): void {
  for (const { headers, path } of requests) {
    for (const name of ['authorization', 'proxy-authorization', 'cookie'])
      assert.equal(headers[name], undefined, `${name} was sent to ${path}`);
    assert.deepEqual(
      Object.keys(headers).filter((name) => !NEUTRAL.has(name)),
      [],
    );
    assert.doesNotMatch(JSON.stringify([headers, path]), SECRETS);
  }
}
const NEUTRAL = new Set(
  'accept accept-encoding connection content-length content-type host range user-agent'.split(' '),
);
const SECRETS = new RegExp([SECRET, BASIC.slice(6), TOKEN].join('|'));

const failsWith =
  (...codes: ErrorCode[]) =>
  (error: unknown): boolean => {
    assert.ok(hasCode(error, ...codes), inspect(error));
    return true;
  };

test('a redirected blob is fetched without credentials, and they do not come back with the way', async () => {
  const paths: string[] = [];
  await using storage: TestServer = await startServer((request, response) => {
    // sent back to the registry, and from there to the storage again
    if (request.url === '/first') response.writeHead(307, { location: `${registry.url}/back` }).end();
    else response.writeHead(200).end(content);
  });
  await using registry: TestServer = await startServer((request, response) => {
    paths.push(
      `${request.url?.replace(/sha256:.*/, 'D')} ${request.headers.authorization === undefined ? 'bare' : 'known'}`,
    );
    if (request.url === '/back')
      return void response.writeHead(307, { location: `${storage.url}/second` }).end();
    return guarded((_, response) => void response.writeHead(307, { location: `${storage.url}/first` }).end())(
      request,
      response,
    );
  });
  await using opened = openForTest(`${registry.host}/team/app`, USER);
  assert.deepEqual(await read(opened.store.blob(blob())), content);
  assert.deepEqual(paths, ['/v2/team/app/blobs/D bare', '/v2/team/app/blobs/D known', '/back bare']);
  assert.equal(storage.requests.length, 2);
  sawNoSecret(storage);
});

test('a redirect from https to http is refused', needsOpenssl, async () => {
  using authority = createAuthority();
  const { certificate, key } = authority.sign('IP:127.0.0.1');
  await using storage = await startServer((_request, response) => void response.writeHead(200).end(content));
  await using registry = await startServer(
    guarded((_, response) => void response.writeHead(302, { location: `${storage.url}/x` }).end()),
    { tls: { cert: certificate, key } },
  );
  await using opened = openForTest(`${registry.host}/team/app`, {
    ...USER,
    caFiles: [authority.certificatePath],
  });
  await assert.rejects(() => read(opened.store.blob(blob())), failsWith('SERVER'));
  assert.equal(storage.requests.length, 0);
});

test('redirects to metadata services, to other schemes, with user information, and without end are refused', async () => {
  for (const location of [
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
    'http://2852039166/',
    'http://0.0.0.0:80/',
    'file:///etc/passwd',
    'http://user:pass@127.0.0.1/',
    '/v2/team/app/blobs/again',
    'http://',
  ]) {
    await using registry = await startServer(
      (_request, response) => void response.writeHead(307, { location }).end(),
    );
    await using opened = openForTest(`${registry.host}/team/app`);
    await assert.rejects(() => read(opened.store.blob(blob())), failsWith('SERVER', 'NETWORK'), location);
    assert.ok(registry.requests.length <= 7, location);
  }
});

test('a write is not redirected to another server', async () => {
  await using other = await startServer((_request, response) => void response.writeHead(202).end());
  for (const status of [301, 302, 303, 307, 308]) {
    await using registry = await startServer(
      guarded((_, response) => void response.writeHead(status, { location: `${other.url}/x` }).end()),
    );
    await using opened = openForTest(`${registry.host}/team/app`, USER);
    await assert.rejects(
      () => opened.store.putBlob(blob(), { open: () => streamOf(content), fresh: true }),
      failsWith('SERVER'),
    );
  }
  assert.equal(other.requests.length, 0);
});

/** A registry that opens uploads at `location`. */
const uploadsAt = (location: () => string): Handler =>
  guarded((request, response) => {
    request.resume();
    if (request.method === 'POST') response.writeHead(202, { location: location() }).end();
    else response.writeHead(404).end();
  });

test('an upload location on another port or host, not https, gets nothing', async () => {
  await using other = await startServer((_request, response) => void response.writeHead(201).end());
  const port = other.host.split(':')[1];
  for (const location of [
    `${other.url}/v2/team/app/blobs/uploads/1`,
    `http://localhost:${port}/v2/team/app/blobs/uploads/1`,
    `https://${other.host}/v2/team/app/blobs/uploads/1`,
    `http://me:${SECRET}@${other.host}/v2/`,
    'http://169.254.169.254/v2/x',
    'https://169.254.169.254/v2/x',
    'ftp://127.0.0.1/x',
  ]) {
    await using registry = await startServer(uploadsAt(() => location));
    await using opened = openForTest(`${registry.host}/team/app`, USER);
    await assert.rejects(
      () => opened.store.putBlob(blob(), { open: () => streamOf(content), fresh: true }),
      failsWith('SERVER', 'NETWORK'),
      location,
    );
  }
  assert.equal(other.requests.length, 0);
});

test('an upload location in https storage gets the bytes and no credentials', needsOpenssl, async () => {
  using authority = createAuthority();
  const { certificate, key } = authority.sign('DNS:localhost');
  let received = Buffer.alloc(0);
  await using storage = await startServer(
    async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      received = Buffer.concat(chunks);
      response.writeHead(201).end();
    },
    { tls: { cert: certificate, key } },
  );
  const port = storage.host.split(':')[1];
  await using registry = await startServer(uploadsAt(() => `https://localhost:${port}/bucket?signature=x`));
  await using opened = openForTest(`${registry.host}/team/app`, {
    ...USER,
    caFiles: [authority.certificatePath],
  });
  await opened.store.putBlob(blob(), { open: () => streamOf(content), fresh: true });
  assert.ok(received.equals(content));
  assert.equal(storage.requests.length, 1);
  sawNoSecret(storage);
  assert.doesNotMatch(opened.events.map(({ url }) => url).join(), /signature/);
});

test(
  'an upload location that drops https is put right, and nothing goes out in the clear',
  needsOpenssl,
  async () => {
    using authority = createAuthority();
    const { certificate, key } = authority.sign('IP:127.0.0.1');
    const registry: TestServer = await startServer(
      guarded((request, response) => {
        request.resume();
        if (request.method === 'PUT') response.writeHead(201).end();
        else
          response.writeHead(202, { location: `http://${registry.host}/v2/team/app/blobs/uploads/1` }).end();
      }),
      { tls: { cert: certificate, key } },
    );
    await using _ = registry;
    await using opened = openForTest(`${registry.host}/team/app`, {
      ...USER,
      caFiles: [authority.certificatePath],
    });
    await opened.store.putBlob(blob(), { open: () => streamOf(content), fresh: true });
    assert.deepEqual(
      opened.events.map(({ url, method }) => `${method} ${new URL(url).protocol}`),
      ['POST https:', 'POST https:', 'PUT https:'],
    );
    assert.match(opened.log.lines.join(), /warn .*wrong scheme or port/);
  },
);

/** Asks for a Bearer token of `realm`. */
const bearerAt =
  (realm: () => string): Handler =>
  (request, response) => {
    if (request.headers.authorization === `Bearer ${TOKEN}`) response.writeHead(200).end(content);
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm()}",service="s"` }).end();
  };
const giveToken: Handler = (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token: TOKEN }));
};

test('a token server on another domain is asked anonymously, with a warning, unless the user trusts it', async () => {
  await using tokens = await startServer(giveToken);
  const port = tokens.host.split(':')[1];
  // "localhost" and "127.0.0.1" are different hosts, as far as names say
  await using registry = await startServer(bearerAt(() => `http://localhost:${port}/token`));
  const identity = {
    env: { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { identitytoken: SECRET } } }) },
  };
  for (const options of [USER, identity] as Partial<RegistryOptions>[]) {
    tokens.requests.length = 0;
    await using opened = openForTest(`${registry.host}/team/app`, options);
    assert.deepEqual(await read(opened.store.blob(blob())), content);
    assert.deepEqual(
      tokens.requests.map(({ method }) => method),
      ['GET'],
    );
    sawNoSecret(tokens);
    assert.match(
      opened.log.lines.join(),
      /warn credentials were not sent to a token server on another domain/,
    );
  }
  tokens.requests.length = 0;
  await using trusting = openForTest(`${registry.host}/team/app`, {
    ...USER,
    trustedRealms: [`localhost:${port}`],
  });
  await read(trusting.store.blob(blob()));
  assert.equal(tokens.requests[0]?.headers.authorization, BASIC);
});

test('redirects of a token server are not followed', async () => {
  await using other = await startServer(giveToken);
  for (const status of [301, 302, 307, 308]) {
    await using tokens = await startServer(
      (_request, response) => void response.writeHead(status, { location: other.url }).end(),
    );
    await using registry = await startServer(bearerAt(() => `${tokens.url}/token`));
    await using opened = openForTest(`${registry.host}/team/app`, USER);
    await assert.rejects(() => read(opened.store.blob(blob())), failsWith('AUTH_DENIED'));
  }
  assert.equal(other.requests.length, 0);
});

test('a token server without TLS is not asked for an https registry', needsOpenssl, async () => {
  using authority = createAuthority();
  const { certificate, key } = authority.sign('IP:127.0.0.1');
  await using tokens = await startServer(giveToken);
  await using registry = await startServer(
    bearerAt(() => `${tokens.url}/token`),
    { tls: { cert: certificate, key } },
  );
  await using opened = openForTest(`${registry.host}/team/app`, {
    ...USER,
    caFiles: [authority.certificatePath],
  });
  await assert.rejects(() => read(opened.store.blob(blob())), failsWith('AUTH_DENIED'));
  assert.equal(tokens.requests.length, 0);
});

test('token servers at metadata addresses, with user information or no web address are refused', async () => {
  for (const realm of [
    'http://169.254.169.254/latest/api/token',
    'http://[::ffff:169.254.169.254]/',
    'http://0.0.0.0/token',
    'http://[::]/token',
    'http://100.100.100.200/',
    `http://me:${SECRET}@127.0.0.1/`,
    'ldap://127.0.0.1/',
    'http://',
  ]) {
    await using registry = await startServer(bearerAt(() => realm));
    await using opened = openForTest(`${registry.host}/team/app`, USER);
    await assert.rejects(() => read(opened.store.blob(blob())), failsWith('AUTH_DENIED'), realm);
    assert.equal(registry.requests.length, 1);
  }
});

test('a name that leads into a private network is found out when it is resolved', async () => {
  const server = await startServer(giveToken);
  await using opened = openForTest('127.0.0.1:1/team/app');
  const port = server.host.split(':')[1];
  const transport = {
    pool: opened.pool,
    environment: {
      variables: {},
      readFile: async () => undefined,
      readDirectory: async () => undefined,
      run: async () => ({ kind: 'missing' as const }),
    },
    caFiles: [],
    insecure: () => false,
    log: opened.log,
    signal: undefined,
    onRequest: undefined,
  };
  for (const [host, reach] of [
    ['localhost', 'public'],
    ['127.0.0.1', 'public'],
  ] as const) {
    const { Transport } = await import('../../src/stores/registry/transport.ts');
    const send = (reach: 'public' | 'no-metadata') =>
      new Transport(transport).send({
        method: 'GET',
        url: new URL(`http://${host}:${port}/`),
        headers: {},
        reach,
      });
    await assert.rejects(() => send(reach), /is not one this registry may send us to/);
    assert.equal(server.requests.length, 0);
    const answer = await send('no-metadata');
    await answer.discard();
    server.requests.length = 0;
  }
  await server[Symbol.asyncDispose]();
});

const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const hasNothing = guarded((_, response) => void response.writeHead(404).end());

test('foreign layers are fetched over https and without credentials', needsOpenssl, async () => {
  using authority = createAuthority();
  const { certificate, key } = authority.sign('DNS:localhost');
  await using elsewhere = await startServer(
    (_request, response) => void response.writeHead(200).end(content),
    {
      tls: { cert: certificate, key },
    },
  );
  const port = elsewhere.host.split(':')[1];
  await using registry = await startServer(hasNothing);
  await using opened = openForTest(`${registry.host}/team/app`, {
    ...USER,
    caFiles: [authority.certificatePath],
  });
  const urls = [
    'http://169.254.169.254/',
    'https://169.254.169.254/x',
    `https://me:x@localhost:${port}/`,
    `https://localhost:${port}/layer`,
  ];
  assert.deepEqual(await read(opened.store.blob(blob({ urls }, FOREIGN))), content);
  assert.equal(elsewhere.requests.length, 1);
  sawNoSecret(elsewhere);
});

test('URLs of layers that are not foreign, and http URLs, are not followed', async () => {
  await using elsewhere = await startServer(
    (_request, response) => void response.writeHead(200).end(content),
  );
  await using registry = await startServer(hasNothing);
  await using opened = openForTest(`${registry.host}/team/app`, USER);
  const urls = [`${elsewhere.url}/layer`];
  for (const type of [FOREIGN, 'application/vnd.docker.image.rootfs.diff.tar.gzip'])
    await assert.rejects(() => read(opened.store.blob(blob({ urls }, type))), failsWith('IMAGE_NOT_FOUND'));
  assert.equal(elsewhere.requests.length, 0);
});

test('what the user typed for a registry is not sent to its mirrors', needsOpenssl, async () => {
  using authority = createAuthority();
  await using mirror = await startServer((_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="give me"' }).end();
  });
  await using registry = await startServer(
    guarded((_, response) => void response.writeHead(200).end(content)),
  );
  const conf = join(authority.directory, 'registries.conf');
  const port = mirror.host.split(':')[1];
  writeFileSync(
    conf,
    `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "localhost:${port}"\n`,
  );
  const env = { CONTAINERS_REGISTRIES_CONF: conf };
  const config = JSON.stringify({ auths: { [registry.host]: { auth: BASIC.slice(6) } } });
  for (const options of [{ ...USER, env }, { env: { ...env, DOCKER_AUTH_CONFIG: config } }]) {
    await using opened = openForTest(`${registry.host}/team/app`, options);
    assert.deepEqual(await read(opened.store.blob(blob())), content);
  }
  assert.equal(mirror.requests.length, 2);
  sawNoSecret(mirror);
});

/** Everything a user, a log or a result could get to see of a run. */
function everythingSaid({ log, events }: OpenedRegistry, error: unknown): string {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error; at = at.cause)
    chain.push(at.message, at.stack, Object.entries(at));
  return inspect([log.lines, events, chain, error instanceof OnlayError ? error.hint : ''], {
    depth: 9,
    maxStringLength: null,
  });
}

test('secrets appear in no message, log line or request event, even when the server sends them back', async () => {
  const echo: Handler = (request, response) => {
    const { authorization = '' } = request.headers;
    if (authorization === '')
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    const said = Buffer.from(authorization.slice(6), 'base64').toString();
    const errors = [
      {
        code: 'DENIED',
        message: `${authorization} ${said} ${said.split(':')[1]} at https://me:${SECRET}@x/?sig=${SECRET}`,
      },
    ];
    return void response.writeHead(403).end(JSON.stringify({ errors }));
  };
  await using registry = await startServer(echo);
  await using opened = openForTest(`${registry.host}/team/app`, USER);
  for (const attempt of [
    () => opened.store.resolve({ tag: '1' }),
    () => opened.store.has(blob()),
    () => opened.store.putBlob(blob(), { open: () => streamOf(content) }),
  ])
    await assert.rejects(attempt, (error) => {
      assert.doesNotMatch(everythingSaid(opened, error), SECRETS);
      return true;
    });
  await using tokens = await startServer((request, response) => {
    response
      .writeHead(401)
      .end(JSON.stringify({ details: `wrong: ${request.headers.authorization} ${SECRET}` }));
  });
  await using second = await startServer(bearerAt(() => `${tokens.url}/token`));
  await using behind = openForTest(`${second.host}/team/app`, USER);
  await assert.rejects(
    () => behind.store.resolve({ tag: '1' }),
    (error) => {
      assert.doesNotMatch(everythingSaid(behind, error), SECRETS);
      return true;
    },
  );
  assert.equal(tokens.requests[0]?.headers.authorization, BASIC);
});
