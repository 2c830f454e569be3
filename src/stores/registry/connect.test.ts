// TLS and proxies against real servers: which authorities count, client certificates, plain http, and that a certificate
// that does not count is never answered with less security.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import { createAuthority, hasOpenssl, type Authority } from '../../../test/support/certificates.ts';
import { startConnectProxy } from '../../../test/support/connect-proxy.ts';
import { startServer } from '../../../test/support/http-server.ts';
import { openForTest, type OpenedRegistry } from '../../../test/support/registry-client.ts';
import { startRegistry } from '../../../test/support/registry.ts';
import type { RegistryOptions } from './open.ts';

const skip = hasOpenssl() ? false : 'openssl is not installed';

const reaches = async ({ store }: OpenedRegistry): Promise<boolean> => {
  try {
    await store.resolve({ tag: 'absent' });
    return assert.fail('there is no such image');
  } catch (error) {
    if (hasCode(error, 'IMAGE_NOT_FOUND')) return true;
    if (hasCode(error, 'NETWORK')) return false;
    throw error;
  }
};

async function tlsRegistry(authority: Authority, names = 'DNS:localhost,IP:127.0.0.1') {
  const { certificate, key } = authority.sign(names);
  return startRegistry({ tls: { cert: certificate, key } });
}

test('a private authority counts when it is named in any of the ways', { skip }, async () => {
  using authority = createAuthority();
  await using registry = await tlsRegistry(authority);
  const home = join(authority.directory, 'home');
  const certsD = join(home, '.config/containers/certs.d', registry.host);
  mkdirSync(certsD, { recursive: true });
  writeFileSync(join(certsD, 'ca.crt'), authority.certificate);
  const directory = join(authority.directory, 'directory');
  mkdirSync(directory);
  writeFileSync(
    join(directory, 'anything.pem'),
    `comment\n${authority.certificate.replaceAll('\n', '\r\n')}`,
  );
  const ways: Record<string, Partial<RegistryOptions>> = {
    '--ca': { caFiles: [authority.certificatePath] },
    SSL_CERT_FILE: { env: { SSL_CERT_FILE: authority.certificatePath } },
    SSL_CERT_DIR: { env: { SSL_CERT_DIR: `/nonexistent:${directory}` } },
    NODE_EXTRA_CA_CERTS: { env: { NODE_EXTRA_CA_CERTS: authority.certificatePath } },
    'certs.d': { env: { HOME: home } },
    '--insecure': { insecure: [registry.host] },
    '--insecure without port': { insecure: ['127.0.0.1'] },
  };
  for (const [way, options] of Object.entries(ways)) {
    await using opened = openForTest(`${registry.host}/a/b`, options);
    assert.equal(await reaches(opened), true, way);
  }
  await using stranger = openForTest(`${registry.host}/a/b`);
  assert.equal(await reaches(stranger), false);
});

test('a certificate that does not count is never followed by plain http', { skip }, async () => {
  using authority = createAuthority();
  await using registry = await tlsRegistry(authority);
  await using wrongName = await tlsRegistry(authority, 'DNS:other.example');
  for (const [host, options] of [
    [registry.host, {}],
    [wrongName.host, { caFiles: [authority.certificatePath] }],
  ] as const) {
    await using opened = openForTest(`${host}/a/b`, options);
    await assert.rejects(
      () => opened.store.resolve({ tag: '1' }),
      (error) =>
        hasCode(error, 'NETWORK') &&
        /certificate is not trusted/.test(error.message) &&
        /--ca FILE/.test(error.hint ?? ''),
    );
    assert.deepEqual(
      opened.events.map(({ url }) => new URL(url).protocol),
      ['https:'],
    );
    assert.deepEqual(opened.clock.slept, []);
  }
});

test('plain http is spoken to this machine and to hosts that are listed, to no others', async () => {
  await using registry = await startRegistry();
  await using local = openForTest(`${registry.host}/a/b`);
  assert.equal(await reaches(local), true);
  // one attempt with TLS, then http without asking again
  await reaches(local);
  assert.deepEqual(
    local.events.map(({ url }) => new URL(url).protocol),
    ['https:', 'http:', 'http:'],
  );
  await using listed = openForTest(`${registry.host}/a/b`, { plainHttp: [registry.host] });
  assert.equal(await reaches(listed), true);
  assert.equal(listed.events.length, 1);
  const [, port] = registry.host.split(':');
  await using proxy = await startConnectProxy(() => registry.host);
  // a host elsewhere, which in truth is the same server: through a proxy
  await using elsewhere = openForTest(`r.example:${port}/a/b`, {
    env: { https_proxy: `http://${proxy.host}` },
  });
  await assert.rejects(
    () => elsewhere.store.resolve({ tag: '1' }),
    (error) =>
      hasCode(error, 'NETWORK') &&
      /does not speak TLS/.test(error.message) &&
      /--plain-http/.test(error.hint ?? ''),
  );
});

test('a server that wants a client certificate gets the one of certs.d', { skip }, async () => {
  using authority = createAuthority();
  const server = authority.sign('DNS:localhost,IP:127.0.0.1');
  const client = authority.sign('DNS:client');
  await using registry = await startRegistry({
    tls: {
      cert: server.certificate,
      key: server.key,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: true,
    },
  });
  const home = join(authority.directory, 'home');
  const directory = join(home, '.config/containers/certs.d', registry.host);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'ca.crt'), authority.certificate);
  await using without = openForTest(`${registry.host}/a/b`, { env: { HOME: home } });
  assert.equal(await reaches(without), false);
  writeFileSync(join(directory, 'client.cert'), client.certificate);
  await using half = openForTest(`${registry.host}/a/b`, { env: { HOME: home } });
  await assert.rejects(
    () => half.store.resolve({ tag: '1' }),
    (error) => hasCode(error, 'CONFIG_INVALID') && /there is no .*client\.key/.test(error.message),
  );
  writeFileSync(join(directory, 'client.key'), client.key);
  await using opened = openForTest(`${registry.host}/a/b`, { env: { HOME: home } });
  assert.equal(await reaches(opened), true);
});

test('files of authorities that cannot be used are errors', { skip }, async () => {
  using authority = createAuthority();
  writeFileSync(join(authority.directory, 'not.pem'), 'text');
  await using registry = await tlsRegistry(authority);
  for (const file of ['not.pem', 'absent.pem']) {
    await using opened = openForTest(`${registry.host}/a/b`, { caFiles: [join(authority.directory, file)] });
    await assert.rejects(
      () => opened.store.resolve({ tag: '1' }),
      (error) => hasCode(error, 'CONFIG_INVALID') && error.message.includes(file),
    );
  }
});

test('a proxy is used for https and http, its password goes to it alone', { skip }, async () => {
  using authority = createAuthority();
  await using secure = await tlsRegistry(authority, 'DNS:r.example');
  await using plain = await startRegistry();
  const authorization = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
  await using proxy = await startConnectProxy(
    (authority) => (authority === 'r.example:443' ? secure.host : plain.host),
    authorization,
  );
  const url = `http://user:p%40ss@${proxy.host}`;
  const options = { caFiles: [authority.certificatePath], plainHttp: ['plain.example'] };
  const env = { https_proxy: url, http_proxy: url };
  await using first = openForTest('r.example/a/b', { ...options, env });
  assert.equal(await reaches(first), true);
  await using second = openForTest('plain.example/a/b', { ...options, env });
  assert.equal(await reaches(second), true);
  assert.deepEqual(proxy.requests, [
    { method: 'CONNECT', target: 'r.example:443', authorization },
    { method: 'GET', target: 'http://plain.example/v2/a/b/manifests/absent', authorization },
  ]);
  for (const { headers } of [...secure.requests, ...plain.requests])
    assert.equal(headers['proxy-authorization'] ?? headers.authorization, undefined);
  await using refused = openForTest('r.example/a/b', {
    ...options,
    env: { https_proxy: `http://user:wr0ng@${proxy.host}` },
  });
  await assert.rejects(
    () => refused.store.resolve({ tag: '1' }),
    (error) =>
      hasCode(error, 'NETWORK') &&
      /proxy 127.* refused the connection with status 407/.test(error.message) &&
      !/wr0ng/.test(error.message),
  );
});

test('a token server is reached through the proxy too, wherever the proxy is', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', users: {} } });
  const realm = registry.tokens?.realm ?? '';
  await using front = await startServer(async (request, response) => {
    const answer = await fetch(registry.url + request.url, {
      headers: { authorization: request.headers.authorization ?? '', accept: request.headers.accept ?? '' },
    });
    const challenge = answer.headers.get('www-authenticate')?.replace(realm, 'http://tokens.example/token');
    response.writeHead(answer.status, challenge === undefined ? {} : { 'www-authenticate': challenge }).end();
  });
  await using proxy = await startConnectProxy((host) =>
    host.startsWith('tokens.example') ? (registry.tokens?.host ?? '') : front.host,
  );
  const env = { http_proxy: `http://${proxy.host}` };
  await using opened = openForTest('plain.example/a/b', { plainHttp: ['plain.example'], env });
  assert.equal(await reaches(opened), true);
  assert.deepEqual(
    proxy.requests.map(({ target }) => new URL(target).host),
    ['plain.example', 'tokens.example', 'plain.example'],
  );
});

test('a server that says nothing is given up after its time', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((done) => void silent.listen(0, '127.0.0.1', done));
  try {
    const { port } = silent.address() as AddressInfo;
    await using opened = openForTest(`127.0.0.1:${port}/a/b`, { signal: AbortSignal.timeout(300) });
    await assert.rejects(
      () => opened.store.resolve({ tag: '1' }),
      (error) => hasCode(error, 'ABORTED', 'TIMEOUT'),
    );
  } finally {
    silent.close();
  }
});

test('what cannot be reached is NETWORK with its reason, soon', async () => {
  await using opened = openForTest('127.0.0.1:1/a/b');
  await assert.rejects(
    () => opened.store.resolve({ tag: '1' }),
    (error) =>
      hasCode(error, 'NETWORK') &&
      /127\.0\.0\.1:1: the connection was refused \(ECONNREFUSED\)/.test(error.message),
  );
  assert.deepEqual(opened.clock.slept, []);
});
