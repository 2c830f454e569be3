// --rebase: the base moved on, and the patched image follows.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { openLayout } from '../../src/stores/layout/index.ts';
import { assertSound, readConfig, readRaw, writesOf } from '../support/inspect-image.ts';
import { file } from '../support/layers.ts';
import { buildUpon, startLineageWorld, summaryOf } from '../support/lineage-world.ts';
import type { LineageWorld } from '../support/lineage-world.ts';
import { onlay } from '../support/onlay.ts';
import type { Run } from '../support/onlay.ts';
import { putCopaImage } from '../support/toy-copa.ts';
import { NEW, OLD, makeLayer, putToyImage } from '../support/toy-debian.ts';
import { listed, putIndex, putToyIndex, startIndexWorld } from '../support/toy-index.ts';
import type { ToyPackage } from '../support/toy-package.ts';

/** The vendor rebuilds the base: other layers, the same tag. */
async function rebuildBase(world: LineageWorld, packages: readonly ToyPackage[]): Promise<string> {
  const upperLayers = [makeLayer([file('etc/rebuilt', packages === NEW ? 'with fixes' : 'again')])];
  const document = await putToyImage(
    world.store,
    packages,
    { url: world.mirror.url, key: world.key, upperLayers },
    'base',
  );
  return document.descriptor.digest;
}

function assertRefused(run: Run, why: RegExp): void {
  assert.equal(run.status, 4, run.stderr);
  assert.equal(run.outcome.error?.code, 'IMAGE_UNSUPPORTED');
  assert.match(run.outcome.error?.message ?? '', why);
}

async function layersOf(store: ImageStore, tag: string): Promise<readonly string[]> {
  return (await readConfig(store, await readRaw(store, { tag }))).rootfs.diff_ids;
}

test('a base that moved is patched in place of the old one', async () => {
  await using world = await startLineageWorld();
  await onlay(`patch -i ${world.image} -t live --push`);
  const base = await rebuildBase(world, OLD);
  const stays = await onlay(`patch -i ${world.place}:live -t live --push --json`);
  assert.equal(stays.outcome.changed, false, 'without the flag nothing changes');
  const run = await onlay(`patch -i ${world.place}:live -t live --push --json --rebase`);
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stderr, /base moved/);
  const { lineage, versions, layers } = await summaryOf(`${world.place}:live`);
  assert.deepEqual(lineage, { by: 'onlay', base, name: world.image });
  assert.equal(versions['hello'], '1.0-1+deb12u1');
  assert.equal(layers, 3);
  assert.deepEqual((await layersOf(world.store, 'live')).slice(0, 2), await layersOf(world.store, 'base'));
  await assertSound(world.store, 'live');
  const from = world.registry.requests.length;
  const again = await onlay(`patch -i ${world.place}:live -t live --push --json --rebase`);
  assert.equal(again.outcome.changed, false, again.stderr);
  assert.deepEqual(writesOf(world.registry.requests.slice(from)), [], 'it is the newest base already');
});

test('a new base with nothing left to patch takes the place as it is', async () => {
  await using world = await startLineageWorld();
  await onlay(`patch -i ${world.image} -t live --push`);
  await world.publish(NEW);
  const base = await rebuildBase(world, NEW);
  const run = await onlay(`patch -i ${world.place}:live -t live --push --json --rebase`);
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.outcome.changed, true);
  assert.equal(run.outcome.image?.digest, base);
  assert.equal((await world.store.resolve({ tag: 'live' })).descriptor.digest, base);
});

test('a patched tag that moved meanwhile is not rebased', async () => {
  await using world = await startLineageWorld();
  await onlay(`patch -i ${world.image} -t live --push`);
  await rebuildBase(world, OLD);
  const { tags } = world.registry.content.openRepository('toys/web');
  const get = world.archive.get.bind(world.archive);
  world.archive.get = (path) => {
    if (path.startsWith('pool/')) tags.set('live', tags.get('base')!);
    return get(path);
  };
  const run = await onlay(`patch -i ${world.place}:live -t live --push --json --rebase`);
  assert.equal(run.status, 7, run.stderr);
  assert.equal(run.outcome.error?.code, 'CONFLICT');
});

test('an index follows the index it was made from', async () => {
  await using world = await startIndexWorld();
  await putToyIndex(world.store, world, '1');
  await onlay(`patch -i ${world.multi} -t live --push`);
  const image = { url: world.mirror.url, key: world.key };
  const amd64 = await putToyImage(world.store, OLD, { ...image, files: { 'etc/rebuilt': 'x' } });
  const arm64 = await putToyImage(world.store, OLD, { ...image, architecture: 'arm64' });
  const s390x = await putToyImage(world.store, OLD, { ...image, architecture: 's390x' });
  const manifests = [listed(amd64, 'amd64'), listed(arm64, 'arm64'), listed(s390x, 's390x')];
  await putIndex(world.store, 'oci', { manifests }, '1');
  const place = `${world.registry.host}/toys/multi`;
  const run = await onlay(`patch -i ${place}:live -t live --push --json --rebase`);
  assert.equal(run.status, 0, run.stderr);
  assert.equal((await readRaw(world.store, { tag: 'live' })).manifests.length, 3);
  assert.deepEqual(
    run.outcome.image?.platforms.map(({ status, baseDigest }) => [status, baseDigest]),
    [amd64, arm64, s390x].map(({ descriptor }) => ['patched', descriptor.digest]),
  );
  await putToyImage(world.store, OLD, image, '1');
  assertRefused(await onlay(`patch -i ${place}:live -t live --push --json --rebase`), /for one platform now/);
});

test('an image that copa patched is rebased by the name copa left', async () => {
  await using world = await startLineageWorld();
  const image = { url: world.mirror.url, key: world.key };
  await putCopaImage(world.store, [NEW[0]!], { ...image, baseName: world.image }, 'copa');
  const same = await onlay(`patch -i ${world.place}:copa -t live --push --json --rebase`);
  assert.equal(same.outcome.changed, false, 'the layers below are those of the base');
  const base = await rebuildBase(world, OLD);
  const run = await onlay(`patch -i ${world.place}:copa -t live --push --json --rebase`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual((await summaryOf(`${world.place}:live`)).lineage, {
    by: 'onlay',
    base,
    name: world.image,
  });
});

test('what cannot be rebased is refused with the reason', async () => {
  await using world = await startLineageWorld();
  const rebase = (image: string): Promise<Run> =>
    onlay(`patch -i ${image} -t ${world.place}:x --push --json --rebase`);
  assertRefused(await rebase(world.image), /has no patch layer/);

  await onlay(`patch -i ${world.layout} -t ${world.place}:local --push`);
  assertRefused(await rebase(`${world.place}:local`), /does not say where its base was/);

  await onlay(`patch -i ${world.image} -t live --push`);
  await buildUpon(world.store, 'live', 'app');
  assertRefused(await rebase(`${world.place}:app`), /layers on top of its patch layer/);

  const { digest } = (await world.store.resolve({ tag: 'base' })).descriptor;
  await onlay(`patch -i ${world.place}@${digest} -t pinned --push`);
  assertRefused(await rebase(`${world.place}:pinned`), /a digest does not move/);

  // a record is what an image claims: it opens nothing but registries
  const layout = await openLayout(join(world.folder, 'layout'));
  await putCopaImage(
    layout,
    [NEW[0]!],
    { url: world.mirror.url, key: world.key, baseName: `oci:${world.folder}/layout:base` },
    'evil',
  );
  assertRefused(await rebase(`oci:${world.folder}/layout:evil`), /cannot be read/);
});
