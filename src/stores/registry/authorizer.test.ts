// Login against the test registry and its token server: what is asked for, with which credentials, and how often.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import { layerOf, putBytes, putImage } from '../../../test/support/images.ts';
import { startServer, type SeenRequest } from '../../../test/support/http-server.ts';
import { openForTest } from '../../../test/support/registry-client.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { isAuthError } from './authorizer.ts';
import type { RegistryOptions } from './open.ts';

const USER = { username: 'me', password: 's3cret-word' };
const bearer = { kind: 'bearer', users: { me: 's3cret-word' } } as const;

async function fill(registry: TestRegistry): Promise<void> {
  await using pusher = openForTest(`${registry.host}/team/app`, { ...USER, access: 'push' });
  await putImage(pusher.store, { layers: [await layerOf([{ name: 'x', content: 'x' }])] }, '1');
  registry.requests.length = 0;
  if (registry.tokens) registry.tokens.requests.length = 0;
}

const lines = (requests: readonly SeenRequest[]): string[] =>
  requests.map(({ method, path, status }) => `${method} ${decodeURIComponent(path)} ${status}`);
const basic = (user: string, secret: string): string =>
  `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
const authFile = (value: object): Partial<RegistryOptions> => ({
  env: { DOCKER_AUTH_CONFIG: JSON.stringify(value) },
});

test('an anonymous pull asks once for a token and for nothing else', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await fill(registry);
  await using opened = openForTest(`${registry.host}/team/app`);
  await opened.store.resolve({ tag: '1' });
  await opened.store.resolve({ tag: '1' });
  assert.deepEqual(lines(registry.requests), [
    'GET /v2/team/app/manifests/1 401',
    'GET /v2/team/app/manifests/1 200',
    'GET /v2/team/app/manifests/1 200',
  ]);
  assert.deepEqual(lines(registry.tokens?.requests ?? []), [
    'GET /token?service=test&scope=repository:team/app:pull 200',
  ]);
  assert.equal(registry.tokens?.requests[0]?.headers.authorization, undefined);
});

test('a push asks for pull and push at once; with access "push" one token serves reading and writing', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await using opened = openForTest(`${registry.host}/team/app`, { ...USER, access: 'push' });
  const document = await putImage(opened.store, { layers: [await layerOf([{ name: 'x' }])] }, '1');
  await opened.store.resolve({ digest: document.descriptor.digest });
  assert.deepEqual(lines(registry.tokens?.requests ?? []), [
    'GET /token?service=test&scope=repository:team/app:pull,push 200',
  ]);
  assert.equal(registry.tokens?.requests[0]?.headers.authorization, basic('me', 's3cret-word'));
});

test('requests at the same time share one token request', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await fill(registry);
  await using opened = openForTest(`${registry.host}/team/app`);
  await Promise.all([1, 2, 3, 4, 5, 6].map(() => opened.store.resolve({ tag: '1' })));
  assert.equal(registry.tokens?.requests.length, 1);
});

test('two stores of one pool share tokens', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await fill(registry);
  await using first = openForTest(`${registry.host}/team/app`);
  await using second = openForTest(`${registry.host}/team/app`, { pool: first.pool });
  await first.store.resolve({ tag: '1' });
  await second.store.resolve({ tag: '1' });
  assert.equal(registry.tokens?.requests.length, 1);
  assert.equal(registry.requests.length, 3);
});

test('a token is kept for at least a minute and renewed before it expires', async () => {
  await using registry = await startRegistry({ auth: { ...bearer, expiresIn: 5, field: 'access_token' } });
  await fill(registry);
  await using opened = openForTest(`${registry.host}/team/app`);
  await opened.store.resolve({ tag: '1' });
  await opened.clock.sleep(45_000, undefined);
  await opened.store.resolve({ tag: '1' });
  assert.equal(registry.tokens?.requests.length, 1);
  await opened.clock.sleep(6000, undefined);
  await opened.store.resolve({ tag: '1' });
  assert.equal(registry.tokens?.requests.length, 2);
  assert.ok(registry.requests.slice(1).every(({ status }) => status === 200));
});

test('a token the registry no longer takes is replaced once', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await fill(registry);
  await using opened = openForTest(`${registry.host}/team/app`);
  await opened.store.resolve({ tag: '1' });
  registry.tokens?.revokeAll();
  await opened.store.resolve({ tag: '1' });
  assert.deepEqual(
    registry.requests.map(({ status }) => status),
    [401, 200, 401, 200],
  );
  assert.equal(registry.tokens?.requests.length, 2);
});

test('an identity token is exchanged by POST', async () => {
  await using registry = await startRegistry({ auth: { ...bearer, refreshTokens: { 'refresh-me': 'me' } } });
  await fill(registry);
  const config = { auths: { [registry.host]: { identitytoken: 'refresh-me' } } };
  await using opened = openForTest(`${registry.host}/team/app`, authFile(config));
  await opened.store.resolve({ tag: '1' });
  assert.deepEqual(lines(registry.tokens?.requests ?? []), ['POST /token 200']);
  assert.equal(registry.tokens?.requests[0]?.headers.authorization, undefined);
});

test('where a token server knows no POST, the identity token becomes the password of a GET', async () => {
  for (const postStatus of [404, 401, 400, 405]) {
    await using registry = await startRegistry({
      auth: { ...bearer, users: { ...bearer.users, acr: 'refresh-me' }, postStatus },
    });
    await fill(registry);
    const config = { auths: { [registry.host]: { username: 'acr', identitytoken: 'refresh-me' } } };
    await using opened = openForTest(`${registry.host}/team/app`, authFile(config));
    await opened.store.resolve({ tag: '1' });
    assert.equal(lines(registry.tokens?.requests ?? [])[0], `POST /token ${postStatus}`);
    assert.equal(registry.tokens?.requests[1]?.headers.authorization, basic('acr', 'refresh-me'));
  }
});

test('a wrong password is an error that names its source and not the password; nobody goes on anonymously', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await fill(registry);
  await using opened = openForTest(`${registry.host}/team/app`, {
    username: 'me',
    password: 'wrong-password',
  });
  await assert.rejects(
    () => opened.store.resolve({ tag: '1' }),
    (error) =>
      hasCode(error, 'AUTH_DENIED') &&
      /answered 401 \(incorrect username or password\), credentials: the given user name and password, wanted scope repository:team\/app:pull/.test(
        error.message,
      ) &&
      !error.message.includes('wrong-password'),
  );
  assert.equal(registry.tokens?.requests.length, 1);
});

test('rights that are missing are AUTH_REQUIRED without and AUTH_DENIED with credentials', async () => {
  await using registry = await startRegistry({ auth: { ...bearer, allow: () => [] } });
  for (const [options, code] of [
    [{}, 'AUTH_REQUIRED'],
    [USER, 'AUTH_DENIED'],
  ] as const) {
    await using opened = openForTest(`${registry.host}/team/app`, options);
    await assert.rejects(
      () => opened.store.resolve({ tag: '1' }),
      (error) =>
        hasCode(error, code) &&
        /GET answered 401 \(UNAUTHORIZED: authentication required\)/.test(error.message),
    );
  }
});

test('Basic is answered for every request once the registry has asked for it', async () => {
  await using registry = await startRegistry({ auth: { kind: 'basic', users: { me: 's3cret-word' } } });
  await fill(registry);
  await using opened = openForTest(`${registry.host}/team/app`, USER);
  await opened.store.resolve({ tag: '1' });
  await opened.store.resolve({ tag: '1' });
  assert.deepEqual(
    registry.requests.map(({ status }) => status),
    [401, 200, 200],
  );
  await using stranger = openForTest(`${registry.host}/team/app`);
  await assert.rejects(
    () => stranger.store.resolve({ tag: '1' }),
    (error) =>
      isAuthError(error) && error.code === 'AUTH_REQUIRED' && (error.hint ?? '').includes('onlay login'),
  );
});

test('a registry token is sent as it is, with the first request', async () => {
  await using server = await startServer((request, response) => {
    response.writeHead(request.headers.authorization === 'Bearer given-token' ? 404 : 401).end();
  });
  await using opened = openForTest(`${server.host}/team/app`, { registryToken: 'given-token' });
  await assert.rejects(
    () => opened.store.resolve({ tag: '1' }),
    (error) => hasCode(error, 'IMAGE_NOT_FOUND'),
  );
  assert.equal(server.requests.length, 1);
});

test('a 401 without a challenge is looked up at /v2/', async () => {
  await using server = await startServer((request, response) => {
    if (request.headers.authorization === basic('me', 's3cret-word'))
      response.writeHead(200, { 'content-length': '0' }).end();
    else if (request.url === '/v2/') response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else response.writeHead(401).end();
  });
  await using opened = openForTest(`${server.host}/team/app`, USER);
  await opened.store.has((await putNothing()).descriptor);
  assert.deepEqual(
    server.requests.map(({ path }) => path.replace(/sha256:.*/, 'D')),
    ['/v2/team/app/blobs/D', '/v2/', '/v2/team/app/blobs/D'],
  );
});

async function putNothing() {
  await using registry = await startRegistry();
  await using opened = openForTest(`${registry.host}/a/b`);
  return { descriptor: await putBytes(opened.store, 'application/octet-stream', Buffer.from('nothing')) };
}

test('the scope a challenge names is asked for, when it knows the repository by another name', async () => {
  await using tokens = await startServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t0ken"}');
  });
  await using server = await startServer((request, response) => {
    const challenge = `Bearer realm="${tokens.url}/t",service="s",scope="repository:virtual/team/app:pull"`;
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    else response.writeHead(404).end();
  });
  await using opened = openForTest(`${server.host}/team/app`);
  await assert.rejects(() => opened.store.resolve({ tag: '1' }));
  assert.deepEqual(
    tokens.requests.map(({ path }) => new URL(path, tokens.url).searchParams.getAll('scope')),
    [['repository:virtual/team/app:pull']],
  );
});

test('an answer without a usable token is an error', async () => {
  for (const body of [
    '{}',
    'nonsense',
    '{"token":"a\\nb"}',
    '{"token":3}',
    `{"token":"${'x'.repeat(70_000)}"}`,
  ]) {
    await using tokens = await startServer((_request, response) => void response.writeHead(200).end(body));
    await using server = await startServer((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${tokens.url}/t"` }).end();
    });
    await using opened = openForTest(`${server.host}/team/app`);
    await assert.rejects(
      () => opened.store.resolve({ tag: '1' }),
      (error) => hasCode(error, 'SERVER', 'LIMIT_EXCEEDED'),
      body.slice(0, 40),
    );
  }
});

test('a broken helper is a warning for a pull and an error for a push', async () => {
  await using registry = await startRegistry({ auth: bearer });
  await fill(registry);
  const options = authFile({ credsStore: 'onlay-is-not-there' });
  await using opened = openForTest(`${registry.host}/team/app`, options);
  await opened.store.resolve({ tag: '1' });
  assert.match(opened.log.lines.join('\n'), /warn .*docker-credential-onlay-is-not-there is not installed/);
  await assert.rejects(
    () => putBytes(opened.store, 'application/octet-stream', Buffer.from('x')),
    (error) => hasCode(error, 'AUTH_REQUIRED') && /is not installed/.test(error.message),
  );
});
