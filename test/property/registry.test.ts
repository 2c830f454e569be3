// Whatever a registry answers, in whatever order: every call ends with right content or an OnlayError, after a bounded
// number of requests, and nothing that identifies the user reaches another server.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { collect, streamOf } from '../../src/base/streams.ts';
import { OnlayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { makeDescriptor } from '../../src/oci/manifest.ts';
import * as types from '../../src/oci/media-types.ts';
import { bodyOf, startServer, type TestServer } from '../support/http-server.ts';
import { documentOf } from '../support/images.ts';
import { openForTest } from '../support/registry-client.ts';

const SECRET = 's3cret-password';
const content = Buffer.alloc(100_000, 'content');
const blob = makeDescriptor('application/octet-stream', digestOf(content), content.length);
const manifest = documentOf(types.OCI_MANIFEST, {
  schemaVersion: 2,
  mediaType: types.OCI_MANIFEST,
  config: blob.raw,
  layers: [],
});

interface Scripted {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  /** The connection ends after the body's first half. */
  readonly cut: boolean;
}

const elsewhere: TestServer = await startServer(async (request, response) => {
  await bodyOf(request);
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"anonymous"}');
});
after(() => elsewhere[Symbol.asyncDispose]());
// by another name it is another host
const other = `http://localhost:${elsewhere.host.split(':')[1]}`;

const places = [
  '/v2/team/app/blobs/uploads/1',
  '/v2/team/app/blobs/uploads/1?_state=x',
  '1?digest=old',
  `${elsewhere.url}/x?sig=1`,
  `${other}/x`,
  `https://${elsewhere.host}/x`,
  `//${elsewhere.host}/v2/`,
  'http://169.254.169.254/latest',
  `http://me:${SECRET}@127.0.0.1:1/`,
  'ftp://127.0.0.1/x',
  'http://',
  '%%%',
  '?',
  '',
] as const;
const challenges = [
  'Basic realm="x"',
  `Bearer realm="${other}/token",service="s",scope="repository:team/app:pull,push repository:x:pull"`,
  'Bearer realm="/token"',
  'Bearer realm="http://169.254.169.254/"',
  'Bearer realm="',
  'Bearer',
  'Negotiate abc==',
  ', ,=,"',
  ['Negotiate', 'Basic realm="a, b", charset="UTF-8"'],
] as const;
const bodies = [
  '',
  '{}',
  'null',
  '[]',
  '<html><title>no</title>',
  '{"token":"own"}',
  '{"access_token":7,"expires_in":"x"}',
  '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":null},null,7]}',
  '{"errors":{"code":"DENIED"}}',
  '{"manifests":[],"layers":[]}',
  Buffer.from(manifest.bytes),
  content,
  content.subarray(1),
  Buffer.concat([content, Buffer.from('!')]),
] as const;

const scripted: fc.Arbitrary<Scripted> = fc.record({
  status: fc.constantFrom(
    ...[200, 200, 201, 202, 202, 204, 206, 301, 303, 307, 308, 400, 401, 401, 403, 404, 405, 409, 412],
    ...[413, 416, 418, 429, 500, 503],
  ),
  headers: fc.record<Scripted['headers']>({
    location: fc.option(fc.constantFrom(...places), { nil: undefined }),
    'www-authenticate': fc.option(fc.constantFrom(...challenges), { nil: undefined }),
    'content-type': fc.constantFrom(
      undefined,
      types.OCI_MANIFEST,
      types.OCI_INDEX,
      'text/html',
      ';',
      'a/b;c',
    ),
    'docker-content-digest': fc.constantFrom(undefined, blob.digest, manifest.descriptor.digest, 'sha256:x'),
    'content-range': fc.constantFrom(undefined, 'bytes 0-99999/100000', 'bytes 5-9/*', 'x'),
    'retry-after': fc.constantFrom(undefined, '0', '1', '99999999', 'soon'),
    'oci-chunk-min-length': fc.constantFrom(undefined, '1', '-5', '1e12', 'x'),
    link: fc.constantFrom(undefined, `<${other}/next>; rel="next"`, '</v2/x?n=1>; rel=next', '<'),
    'set-cookie': fc.constantFrom(undefined, 'session=registry'),
  }),
  body: fc.constantFrom(...bodies).map((body) => Buffer.from(body)),
  cut: fc.constantFrom(false, false, false, true),
});

/** The calls of a store; what they give when all is well is checked. */
const calls: Readonly<Record<string, (store: ImageStore) => Promise<void>>> = {
  async resolve(store) {
    const { bytes, descriptor } = await store.resolve({ tag: '1' });
    assert.equal(digestOf(bytes), descriptor.digest);
  },
  async document(store) {
    assert.ok(Buffer.from((await store.document(manifest.descriptor)).bytes).equals(manifest.bytes));
  },
  async blob(store) {
    assert.ok(content.equals(await collect(store.blob(blob), { limit: 1 << 20, what: 'blob' })));
  },
  async has(store) {
    await store.has(blob);
    await store.has(manifest.descriptor);
  },
  async put(store) {
    await store.putBlob(blob, { open: () => streamOf(content), mountFrom: 'team/base' });
    await store.putBlob(blob, { open: () => streamOf(content), fresh: true });
  },
  putDocument: (store) => store.putDocument(manifest, '1'),
  async tagged(store) {
    await store.tagged?.('1');
  },
  async referrers(store) {
    await store.referrers?.(manifest.descriptor.digest);
  },
};
const MAX_REQUESTS = 120;
const CUT_INDEX: Scripted = {
  status: 200,
  headers: { 'content-type': types.OCI_INDEX },
  body: Buffer.from('{"manifests":[]}'),
  cut: true,
};

test('a registry that answers anything at all', async () => {
  let script: readonly Scripted[] = [];
  let at = 0;
  await using registry = await startServer((request, response) => {
    request.resume();
    const { status, headers, body, cut } = script[at++ % script.length] as Scripted;
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined) response.setHeader(name, value);
    response.writeHead(status);
    if (cut) response.write(body.subarray(0, body.length >> 1), () => response.destroy());
    else response.end(body);
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(scripted, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(...Object.keys(calls)),
      async (answers, call) => {
        script = answers;
        at = 0;
        registry.requests.length = 0;
        elsewhere.requests.length = 0;
        await using opened = openForTest(`${registry.host}/team/app`, { username: 'me', password: SECRET });
        try {
          await calls[call]?.(opened.store);
        } catch (error) {
          if (!(error instanceof OnlayError)) throw error;
          assert.notEqual(error.code, 'INTERNAL');
          assert.ok(!`${error.message} ${error.hint}`.includes(SECRET), error.message);
        }
        assert.ok(registry.requests.length <= MAX_REQUESTS, `${registry.requests.length} requests`);
        for (const { headers, path } of elsewhere.requests) {
          assert.equal(headers.authorization, undefined, path);
          assert.equal(headers.cookie, undefined, path);
          assert.ok(!path.includes(SECRET));
        }
        assert.ok(!opened.log.lines.join('\n').includes(SECRET));
      },
    ),
    // found: a list that is cut off was no OnlayError
    { numRuns: 150, examples: [[[CUT_INDEX], 'referrers']] },
  );
});
