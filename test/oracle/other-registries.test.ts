// One image and one index, in both families, patched in place and into another repository, in registries that others
// wrote: Debian's docker-registry, and the one of crane, which answers uploads and mounts otherwise.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { assertSound, registryStore } from '../support/inspect-image.ts';
import { newerPrograms } from '../support/newer-debian.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, putToyImage } from '../support/toy-debian.ts';
import { putToyIndex, startIndexWorld } from '../support/toy-index.ts';

interface Started extends AsyncDisposable {
  readonly host: string;
}

const world = await startIndexWorld();
after(() => world[Symbol.asyncDispose]());

/** A reason where it cannot be had. */
async function startDocker(): Promise<Started | string> {
  const started = await startDockerRegistry();
  return started.registry ?? started.reason;
}

async function startCrane(): Promise<Started | string> {
  const programs = newerPrograms('crane');
  if (programs.path === undefined) return programs.reason;
  const host = `127.0.0.1:${await freePort()}`;
  const child = spawn('crane', ['registry', 'serve', '--address', host], {
    env: { ...process.env, PATH: `${programs.path}:${process.env['PATH']}` },
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  for (let tries = 0; !(await answers(host)); tries++) {
    if (tries === 200 || child.exitCode !== null) {
      await stop();
      return 'the registry of crane does not start';
    }
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
  return { host, [Symbol.asyncDispose]: stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

async function answers(host: string): Promise<boolean> {
  return fetch(`http://${host}/v2/`).then(
    ({ ok }) => ok,
    () => false,
  );
}

for (const [name, start] of [
  ['docker-registry', startDocker],
  ['the registry of crane', startCrane],
] as const)
  for (const family of ['oci', 'docker'] as const)
    test(`${name}: an image and an index are patched in place and into another repository (${family})`, async (t) => {
      const started = await start();
      if (typeof started === 'string') return t.skip(started);
      await using registry = started;
      const [here, there] = [`${registry.host}/team/app`, `${registry.host}/other/place`];
      await using source = registryStore(here);
      await using target = registryStore(there);
      await putToyImage(source, OLD, { url: world.mirror.url, key: world.key, family }, 'one');
      await putToyIndex(source, world, 'all', family);
      for (const tag of ['one', 'all'])
        for (const [to, store] of [
          [here, source],
          [there, target],
        ] as const) {
          const run = await onlay(`patch -i ${here}:${tag} -t ${to}:${tag}-out --push --json`);
          assert.equal(run.status, 0, run.stderr);
          assert.equal(run.outcome.changed, true);
          await assertSound(store, `${tag}-out`);
        }
    });
