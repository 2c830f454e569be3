// Patched again: one patch layer, never a stack; what others built or patched is told apart.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertSound, readConfig, readRaw, writesOf } from '../support/inspect-image.ts';
import { buildUpon, startLineageWorld, summaryOf } from '../support/lineage-world.ts';
import { onlay } from '../support/onlay.ts';
import { putCopaImage } from '../support/toy-copa.ts';
import { NEW, OLD, putToyImage } from '../support/toy-debian.ts';
import { listed, putIndex } from '../support/toy-index.ts';

const UPGRADED = {
  'greet-tools': '1.0-1+deb12u2',
  hello: '1.0-1+deb12u1',
  libgreet1: '1.0-1+deb12u2',
  steady: '3.1-2',
};

for (const family of ['oci', 'docker'] as const)
  test(`patching again replaces our layer, and the third time nothing is sent (${family})`, async () => {
    await using world = await startLineageWorld();
    const base = await putToyImage(
      world.store,
      OLD,
      { url: world.mirror.url, key: world.key, family },
      'base',
    );
    const first = await onlay(`patch -i ${world.image} -t live --push --json`);
    assert.equal(first.status, 0, first.stderr);
    assert.deepEqual(
      first.outcome.image?.platforms[0]?.packages.map(({ name }) => name),
      ['hello'],
    );
    await world.publish(NEW);
    const second = await onlay(`patch -i ${world.place}:live -t live --push --json --package libgreet1`);
    assert.equal(second.status, 0, second.stderr);
    const found = await summaryOf(`${world.place}:live`);
    assert.deepEqual(found.versions, UPGRADED, 'hello, upgraded before, was not asked for again but is kept');
    assert.equal(found.layers, 2, 'the base has one');
    assert.deepEqual(found.lineage, { by: 'onlay', base: base.descriptor.digest, name: world.image });
    assert.equal(second.outcome.image?.platforms[0]?.baseDigest, base.descriptor.digest);
    await assertSound(world.store, 'live');
    const manifest = await readRaw(world.store, { tag: 'live' });
    const { history } = await readConfig(world.store, manifest);
    assert.equal(history.length, 2);
    assert.match(history[1]?.created_by ?? '', /^onlay patch: /);
    if (family === 'oci')
      assert.equal(manifest.annotations?.['org.opencontainers.image.base.digest'], base.descriptor.digest);

    const from = world.registry.requests.length;
    const third = await onlay(`patch -i ${world.place}:live -t live --push --json`);
    assert.equal(third.status, 0, third.stderr);
    assert.equal(third.outcome.changed, false);
    assert.deepEqual(writesOf(world.registry.requests.slice(from)), []);
  });

test('an index patched again: each image keeps one layer above its base, and the third time nothing is sent', async () => {
  await using world = await startLineageWorld(['amd64', 'arm64']);
  const options = { url: world.mirror.url, key: world.key };
  const amd64 = await putToyImage(world.store, OLD, options);
  const arm64 = await putToyImage(world.store, OLD, { ...options, architecture: 'arm64' });
  const manifests = [listed(amd64, 'amd64'), listed(arm64, 'arm64', {}, { variant: 'v8' })];
  await putIndex(world.store, 'oci', { manifests }, 'multi');
  const first = await onlay(`patch -i ${world.place}:multi -t live --push --json`);
  assert.equal(first.status, 0, first.stderr);
  await world.publish(NEW);
  const second = await onlay(`patch -i ${world.place}:live -t live --push --json`);
  assert.equal(second.status, 0, second.stderr);
  assert.deepEqual(
    second.outcome.image?.platforms.map(({ status, baseDigest }) => [status, baseDigest]),
    [amd64, arm64].map(({ descriptor }) => ['patched', descriptor.digest]),
  );
  await assertSound(world.store, 'live');
  for (const child of (await readRaw(world.store, { tag: 'live' })).manifests)
    assert.equal((await readRaw(world.store, { digest: child.digest })).layers.length, 2);
  const once = await onlay(`patch -i ${world.place}:multi -t once --push --json`);
  assert.deepEqual(
    second.outcome.image?.platforms.map(({ layer }) => layer?.diffId),
    once.outcome.image?.platforms.map(({ layer }) => layer?.diffId),
  );
  const from = world.registry.requests.length;
  const third = await onlay(`patch -i ${world.place}:live -t live --push --json`);
  assert.equal(third.status, 0, third.stderr);
  assert.equal(third.outcome.changed, false);
  assert.deepEqual(writesOf(world.registry.requests.slice(from)), []);
});

test('a repeated patch equals one patch of the base', async () => {
  await using world = await startLineageWorld();
  await onlay(`patch -i ${world.image} -t steps --push`);
  await world.publish(NEW);
  const steps = await onlay(`patch -i ${world.place}:steps -t steps --push --json`);
  const once = await onlay(`patch -i ${world.image} -t once --push --json`);
  assert.equal(steps.status, 0, steps.stderr);
  assert.equal(
    steps.outcome.image?.platforms[0]?.layer?.diffId,
    once.outcome.image?.platforms[0]?.layer?.diffId,
  );
});

test('a plan for a patched image replaces the layer too', async () => {
  await using world = await startLineageWorld();
  await onlay(`patch -i ${world.image} -t live --push`);
  await world.publish(NEW);
  const plan = await onlay(`plan -i ${world.place}:live --json`);
  assert.equal(plan.status, 0, plan.stderr);
  const path = join(world.folder, 'plan.json');
  writeFileSync(path, plan.stdout);
  const planned = await onlay(`patch -i ${world.place}:live -t planned --plan ${path} --push --json`);
  assert.equal(planned.status, 0, planned.stderr);
  const solved = await onlay(`patch -i ${world.place}:live -t solved --push --json`);
  assert.equal(planned.outcome.image?.digest, solved.outcome.image?.digest);
  assert.equal((await summaryOf(`${world.place}:planned`)).layers, 2);
});

test('what was built upon our layer stays, and gets a layer of its own on top', async () => {
  await using world = await startLineageWorld();
  await onlay(`patch -i ${world.image} -t live --push`);
  await buildUpon(world.store, 'live', 'app');
  await world.publish(NEW);
  const run = await onlay(`patch -i ${world.place}:app -t app-1 --push --json`);
  assert.equal(run.status, 0, run.stderr);
  const found = await summaryOf(`${world.place}:app-1`);
  assert.deepEqual([found.layers, found.versions], [4, UPGRADED]);
  await world.publish([...NEW.slice(1), { ...NEW[0]!, version: '1.0-1+deb12u9' }]);
  const again = await onlay(`patch -i ${world.place}:app-1 -t app-2 --push --json`);
  assert.equal(again.status, 0, again.stderr);
  const second = await summaryOf(`${world.place}:app-2`);
  assert.deepEqual([second.layers, second.versions['hello']], [4, '1.0-1+deb12u9']);
  await assertSound(world.store, 'app-2');
});

test('an upgrade that the repositories have lost is not undone', async () => {
  await using world = await startLineageWorld();
  await world.publish(NEW);
  await onlay(`patch -i ${world.image} -t live --push`);
  // the mirror is set back, but for a newer hello
  await world.publish(
    OLD.map((item) => (item.name === 'hello' ? { ...item, version: '1.0-1+deb12u9' } : item)),
  );
  const run = await onlay(`patch -i ${world.place}:live -t live --push --json`);
  assert.equal(run.status, 0, run.stderr);
  const { versions, layers } = await summaryOf(`${world.place}:live`);
  assert.deepEqual(versions, { ...UPGRADED, hello: '1.0-1+deb12u9' });
  assert.equal(layers, 3);
  assert.ok(
    run.outcome.warnings.some((text) => text.includes('earlier patch layer stays')),
    run.outcome.warnings.join('\n'),
  );
});

test('the layer of copa is recognised and replaced', async () => {
  await using world = await startLineageWorld();
  await world.publish(NEW);
  const options = { url: world.mirror.url, key: world.key, baseName: world.image };
  await putCopaImage(world.store, [NEW[0]!], options, 'copa');
  const before = await summaryOf(`${world.place}:copa`);
  assert.deepEqual(before.lineage, { by: 'copa', base: null, name: world.image });
  assert.equal(before.versions['hello'], '1.0-1+deb12u1');
  const run = await onlay(`patch -i ${world.place}:copa -t live --push --json --package libgreet1`);
  assert.equal(run.status, 0, run.stderr);
  const after = await summaryOf(`${world.place}:live`);
  assert.deepEqual(after.versions, UPGRADED);
  assert.equal(after.layers, 2);
  assert.equal(after.lineage?.by, 'onlay');
  assert.ok(
    run.outcome.warnings.some((text) => text.includes('copa')),
    'said, because language packages go with it',
  );
  await assertSound(world.store, 'live');
});
