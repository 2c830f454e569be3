import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { onlay } from '../support/onlay.ts';
import { projectRoot } from '../support/project.ts';
import { startToyWorld, toyReport } from '../support/toy-world.ts';

const schema = JSON.parse(readFileSync(join(projectRoot, 'docs', 'result.schema.json'), 'utf8')) as object;
const valid = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);

test('patch --push upgrades everything, uploads one layer, config and manifest, and moves the tag', async () => {
  await using world = await startToyWorld();
  world.registry.requests.length = 0;
  const run = await onlay(['patch', '-i', world.image, '--push', '--json']);
  assert.equal(run.status, 0, run.stderr);
  const { outcome } = run;
  assert.ok(valid(outcome), JSON.stringify(valid.errors));
  assert.equal(outcome.changed, true);
  const platform = outcome.image?.platforms[0];
  assert.deepEqual(
    platform?.packages.map(({ name, from, to }) => [name, from, to]),
    [
      ['greet-tools', '1.0-1', '1.0-1+deb12u2'],
      ['hello', '1.0-1', '1.0-1+deb12u1'],
      ['libgreet1', '1.0-1', '1.0-1+deb12u2'],
    ],
  );
  const writes = world.registry.requests.filter(({ method }) => method === 'PUT');
  assert.equal(writes.length, 3, 'layer, config, manifest');
  assert.match(writes.at(-1)?.path ?? '', /manifests\/base-patched$/);
  // N + 8 requests at most for an image of N layers in one repository
  assert.ok(world.registry.requests.length <= 9, String(world.registry.requests.length));
  const again = await onlay([
    'patch',
    '-i',
    `${world.registry.host}/toys/web:base-patched`,
    '-t',
    'base-patched',
    '--push',
    '--json',
  ]);
  assert.equal(again.outcome.changed, false);
  assert.equal(again.status, 0);
});

test('a report restricts the upgrade to its packages and what they force', async () => {
  await using world = await startToyWorld();
  const report = join(world.folder, 'report.json');
  writeFileSync(report, toyReport([{ name: 'libgreet1', fixed: '1.0-1+deb12u1' }]));
  const run = await onlay([
    'patch',
    '-i',
    world.layout,
    '-t',
    `oci:${world.folder}/layout:out`,
    '-r',
    report,
    '--json',
  ]);
  assert.equal(run.status, 0, run.stderr);
  assert.ok(valid(run.outcome), JSON.stringify(valid.errors));
  assert.deepEqual(
    run.outcome.image?.platforms[0]?.packages.map(({ name, cves }) => [name, cves.length]),
    [
      ['greet-tools', 0],
      ['libgreet1', 1],
    ],
  );
});

test('a clean report leaves everything alone', async () => {
  await using world = await startToyWorld();
  const report = join(world.folder, 'report.json');
  writeFileSync(report, toyReport([]));
  world.registry.requests.length = 0;
  const run = await onlay(['patch', '-i', world.image, '-r', report, '--push', '--json']);
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.outcome.changed, false);
  assert.equal(run.outcome.image?.digest, world.document.descriptor.digest);
  assert.deepEqual(
    world.registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)),
    [],
  );
  const chosen = await onlay([
    'patch',
    '-i',
    world.image,
    '-r',
    report,
    '--push',
    '--exit-code-unchanged',
    '42',
  ]);
  assert.equal(chosen.status, 42);
});

test('the same input gives the same digest in another directory, time zone, umask and concurrency', async () => {
  await using world = await startToyWorld();
  const digests = new Set<string>();
  const variants = [
    { TZ: 'UTC', UV_THREADPOOL_SIZE: '1' },
    { TZ: 'Pacific/Auckland', UV_THREADPOOL_SIZE: '8', LC_ALL: 'tr_TR.UTF-8' },
  ];
  for (const [index, env] of variants.entries()) {
    const cwd = join(world.folder, `cwd-${index}`);
    mkdirSync(cwd);
    const before = process.umask(index === 0 ? 0o022 : 0o077);
    const run = await onlay(['patch', '-i', world.layout, '-t', `oci:${cwd}/out:patched`, '--json'], {
      cwd,
      env,
    });
    process.umask(before);
    assert.equal(run.status, 0, run.stderr);
    digests.add(run.outcome.image?.digest ?? '');
  }
  assert.equal(digests.size, 1);
});

test('patch --dry-run and plan write nothing, and the plan can be applied', async () => {
  await using world = await startToyWorld();
  const dry = await onlay(['patch', '-i', world.image, '--dry-run', '--json']);
  assert.equal(dry.status, 0, dry.stderr);
  assert.equal(dry.outcome.changed, false);
  assert.equal(dry.outcome.image?.platforms[0]?.status, 'planned');
  const plan = await onlay(['plan', '-i', world.image, '--json']);
  assert.equal(plan.status, 0, plan.stderr);
  assert.deepEqual(
    world.registry.requests.filter(({ method }) => method === 'PUT').length,
    3,
    'those of the set-up only',
  );
  const file = join(world.folder, 'plan.json');
  writeFileSync(file, plan.stdout);
  const applied = await onlay(['patch', '-i', world.image, '--plan', file, '--push', '--json']);
  assert.equal(applied.status, 0, applied.stderr);
  const solved = await onlay(['patch', '-i', world.image, '--push', '--json']);
  assert.equal(applied.outcome.image?.digest, solved.outcome.image?.digest);
});

test('the warm run reads no layer that was seen', async () => {
  await using world = await startToyWorld();
  const cache = ['--cache-dir', join(world.folder, 'cache')];
  const cold = await onlay(['patch', '-i', world.image, '-t', 'one', '--push', '--json', ...cache]);
  assert.ok((cold.outcome.bytes.pulled ?? 0) > 0, cold.stderr);
  world.registry.requests.length = 0;
  const warm = await onlay(['patch', '-i', world.image, '-t', 'two', '--push', '--json', ...cache]);
  assert.equal(warm.outcome.bytes.pulled, 0);
  assert.equal(warm.outcome.image?.digest, cold.outcome.image?.digest);
  const blobs = world.registry.requests.filter(
    ({ method, path }) => method === 'GET' && path.includes('/blobs/'),
  );
  assert.equal(blobs.length, 1, 'the config only');
});

test('inspect shows distro, database, packages and lineage', async () => {
  await using world = await startToyWorld();
  await onlay(['patch', '-i', world.image, '-t', 'patched', '--push']);
  const run = await onlay(['inspect', `${world.registry.host}/toys/web:patched`, '--json']);
  assert.equal(run.status, 0, run.stderr);
  const found = JSON.parse(run.stdout) as {
    platforms: {
      distro: { id: string };
      database: { kind: string; packages: unknown[] };
      lineage: { base: string };
    }[];
  };
  assert.equal(found.platforms[0]?.distro.id, 'debian');
  assert.equal(found.platforms[0]?.database.packages.length, 4);
  assert.equal(found.platforms[0]?.lineage.base, world.document.descriptor.digest);
});

test('--version and --help answer on standard output', async () => {
  const version = await onlay(['--version']);
  assert.match(version.stdout, /^onlay \d+\.\d+\.\d+\n$/);
  for (const args of [['--help'], ['patch', '--help'], ['plan', '--help'], ['inspect', '--help']]) {
    const help = await onlay(args);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /Usage: onlay/);
    assert.equal(help.stderr, '');
  }
});
