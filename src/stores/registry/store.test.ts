// A repository as an ImageStore, against the test registry: reading, writing, mounts, mirrors, and how many requests
// that takes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { collect, streamOf, type ByteStream } from '../../base/streams.ts';
import { hasCode, OnlayError } from '../../errors.ts';
import { digestOf, type Digest } from '../../oci/digest.ts';
import type { ImageStore } from '../../oci/image-store.ts';
import { makeDescriptor, parseDocument, type Descriptor } from '../../oci/manifest.ts';
import * as types from '../../oci/media-types.ts';
import { startFaultProxy } from '../../../test/support/fault-proxy.ts';
import { startServer, type SeenRequest } from '../../../test/support/http-server.ts';
import { documentOf, layerOf, putBytes, putImage } from '../../../test/support/images.ts';
import { openForTest } from '../../../test/support/registry-client.ts';
import { startRegistry } from '../../../test/support/registry.ts';

const lines = (requests: readonly SeenRequest[]): string[] =>
  requests.map(
    ({ method, path, status }) =>
      `${method} ${decodeURIComponent(path)
        .replace(/sha256:[0-9a-f]{64}/g, 'D')
        .replace(/uploads\/[0-9a-f-]{36}/, 'uploads/U')
        .replace(/_state=[^&]*/, '_state=S')} ${status}`,
  );
const bytesOf = (stream: ByteStream): Promise<Uint8Array> =>
  collect(stream, { limit: 1 << 30, what: 'blob' });
const blob = (bytes: Uint8Array): Descriptor =>
  makeDescriptor('application/octet-stream', digestOf(bytes), bytes.length);
const layers = async (count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, at) => layerOf([{ name: `file-${at}`, content: `content ${at}` }])),
  );

async function readAll(store: ImageStore, tag: string): Promise<Digest> {
  const document = await store.resolve({ tag });
  const parsed = parseDocument(document);
  assert.equal(parsed.kind, 'manifest');
  if (parsed.kind === 'manifest')
    for (const part of [parsed.config, ...parsed.layers]) await bytesOf(store.blob(part));
  return document.descriptor.digest;
}

test('a same-repository patch of an image with N layers takes N + 8 requests, the first refusal included', async () => {
  const count = 5;
  await using registry = await startRegistry({ auth: { kind: 'bearer', users: { me: 'pass' } } });
  const user = { username: 'me', password: 'pass', access: 'push' } as const;
  await using pusher = openForTest(`${registry.host}/team/app`, user);
  await putImage(pusher.store, { layers: await layers(count) }, '1');
  registry.requests.length = 0;
  if (registry.tokens) registry.tokens.requests.length = 0;

  await using opened = openForTest(`${registry.host}/team/app`, user);
  const { store } = opened;
  const base = parseDocument(await store.resolve({ tag: '1' }));
  assert.ok(base.kind === 'manifest');
  for (const part of [base.config, ...base.layers]) await bytesOf(store.blob(part));
  const layer = randomBytes(300_000);
  await store.putBlob(blob(layer), { open: () => streamOf(layer), fresh: true });
  const config = await putBytes(store, types.OCI_CONFIG, Buffer.from('{}'));
  const manifest = {
    schemaVersion: 2,
    mediaType: types.OCI_MANIFEST,
    config: config.raw,
    layers: [...base.layers.map(({ raw }) => raw), blob(layer).raw],
  };
  await store.putDocument(documentOf(types.OCI_MANIFEST, manifest), '1-patched');

  assert.deepEqual(lines(registry.requests), [
    'GET /v2/team/app/manifests/1 401',
    'GET /v2/team/app/manifests/1 200',
    ...Array.from({ length: count + 1 }, () => 'GET /v2/team/app/blobs/D 200'),
    'POST /v2/team/app/blobs/uploads/ 202',
    'PUT /v2/team/app/blobs/uploads/U?digest=D 201',
    'POST /v2/team/app/blobs/uploads/ 202',
    'PUT /v2/team/app/blobs/uploads/U?digest=D 201',
    'PUT /v2/team/app/manifests/1-patched 201',
  ]);
  assert.equal(registry.requests.length, count + 8);
  assert.equal(registry.tokens?.requests.length, 1);
});

test('manifests are asked for with every type, so that strict registries do not hide them', async () => {
  await using registry = await startRegistry({ strictAccept: true });
  await using opened = openForTest(`${registry.host}/team/app`);
  const document = await putImage(opened.store, { layers: await layers(1) }, '1');
  assert.deepEqual((await opened.store.resolve({ tag: '1' })).bytes, document.bytes);
  assert.equal((await fetch(`${registry.url}/v2/team/app/manifests/1`)).status, 404);
});

test('a large blob that is there is not sent again; a small one is not asked about', async () => {
  await using registry = await startRegistry();
  await using opened = openForTest(`${registry.host}/team/app`);
  const bytes = randomBytes(100_000);
  const source = { open: () => streamOf(bytes) };
  assert.deepEqual(await opened.store.putBlob(blob(bytes), source), { uploaded: true });
  assert.deepEqual(await opened.store.putBlob(blob(bytes), source), { uploaded: false });
  await putBytes(opened.store, 'x/y', Buffer.from('small'));
  assert.deepEqual(lines(registry.requests), [
    'HEAD /v2/team/app/blobs/D 404',
    'POST /v2/team/app/blobs/uploads/ 202',
    'PUT /v2/team/app/blobs/uploads/U?digest=D 201',
    'HEAD /v2/team/app/blobs/D 200',
    'POST /v2/team/app/blobs/uploads/ 202',
    'PUT /v2/team/app/blobs/uploads/U?digest=D 201',
  ]);
});

test('a blob of another repository is mounted; a miss uses the session the registry has opened', async () => {
  await using registry = await startRegistry();
  await using source = openForTest(`${registry.host}/team/base`);
  await using opened = openForTest(`${registry.host}/team/app`, { pool: source.pool });
  const bytes = randomBytes(100_000);
  await source.store.putBlob(blob(bytes), { open: () => streamOf(bytes) });
  const mountFrom = source.store.repository ?? '';
  assert.equal(source.store.mountIdentity, opened.store.mountIdentity);
  registry.requests.length = 0;
  const open = (): never => assert.fail('a mounted blob needs no content');
  assert.deepEqual(await opened.store.putBlob(blob(bytes), { open, mountFrom }), { uploaded: false });
  const other = randomBytes(1000);
  await opened.store.putBlob(blob(other), { open: () => streamOf(other), mountFrom });
  assert.deepEqual(lines(registry.requests), [
    'POST /v2/team/app/blobs/uploads/?mount=D&from=team/base 201',
    'POST /v2/team/app/blobs/uploads/?mount=D&from=team/base 202',
    'PUT /v2/team/app/blobs/uploads/U?digest=D 201',
  ]);
});

test('a mount that is refused in any way becomes an upload', async () => {
  // Harbor and Quay 401, GitLab 404, others 400, 403, 405, 500 for good
  for (const status of [400, 401, 403, 404, 405, 500]) {
    await using registry = await startRegistry();
    const fault = {
      kind: 'status',
      status,
      body: '{"errors":[{"code":"UNAUTHORIZED","message":"project not found"}]}',
    } as const;
    await using proxy = await startFaultProxy(registry.url, [
      { method: 'POST', path: /mount=/, times: 9, fault },
    ]);
    await using opened = openForTest(`${proxy.host}/team/app`);
    const bytes = Buffer.from('content');
    const source = { open: () => streamOf(bytes), mountFrom: 'team/base' };
    assert.deepEqual(await opened.store.putBlob(blob(bytes), source), { uploaded: true }, String(status));
  }
});

test('a token for the mount that is refused costs the mount, not the push', async () => {
  const allow = (
    user: string | undefined,
    { name, actions }: { name: string; actions: readonly string[] },
  ) => (user !== undefined && name === 'team/app' ? actions : []);
  await using registry = await startRegistry({ auth: { kind: 'bearer', users: { me: 'pass' }, allow } });
  await using opened = openForTest(`${registry.host}/team/app`, { username: 'me', password: 'pass' });
  const bytes = Buffer.from('content');
  const source = { open: () => streamOf(bytes), mountFrom: 'private/base' };
  assert.deepEqual(await opened.store.putBlob(blob(bytes), source), { uploaded: true });
});

test('a mount that was a lie is repaired when the manifest is refused', async () => {
  await using registry = await startRegistry();
  const fault = { kind: 'status', status: 201, headers: { location: '/v2/team/app/blobs/x' } } as const;
  await using proxy = await startFaultProxy(registry.url, [{ path: /mount=/, fault }]);
  await using opened = openForTest(`${proxy.host}/team/app`);
  const layer = (await layers(1))[0];
  assert.ok(layer);
  const descriptor = makeDescriptor(layer.mediaType, digestOf(layer.bytes), layer.bytes.length);
  const source = { open: () => streamOf(layer.bytes), mountFrom: 'team/base' };
  assert.deepEqual(await opened.store.putBlob(descriptor, source), { uploaded: false });
  const config = await putBytes(opened.store, types.OCI_CONFIG, Buffer.from('{}'));
  const document = documentOf(types.OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: types.OCI_MANIFEST,
    config: config.raw,
    layers: [descriptor.raw],
  });
  await opened.store.putDocument(document, '1');
  assert.deepEqual((await opened.store.resolve({ tag: '1' })).bytes, document.bytes);
  assert.match(opened.log.lines.join(), /does not have a blob it mounted/);
});

test('upload locations are followed in every form that leads to the registry itself', async () => {
  const rows: [form: (location: URL, host: string) => string, warns: boolean][] = [
    [({ pathname, search }) => pathname + search, false],
    [(url, host) => `http://${host}${url.pathname}?_state=a%2Fb%3D%3D&x=~y`, false],
    // a proxy that loses the port
    [(url) => `http://127.0.0.1${url.pathname}`, true],
  ];
  for (const [form, warns] of rows) {
    await using registry = await startRegistry({ location: 'absolute' });
    await using proxy = await startServer(async (request, response) => {
      const body: Buffer[] = [];
      for await (const chunk of request) body.push(chunk as Buffer);
      const answer = await fetch(registry.url + request.url, {
        method: request.method ?? '',
        ...(request.method === 'PUT' && { body: Buffer.concat(body) }),
      });
      const location = answer.headers.get('location');
      const headers =
        location === null ? {} : { location: form(new URL(location, registry.url), proxy.host) };
      response.writeHead(answer.status, headers).end();
    });
    await using opened = openForTest(`${proxy.host}/team/app`);
    assert.ok(await putBytes(opened.store, 'x/y', Buffer.from('content')));
    const [, put] = proxy.requests;
    assert.match(put?.path ?? '', /[?&]digest=sha256%3A[0-9a-f]{64}$/);
    if (form.length === 2 && !warns) assert.match(put?.path ?? '', warns ? /./ : /\?(_state=.*&)?digest/);
    assert.equal(/wrong scheme or port/.test(opened.log.lines.join()), warns);
  }
});

test('the newest location counts: docker-registry refuses older ones', async () => {
  await using registry = await startRegistry({ location: 'absolute' });
  await using proxy = await startFaultProxy(registry.url);
  await using opened = openForTest(`${proxy.host}/team/app`);
  await putBytes(opened.store, 'x/y', Buffer.from('content'));
  assert.match(proxy.requests[1]?.path ?? '', /\?_state=[0-9a-f-]+%3D%3D&digest=sha256%3A/);
});

test('a tag that may not move is TARGET_REFUSED, and no error when it already is where it should be', async () => {
  const answers = [
    { status: 400, code: 'TAG_INVALID', message: 'ImageTagAlreadyExistsException: the tag is immutable' },
    { status: 409, code: 'CONFLICT', message: 'tag exists' },
    { status: 412, code: 'PRECONDITION', message: 'Failed to process request due to immutable rule' },
    { status: 405, code: 'UNSUPPORTED', message: 'The tag is locked' },
    { status: 403, code: 'DENIED', message: 'overwrite is not allowed' },
  ];
  for (const immutable of answers) {
    await using registry = await startRegistry({ immutable });
    await using opened = openForTest(`${registry.host}/team/app`);
    const document = await putImage(opened.store, { layers: await layers(1) }, '1');
    await opened.store.putDocument(document, '1');
    const changed = await putImage(opened.store, { layers: await layers(2) });
    await assert.rejects(
      () => opened.store.putDocument(changed, '1'),
      (error) => hasCode(error, 'TARGET_REFUSED') && error.message.includes(immutable.message),
      String(immutable.status),
    );
  }
});

test('a read-only registry is TARGET_REFUSED', async () => {
  await using registry = await startRegistry({ readOnly: true });
  await using opened = openForTest(`${registry.host}/team/app`);
  await assert.rejects(
    () => putBytes(opened.store, 'x/y', Buffer.from('content')),
    (error) =>
      hasCode(error, 'TARGET_REFUSED') &&
      /POST answered 405 \(UNSUPPORTED: The operation is unsupported\.\)/.test(error.message) &&
      /read-only/.test(error.hint ?? ''),
  );
});

test('a registry that rewrites the manifest is found out', async () => {
  await using registry = await startRegistry();
  const headers = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` };
  await using proxy = await startFaultProxy(registry.url, [
    { method: 'PUT', path: /manifests/, fault: { kind: 'headers', headers } },
  ]);
  await using opened = openForTest(`${proxy.host}/team/app`);
  await assert.rejects(
    () => layers(1).then((layers) => putImage(opened.store, { layers }, '1')),
    (error) => hasCode(error, 'DIGEST_MISMATCH') && /rewrote it/.test(error.message),
  );
});

test('where a proxy limits request bodies, a blob is sent in pieces', async () => {
  await using registry = await startRegistry({ maxBody: 1 << 20, location: 'absolute' });
  await using opened = openForTest(`${registry.host}/team/app`);
  const bytes = randomBytes(2_500_000);
  await opened.store.putBlob(blob(bytes), { open: () => streamOf(bytes), fresh: true });
  assert.deepEqual(await bytesOf(opened.store.blob(blob(bytes))), bytes);
  assert.deepEqual(
    registry.requests.map(
      ({ method, status, headers }) => `${method} ${headers['content-range'] ?? ''} ${status}`,
    ),
    [
      'POST  202',
      'PUT  413',
      'POST  202',
      'PATCH 0-786431 202',
      'PATCH 786432-1572863 202',
      'PATCH 1572864-2359295 202',
      'PATCH 2359296-2499999 202',
      'PUT  201',
      'GET  200',
    ],
  );
});

test('pieces are as large as the registry wants them', async () => {
  await using registry = await startRegistry({ maxBody: 2_000_000, chunkMinLength: 1_500_000 });
  await using opened = openForTest(`${registry.host}/team/app`);
  const bytes = randomBytes(4_000_000);
  await opened.store.putBlob(blob(bytes), { open: () => streamOf(bytes), fresh: true });
  assert.deepEqual(
    registry.requests.flatMap(({ headers }) => headers['content-range'] ?? []),
    ['0-1499999', '1500000-2999999', '3000000-3999999'],
  );
});

test('content in a descriptor is used when its digest is right, and only then', async () => {
  await using registry = await startRegistry();
  await using opened = openForTest(`${registry.host}/team/app`);
  const bytes = Buffer.from('{}');
  const stored = await putBytes(opened.store, types.OCI_EMPTY, bytes);
  registry.requests.length = 0;
  const right = makeDescriptor(types.OCI_EMPTY, stored.digest, 2, { data: bytes.toString('base64') });
  assert.deepEqual(await bytesOf(opened.store.blob(right)), bytes);
  assert.equal(registry.requests.length, 0);
  const wrong = makeDescriptor(types.OCI_EMPTY, stored.digest, 2, {
    data: Buffer.from('[]').toString('base64'),
  });
  assert.deepEqual(await bytesOf(opened.store.blob(wrong)), bytes);
  assert.equal(registry.requests.length, 1);
});

test('a wrong content type of a manifest does not count against what the manifest says itself', async () => {
  await using registry = await startRegistry();
  await using proxy = await startFaultProxy(registry.url);
  await using opened = openForTest(`${proxy.host}/team/app`);
  await putImage(opened.store, { layers: await layers(1) }, '1');
  for (const type of [types.DOCKER_MANIFEST, 'application/json; charset=utf-8', 'text/plain', undefined]) {
    proxy.reset([{ fault: { kind: 'headers', headers: { 'content-type': type } } }]);
    assert.equal((await opened.store.resolve({ tag: '1' })).descriptor.mediaType, types.OCI_MANIFEST);
  }
  proxy.reset([{ fault: { kind: 'headers', headers: { 'content-type': types.OCI_INDEX } } }]);
  await assert.rejects(
    () => opened.store.resolve({ tag: '1' }),
    (error) => hasCode(error, 'IMAGE_INVALID'),
  );
});

test('what is missing or refused says METHOD, place, status, code and a hint', async () => {
  await using registry = await startRegistry();
  await using opened = openForTest(`${registry.host}/team/app`);
  const place = `${registry.host}/team/app`;
  await assert.rejects(() => opened.store.resolve({ tag: '9' }), {
    code: 'IMAGE_NOT_FOUND',
    message: `Cannot read manifest 9 of ${place}: GET answered 404 (NAME_UNKNOWN: repository name not known to registry)`,
    hint: 'check the name and the tag; without rights some registries answer the same',
  });
  await using page = await startServer((_request, response) => {
    response
      .writeHead(400, { 'content-type': 'text/html' })
      .end('<html><title>400 Bad Request</title>nginx</html>');
  });
  await using behind = openForTest(`${page.host}/team/app`);
  await assert.rejects(() => behind.store.resolve({ tag: '1' }), {
    code: 'SERVER',
    message: `Cannot read manifest 1 of ${page.host}/team/app: GET answered 400 (a web page, "400 Bad Request")`,
    hint: 'a proxy answered instead of the registry',
  });
  // HEAD has no body, so its reason is asked for by GET
  await using denied = await startServer((request, response) => {
    response
      .writeHead(403)
      .end(request.method === 'HEAD' ? '' : '{"errors":[{"code":"DENIED","message":"not yours"}]}');
  });
  await using stranger = openForTest(`${denied.host}/team/app`);
  await assert.rejects(
    () => stranger.store.has(blob(Buffer.from('x'))),
    (error) =>
      hasCode(error, 'AUTH_REQUIRED') &&
      /GET answered 403 \(DENIED: not yours\), no credentials/.test(error.message),
  );
});

test('a registry that takes no foreign layers is TARGET_REFUSED, and the hint says why', async () => {
  // as docker-registry 2.8 answers when their URLs are not on its list
  const codes = ['UNKNOWN', 'MANIFEST_BLOB_UNKNOWN'].map((code) => ({ code, message: 'no' }));
  await using registry = await startServer((request, response) => {
    request.resume();
    response.writeHead(request.method === 'HEAD' ? 200 : 500).end(JSON.stringify({ errors: codes }));
  });
  await using opened = openForTest(`${registry.host}/team/app`);
  const { raw } = makeDescriptor(
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    digestOf(Buffer.from('x')),
    1,
    {
      urls: ['https://elsewhere.example/x'],
    },
  );
  const manifest = { schemaVersion: 2, mediaType: types.OCI_MANIFEST, config: raw, layers: [raw] };
  await assert.rejects(
    () => opened.store.putDocument(documentOf(types.OCI_MANIFEST, manifest), '1'),
    (error) =>
      error instanceof OnlayError &&
      error.code === 'TARGET_REFUSED' &&
      error.message.includes('PUT answered 500 (UNKNOWN, MANIFEST_BLOB_UNKNOWN: no)') &&
      /foreign layers/.test(error.hint ?? ''),
  );
});

test("a registry that takes no images in Docker's format is told of as such", async () => {
  await using registry = await startServer((request, response) => {
    request.resume();
    response.writeHead(400).end('{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}');
  });
  await using opened = openForTest(`${registry.host}/team/app`);
  for (const [type, hint] of [
    [types.DOCKER_MANIFEST, true],
    [types.OCI_MANIFEST, false],
  ] as const) {
    const { raw } = blob(Buffer.from('x'));
    const manifest = { schemaVersion: 2, mediaType: type, config: raw, layers: [] };
    await assert.rejects(
      () => opened.store.putDocument(documentOf(type, manifest), '1'),
      (error) =>
        error instanceof OnlayError &&
        error.code === 'TARGET_REFUSED' &&
        /format oci/.test(error.hint ?? '') === hint,
    );
  }
});

test('too many requests end with what the registry says about its limit', async () => {
  await using server = await startServer((_request, response) => {
    const headers = {
      'ratelimit-limit': '100;w=21600',
      'ratelimit-remaining': '0;w=21600',
      'retry-after': '3600',
    };
    response
      .writeHead(429, headers)
      .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your limit"}]}');
  });
  await using opened = openForTest(`${server.host}/team/app`);
  await assert.rejects(
    () => opened.store.resolve({ tag: '1' }),
    (error) =>
      hasCode(error, 'SERVER') &&
      /429 \(TOOMANYREQUESTS: You have reached your limit\), limit 100;w=21600, remaining 0;w=21600, retry after 3600/.test(
        error.message,
      ),
  );
  // an hour is not waited for
  assert.equal(server.requests.length, 1);
});

test('referrers are listed where the registry has the API', async () => {
  for (const referrers of [true, false]) {
    await using registry = await startRegistry({ referrers });
    await using opened = openForTest(`${registry.host}/team/app`);
    const subject = await putImage(opened.store, { layers: await layers(1) }, '1');
    const manifest = {
      artifactType: 'application/x.test',
      subject: subject.descriptor.raw,
      annotations: { a: 'b' },
    };
    const referrer = await putImage(opened.store, { layers: await layers(1), manifest });
    const found = await opened.store.referrers?.(subject.descriptor.digest);
    assert.deepEqual(
      found?.map(({ digest, artifactType, annotations }) => [digest, artifactType, { ...annotations }]),
      referrers ? [[referrer.descriptor.digest, 'application/x.test', { a: 'b' }]] : undefined,
    );
  }
});

test('mirrors of registries.conf serve reads; writes go to the registry itself', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'onlay-mirrors-'));
  try {
    await using mirror = await startRegistry();
    await using registry = await startRegistry();
    const conf = join(directory, 'registries.conf');
    writeFileSync(
      conf,
      `[[registry]]\nlocation = "${registry.host}"\n` +
        `[[registry.mirror]]\nlocation = "127.0.0.1:1"\n[[registry.mirror]]\nlocation = "${mirror.host}/cache"\n` +
        `[[registry]]\nprefix = "${registry.host}/blocked"\nlocation = "${registry.host}/blocked"\nblocked = true\n`,
    );
    const env = { CONTAINERS_REGISTRIES_CONF: conf };
    await using cache = openForTest(`${mirror.host}/cache/team/app`);
    await using opened = openForTest(`${registry.host}/team/app`, { env });
    await putImage(cache.store, { layers: await layers(1) }, 'mirrored');
    const direct = await putImage(opened.store, { layers: await layers(2) }, 'direct');
    mirror.requests.length = registry.requests.length = 0;
    await readAll(opened.store, 'mirrored');
    assert.equal(registry.requests.length, 0);
    assert.equal(mirror.requests.length, 3);
    // 404 in the mirror: the next place
    assert.equal(await readAll(opened.store, 'direct'), direct.descriptor.digest);
    assert.match(opened.log.lines.join('\n'), /a mirror is left out .*127\.0\.0\.1:1/);
    assert.equal(opened.log.lines.filter((line) => /left out/.test(line)).length, 1);
    await putBytes(opened.store, 'x/y', Buffer.from('content'));
    assert.ok(mirror.requests.every(({ method }) => method === 'GET'));
    await using blocked = openForTest(`${registry.host}/blocked/app`, { env });
    await assert.rejects(
      () => blocked.store.resolve({ tag: '1' }),
      (error) => hasCode(error, 'TARGET_REFUSED') && /registries\.conf blocks it/.test(error.message),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
