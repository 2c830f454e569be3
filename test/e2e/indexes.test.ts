// Images for several platforms through the command: what is patched, what stays bit for bit, what is said.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../../src/oci/digest.ts';
import type { PlatformOutcome } from '../../src/patch/outcome.ts';
import { putImage } from '../support/images.ts';
import {
  assertSound,
  parseRaw,
  readConfig,
  readRaw,
  registryStore,
  writesOf,
} from '../support/inspect-image.ts';
import { file } from '../support/layers.ts';
import { onlay } from '../support/onlay.ts';
import type { Run } from '../support/onlay.ts';
import { startRegistry } from '../support/registry.ts';
import { NEW, OLD, makeLayer, putToyImage } from '../support/toy-debian.ts';
import { listed, putIndex, putToyIndex, startIndexWorld } from '../support/toy-index.ts';
import { toyReport } from '../support/toy-world.ts';

function statuses(run: Run): Record<string, PlatformOutcome['status']> {
  return Object.fromEntries(
    (run.outcome.image?.platforms ?? []).map(({ platform, status }) => [platform, status]),
  );
}

test('every Linux platform is patched in one run, all else stays bit for bit', async () => {
  await using world = await startIndexWorld();
  const index = await putToyIndex(world.store, world, '1');
  const run = await onlay(`patch -i ${world.multi} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(statuses(run), {
    'linux/amd64': 'patched',
    'windows/amd64': 'preserved',
    'linux/arm64': 'patched',
    'linux/s390x': 'patched',
    'freebsd/riscv64': 'preserved',
  });
  for (const platform of run.outcome.image?.platforms ?? [])
    assert.equal(platform.packages.length, platform.status === 'patched' ? 3 : 0, platform.platform);

  const before = parseRaw(index.document);
  const after = await readRaw(world.store, { tag: '1-patched' });
  const { digests } = index;
  const dropped = [digests['attestation of amd64'], digests['attestation of arm64']];
  const kept = before.manifests.filter(({ digest }) => !dropped.includes(digest));
  const replaced = [digests['amd64'], digests['arm64'], digests['nested']];
  assert.equal(after.manifests.length, kept.length);
  for (const [at, child] of kept.entries()) {
    const now = after.manifests[at]!;
    if (!replaced.includes(child.digest)) assert.equal(JSON.stringify(now), JSON.stringify(child));
    else {
      assert.notEqual(now.digest, child.digest);
      const { digest, size } = child;
      assert.equal(
        JSON.stringify({ ...now, digest, size }),
        JSON.stringify(child),
        'but for digest and size',
      );
    }
  }
  const { manifests } = before;
  assert.equal(JSON.stringify({ ...after, manifests }), JSON.stringify(before), 'unknown fields and order');
  for (const digest of dropped)
    assert.ok(
      run.outcome.warnings.some((text) => text.includes('attestation') && text.includes(digest!)),
      run.outcome.warnings.join('\n'),
    );
  await assertSound(world.store, '1-patched');
});

test('--platform patches what it names and still writes the whole index', async () => {
  await using world = await startIndexWorld();
  const index = await putToyIndex(world.store, world, '1');
  const run = await onlay(`patch -i ${world.multi} --platform linux/arm64 --push --json`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(statuses(run), {
    'linux/amd64': 'preserved',
    'windows/amd64': 'preserved',
    'linux/arm64': 'patched',
    'linux/s390x': 'preserved',
    'freebsd/riscv64': 'preserved',
  });
  const after = await readRaw(world.store, { tag: '1-patched' });
  const changed = parseRaw(index.document).manifests.filter(
    (child) => !after.manifests.some((now) => JSON.stringify(now) === JSON.stringify(child)),
  );
  assert.deepEqual(
    changed.map(({ digest }) => digest),
    [index.digests['arm64'], index.digests['attestation of arm64']],
  );
  await assertSound(world.store, '1-patched');
});

test('another repository of the registry gets every child, blobs are mounted', async () => {
  await using world = await startIndexWorld();
  await putToyIndex(world.store, world, '1');
  const from = world.registry.requests.length;
  const target = `${world.registry.host}/other/place:patched`;
  const run = await onlay(`patch -i ${world.multi} -t ${target} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  await using store = registryStore(target);
  await assertSound(store, 'patched');
  const posts = writesOf(world.registry.requests.slice(from)).filter((line) => line.startsWith('POST'));
  const uploads = posts.filter((line) => !line.includes('mount='));
  assert.equal(uploads.length, 6, 'layer and config of three platforms');
  assert.ok(posts.length > uploads.length);
});

test('another registry gets every child, blobs are copied', async () => {
  await using world = await startIndexWorld();
  await putToyIndex(world.store, world, '1');
  await using elsewhere = await startRegistry();
  const target = `${elsewhere.host}/other/place:patched`;
  const run = await onlay(`patch -i ${world.multi} -t ${target} --push --json --platform linux/amd64`);
  assert.equal(run.status, 0, run.stderr);
  await using store = registryStore(target);
  await assertSound(store, 'patched');
  assert.equal((await readRaw(store, { tag: 'patched' })).manifests.length, 6);
  assert.ok(elsewhere.requests.every(({ path }) => !path.includes('from=')));
});

test('a platform that fails stops the run; with --ignore-errors it keeps its original', async () => {
  await using world = await startIndexWorld();
  const image = { url: world.mirror.url, key: world.key };
  const bad = await putImage(world.store, {
    layers: [makeLayer([file('hello', 'x')])],
    config: { architecture: 'arm64' },
  });
  const amd64 = await putToyImage(world.store, OLD, image);
  const index = await putIndex(
    world.store,
    'oci',
    { manifests: [listed(amd64, 'amd64'), listed(bad, 'arm64')] },
    '1',
  );
  const from = world.registry.requests.length;
  const failed = await onlay(`patch -i ${world.multi} --push --json`);
  assert.equal(failed.status, 4, failed.stderr);
  assert.equal(failed.outcome.error?.code, 'NO_PACKAGE_DATABASE');
  assert.match(failed.stderr, /linux\/arm64/);
  assert.deepEqual(writesOf(world.registry.requests.slice(from)), []);
  assert.equal(failed.outcome.changed, false);

  const run = await onlay(`patch -i ${world.multi} --push --json --ignore-errors`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(statuses(run), { 'linux/amd64': 'patched', 'linux/arm64': 'failed' });
  assert.equal(run.outcome.image?.platforms[1]?.error?.code, 'NO_PACKAGE_DATABASE');
  const after = await readRaw(world.store, { tag: '1-patched' });
  const before = parseRaw(index);
  assert.equal(JSON.stringify(after.manifests[1]), JSON.stringify(before.manifests[1]));

  const none = await onlay(`patch -i ${world.multi} --push --json --ignore-errors --platform linux/arm64`);
  assert.equal(none.status, 4, 'nothing was left to go on with');
});

test('reports of a folder go to their platforms; a platform without one is preserved', async () => {
  await using world = await startIndexWorld();
  const index = await putToyIndex(world.store, world, '1');
  const folder = join(world.folder, 'reports');
  mkdirSync(folder);
  const diffIds = async (digest = ''): Promise<readonly string[]> =>
    (await readConfig(world.store, await readRaw(world.store, { digest: digest as Digest }))).rootfs.diff_ids;
  const report = async (arch: string, name: string, fixed: string): Promise<void> =>
    writeFileSync(
      join(folder, `${arch}.json`),
      toyReport([{ name, fixed }], { diffIds: await diffIds(index.digests[arch]), architecture: arch }),
    );
  await report('arm64', 'hello', '1.0-1+deb12u1');
  await report('s390x', 'libgreet1', '1.0-1+deb12u1');
  writeFileSync(join(folder, 'other.json'), toyReport([], { diffIds: [`sha256:${'0'.repeat(64)}`] }));
  const run = await onlay(`patch -i ${world.multi} -r ${folder} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(
    run.outcome.image?.platforms.map(({ platform, status, packages }) => [
      platform,
      status,
      packages.map(({ name }) => name).join(' '),
    ]),
    [
      ['linux/amd64', 'preserved', ''],
      ['windows/amd64', 'preserved', ''],
      ['linux/arm64', 'patched', 'hello'],
      ['linux/s390x', 'patched', 'greet-tools libgreet1'],
      ['freebsd/riscv64', 'preserved', ''],
    ],
  );
  assert.ok(
    run.outcome.warnings.some((text) => text.includes('other.json')),
    run.stderr,
  );
});

test('an index without upgrades is left alone', async () => {
  await using world = await startIndexWorld();
  const image = { url: world.mirror.url, key: world.key };
  const amd64 = await putToyImage(world.store, NEW, image);
  const arm64 = await putToyImage(world.store, NEW, { ...image, architecture: 'arm64' });
  await putIndex(world.store, 'oci', { manifests: [listed(amd64, 'amd64'), listed(arm64, 'arm64')] }, '1');
  const from = world.registry.requests.length;
  const run = await onlay(`patch -i ${world.multi} --push --json --exit-code-unchanged 9`);
  assert.equal(run.status, 9, run.stderr);
  assert.deepEqual(statuses(run), { 'linux/amd64': 'unchanged', 'linux/arm64': 'unchanged' });
  assert.deepEqual(writesOf(world.registry.requests.slice(from)), []);
});

test('one image that is listed for two platforms is patched once', async () => {
  await using world = await startIndexWorld();
  const amd64 = await putToyImage(world.store, OLD, { url: world.mirror.url, key: world.key });
  const twice = [listed(amd64, 'amd64'), listed(amd64, 'amd64', {}, { variant: 'v2' })];
  await putIndex(world.store, 'oci', { manifests: twice }, '1');
  const run = await onlay(`patch -i ${world.multi} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(statuses(run), { 'linux/amd64': 'patched', 'linux/amd64/v2': 'patched' });
  const { manifests } = await readRaw(world.store, { tag: '1-patched' });
  assert.equal(manifests[0]?.digest, manifests[1]?.digest);
});

test('an image for Windows, and a platform that is not there, are refused by name', async () => {
  await using world = await startIndexWorld();
  const { digests } = await putToyIndex(world.store, world, '1');
  const windows = await onlay(
    `patch -i ${world.registry.host}/toys/multi@${digests['windows']} -t x --push --json`,
  );
  assert.equal(windows.status, 4);
  assert.equal(windows.outcome.error?.code, 'IMAGE_UNSUPPORTED');
  assert.match(windows.stderr, /windows\/amd64/);
  const missing = await onlay(`patch -i ${world.multi} --platform linux/386 --push --json`);
  assert.equal(missing.status, 4);
  assert.equal(missing.outcome.error?.code, 'PLATFORM_NOT_FOUND');
  assert.match(missing.stderr, /hint: it has .*linux\/arm64/);
});
