// The library: what the command does, without a command's manners: nothing is printed, no signal is taken.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectImage, OnlayError, patchImage, planPatch } from '../../src/index.ts';
import { startToyWorld, toyReport } from '../support/toy-world.ts';

const ENV = { HOME: '/dev/null' };

test('an image is planned, patched and inspected; warnings go to the caller', async (t) => {
  await using world = await startToyWorld();
  const said: string[] = [];
  const listeners = process.listenerCount('SIGINT');
  t.mock.method(process.stderr, 'write', (text: string) => {
    said.push(text);
    return true;
  });
  const warned: string[] = [];
  const log = { debug() {}, info() {}, warn: (message: string) => void warned.push(message) };
  const image = world.image;
  const [plan] = await planPatch({ image, env: ENV, packages: ['hello', 'hallo'], log });
  assert.deepEqual(
    plan?.packages.map(({ name }) => name),
    ['hello'],
  );
  assert.deepEqual(warned, ['No installed package matches']);

  const work = patchImage({ image, push: true, tag: 'new', env: ENV });
  assert.equal(process.listenerCount('SIGINT'), listeners);
  const outcome = await work;
  assert.equal(outcome.changed, true);
  const [found] = await inspectImage({ image: `${world.registry.host}/toys/web:new`, env: ENV });
  assert.equal(found?.digest, outcome.image?.digest);
  assert.equal(found?.lineage?.by, 'onlay');
  assert.deepEqual(said, []);
});

test('the findings of a report are chosen by severity and name, as on the command line', async () => {
  await using world = await startToyWorld();
  const report = join(world.folder, 'report.json');
  writeFileSync(report, toyReport([{ name: 'hello', fixed: '1.0-1+deb12u1' }]));
  const plan = (more: object) => planPatch({ image: world.layout, report, env: ENV, ...more });
  assert.equal((await plan({ cves: ['CVE-0000-0'] }))[0]?.packages.length, 0);
  await assert.rejects(planPatch({ image: world.layout, cves: ['CVE-1'], env: ENV }), { code: 'USAGE' });
  await assert.rejects(plan({ severities: ['SEVERE'] }), { code: 'USAGE' });
});

test('a plan is applied as it is, and decides alone', async () => {
  await using world = await startToyWorld();
  const image = world.image;
  const plans = await planPatch({ image, env: ENV, packages: ['hello'] });
  const outcome = await patchImage({ image, push: true, env: ENV, plans });
  assert.deepEqual(
    outcome.image?.platforms[0]?.packages.map(({ name }) => name),
    ['hello'],
  );
  const refused = (more: object) => patchImage({ image, push: true, env: ENV, plans, ...more });
  await assert.rejects(refused({ packages: ['libgreet1'] }), { code: 'USAGE' });
  await assert.rejects(refused({ sourceDateEpoch: 1.5 }), { code: 'USAGE' });
  const unsigned = plans.map((plan) => ({ ...plan, unsigned: true }));
  await assert.rejects(refused({ plans: unsigned }), { code: 'PLAN_INVALID' });
  await assert.rejects(patchImage({ image, push: true, env: ENV, rebase: true }), {
    code: 'IMAGE_UNSUPPORTED',
  });
});

test('a run ends with the reason of its signal, and errors are thrown', async () => {
  await using world = await startToyWorld();
  const reason = new OnlayError('ABORTED', 'Enough');
  await assert.rejects(
    patchImage({ image: world.image, push: true, env: ENV, signal: AbortSignal.abort(reason) }),
    reason,
  );
  await assert.rejects(inspectImage({ image: `${world.registry.host}/toys/none`, env: ENV }), {
    code: 'IMAGE_NOT_FOUND',
  });
  await assert.rejects(patchImage({ image: world.image, env: ENV }), { code: 'USAGE' });
});
