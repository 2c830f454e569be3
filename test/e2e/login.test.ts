// Logging in and out, against a registry that wants a password; the local cache.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { onlay } from '../support/onlay.ts';
import { startToyWorld } from '../support/toy-world.ts';

test('login keeps credentials that work, patch uses them, logout removes them', async () => {
  await using world = await startToyWorld({
    registry: { auth: { kind: 'basic', users: { alice: 'wonder:land ä' } } },
  });
  const { host } = world.registry;
  const home = join(world.folder, 'home');
  mkdirSync(home);
  const env = { HOME: home };
  const config = join(home, '.docker', 'config.json');
  const login = (user: string, password: string, more = ''): ReturnType<typeof onlay> =>
    onlay(`login ${host} --username ${user} --password-stdin ${more}`, { env, input: Buffer.from(password) });

  const wrong = await login('alice', 'looking-glass');
  assert.equal(wrong.status, 8, wrong.stderr);
  assert.doesNotMatch(wrong.stderr + wrong.stdout, /looking-glass/);
  assert.equal(existsSync(config), false, 'nothing is kept');
  assert.equal((await login('alice', '')).status, 2);
  assert.equal((await onlay(`login ${host} --username alice`, { env })).status, 2, 'no prompt');

  mkdirSync(join(home, '.docker'));
  writeFileSync(config, '{"auths":{"other.example":{"auth":"eDp5"}},"psFormat":"table"}');
  const right = await login('alice', 'wonder:land ä\n', '--json');
  assert.equal(right.status, 0, right.stderr);
  assert.deepEqual(JSON.parse(right.stdout), { schemaVersion: 1, host, loggedIn: true, storedIn: config });
  assert.equal(statSync(config).mode & 0o777, 0o600);
  const kept = JSON.parse(readFileSync(config, 'utf8')) as { auths: object; psFormat: string };
  assert.deepEqual(kept, {
    auths: {
      'other.example': { auth: 'eDp5' },
      [host]: { auth: Buffer.from('alice:wonder:land ä').toString('base64') },
    },
    psFormat: 'table',
  });
  const run = await onlay(`patch -i ${world.image} --push --json`, { env });
  assert.equal(run.status, 0, run.stderr);

  const out = await onlay(`logout ${host}`, { env });
  assert.equal(out.status, 0, out.stderr);
  assert.deepEqual(JSON.parse(readFileSync(config, 'utf8')), {
    auths: { 'other.example': { auth: 'eDp5' } },
    psFormat: 'table',
  });
  assert.equal((await onlay(`inspect ${world.image}`, { env })).status, 8);
  assert.match((await onlay(`logout ${host}`, { env })).stderr, /There were no credentials/);
});

test('login in a file of its own', async () => {
  await using world = await startToyWorld({
    registry: { auth: { kind: 'basic', users: { alice: 'wonderland' } } },
  });
  const authfile = join(world.folder, 'auth.json');
  const input = Buffer.from('wonderland');
  const login = await onlay(`login ${world.registry.host} -u alice --password-stdin --authfile ${authfile}`, {
    input,
  });
  assert.equal(login.status, 0, login.stderr);
  assert.equal((await onlay(`inspect ${world.image} --authfile ${authfile}`)).status, 0);
  assert.equal(
    (await onlay(`inspect ${world.image}`, { env: { REGISTRY_AUTH_FILE: authfile } })).status,
    0,
    'as podman names it',
  );
  assert.equal((await onlay(`login not/a/host -u a --password-stdin`, { input })).status, 2);
});

test('cache info measures what is there, cache prune empties it and touches nothing else', async () => {
  await using world = await startToyWorld();
  const directory = join(world.folder, 'cache');
  const info = async (): Promise<Record<string, number>> => {
    const run = await onlay(`cache info --cache-dir ${directory} --json`);
    assert.equal(run.status, 0, run.stderr);
    const { parts } = JSON.parse(run.stdout) as { parts: { part: string; files: number; bytes: number }[] };
    return Object.fromEntries(parts.map(({ part, files }) => [part, files]));
  };
  assert.deepEqual(await info(), { layers: 0, indexes: 0, packages: 0 });
  await onlay(`patch -i ${world.image} --push --cache-dir ${directory}`);
  assert.deepEqual(await info(), { layers: 1, indexes: 1, packages: 3 });
  assert.match(
    (await onlay('cache info', { env: { ONLAY_CACHE_DIR: directory } })).stdout,
    /packages +3 files/,
  );
  writeFileSync(join(directory, 'mine'), 'x');
  assert.equal((await onlay(`cache prune --cache-dir ${directory}`)).status, 0);
  assert.deepEqual(await info(), { layers: 0, indexes: 0, packages: 0 });
  assert.deepEqual(readdirSync(directory), ['mine']);
  assert.equal((await onlay('cache info', { env: { HOME: '' } })).status, 2, 'no home, no cache');
});
