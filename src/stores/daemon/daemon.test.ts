// Against a stand-in for the program, so that no daemon is needed: it answers save and load as docker does.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { layerOf, putImage } from '../../../test/support/images.ts';
import { readImage } from '../../oci/image.ts';
import { OnlayError } from '../../errors.ts';
import { fileEnds } from '../archive/ends.ts';
import { ArchiveStore } from '../archive/index.ts';
import { openDaemon } from './index.ts';

const folder = await mkdtemp(join(tmpdir(), 'onlay-daemon-'));
test.after(() => rm(folder, { recursive: true }));
const layer = await layerOf([{ name: 'a', content: 'a' }], 'docker');
const archive = join(folder, 'saved.tar');
{
  await using store = new ArchiveStore(fileEnds(archive, 'saved', 'write'), { style: 'docker' });
  await putImage(store, { family: 'docker', layers: [layer] }, 'app:1');
}

async function program(name: string, script: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

test('an image is read with `save` and its arguments are not for a shell', async () => {
  const args = join(folder, 'args');
  const command = await program('save', `printf '%s\\n' "$@" > ${args}; /bin/cat ${archive}`);
  await using docker = openDaemon('docker', 'app:1', { access: 'read', command });
  assert.equal((await readImage(docker, {})).layers.length, 1);
  assert.equal(await readFile(args, 'utf8'), 'save\napp:1\n');
  await using podman = openDaemon('podman', 'app:1', { access: 'read', command });
  await podman.resolve({});
  assert.equal(await readFile(args, 'utf8'), 'save\n--format\ndocker-archive\napp:1\n');
});

test('an image is written with `load`, under its name', async () => {
  const loaded = join(folder, 'loaded.tar');
  const command = await program('load', `[ "$1" = load ] && /bin/cat > ${loaded}`);
  await using store = openDaemon('docker', 'app:2', { access: 'write', command });
  await putImage(store, { family: 'docker', layers: [layer] }, 'app:2');
  await using result = new ArchiveStore(fileEnds(loaded, 'loaded', 'read'), { style: 'docker' });
  assert.deepEqual(await result.tags(), ['docker.io/library/app:2']);
});

const failures: readonly [said: string, code: string][] = [
  ['Error response from daemon: No such image: app:1', 'IMAGE_NOT_FOUND'],
  ['Error: app:1: image not known', 'IMAGE_NOT_FOUND'],
  [
    'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    'NETWORK',
  ],
  ['something else', 'SERVER'],
];
for (const [said, code] of failures)
  test(`what the program says is passed on: ${said.slice(0, 40)}`, async () => {
    const command = await program('fail', `echo '${said}' >&2; exit 1`);
    await using store = openDaemon('docker', 'app:1', { access: 'read', command });
    await assert.rejects(store.resolve({}), (error) => {
      assert.ok(error instanceof OnlayError);
      assert.equal(error.code, code);
      assert.ok(error.message.includes(said.slice(0, 20)));
      return true;
    });
    await using target = openDaemon('docker', 'app:1', { access: 'write', command });
    await assert.rejects(putImage(target, { layers: [layer] }, 'app:1'), { code });
  });

test('a program that is not there, and one that is good but says nothing', async () => {
  const command = join(folder, 'missing');
  await using store = openDaemon('podman', 'app:1', { access: 'read', command });
  await assert.rejects(store.resolve({}), { code: 'USAGE', message: /there is no program/ });
  await using target = openDaemon('podman', 'app:1', { access: 'write', command });
  await assert.rejects(putImage(target, { layers: [layer] }, 'app:1'), { code: 'USAGE' });
  await using empty = openDaemon('docker', 'app:1', {
    access: 'read',
    command: await program('empty', 'exit 0'),
  });
  await assert.rejects(empty.resolve({}), { code: 'ARCHIVE_INVALID' });
});

test('an aborted run ends the program', async () => {
  const controller = new AbortController();
  const command = await program('slow', 'exec /bin/sleep 600');
  await using store = openDaemon('docker', 'app:1', { access: 'read', command, signal: controller.signal });
  const reason = new OnlayError('ABORTED', 'Interrupted');
  setTimeout(() => controller.abort(reason), 100);
  await assert.rejects(store.resolve({}), reason);
});
