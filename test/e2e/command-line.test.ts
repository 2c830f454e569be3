// The command line itself: flags and their environment variables, what is refused before anything is opened, output that
// nobody reads, signals, and caches that cannot be used.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../support/http-server.ts';
import { runInProcess } from '../support/in-process.ts';
import { onlay } from '../support/onlay.ts';
import { projectRoot } from '../support/project.ts';
import { startToyWorld, toyReport } from '../support/toy-world.ts';

const BIN = join(projectRoot, 'bin', 'onlay.js');

test('every flag can come from the environment, where switches are on or off and the empty text is nothing', async () => {
  await using world = await startToyWorld();
  const run = (env: Record<string, string>, ...args: string[]) => runInProcess(['patch', ...args], { env });
  const plan = await runInProcess(['plan', '--json'], {
    env: { ONLAY_IMAGE: world.layout, ONLAY_PACKAGE: 'nothing-of-that-name', ONLAY_NO_CACHE: '1' },
  });
  assert.equal(plan.status, 0, plan.stderr);
  assert.match(plan.stderr, /warning: No installed package matches \(package nothing-of-that-name\)/);

  for (const off of ['false', '0', 'no', 'OFF', ''])
    assert.match((await run({ ONLAY_PUSH: off }, '-i', world.image)).stderr, /No destination/, off);
  for (const on of ['true', '1', 'yes', 'On'])
    assert.match(
      (await run({ ONLAY_PUSH: on }, '-i', 'oci:x:y')).stderr,
      /is in no registry|no directory/,
      on,
    );
  assert.match((await run({ ONLAY_PUSH: 'maybe' }, '-i', world.image)).stderr, /ONLAY_PUSH is "maybe"/);
  const wrong = await run({ ONLAY_COMPRESSION: 'rar', ONLAY_PUSH: '1' }, '-i', world.image);
  assert.match(wrong.stderr, /ONLAY_COMPRESSION is "rar": Allowed choices are gzip/);
  // the flag comes first
  const flag = await run({ ONLAY_TIMEOUT: 'soon', ONLAY_REPORT: '' }, '-i', world.image, '--timeout', 'late');
  assert.match(flag.stderr, /duration "late"/);
  assert.equal(
    world.registry.requests.some(({ method }) => method === 'PUT' || method === 'POST'),
    true,
  );
});

test('switches are also taken as copa takes them: --push=true, --push=false', async () => {
  const patch = (...args: string[]) => runInProcess(['patch', '-i', 'oci:x:y', ...args]);
  assert.match((await patch('--push=false')).stderr, /No destination/);
  assert.match((await patch('--push=true', '--oci-dir', 'x')).stderr, /--push and --oci-dir/);
  const off = await runInProcess(['patch', '-i', 'oci:x:y', '--push=false'], { env: { ONLAY_PUSH: 'true' } });
  assert.match(off.stderr, /No destination/);
});

test('wrong usage is one line, a hint and, with --json, a document', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['patch', '--nonsense'], /Unknown option '--nonsense'/],
    [['nonsense'], /Unknown command 'nonsense'/],
    [['patch', '--push'], /No image is given/],
    [['patch', '-i', 'x', '--progress', 'loud'], /--progress/],
    [['patch', '-i', 'x', 'y'], /Too many arguments/],
    [['inspect'], /Missing required argument 'image'/],
    [['patch', '-i', 'x', '--push', '--output', 'vex.json'], /VEX documents are not written/],
    [['patch', '--config', 'copa.yaml'], /lists of images are not read/],
    [['patch', '-i', 'x', '--push', '--pkg-types', 'os,library'], /language packages are not patched/],
    [
      ['patch', '-i', 'x', '--push', '--severity', 'HIGH'],
      /--severity chooses from the findings of a report/,
    ],
    [['plan', '-i', 'x', '--cve', 'CVE-2026-1'], /--cve chooses from the findings of a report/],
  ];
  for (const [args, expected] of cases) {
    const run = await runInProcess([...args, '--json']);
    assert.equal(run.status, 2, args.join(' '));
    assert.match(run.stderr, expected);
    assert.match(run.stderr, /^error: .*\nhint: \S.*\n$/, 'two lines');
    assert.equal((JSON.parse(run.stdout) as { error: { code: string } }).error.code, 'USAGE');
  }
});

test('with --progress rawjson every line on standard error is an object, the error too', async () => {
  await using world = await startToyWorld();
  const run = await runInProcess(['inspect', `${world.layout}-none`, '--progress', 'rawjson', '--debug']);
  assert.equal(run.status, 4);
  const lines = run.stderr.split('\n').filter((line) => line.startsWith('{'));
  const last = JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
  assert.equal(last['level'], 'error');
  assert.equal(typeof last['hint'], 'string');
  const plain = await runInProcess(['plan', '-i', world.layout, '--progress', 'rawjson']);
  for (const line of plain.stderr.trim().split('\n'))
    assert.doesNotThrow(() => JSON.parse(line) as unknown, line);
});

test("copa's flags that mean nothing here are taken with a warning", async () => {
  await using world = await startToyWorld();
  const flags =
    '--addr a --cacert b --cert c --key d --force-compression --working-folder e --format openvex';
  const run = await onlay(`patch -i ${world.layout} -t oci:${world.folder}/x:y ${flags} --json`);
  assert.equal(run.status, 0, run.stderr);
  assert.equal(
    run.outcome.warnings.filter((text) => /has no meaning here and is ignored/.test(text)).length,
    7,
  );
});

test('a severity that no scanner knows is refused, not taken for one without findings', async () => {
  await using world = await startToyWorld();
  const report = join(world.folder, 'report.json');
  writeFileSync(report, toyReport([{ name: 'libgreet1', fixed: '2' }]));
  const run = await runInProcess(['plan', '-i', world.layout, '-r', report, '--severity', 'severe,high']);
  assert.equal(run.status, 2);
  assert.match(run.stderr, /--severity does not know "SEVERE"\nhint: severities are CRITICAL/);
});

test('a reader that has enough is no failure, a full disk is one', async (t) => {
  await using world = await startToyWorld();
  const start = (args: readonly string[], stdout: 'pipe' | number) =>
    spawn(process.execPath, [BIN, ...args], {
      stdio: ['ignore', stdout, 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: '/dev/null' },
    });
  const end = async (child: ReturnType<typeof start>): Promise<readonly [number | null, string]> => {
    const errors: Buffer[] = [];
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
    const [status] = (await once(child, 'close')) as [number | null];
    return [status, Buffer.concat(errors).toString()];
  };
  const closed = start(['inspect', world.layout], 'pipe');
  closed.stdout?.destroy();
  const [status, said] = await end(closed);
  assert.equal(status, 0, said);
  assert.doesNotMatch(said, /EPIPE|^\s+at /m);

  if (!existsSync('/dev/full')) return t.skip('this system has no /dev/full');
  for (const args of [['inspect', world.layout], ['plan', '-i', world.layout, '--json'], ['--help']]) {
    const [full, message] = await end(start(args, openSync('/dev/full', 'w')));
    assert.equal(full, 1, `${args.join(' ')}: ${message}`);
    assert.match(message, /^error: Cannot write standard output: no space is left on the device$/m);
    assert.doesNotMatch(message, /^\s+at /m);
  }
});

test('a signal ends the run in order, with the exit status shells expect', async () => {
  await using silent = await startServer(() => undefined);
  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const seen = silent.requests.length;
    const child = spawn(process.execPath, [BIN, 'patch', '-i', `${silent.host}/a:b`, '--push'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: '/dev/null' },
    });
    const errors: Buffer[] = [];
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
    while (silent.requests.length === seen && child.exitCode === null) await sleep(20);
    child.kill(signal);
    const [status] = (await once(child, 'close')) as [number | null];
    assert.equal(status, expected);
    assert.match(Buffer.concat(errors).toString(), new RegExp(`^error: Interrupted \\(${signal}\\)$`, 'm'));
  }
});

test('a cache that cannot be used is none, a damaged one is read anew, and runs share one', async () => {
  await using world = await startToyWorld();
  const cache = join(world.folder, 'cache');
  writeFileSync(cache, 'no folder');
  const patch = async (name: string) => {
    const run = await onlay(`patch -i ${world.image} -t ${name} --push --json --cache-dir ${cache}`);
    assert.equal(run.status, 0, run.stderr);
    return run.outcome;
  };
  const without = await patch('without');
  const shared = join(world.folder, 'shared');
  const runs = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      onlay(`patch -i ${world.image} -t ${name} --push --json --cache-dir ${shared}`),
    ),
  );
  for (const run of runs) {
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.outcome.image?.digest, without.image?.digest);
  }
  const files = readdirSync(shared, { recursive: true, encoding: 'utf8' })
    .map((name) => join(shared, name))
    .filter((path) => statSync(path).isFile());
  assert.ok(files.length > 3);
  assert.deepEqual(
    files.filter((path) => path.endsWith('.tmp')),
    [],
  );
  for (const [at, path] of files.entries()) writeFileSync(path, at % 2 === 0 ? 'damaged' : '');
  const again = await onlay(`patch -i ${world.image} -t d --push --json --cache-dir ${shared}`);
  assert.equal(again.status, 0, again.stderr);
  assert.equal(again.outcome.image?.digest, without.image?.digest);
});

test('cache prune removes what is named by digests, and nothing of a folder given by mistake', async () => {
  await using world = await startToyWorld();
  const folder = join(world.folder, 'project');
  mkdirSync(join(folder, 'packages', 'web'), { recursive: true });
  writeFileSync(join(folder, 'packages', 'web', 'index.js'), 'precious');
  await onlay(`plan -i ${world.image} --cache-dir ${folder}`);
  assert.ok(existsSync(join(folder, 'layers')));
  const run = await runInProcess(['cache', 'prune', '--cache-dir', folder]);
  assert.match(run.stderr, /^Removed [1-9]\d* files/);
  assert.deepEqual(readdirSync(folder), ['packages']);
  assert.deepEqual(readdirSync(join(folder, 'packages')), ['web']);
  assert.ok(existsSync(join(folder, 'packages', 'web', 'index.js')));
});
