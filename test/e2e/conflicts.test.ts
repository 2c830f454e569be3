// Somebody else pushes while we patch: what they pushed stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onlay } from '../support/onlay.ts';
import { NEW, OLD, putToyImage } from '../support/toy-debian.ts';
import { putToyIndex, startIndexWorld } from '../support/toy-index.ts';

for (const kind of ['image', 'index'] as const)
  test(`a tag that moved while its ${kind} was patched is not overwritten`, async () => {
    await using world = await startIndexWorld();
    if (kind === 'index') await putToyIndex(world.store, world, '1');
    else await putToyImage(world.store, OLD, { url: world.mirror.url, key: world.key }, '1');
    const newer = await putToyImage(world.store, NEW, { url: world.mirror.url, key: world.key });
    const { tags } = world.registry.content.openRepository('toys/multi');
    // somebody else pushes while our packages are on their way
    const get = world.archive.get.bind(world.archive);
    world.archive.get = (path) => {
      if (path.startsWith('pool/')) tags.set('1', newer.descriptor.digest);
      return get(path);
    };
    const run = await onlay(['patch', '-i', world.multi, '-t', '1', '--push', '--json']);
    assert.equal(run.status, 7, run.stderr);
    assert.equal(run.outcome.error?.code, 'CONFLICT');
    assert.match(run.stderr, /hint: run again/);
    assert.equal(tags.get('1'), newer.descriptor.digest);
  });
