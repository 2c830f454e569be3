// What goes wrong between us and a registry, one fault at a time: the same for onlay, skopeo, crane and oras.
// Ours must come through, or fail for the stated reason; what the others do is printed beside it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { collect, streamOf } from '../../src/base/streams.ts';
import { hasCode, messageOf } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { makeDescriptor, parseDocument, serialize, type Descriptor } from '../../src/oci/manifest.ts';
import * as types from '../../src/oci/media-types.ts';
import { openStore, parseTransport } from '../../src/stores/index.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startFaultProxy, type FaultProxy, type Rule } from '../support/fault-proxy.ts';
import { documentOf, putBytes, tarOf } from '../support/images.ts';
import { openForTest, type OpenedRegistry } from '../support/registry-client.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { findPeers, type Peer } from './peers.ts';

const NEEDS_LOGIN = { username: 'me', password: 'pass' };
const MEBIBYTE = 1 << 20;

interface Row {
  readonly fault: string;
  readonly rules: readonly Rule[];
  readonly does: 'pull' | 'pull large' | 'push' | 'push with login' | 'copy';
  /** How ours must fail, where it must. */
  readonly fails?: RegExp;
  /** What else must be true afterwards. */
  readonly check?: (proxy: FaultProxy, opened: OpenedRegistry) => void;
}

const status = (status: number, headers: Record<string, string> = {}, body?: string): Rule['fault'] => ({
  kind: 'status',
  status,
  headers,
  ...(body !== undefined && { body }),
});
const UPLOAD = { method: /PUT|PATCH/, path: /\/blobs\/uploads\/./ };
const MANIFEST = { method: 'GET', path: /\/manifests\// };
const BLOB = { method: 'GET', path: /\/blobs\/sha256:/ };
const ranges = (proxy: FaultProxy): string[] =>
  proxy.requests.flatMap(({ headers }) => (headers.range === undefined ? [] : [headers.range]));

let login: TestRegistry;
const rows = (LAYER: Pick<Rule, 'method' | 'path'>): readonly Row[] => [
  {
    fault: '429 with Retry-After on manifest GET',
    rules: [{ ...MANIFEST, fault: status(429, { 'retry-after': '1' }) }],
    does: 'pull',
    check: (_proxy, { clock }) => assert.deepEqual(clock.slept, [1000]),
  },
  {
    fault: '429 with an HTTP date',
    rules: [
      {
        ...MANIFEST,
        fault: status(429, { 'retry-after': new Date(Date.now() + 1000).toUTCString() }),
      },
    ],
    does: 'pull',
  },
  {
    fault: '503 on manifest GET, four times',
    rules: [{ ...MANIFEST, times: 4, fault: status(503) }],
    does: 'pull',
  },
  { fault: '502 on blob GET', rules: [{ ...BLOB, fault: status(502) }], does: 'pull' },
  { fault: 'reset on blob GET', rules: [{ ...BLOB, fault: { kind: 'reset', bytes: 0 } }], does: 'pull' },
  {
    fault: 'blob cut at 1 MB of 3 MB',
    rules: [{ ...LAYER, fault: { kind: 'cut', bytes: 1_000_000 } }],
    does: 'pull',
    check: (proxy) => assert.deepEqual(ranges(proxy), ['bytes=1000000-']),
  },
  {
    fault: 'large blob cut three times',
    rules: [{ ...LAYER, times: 3, fault: { kind: 'cut', bytes: 2 * MEBIBYTE } }],
    does: 'pull large',
    check: (proxy) =>
      assert.deepEqual(
        ranges(proxy),
        [2, 4, 6].map((count) => `bytes=${count * MEBIBYTE}-`),
      ),
  },
  {
    fault: 'blob cut, then Range is ignored',
    rules: [
      { ...LAYER, fault: { kind: 'cut', bytes: 1_000_000 } },
      { ...LAYER, after: 1, fault: { kind: 'ignore-range' } },
    ],
    does: 'pull',
  },
  {
    fault: 'blob cut, then 416',
    rules: [
      { ...LAYER, fault: { kind: 'cut', bytes: 1_000_000 } },
      { ...LAYER, after: 1, fault: status(416) },
    ],
    does: 'pull',
  },
  {
    fault: 'corrupted blob',
    rules: [{ ...LAYER, fault: { kind: 'corrupt', offset: 1_500_000 } }],
    does: 'pull',
  },
  {
    fault: 'blob corrupted every time',
    rules: [{ ...LAYER, times: 99, fault: { kind: 'corrupt', offset: 1_500_000 } }],
    does: 'pull',
    fails: /^DIGEST_MISMATCH .*sha256:[0-9a-f]{64}/,
    check: (proxy) => assert.equal(proxy.requests.filter(({ path }) => /\/blobs\//.test(path)).length, 3),
  },
  {
    fault: 'corrupted manifest',
    rules: [{ ...MANIFEST, fault: { kind: 'corrupt', offset: 300 } }],
    does: 'pull',
  },
  {
    fault: 'no Docker-Content-Digest',
    rules: [{ times: 99, fault: { kind: 'headers', headers: { 'docker-content-digest': undefined } } }],
    does: 'pull',
  },
  {
    fault: '500 for ever',
    rules: [
      { ...MANIFEST, times: 99, fault: status(500, {}, '{"errors":[{"code":"UNKNOWN","message":"down"}]}') },
    ],
    does: 'pull',
    fails: /^SERVER .*GET answered 500 \(UNKNOWN: down\)/,
    check: (proxy) => assert.equal(proxy.requests.length, 5),
  },
  { fault: '503 on blob PATCH/PUT', rules: [{ ...UPLOAD, fault: status(503) }], does: 'push' },
  {
    fault: 'reset in the middle of an upload',
    rules: [{ ...UPLOAD, fault: { kind: 'reset', bytes: 500_000 } }],
    does: 'push',
  },
  {
    fault: 'upload session lost (404)',
    rules: [
      { ...UPLOAD, fault: status(404, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"gone"}]}') },
    ],
    does: 'push',
  },
  {
    fault: 'upload corrupted on its way',
    rules: [{ ...UPLOAD, fault: { kind: 'corrupt-upload', offset: 5 } }],
    does: 'push',
  },
  {
    fault: '413 on a whole blob',
    rules: [{ method: 'PUT', path: UPLOAD.path, fault: status(413) }],
    does: 'push',
  },
  {
    fault: '429 on upload POST',
    rules: [{ method: 'POST', fault: status(429, { 'retry-after': '1' }) }],
    does: 'push',
  },
  {
    fault: '503 on manifest PUT',
    rules: [{ method: 'PUT', path: /manifests/, fault: status(503) }],
    does: 'push',
  },
  {
    fault: 'reset on manifest PUT',
    rules: [{ method: 'PUT', path: /manifests/, fault: { kind: 'reset', bytes: 1 } }],
    does: 'push',
  },
  { fault: '502 on HEAD blob', rules: [{ method: 'HEAD', path: /blobs/, fault: status(502) }], does: 'push' },
  { fault: '503 on mount POST', rules: [{ path: /mount=/, fault: status(503) }], does: 'copy' },
  {
    fault: 'mount refused (401, Harbor)',
    rules: [{ path: /mount=/, times: 9, fault: status(401) }],
    does: 'copy',
  },
  {
    fault: '401 on PATCH/PUT: token expired',
    rules: [
      {
        ...UPLOAD,
        fault: status(401, {
          'www-authenticate': `Bearer realm="${login.tokens?.realm}",service="test",error="invalid_token"`,
        }),
      },
    ],
    does: 'push with login',
    check: () => assert.equal(login.tokens?.requests.length, 2),
  },
];

const peers = findPeers();
const table: string[][] = [['fault', 'onlay', ...peers.map(({ title }) => title)]];

let directory: string;
let upstream: { url: string; host: string; close: () => PromiseLike<void> };
const image: { layer: Uint8Array; large: Uint8Array } = { layer: new Uint8Array(), large: new Uint8Array() };

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onlay-faults-'));
  const { registry } = await startDockerRegistry();
  const own = registry ? undefined : await startRegistry({ location: 'absolute' });
  const server = registry ?? own;
  assert.ok(server);
  upstream = { url: server.url, host: server.host, close: () => server[Symbol.asyncDispose]() };
  login = await startRegistry({ auth: { kind: 'bearer', users: { me: 'pass' } } });
  image.layer = await tarOf([{ name: 'file', content: randomBytes(3_000_000) }]);
  image.large = await tarOf([{ name: 'file', content: randomBytes(12 * MEBIBYTE) }]);
  await using opened = openForTest(`${upstream.host}/team/app`);
  await push(opened.store, image.layer, '1');
  await push(opened.store, image.large, 'large');
  const place = { stdin: process.stdin, stdout: process.stdout, log: silentLog };
  const registryOptions = { env: {}, log: silentLog };
  const layout = parseTransport(`oci:${join(directory, 'image')}:1`);
  await using store = await openStore(layout, { ...place, registry: registryOptions }, 'write');
  await push(store, image.layer, '1');
});

after(async () => {
  console.log(formatTable(table));
  await upstream.close();
  await login[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function configOf(layer: Uint8Array): Uint8Array {
  return serialize({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
}

const blob = (type: string, bytes: Uint8Array): Descriptor =>
  makeDescriptor(type, digestOf(bytes), bytes.length);

async function push(store: ImageStore, layer: Uint8Array, tag: string, mountFrom?: string): Promise<void> {
  const descriptor = blob(types.OCI_LAYER, layer);
  await store.putBlob(descriptor, {
    open: () => streamOf(layer),
    ...(mountFrom !== undefined && { mountFrom }),
  });
  const config = await putBytes(store, types.OCI_CONFIG, configOf(layer));
  const manifest = {
    schemaVersion: 2,
    mediaType: types.OCI_MANIFEST,
    config: config.raw,
    layers: [descriptor.raw],
  };
  await store.putDocument(documentOf(types.OCI_MANIFEST, manifest), tag);
}

async function pull(store: ImageStore, tag: string): Promise<Uint8Array> {
  const parsed = parseDocument(await store.resolve({ tag }));
  assert.ok(parsed.kind === 'manifest' && parsed.layers[0]);
  await collect(store.blob(parsed.config), { limit: MEBIBYTE, what: 'config' });
  return collect(store.blob(parsed.layers[0]), { limit: 99 * MEBIBYTE, what: 'layer' });
}

let runs = 0;

async function ours(row: Row, proxy: FaultProxy): Promise<void> {
  const repository = row.does.startsWith('pull') ? 'team/app' : `team/new-${++runs}`;
  await using opened = openForTest(
    `${proxy.host}/${repository}`,
    row.does === 'push with login' ? NEEDS_LOGIN : {},
  );
  const { store } = opened;
  const work = async (): Promise<void> => {
    if (row.does === 'pull') assert.deepEqual(digestOf(await pull(store, '1')), digestOf(image.layer));
    else if (row.does === 'pull large')
      assert.deepEqual(digestOf(await pull(store, 'large')), digestOf(image.large));
    else await push(store, image.layer, '1', row.does === 'copy' ? 'team/app' : undefined);
  };
  if (row.fails)
    await assert.rejects(work, (error) => {
      assert.match(
        `${hasCode(error) ? '' : (error as { code: string }).code} ${messageOf(error)}`,
        row.fails ?? /./,
      );
      return true;
    });
  else await work();
  row.check?.(proxy, opened);
  if (row.fails || row.does.startsWith('pull')) return;
  proxy.reset([]);
  assert.equal(digestOf(await pull(store, '1')), digestOf(image.layer));
}

function theirs(peer: Peer, row: Row, host: string): Promise<string> {
  const run = ++runs;
  return peer.run({
    does: row.does.startsWith('pull') ? 'pull' : row.does === 'copy' ? 'copy' : 'push',
    source: `${host}/team/app:${row.does === 'pull large' ? 'large' : '1'}`,
    target: `${host}/team/new-${run}:1`,
    layout: join(directory, 'image'),
    folder: join(directory, `peer-${run}`),
    ...(row.does === 'push with login' && { login: NEEDS_LOGIN }),
  });
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n');
}

test('each fault between us and a registry is survived, or named', async (t) => {
  for (const { title, missing } of peers)
    if (missing !== undefined) t.diagnostic(`the column of ${title} stays empty: ${missing}`);
  const layers = { method: 'GET', path: new RegExp(`${digestOf(image.layer)}|${digestOf(image.large)}`) };
  for (const row of rows(layers))
    await t.test(row.fault, async () => {
      const behind = row.does === 'push with login' ? login.url : upstream.url;
      const cells = [row.fault, 'FAILS'];
      table.push(cells);
      await using proxy = await startFaultProxy(behind, row.rules);
      await ours(row, proxy);
      cells[1] = row.fails ? 'fails, named' : 'ok';
      // each behind a proxy of its own: most of the time they wait
      const results = peers.map(async (peer) => {
        await using proxy = await startFaultProxy(behind, row.rules);
        return await theirs(peer, row, proxy.host);
      });
      cells.push(...(await Promise.all(results)));
    });
});
