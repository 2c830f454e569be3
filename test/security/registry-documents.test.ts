// A registry that lies: about digests, sizes, types, lengths, encodings; or never stops talking. What it says is refused
// before anything else is asked of it.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { collect } from '../../src/base/streams.ts';
import { hasCode, type ErrorCode } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { makeDescriptor, parseDocument } from '../../src/oci/manifest.ts';
import * as types from '../../src/oci/media-types.ts';
import { startServer, type Handler } from '../support/http-server.ts';
import { documentOf } from '../support/images.ts';
import { openForTest } from '../support/registry-client.ts';

const config = { mediaType: types.OCI_CONFIG, digest: digestOf(Buffer.from('{}')), size: 2 };
const honest = { schemaVersion: 2, mediaType: types.OCI_MANIFEST, config, layers: [] };

async function ask(
  handler: Handler,
  code: ErrorCode,
  requests: number,
  wanted?: ReturnType<typeof documentOf>,
): Promise<void> {
  await using server = await startServer(handler);
  await using opened = openForTest(`${server.host}/team/app`);
  await assert.rejects(
    async () =>
      parseDocument(
        await (wanted ? opened.store.document(wanted.descriptor) : opened.store.resolve({ tag: '1' })),
      ),
    (error) => {
      assert.ok(hasCode(error, code), String(error));
      return true;
    },
  );
  assert.equal(server.requests.length, requests);
}

const answering =
  (body: string | Uint8Array, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(200, { 'content-type': types.OCI_MANIFEST, ...headers }).end(body);

test('a manifest that is not what was asked for by digest is DIGEST_MISMATCH, whatever the header says', async () => {
  const wanted = documentOf(types.OCI_MANIFEST, honest);
  const other = Buffer.from(JSON.stringify({ ...honest, layers: [config] }));
  await ask(
    answering(other, { 'docker-content-digest': wanted.descriptor.digest }),
    'SIZE_MISMATCH',
    2,
    wanted,
  );
  const sameSize = Buffer.from(wanted.bytes);
  sameSize[sameSize.length - 2] = 0x20;
  await ask(
    answering(sameSize, { 'docker-content-digest': wanted.descriptor.digest }),
    'DIGEST_MISMATCH',
    2,
    wanted,
  );
});

test('a tag whose digest header does not belong to the body is DIGEST_MISMATCH', async () => {
  await ask(
    answering(JSON.stringify(honest), { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }),
    'DIGEST_MISMATCH',
    2,
  );
});

test('a document that means two things is refused', async () => {
  for (const [body, type] of [
    [{ ...honest, manifests: [] }, types.OCI_MANIFEST],
    [{ ...honest, mediaType: types.OCI_INDEX }, types.OCI_INDEX],
    [honest, types.OCI_INDEX],
    [{ schemaVersion: 2, manifests: [] }, types.OCI_MANIFEST],
    [{ ...honest, Layers: [] }, types.OCI_MANIFEST],
  ] as const)
    await ask(answering(JSON.stringify(body), { 'content-type': type }), 'IMAGE_INVALID', 1);
  await ask(answering(`{"schemaVersion":2,"layers":[],"layers":[]}`), 'IMAGE_INVALID', 1);
});

test('digests that would be paths are refused', async () => {
  for (const digest of [
    'sha256:../../../etc/passwd',
    'sha256:ABCD',
    `sha512:${'0'.repeat(64)}`,
    `md5:${'0'.repeat(32)}`,
    '',
    7,
  ])
    await ask(answering(JSON.stringify({ ...honest, layers: [{ ...config, digest }] })), 'IMAGE_INVALID', 1);
});

test('schema 1, web pages and artifacts are named for what they are', async () => {
  const schema1 = JSON.stringify({ schemaVersion: 1, name: 'x', fsLayers: [] });
  await ask(
    answering(schema1, { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' }),
    'IMAGE_UNSUPPORTED',
    1,
  );
  await ask(answering('<html>login</html>', { 'content-type': 'text/html' }), 'IMAGE_INVALID', 1);
});

test('a manifest without end is given up at its limit', async () => {
  const endless: Handler = (_request, response) => {
    response.writeHead(200, { 'content-type': types.OCI_MANIFEST });
    const chunk = Buffer.alloc(1 << 20, 0x20);
    const write = (): void => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', write);
    };
    write();
  };
  await ask(endless, 'LIMIT_EXCEEDED', 1);
});

test('an encoding nobody asked for is a digest mismatch, not another document', async () => {
  const wanted = documentOf(types.OCI_MANIFEST, honest);
  const zipped = gzipSync(wanted.bytes);
  await ask(answering(zipped, { 'content-encoding': 'gzip' }), 'SIZE_MISMATCH', 2, wanted);
  await ask(answering(zipped, { 'content-encoding': 'gzip' }), 'IMAGE_INVALID', 1);
});

test('a blob that is shorter, longer or other than its descriptor says never ends well', async () => {
  const bytes = Buffer.alloc(100_000, 'x');
  const descriptor = makeDescriptor('x/y', digestOf(bytes), bytes.length);
  const rows: [body: Uint8Array, code: ErrorCode, headers?: Record<string, string>][] = [
    [Buffer.concat([bytes, Buffer.from('!')]), 'SIZE_MISMATCH'],
    [Buffer.alloc(100_000, 'y'), 'DIGEST_MISMATCH'],
    [bytes.subarray(0, 99_999), 'NETWORK'],
    [bytes.subarray(0, 99_999), 'SIZE_MISMATCH', { 'content-length': '99999' }],
  ];
  for (const [body, code, headers] of rows) {
    await using server = await startServer(
      (_request, response) => void response.writeHead(200, headers).end(body),
    );
    await using opened = openForTest(`${server.host}/team/app`);
    await assert.rejects(
      () => collect(opened.store.blob(descriptor), { limit: 1 << 20, what: 'blob' }),
      (error) => hasCode(error, code),
      code,
    );
    assert.ok(server.requests.length <= 5);
  }
});

test('a large blob that is wrong fails although its bytes have been handed on', async () => {
  const bytes = Buffer.alloc(10 << 20, 'x');
  const descriptor = makeDescriptor('x/y', digestOf(bytes), bytes.length);
  const wrong = Buffer.from(bytes);
  wrong[9 << 20] = 0;
  await using server = await startServer((_request, response) => void response.writeHead(200).end(wrong));
  await using opened = openForTest(`${server.host}/team/app`);
  await assert.rejects(
    () => collect(opened.store.blob(descriptor), { limit: 1 << 30, what: 'blob' }),
    (error) => hasCode(error, 'DIGEST_MISMATCH') && error.message.includes(descriptor.digest),
  );
  assert.equal(server.requests.length, 1);
});

test('a range that is not the one asked for is not appended', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
  const descriptor = makeDescriptor('x/y', digestOf(bytes), bytes.length);
  for (const range of ['bytes 0-299999/300000', 'bytes 100000-299999/400000', 'nonsense', undefined]) {
    let cut = false;
    await using server = await startServer((request, response) => {
      if (!cut) {
        cut = true;
        response.writeHead(200, { 'content-length': bytes.length });
        return void response.write(bytes.subarray(0, 100_000), () => response.destroy());
      }
      if (request.headers.range === undefined) return void response.writeHead(200).end(bytes);
      return void response
        .writeHead(206, range === undefined ? {} : { 'content-range': range })
        .end(bytes.subarray(7));
    });
    await using opened = openForTest(`${server.host}/team/app`);
    assert.deepEqual(
      Buffer.from(await collect(opened.store.blob(descriptor), { limit: 1 << 20, what: 'blob' })),
      bytes,
    );
  }
});
