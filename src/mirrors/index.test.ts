// The adapter against real servers on loopback: redirects, retries, limits, credentials, proxies, TLS, cache.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OnlayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { hexDigest } from '../base/hash.ts';
import { silentLog, silentProgress } from '../base/log.ts';
import type { FetchRequest } from '../packages/fetch.ts';
import { createFetch } from './index.ts';
import type { MirrorFetch, MirrorOptions } from './index.ts';

type Handler = (request: IncomingMessage, response: Parameters<RequestListener>[1]) => void;

/** A server whose paths are functions. */
async function serve(
  handlers: Record<string, Handler>,
  secure?: { key: string; cert: string },
): Promise<{ url: string; port: number; seen: IncomingMessage[]; server: Server } & AsyncDisposable> {
  const seen: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    seen.push(request);
    const handler = handlers[(request.url ?? '').replace(/^http:\/\/[^/]*/, '')];
    if (handler) handler(request, response);
    else response.writeHead(404).end('no');
  };
  const server = secure ? createSecureServer(secure, listener) : createServer(listener);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    seen,
    server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Makes a server answer CONNECT; `seen` gets target and credentials. */
function tunnel(server: Server, seen: string[]): void {
  server.on('connect', (request, socket, head) => {
    seen.push(`${request.url} ${request.headers['proxy-authorization']}`);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const far = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      far.write(head);
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
  });
}

const fetcher = (more: Partial<MirrorOptions> = {}): MirrorFetch =>
  createFetch({
    mirrors: [],
    env: {},
    log: silentLog,
    progress: silentProgress,
    retry: { attempts: 3, firstMs: 1, maxMs: 1500, maxRetryAfterMs: 1500 },
    ...more,
  });
const ask = (url: string, more: Partial<FetchRequest> = {}): FetchRequest & { optional?: false } =>
  ({ url, limit: 1000, what: 'a test', ...more }) as FetchRequest & { optional?: false };
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes ? Buffer.from(bytes).toString() : undefined;
const fails = (promise: Promise<unknown>, code: ErrorCode, why: RegExp): Promise<void> =>
  assert.rejects(
    promise,
    (error) =>
      error instanceof OnlayError &&
      error.code === code &&
      (why.test(error.message) || assert.fail(error.message)),
  );
const say =
  (body: string, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    response.writeHead(200, headers).end(body);
const status =
  (code: number, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    response.writeHead(code, headers).end();

test('get() follows redirects, drops credentials across origins and refuses to leave https or to loop', async () => {
  await using other = await serve({ '/x': say('other') });
  await using server = await serve({
    '/same': status(302, { location: '/there?q=1' }),
    '/there?q=1': say('there'),
    '/cross': (_, response) =>
      response.writeHead(307, { location: `http://u:p@127.0.0.1:${other.port}/x` }).end(),
    '/loop': status(301, { location: '/loop' }),
    '/odd': status(301, { location: 'file:///etc/passwd' }),
  });
  await using fetch = fetcher();
  const login = { credentials: { username: 'me', password: 'secret' }, headers: { 'x-token': 't' } };
  assert.equal(text(await fetch.get(ask(`${server.url}/same`, login))), 'there');
  assert.deepEqual(
    server.seen.map((request) => request.headers.authorization),
    ['Basic bWU6c2VjcmV0', 'Basic bWU6c2VjcmV0'],
  );
  assert.equal(text(await fetch.get(ask(`${server.url}/cross`, login))), 'other');
  assert.equal(other.seen[0]?.headers.authorization, undefined);
  assert.equal(other.seen[0]?.headers['x-token'], undefined);
  await fails(fetch.get(ask(`${server.url}/loop`)), 'SERVER', /more than 8 redirects/);
  await fails(fetch.get(ask(`${server.url}/odd`)), 'SERVER', /neither http nor https/);
});

test('get() retries what may pass, honours Retry-After, and gives up on what does not', async () => {
  let calls = 0;
  const flaky: Handler = (_, response) =>
    ++calls < 3 ? response.writeHead(503).end() : response.writeHead(200).end('at last');
  let limited = 0;
  let cut = 0;
  await using server = await serve({
    '/flaky': flaky,
    '/busy': (_, response) =>
      ++limited === 1 ? response.writeHead(429, { 'retry-after': '1' }).end() : response.end('ok'),
    '/later': status(503, { 'retry-after': '3600' }),
    '/broken': status(500),
    '/cut': (_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      if (++cut === 1) response.write('half', () => response.destroy());
      else response.end('0123456789');
    },
  });
  await using fetch = fetcher();
  assert.equal(text(await fetch.get(ask(`${server.url}/flaky`))), 'at last');
  const started = Date.now();
  assert.equal(text(await fetch.get(ask(`${server.url}/busy`))), 'ok');
  assert.ok(Date.now() - started >= 900);
  assert.equal(text(await fetch.get(ask(`${server.url}/cut`))), '0123456789');
  server.seen.length = 0;
  await fails(fetch.get(ask(`${server.url}/later`)), 'SERVER', /answers 503/);
  assert.equal(server.seen.length, 1);
  await fails(fetch.get(ask(`${server.url}/broken`)), 'SERVER', /answers 500/);
  assert.equal(server.seen.length, 4);
  await fails(fetch.get(ask('http://127.0.0.1:1/x')), 'NETWORK', /connection was refused/);
  assert.ok(fetch.stats.requests > 7);
});

test('get() keeps the limit, whatever the server says of the size', async () => {
  await using server = await serve({
    '/said': say('x'.repeat(2000)),
    '/unsaid': (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(300)), 1);
      response.on('close', () => clearInterval(timer));
    },
  });
  await using fetch = fetcher();
  await fails(fetch.get(ask(`${server.url}/said`)), 'LIMIT_EXCEEDED', /limit of 1000 bytes/);
  await fails(fetch.get(ask(`${server.url}/unsaid`)), 'LIMIT_EXCEEDED', /limit of 1000 bytes/);
});

test('get() tells missing files from refused ones', async () => {
  await using server = await serve({ '/login': status(401), '/no': status(403) });
  await using fetch = fetcher();
  assert.equal(await fetch.get({ ...ask(`${server.url}/none`), optional: true }), undefined);
  assert.equal(await fetch.get({ ...ask(`${server.url}/no`), optional: true }), undefined);
  await fails(fetch.get(ask(`${server.url}/none`)), 'SERVER', /no such file/);
  await fails(fetch.get(ask(`${server.url}/no`)), 'AUTH_DENIED', /forbidden/);
  await fails(fetch.get(ask(`${server.url}/login`)), 'AUTH_REQUIRED', /user name and password/);
  await fails(
    fetch.get(ask(`${server.url.replace('//', '//u:secret@')}/login`)),
    'AUTH_DENIED',
    /\/\/\*\*\*@/,
  );
});

test('get() is not led to metadata services, by an image or by a server; the user may name any mirror', async () => {
  await using server = await serve({
    '/x': say('x'),
    '/away': (_, response) => {
      response.writeHead(302, { location: `http://0.0.0.0:${server.port}/x` }).end();
    },
  });
  // 0.0.0.0 counts as one, and is this machine where it is asked all the same
  const there = `http://0.0.0.0:${server.port}`;
  await using fetch = fetcher({ mirrors: [`http://mirrored.invalid=${there}`] });
  const named = /nothing is asked there/;
  await fails(fetch.get(ask(`${there}/x`, { hostFiles: false })), 'NETWORK', named);
  await fails(fetch.get(ask('http://169.254.169.254/latest/', { hostFiles: false })), 'NETWORK', named);
  assert.equal(server.seen.length, 0);
  await fails(fetch.get(ask(`${server.url}/away`)), 'NETWORK', named);
  assert.deepEqual(
    server.seen.map(({ url }) => url),
    ['/away'],
  );
  assert.equal(text(await fetch.get(ask('http://mirrored.invalid/x', { hostFiles: false }))), 'x');
});

test("get() uses the mirror map, with the mirror's own credentials only", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mirror-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'pool'));
  writeFileSync(join(directory, 'pool/a+b.deb'), 'deb');
  await using server = await serve({ '/m/x': say('mirrored') });
  await using fetch = fetcher({
    mirrors: [
      `http://archive.invalid/debian=http://me:pw@127.0.0.1:${server.port}/m`,
      `http://dir.invalid=${directory}`,
      `file:/opt/repo=${directory}`,
    ],
  });
  const login = {
    credentials: { username: 'image', password: 'secret' },
    proxy: 'http://127.0.0.1:1',
    headers: { 'x-token': 't' },
  };
  assert.equal(text(await fetch.get(ask('http://archive.invalid/debian/x', login))), 'mirrored');
  assert.equal(server.seen[0]?.headers.authorization, `Basic ${Buffer.from('me:pw').toString('base64')}`);
  assert.equal(server.seen[0]?.headers['x-token'], undefined);
  assert.equal(text(await fetch.get(ask('http://dir.invalid/pool/a%2bb.deb'))), 'deb');
  assert.equal(text(await fetch.get(ask(`file:${directory}/pool/a+b.deb`))), 'deb');
  assert.equal(text(await fetch.get(ask('file:///opt/repo/pool/a+b.deb', { hostFiles: false }))), 'deb');
  assert.equal(await fetch.get({ ...ask('http://dir.invalid/none'), optional: true }), undefined);
  await fails(
    fetch.get(ask(`file:${directory}/pool/a+b.deb`, { hostFiles: false })),
    'NETWORK',
    /path inside the image/,
  );
  await fails(
    fetch.get(ask('http://dir.invalid/pool/%2e%2e/%2e%2e/etc/passwd')),
    'NETWORK',
    /leaves the directory/,
  );
  await fails(fetch.get(ask('http://dir.invalid/pool')), 'NETWORK', /no regular file/);
  await fails(
    fetch.get(ask('http://dir.invalid/pool/a+b.deb', { limit: 2 })),
    'LIMIT_EXCEEDED',
    /limit of 2 bytes/,
  );
});

test('get() answers from the cache when the digest is known, and offline from nothing else', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'mirror-cache-'));
  t.after(() => rmSync(cacheDir, { recursive: true, force: true }));
  await using server = await serve({ '/p.deb': say('package'), '/bad.deb': say('other') });
  const sha256 = hexDigest('sha256', Buffer.from('package'));
  await using fetch = fetcher({ cacheDir });
  await Promise.all([1, 2].map(() => fetch.get(ask(`${server.url}/p.deb`, { sha256 }))));
  await fetch.get(ask(`${server.url}/bad.deb`, { sha256: 'f'.repeat(64) }));
  await fetch.get(ask(`${server.url}/p.deb`, { sha256 }));
  assert.equal(server.seen.length, 2);
  assert.deepEqual(fetch.stats, { fetched: 12, requests: 2 });
  await using offline = fetcher({ cacheDir, offline: true });
  assert.equal(text(await offline.get(ask('http://gone.invalid/p.deb', { sha256 }))), 'package');
  await fails(offline.get(ask(`${server.url}/bad.deb`, { sha256: 'f'.repeat(64) })), 'NETWORK', /offline/);
  assert.equal(offline.stats.requests, 0);
});

test('get() goes through proxies: http by request, https by CONNECT, with their credentials', async () => {
  const connects: string[] = [];
  await using proxy = await serve({ '/plain': say('from the proxy') });
  tunnel(proxy.server, connects);
  const url = `http://me:pw@127.0.0.1:${proxy.port}`;
  await using fetch = fetcher({ env: { http_proxy: url, no_proxy: '10.0.0.0/8' } });
  assert.equal(text(await fetch.get(ask('http://archive.invalid/plain'))), 'from the proxy');
  assert.equal(proxy.seen[0]?.url, 'http://archive.invalid/plain');
  assert.equal(proxy.seen[0]?.headers.host, 'archive.invalid');
  assert.equal(proxy.seen[0]?.headers['proxy-authorization'], 'Basic bWU6cHc=');
  await using stated = fetcher();
  assert.equal(text(await stated.get(ask('http://archive.invalid/plain', { proxy: url }))), 'from the proxy');
  await fails(
    stated.get(ask('https://127.0.0.1:1/x', { proxy: url })),
    'NETWORK',
    /proxy closed the connection/,
  );
  assert.deepEqual(connects.slice(0, 1), ['127.0.0.1:1 Basic bWU6cHc=']);
});

test('get() stops when it is told to', async () => {
  await using server = await serve({ '/hang': () => {} });
  const stop = new AbortController();
  await using fetch = fetcher({ signal: stop.signal });
  const pending = fetch.get(ask(`${server.url}/hang`));
  setTimeout(() => stop.abort(new OnlayError('TIMEOUT', 'Out of time')), 20);
  await fails(pending, 'TIMEOUT', /Out of time/);
});

const openssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('TLS', { skip: openssl ? false : 'there is no openssl on this machine' }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'tls-'));
  const file = (name: string): string => join(directory, name);
  const make = (...options: string[]): void =>
    void execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        ...options,
      ],
      { stdio: 'ignore' },
    );
  before(() => {
    make('-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=Test CA');
    make(
      '-keyout',
      file('key'),
      '-out',
      file('cert'),
      '-subj',
      '/CN=127.0.0.1',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
    );
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  test("get() verifies certificates, with --ca, SSL_CERT_FILE or the repository's own authority", async (t) => {
    let key: string, cert: string;
    try {
      [key, cert] = [readFileSync(file('key'), 'latin1'), readFileSync(file('cert'), 'latin1')];
    } catch {
      return t.skip('this openssl cannot sign with req -CA');
    }
    await using plain = await serve({ '/x': say('plain') });
    await using server = await serve(
      { '/x': say('secure'), '/x?': say('secure'), '/down': status(302, { location: `${plain.url}/x` }) },
      { key, cert },
    );
    const ca = readFileSync(file('ca.pem'), 'latin1');
    await using bare = fetcher();
    await fails(bare.get(ask(`${server.url}/x`)), 'NETWORK', /certificate is not trusted/);
    assert.equal(text(await bare.get(ask(`${server.url}/x`, { tls: { ca } }))), 'secure');
    assert.equal(text(await bare.get(ask(`${server.url}/x`, { tls: { verify: false } }))), 'secure');
    await using withFile = fetcher({ caFiles: [file('ca.pem')] });
    assert.equal(text(await withFile.get(ask(`${server.url}/x`))), 'secure');
    await fails(withFile.get(ask(`${server.url}/down`)), 'SERVER', /leaves https/);
    const connects: string[] = [];
    await using proxy = await serve({});
    tunnel(proxy.server, connects);
    const through = { proxy: `http://127.0.0.1:${proxy.port}` };
    assert.equal(text(await withFile.get(ask(`${server.url}/x?`, through))), 'secure');
    assert.deepEqual(connects, [`127.0.0.1:${server.port} undefined`]);
    await fails(bare.get(ask(`${server.url}/x?2`, through)), 'NETWORK', /certificate is not trusted/);
    await using withEnvironment = fetcher({ env: { SSL_CERT_FILE: file('ca.pem') } });
    assert.equal(text(await withEnvironment.get(ask(`${server.url}/x`))), 'secure');
    await using insecure = fetcher({ insecureHosts: [`127.0.0.1:${server.port}`] });
    assert.equal(text(await insecure.get(ask(`${server.url}/x`))), 'secure');
    await fails(
      fetcher({ caFiles: [file('none')] }).get(ask(`${server.url}/x`)),
      'CONFIG_INVALID',
      /Cannot read the certificate file/,
    );
  });
});
