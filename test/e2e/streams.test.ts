// Archives on the standard streams, as in `docker save x | onlay patch -i - -t - | docker load`, and archives without a
// name.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileEnds } from '../../src/stores/archive/ends.ts';
import { ArchiveStore } from '../../src/stores/archive/index.ts';
import { dockerSave } from '../support/docker-save.ts';
import { assertSound } from '../support/inspect-image.ts';
import { runInProcess } from '../support/in-process.ts';
import { onlay } from '../support/onlay.ts';
import { NEW, OLD, makeLayer, putToyImage, rootEntries } from '../support/toy-debian.ts';
import { startToyWorld } from '../support/toy-world.ts';

const world = await startToyWorld();
after(() => world[Symbol.asyncDispose]());
const options = { url: world.mirror.url, key: world.key };
const saved = (packages = OLD, names: readonly string[] | null = ['toys/web:1']): Uint8Array =>
  dockerSave([makeLayer(rootEntries(packages, options), 'docker', 'none')], names);
const openArchive = (bytes: Uint8Array): ArchiveStore => {
  const path = join(world.folder, 'seen.tar');
  writeFileSync(path, bytes);
  return new ArchiveStore(fileEnds(path, 'seen', 'read'), { style: 'docker' });
};

test('docker save | onlay patch -i - -t - needs no names', async () => {
  const run = await onlay('patch -i - -t -', { input: saved() });
  assert.equal(run.status, 0, run.stderr);
  assert.match(
    run.stderr,
    /^linux\/amd64: 3 packages upgraded/m,
    'what is for people goes to standard error',
  );
  await using store = openArchive(run.output);
  assert.deepEqual(await store.tags(), ['docker.io/toys/web:1-patched']);
  await assertSound(store);
});

test('an image that was saved by its ID has no name before and after', async () => {
  const run = await onlay('patch -i - -t -', { input: saved(OLD, null) });
  assert.equal(run.status, 0, run.stderr);
  await using store = openArchive(run.output);
  assert.deepEqual(await store.tags(), []);
  await assertSound(store);
  const path = join(world.folder, 'nameless.tar');
  const toFile = await onlay(`patch -i - -t docker-archive:${path} --json`, { input: saved(OLD, null) });
  assert.equal(toFile.status, 0, toFile.stderr);
  const toLayout = await onlay(`patch -i - -t oci:${world.folder}/nameless --json`, {
    input: saved(OLD, null),
  });
  assert.equal(toLayout.status, 2, 'a layout needs one');
  assert.match(toLayout.stderr, /hint: name it with -t/);
});

test('nothing to patch: nothing is written', async () => {
  const run = await onlay('patch -i - -t - --exit-code-unchanged 3', { input: saved(NEW) });
  assert.equal(run.status, 3, run.stderr);
  assert.equal(run.output.length, 0);
  assert.match(run.stderr, /up to date; nothing was written/);
});

test('an archive is not written to a terminal, nor beside a result document', async () => {
  const from = world.registry.requests.length;
  const terminal = await runInProcess(['patch', '-i', world.image, '-t', '-'], { terminals: ['stdout'] });
  assert.equal(terminal.status, 2);
  assert.match(terminal.stderr, /^error: .*terminal\nhint: .*docker load/);
  const both = await runInProcess(['patch', '-i', world.image, '-t', '-', '--json']);
  assert.equal(both.status, 2);
  assert.match(both.stderr, /--json/);
  assert.equal(world.registry.requests.length, from, 'before anything is asked for');
  const read = await runInProcess(['patch', '-i', '-', '-t', '-'], { terminals: ['stdin'] });
  assert.equal(read.status, 2);
  assert.match(read.stderr, /docker save/);
});

test('what is no archive, and a cut one, are refused by name', async () => {
  for (const input of [Buffer.from('hello'), saved().subarray(0, 5000), new Uint8Array()]) {
    const run = await onlay('patch -i - -t -', { input });
    assert.equal(run.status, 4, run.stderr);
    assert.match(run.stderr, /^error: .*[Ss]tandard input/m);
    assert.equal(run.output.length, 0);
  }
});

test('an archive with other images is not replaced by one of them', async () => {
  const path = join(world.folder, 'several.tar');
  {
    await using store = new ArchiveStore(fileEnds(path, 'several', 'write'), { style: 'docker' });
    await putToyImage(store, OLD, options, 'toys/web:1');
    await putToyImage(store, NEW, options, 'toys/web:2');
  }
  const before = readFileSync(path);
  const ambiguous = await onlay(`patch -i docker-archive:${path} -t oci:${world.folder}/x:y --json`);
  assert.equal(ambiguous.outcome.error?.code, 'IMAGE_NOT_FOUND');
  assert.match(ambiguous.stderr, /hint: it has .*toys\/web:1/);
  const run = await onlay(`patch -i docker-archive:${path}:toys/web:1 -t docker-archive:${path} --json`);
  assert.equal(run.status, 7, run.stderr);
  assert.equal(run.outcome.error?.code, 'TARGET_REFUSED');
  assert.deepEqual(readFileSync(path), before);
});

test('an archive with one image may be patched in place', async () => {
  const path = join(world.folder, 'own.tar');
  writeFileSync(path, saved());
  const run = await onlay(`patch -i docker-archive:${path} -t docker-archive:${path} --json`);
  assert.equal(run.status, 0, run.stderr);
  await using store = new ArchiveStore(fileEnds(path, 'own', 'read'), { style: 'docker' });
  assert.deepEqual(await store.tags(), ['docker.io/toys/web:1-patched']);
  await assertSound(store);
});
