// How many requests a registry sees: token, manifest, config and layers down; layer, config and manifest up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { openRegistry } from '../../src/stores/registry/index.ts';
import { file } from '../support/layers.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, makeLayer, putToyImage } from '../support/toy-debian.ts';
import { putToyIndex } from '../support/toy-index.ts';
import { startToyWorld } from '../support/toy-world.ts';

const LAYERS = 5;

for (const kind of ['none', 'basic', 'bearer'] as const)
  test(`an image of ${LAYERS} layers is patched in its repository with N + 8 requests (login: ${kind})`, async () => {
    const users = { alice: 'wonderland' };
    await using world = await startToyWorld(kind === 'none' ? {} : { registry: { auth: { kind, users } } });
    const place = `${world.registry.host}/toys/web:five`;
    const login = kind === 'none' ? {} : { username: 'alice', password: users.alice };
    await using store = openRegistry(parseReference(place), { env: {}, log: silentLog, ...login });
    const upperLayers = Array.from({ length: LAYERS - 1 }, (_, at) =>
      makeLayer([file(`opt/${at}`, `${at}`)]),
    );
    await putToyImage(store, OLD, { url: world.mirror.url, key: world.key, upperLayers }, 'five');
    const auths = { [world.registry.host]: { auth: btoa('alice:wonderland') } };
    const env = kind === 'none' ? {} : { DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) };
    const tokens = world.registry.tokens?.requests ?? [];
    tokens.length = 0;
    const from = world.registry.requests.length;
    const run = await onlay(`patch -i ${place} --push --json`, { env });
    assert.equal(run.status, 0, run.stderr);
    const seen = world.registry.requests.slice(from).map(({ method, path }) => `${method} ${path}`);
    assert.ok(seen.length <= LAYERS + 8, seen.join('\n'));
    assert.equal(tokens.length, kind === 'bearer' ? 1 : 0, 'one token');
    assert.ok(!seen.some((line) => line.endsWith('/v2/')), 'no ping');
    const gets = seen.filter((line) => line.startsWith('GET') && line.includes('/blobs/'));
    assert.equal(new Set(gets).size, LAYERS + 1);
    assert.match(seen.at(-1) ?? '', /^PUT .*\/manifests\/five-patched$/, 'the tag moves last');
  });

for (const kind of ['none', 'bearer'] as const)
  test(`an index costs N + 7 requests a platform and two an index, what is not patched none (login: ${kind})`, async () => {
    const users = { alice: 'wonderland' };
    await using world = await startToyWorld({
      archive: { architectures: ['amd64', 'arm64', 's390x'] },
      ...(kind === 'bearer' && { registry: { auth: { kind, users } } }),
    });
    const place = `${world.registry.host}/toys/multi:1`;
    const login = kind === 'none' ? {} : { username: 'alice', password: users.alice };
    await using store = openRegistry(parseReference(place), { env: {}, log: silentLog, ...login });
    await putToyIndex(store, world, '1');
    const auths = { [world.registry.host]: { auth: btoa('alice:wonderland') } };
    const env = kind === 'none' ? {} : { DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) };
    const tokens = world.registry.tokens?.requests ?? [];
    tokens.length = 0;
    const from = world.registry.requests.length;
    const run = await onlay(`patch -i ${place} --push --json`, { env });
    assert.equal(run.status, 0, run.stderr);
    const seen = world.registry.requests.slice(from).map(({ method, path }) => `${method} ${path}`);
    // three platforms with a layer each: manifest, config, layer; layer and config up, manifest. Once: the index, the
    // nested index down and up, one refusal.
    const expected = 3 * (1 + 1 + 1 + 4 + 1) + 2 * 2 + (kind === 'bearer' ? 1 : 0);
    assert.equal(seen.length, expected, seen.join('\n'));
    assert.equal(tokens.length, kind === 'bearer' ? 1 : 0, 'one token');
    assert.match(seen.at(-1) ?? '', /^PUT .*\/manifests\/1-patched$/, 'the tag moves last');
  });

test('a manifest is asked for once with a token for reading and writing', async () => {
  await using world = await startToyWorld();
  const from = world.registry.requests.length;
  const run = await onlay(`patch -i ${world.image} -t base --push --json`);
  assert.equal(run.status, 0, run.stderr);
  const seen = world.registry.requests.slice(from).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(
    seen.filter((line) => line.includes('/manifests/')),
    ['GET', 'HEAD', 'PUT'].map((method) => `${method} /v2/toys/web/manifests/base`),
    'read, looked at once more because it is the same tag, moved',
  );
});
