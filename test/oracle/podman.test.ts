// What we write, opened by Podman, which reads archives with the library of skopeo and keeps images in its own storage:
// from a registry, from an archive in a file and through a pipe, and images of Podman itself patched and put back.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { requirePrograms } from '../support/debian-tools.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { registryStore } from '../support/inspect-image.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, putToyImage } from '../support/toy-debian.ts';
import { runTool } from '../support/tool.ts';
import { startToyWorld } from '../support/toy-world.ts';

const reason =
  process.getuid?.() === 0 ? requirePrograms('podman') : 'Podman keeps images of several owners as root only';
const served = reason === undefined ? await startDockerRegistry() : { registry: undefined, reason };
const world = await startToyWorld();
const folder = mkdtempSync(join(tmpdir(), 'onlay-podman-'));
after(async () => {
  await served.registry?.[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A storage of its own, without the machine's configuration. */
const env = {
  HOME: folder,
  CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
  CONTAINERS_REGISTRIES_CONF: join(folder, 'registries.conf'),
  CONTAINERS_CONF: join(folder, 'containers.conf'),
  TMPDIR: folder,
};
mkdirSync(join(folder, '.config/containers'), { recursive: true });
writeFileSync(
  join(folder, '.config/containers/policy.json'),
  '{"default":[{"type":"insecureAcceptAnything"}]}',
);
writeFileSync(
  env.CONTAINERS_STORAGE_CONF,
  `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n`,
);
writeFileSync(env.CONTAINERS_REGISTRIES_CONF, '');
writeFileSync(env.CONTAINERS_CONF, '[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n');

const podman = (args: readonly string[], input?: Uint8Array): string =>
  runTool('podman', args, { env, ...(input && { input }) }).toString();

function diffIds(image: string): readonly string[] {
  const [found] = JSON.parse(podman(['image', 'inspect', image])) as { RootFS: { Layers: string[] } }[];
  return found?.RootFS.Layers ?? [];
}

for (const family of ['oci', 'docker'] as const)
  test(`Podman pulls and loads what we write (${family})`, async (t) => {
    if (!served.registry) return t.skip(served.reason);
    const place = `${served.registry.host}/toys/${family}`;
    await using store = registryStore(place);
    await putToyImage(store, OLD, { url: world.mirror.url, key: world.key, family }, 'base');
    const file = join(folder, `${family}.tar`);
    const pushed = await onlay(`patch -i ${place}:base -t out --push --json`);
    const saved = await onlay(
      `patch -i ${place}:base -t docker-archive:${file}:localhost/toys/file:${family}`,
    );
    const piped = await onlay(`patch -i ${place}:base -t docker-archive:-:localhost/toys/pipe:${family}`);
    for (const run of [pushed, saved, piped]) assert.equal(run.status, 0, run.stderr);
    const diffId = pushed.outcome.image?.platforms[0]?.layer?.diffId;
    podman(['pull', '--quiet', '--tls-verify=false', `${place}:out`]);
    podman(['load', '--quiet', '--input', file]);
    podman(['load', '--quiet'], piped.output);
    for (const image of [`${place}:out`, `localhost/toys/file:${family}`, `localhost/toys/pipe:${family}`]) {
      const layers = diffIds(image);
      assert.equal(layers.length, 2, image);
      assert.equal(layers[1], diffId, image);
    }
  });

test('images of Podman itself are patched, and put back: podman:, --loader podman, pipes', async (t) => {
  if (!served.registry) return t.skip(served.reason);
  const place = `${served.registry.host}/toys/local`;
  await using store = registryStore(place);
  await putToyImage(store, OLD, { url: world.mirror.url, key: world.key }, 'base');
  podman(['pull', '--quiet', '--tls-verify=false', `${place}:base`]);
  for (const [name, to] of [
    ['localhost/toys/put-back:1', '-t podman:localhost/toys/put-back:1'],
    [`${place}:loaded`, `-t ${place}:loaded --loader podman`],
  ] as const) {
    const run = await onlay(`patch -i podman:${place}:base ${to} --json`, { env });
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(diffIds(name).slice(1), [run.outcome.image?.platforms[0]?.layer?.diffId]);
  }
  for (const format of ['docker-archive', 'oci-archive']) {
    const input = runTool('podman', ['save', '--format', format, 'localhost/toys/put-back:1'], { env });
    const again = await onlay('patch -i - -t oci-archive:-:x --exit-code-unchanged 9', { input });
    assert.equal(again.status, 9, again.stderr);
  }
  const missing = await onlay('patch -i podman:localhost/nothing:1 -t podman:localhost/x:1', { env });
  assert.equal(missing.status, 4, missing.stderr);
});
