// `onlay verify`: every defect reaches the user with exit status 6, databases are held against files, and our layer is
// made once more.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Document } from '../../src/oci/image-store.ts';
import { defects } from '../support/image-defects.ts';
import { documentOf, putImage } from '../support/images.ts';
import { registryStore } from '../support/inspect-image.ts';
import { runInProcess } from '../support/in-process.ts';
import { dir, file, symlink } from '../support/layers.ts';
import type { Entry } from '../support/layers.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, makeLayer, rootEntries } from '../support/toy-debian.ts';
import { putToyIndex, startIndexWorld } from '../support/toy-index.ts';
import { startToyWorld } from '../support/toy-world.ts';

interface Verdict {
  readonly valid: boolean;
  readonly problems: readonly {
    readonly where: string;
    readonly kind: string;
    readonly severity: string;
    readonly message: string;
  }[];
}

async function verify(...args: readonly string[]): Promise<Verdict & { readonly status: number }> {
  const { status, stdout, stderr } = await runInProcess(['verify', '--json', '--progress', 'quiet', ...args]);
  assert.ok(stdout.startsWith('{'), stderr);
  return { status, ...(JSON.parse(stdout) as Verdict) };
}

/** As it is, wrong digests and all. */
function writeLayout(directory: string, store: MemoryStore, document: Document): void {
  mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true });
  const put = (digest: string, bytes: Uint8Array): void =>
    writeFileSync(join(directory, 'blobs', ...digest.split(':')), bytes);
  for (const [digest, bytes] of store.blobs) put(digest, bytes);
  for (const [digest, { bytes }] of store.documents) put(digest, bytes);
  put(document.descriptor.digest, document.bytes);
  const entry = {
    ...document.descriptor.raw,
    annotations: { 'org.opencontainers.image.ref.name': 'x' },
  };
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
}

for (const [kind, note, craft] of defects)
  test(`verify finds ${kind}: ${note}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'onlay-verify-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const { store, document } = await craft();
    writeLayout(folder, store, document);
    const found = await verify(`oci:${folder}:x`);
    assert.equal(found.status, 6);
    assert.equal(found.valid, false);
    assert.ok(
      found.problems.some((problem) => problem.kind === kind),
      JSON.stringify(found.problems),
    );
    for (const { message, severity } of found.problems)
      assert.ok(message !== '' && ['error', 'warning'].includes(severity));
  });

test('a sound image, an index and a patched image have no problems', async () => {
  await using world = await startIndexWorld();
  await putToyIndex(world.store, world, '1');
  assert.equal((await verify(world.layout)).status, 0);
  assert.equal((await verify(world.multi)).status, 0);
  await onlay(`patch -i ${world.multi} -t patched --push`);
  const run = await onlay(`verify ${world.registry.host}/toys/multi:patched`);
  assert.equal(run.status, 0, run.stdout);
  assert.match(run.stdout, /no problems\n$/);
});

test('files that are not as the database says are named, those of the administrator are not', async () => {
  await using world = await startToyWorld();
  const options = { url: world.mirror.url, key: world.key };
  const place = `${world.registry.host}/toys/web`;
  await using store = registryStore(place);
  const base = makeLayer(rootEntries(OLD, options));
  const check = async (...entries: readonly Entry[]): Promise<readonly string[]> => {
    await putImage(store, { layers: [base, makeLayer(entries)] }, 'changed');
    const { status, problems } = await verify(`${place}:changed`);
    assert.equal(status, problems.length === 0 ? 0 : 6);
    assert.ok(problems.every(({ kind, where }) => kind === 'package-file' && where === 'linux/amd64'));
    return problems.map(({ message }) => message);
  };
  assert.deepEqual(await check(file('etc/hello.conf', 'greeting=moin\n')), [], 'a conffile');
  assert.deepEqual(await check(file('usr/bin/mine', 'x')), [], 'what no package owns');
  assert.deepEqual(await check(file('usr/bin/hello', 'evil')), [
    '/usr/bin/hello of hello 1.0-1 has other content than recorded',
  ]);
  assert.deepEqual(await check(file('usr/bin/.wh.hello')), ['/usr/bin/hello of hello 1.0-1 is missing']);
  assert.deepEqual(await check(dir('usr/share/steady/data/')), [
    '/usr/share/steady/data of steady 3.1-2 is a directory',
  ]);
  assert.deepEqual(await check(file('usr/bin/.wh.hello'), symlink('usr/bin/hello', 'greet')), [
    '/usr/bin/hello of hello 1.0-1 has other content than recorded',
  ]);
  assert.deepEqual(
    await check(
      file('etc/dpkg/dpkg.cfg.d/docker', 'path-exclude=/usr/share/doc/*\n'),
      file('usr/share/doc/libgreet1/.wh.copyright'),
    ),
    [],
    'an excluded path',
  );
  assert.deepEqual(
    await check(
      file('var/lib/dpkg/diversions', '/usr/bin/hello\n/usr/bin/hello.real\nother\n'),
      file('usr/bin/hello', 'another one'),
      file('usr/bin/hello.real', OLD[0]?.files['usr/bin/hello']),
    ),
    [],
    'a diverted file',
  );
});

test('--rebuild makes our layer once more, by solving again or by the plan', async () => {
  await using world = await startToyWorld();
  const place = `${world.registry.host}/toys/web`;
  const run = await onlay(`patch -i ${world.image} -t everything --push`);
  assert.equal(run.status, 0, run.stderr);
  const plan = join(world.folder, 'plan.json');
  writeFileSync(plan, (await onlay(`plan -i ${world.image} --package hello --json`)).stdout);
  await onlay(`patch -i ${world.image} -t planned --plan ${plan} --push`);
  await onlay(
    `patch -i ${world.image} -t zstd --push --source-date-epoch 1000000000 --compression uncompressed`,
  );
  assert.equal((await verify(`${place}:everything`, '--rebuild')).status, 0);
  assert.equal((await verify(`${place}:planned`, '--rebuild')).status, 0);
  assert.equal((await verify(`${place}:planned`, '--rebuild', '--plan', plan)).status, 0);
  const epoch = ['--source-date-epoch', '1000000000'];
  assert.equal((await verify(`${place}:zstd`, '--rebuild', ...epoch)).status, 0);

  const otherTime = await verify(`${place}:zstd`, '--rebuild');
  assert.equal(otherTime.status, 6);
  assert.match(otherTime.problems[0]?.message ?? '', /the layer came out as sha256:/);
  const otherPlan = await verify(`${place}:everything`, '--rebuild', '--plan', plan);
  assert.match(otherPlan.problems[0]?.message ?? '', /not to be had any more: greet-tools/);
  const unpatched = await runInProcess(['verify', world.image, '--rebuild']);
  assert.equal(unpatched.status, 4);
  assert.match(unpatched.stderr, /no patch layer of onlay/);
});

test('a layer that was tampered with under our mark does not come out again', async () => {
  await using world = await startToyWorld();
  const place = `${world.registry.host}/toys/web`;
  await onlay(`patch -i ${world.image} -t good --push`);
  await using store = registryStore(place);
  const good = await store.resolve({ tag: 'good' });
  const { annotations } = (
    JSON.parse(Buffer.from(good.bytes).toString()) as { layers: { annotations: Record<string, string> }[] }
  ).layers[1]!;
  const evil = makeLayer([file('usr/bin/hello', 'evil')]);
  const below = makeLayer(rootEntries(OLD, { url: world.mirror.url, key: world.key }));
  const document = await putImage(store, { layers: [below, evil] });
  const manifest = JSON.parse(Buffer.from(document.bytes).toString()) as { layers: object[] };
  const layers = [manifest.layers[0], { ...manifest.layers[1], annotations }];
  await store.putDocument(documentOf(document.descriptor.mediaType, { ...manifest, layers }), 'evil');
  const found = await verify(`${place}:evil`, '--rebuild');
  assert.equal(found.status, 6);
  assert.deepEqual(
    found.problems.map(({ kind }) => kind),
    ['package-file', 'rebuild'],
  );
});
