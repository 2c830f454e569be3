// Media types in and out: families, compressions, layers that are kept elsewhere or encrypted.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { codecAvailability } from '../../src/codec/index.ts';
import type { Digest } from '../../src/oci/digest.ts';
import * as types from '../../src/oci/media-types.ts';
import { documentOf, putImage } from '../support/images.ts';
import { assertSound, readRaw, registryStore, writesOf } from '../support/inspect-image.ts';
import type { RawDocument } from '../support/inspect-image.ts';
import { runInProcess } from '../support/in-process.ts';
import { file } from '../support/layers.ts';
import { onlay } from '../support/onlay.ts';
import { startRegistry } from '../support/registry.ts';
import { OLD, makeLayer, putToyImage, rootEntries } from '../support/toy-debian.ts';
import { putToyIndex, startIndexWorld } from '../support/toy-index.ts';
import { startToyWorld } from '../support/toy-world.ts';

const world = await startToyWorld();
after(() => world[Symbol.asyncDispose]());
const options = { url: world.mirror.url, key: world.key };
const place = `${world.registry.host}/toys/types`;
const store = registryStore(place);
after(() => store[Symbol.asyncDispose]());

const FLAGS = { none: 'uncompressed', gzip: 'gzip', zstd: 'zstd' } as const;

for (const family of ['oci', 'docker'] as const)
  for (const base of ['none', 'gzip', 'zstd'] as const)
    for (const made of ['none', 'gzip', 'zstd'] as const)
      test(`${family}, base ${FLAGS[base]}, new layer ${FLAGS[made]}`, async (t) => {
        if (made === 'zstd' && codecAvailability().zstdEncoder === undefined)
          return t.skip('this installation has no zstd encoder');
        await putToyImage(store, OLD, { ...options, family, compression: base }, 'base');
        const [requests, fetches] = [world.registry.requests.length, world.mirror.requests.length];
        const args = `patch -i ${place}:base -t out --push --compression ${FLAGS[made]}`.split(' ');
        const run = await runInProcess(args);
        if (family === 'docker' && made === 'zstd') {
          assert.equal(run.status, 2, run.stderr);
          assert.match(
            run.stderr,
            /^error: .*linux\/amd64.* have no zstd layers\nhint: choose --compression/,
          );
          const seen = world.registry.requests.slice(requests);
          assert.equal(seen.filter(({ path }) => path.includes('/blobs/')).length, 1, 'the config');
          assert.deepEqual(writesOf(seen), []);
          assert.equal(world.mirror.requests.length, fetches);
          return;
        }
        assert.equal(run.status, 0, run.stderr);
        const { layers, config, mediaType } = await readRaw(store, { tag: 'out' });
        const all = [mediaType, config.mediaType, ...layers.map((layer) => layer.mediaType)];
        assert.ok(
          all.every((type) => type.includes(family === 'oci' ? '.oci.' : '.docker.')),
          all.join(' '),
        );
        assert.equal(
          layers[1]?.mediaType,
          made === 'zstd' ? `${types.OCI_LAYER}+zstd` : types.layerMediaType(family, made),
        );
        if (base !== 'zstd' || family === 'oci') await assertSound(store, 'out');
      });

test('without a zstd encoder the run ends before anything is asked for', async () => {
  const preload = join(world.folder, 'no-encoder.cjs');
  writeFileSync(
    preload,
    `const { Module } = require('node:module');
     const load = Module._load;
     Module._load = function (name, ...rest) {
       if (name.startsWith('zstd-napi')) throw new Error('not installed');
       return load.call(this, name, ...rest);
     };
     delete require('node:zlib').createZstdCompress;
     Module.syncBuiltinESMExports();`,
  );
  const from = world.registry.requests.length;
  const run = await onlay(`patch -i ${world.image} -t x --push --json --compression zstd`, {
    env: { NODE_OPTIONS: `--require ${preload}` },
  });
  assert.equal(run.status, 2, run.stderr);
  assert.equal(run.outcome.error?.code, 'CONFIG_INVALID');
  assert.match(run.stderr, /hint: .*zstd-napi/);
  assert.equal(world.registry.requests.length, from);
});

test('a layer that must not be distributed stays where its URLs say', async () => {
  await using elsewhere = await startRegistry();
  const base = makeLayer(rootEntries(OLD, options));
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
  const foreign = { ...makeLayer([file('opt/licensed', 'x')]), mediaType };
  await putImage(store, { layers: [foreign, base] }, 'plain');
  const manifest = await readRaw(store, { tag: 'plain' });
  const { digest } = manifest.layers[0]!;
  const urls = [`http://${world.registry.host}/v2/toys/types/blobs/${digest}`];
  const layers = [{ ...manifest.layers[0], urls }, manifest.layers[1]];
  await store.putDocument(documentOf(types.OCI_MANIFEST, { ...manifest, layers }), 'foreign');
  const target = `${elsewhere.host}/toys/out:1`;
  const run = await onlay(`patch -i ${place}:foreign -t ${target} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  await using there = registryStore(target);
  const out = await readRaw(there, { tag: '1' });
  assert.equal(JSON.stringify(out.layers[0]), JSON.stringify(layers[0]));
  assert.equal(elsewhere.content.repository('toys/out')?.blobs.has(digest), false);
  const local = await onlay(`patch -i ${place}:foreign -t oci:${world.folder}/foreign:1 --json`);
  assert.equal(local.status, 0, local.stderr);
});

test('an encrypted layer is refused, and read by nobody', async () => {
  const base = makeLayer(rootEntries(OLD, options));
  const encrypted = { ...base, mediaType: `${types.OCI_LAYER}+gzip+encrypted` };
  await putImage(store, { layers: [encrypted] }, 'encrypted');
  const run = await onlay(`patch -i ${place}:encrypted -t x --push --json`);
  assert.equal(run.status, 4, run.stderr);
  assert.equal(run.outcome.error?.code, 'IMAGE_UNSUPPORTED');
  assert.match(run.stderr, /\+encrypted\nhint: decrypt the image first/);
});

test("Docker's manifest list stays in Docker's family throughout", async () => {
  await using world = await startIndexWorld();
  await putToyIndex(world.store, world, '1', 'docker');
  const run = await onlay(`patch -i ${world.multi} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  const seen: string[] = [];
  const visit = async (digest: string): Promise<void> => {
    const document = await readRaw(world.store, { digest: digest as Digest });
    const { mediaType, config, layers = [], manifests = [] } = document as Partial<RawDocument>;
    seen.push(mediaType ?? '', ...[config, ...layers].flatMap((part) => part?.mediaType ?? []));
    for (const child of manifests) await visit(child.digest);
  };
  await visit(run.outcome.image!.digest);
  assert.deepEqual(
    seen.filter((type) => !type.startsWith('application/vnd.docker.')),
    [],
  );
  await assertSound(world.store, '1-patched');
});
