// Our layouts and archives beside skopeo's and umoci's: each opens what the other wrote, with the same digests.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { silentLog } from '../../src/base/log.ts';
import { streamOf } from '../../src/base/streams.ts';
import { appendLayer } from '../../src/oci/append-layer.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { readImage } from '../../src/oci/image.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { validateImage } from '../../src/oci/validate.ts';
import { openStore, parseTransport } from '../../src/stores/index.ts';
import { requirePrograms } from '../support/debian-tools.ts';
import { layerOf, putImage, tarOf } from '../support/images.ts';

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'onlay-stores-'));
test.after(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const open = (text: string, access: 'read' | 'write' = 'read'): Promise<ImageStore> =>
  openStore(
    parseTransport(text),
    {
      stdin: process.stdin,
      stdout: process.stdout,
      log: silentLog,
      registry: { env: {}, log: silentLog },
    },
    access,
  );

const files = [
  { name: 'etc/', type: 'directory' as const },
  { name: 'etc/motd', content: 'hello' },
];
const layer = await layerOf(files);
const dockerLayer = await layerOf(files, 'docker');
const skopeo = async (...args: readonly string[]): Promise<string> =>
  (await run('skopeo', ['--insecure-policy', ...args])).stdout;

function missing(t: TestContext, program: string): boolean {
  const reason = requirePrograms(program);
  if (reason !== undefined) t.skip(reason);
  return reason !== undefined;
}

test('skopeo reads our layout and we read its copy, digest for digest', async (t) => {
  if (missing(t, 'skopeo')) return;
  await using store = await open(`oci:${at('layout')}`, 'write');
  const document = await putImage(store, { layers: [layer] }, '1.0');
  await skopeo('copy', `oci:${at('layout')}:1.0`, `oci:${at('copy')}:2.0`);
  await skopeo('copy', `oci:${at('layout')}:1.0`, `oci-archive:${at('copy.tar')}:2.0`);
  for (const name of [`oci:${at('copy')}:2.0`, `oci-archive:${at('copy.tar')}:2.0`]) {
    await using copy = await open(name);
    assert.deepEqual(await copy.tags?.(), ['2.0']);
    const image = await readImage(copy, {});
    assert.equal(image.document.descriptor.digest, document.descriptor.digest);
    assert.deepEqual(await validateImage(copy, image.document, { deep: true }), []);
  }
});

test('we add to a layout that skopeo wrote, and skopeo to one of ours', async (t) => {
  if (missing(t, 'skopeo')) return;
  await using first = await open(`oci:${at('ours')}`, 'write');
  await putImage(first, { layers: [layer] }, 'a');
  await skopeo('copy', `oci:${at('ours')}:a`, `oci:${at('theirs')}:a`);
  await skopeo('copy', `oci:${at('ours')}:a`, `oci:${at('ours')}:b`);
  await using second = await open(`oci:${at('theirs')}`, 'write');
  await putImage(second, { layers: [layer, layer] }, 'c');
  assert.deepEqual(await first.tags?.(), ['a', 'b']);
  assert.deepEqual(await second.tags?.(), ['a', 'c']);
  await skopeo('inspect', '--raw', `oci:${at('theirs')}:c`);
});

for (const family of ['oci', 'docker'] as const)
  test(`skopeo opens our archive as oci-archive and as docker-archive (${family})`, async (t) => {
    if (missing(t, 'skopeo')) return;
    const file = at(`${family}.tar`);
    await using store = await open(`docker-archive:${file}:registry.example/team/app:1.0`, 'write');
    const document = await putImage(
      store,
      { family, layers: [family === 'oci' ? layer : dockerLayer] },
      'registry.example/team/app:1.0',
    );
    assert.equal(
      await skopeo('inspect', '--raw', `oci-archive:${file}`),
      Buffer.from(document.bytes).toString(),
    );
    const inspected = JSON.parse(
      await skopeo('inspect', `docker-archive:${file}:registry.example/team/app:1.0`),
    ) as { Layers: string[] };
    assert.equal(inspected.Layers.length, 1);
    await skopeo(
      'copy',
      `docker-archive:${file}:registry.example/team/app:1.0`,
      `oci:${at(`${family}-unpacked`)}:x`,
    );
    await using copy = await open(`oci:${at(`${family}-unpacked`)}:x`);
    const image = await readImage(copy, {});
    assert.deepEqual(
      image.layers.map(({ diffId }) => diffId),
      [layer.diffId],
    );
  });

test('we read the docker-archive that skopeo writes', async (t) => {
  if (missing(t, 'skopeo')) return;
  await using store = await open(`oci:${at('source')}`, 'write');
  const document = await putImage(store, { layers: [layer, layer] }, 'x');
  const file = at('skopeo-docker.tar');
  await skopeo('copy', `oci:${at('source')}:x`, `docker-archive:${file}:registry.example/app:1`);
  await using archive = await open(`docker-archive:${file}:registry.example/app:1`);
  const image = await readImage(archive, { tag: 'registry.example/app:1' });
  const source = await readImage(store, document);
  assert.deepEqual(image.config.diffIds, source.config.diffIds);
  assert.deepEqual(await validateImage(archive, image.document, { deep: true }), []);
});

test('umoci unpacks an image with our layer on top, and lists our tags', async (t) => {
  if (missing(t, 'umoci')) return;
  if (process.getuid?.() !== 0) return t.skip('umoci unpacks as root only');
  const directory = at('umoci');
  await using store = await open(`oci:${directory}`, 'write');
  const image = await readImage(store, await putImage(store, { layers: [layer] }, 'base'));
  const tar = await tarOf([
    { name: 'etc/', type: 'directory' },
    { name: 'etc/motd', content: 'patched' },
  ]);
  const bytes = gzipSync(tar);
  const patch = {
    digest: digestOf(bytes),
    size: bytes.length,
    diffId: digestOf(tar),
    compression: 'gzip',
  } as const;
  const appended = appendLayer(image, patch, {
    createdBy: 'test',
    comment: '',
    base: { digest: image.document.descriptor.digest },
  });
  await store.putBlob(appended.layerDescriptor, { open: () => streamOf(bytes) });
  await store.putBlob(appended.config.descriptor, { open: () => streamOf(appended.config.bytes) });
  await store.putDocument(appended.manifest, 'patched');
  assert.deepEqual(await validateImage(store, appended.manifest, { deep: true }), []);
  assert.equal((await run('umoci', ['ls', '--layout', directory])).stdout, 'base\npatched\n');
  await run('umoci', ['unpack', '--image', `${directory}:patched`, at('bundle')]);
  assert.equal(await readFile(at('bundle/rootfs/etc/motd'), 'utf8'), 'patched');
  const { history } = JSON.parse(
    (await run('umoci', ['stat', '--image', `${directory}:patched`, '--json'])).stdout,
  ) as { history: { created_by: string }[] };
  assert.match(history.at(-1)?.created_by ?? '', /^onlay patch: test/);
});
