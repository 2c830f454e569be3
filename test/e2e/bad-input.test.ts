// Whatever is wrong with what the user gives or the network answers: the exit status of the contract, one clear line with
// a hint, and nothing pushed.
import assert from 'node:assert/strict';
import { existsSync, chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import { openLayout } from '../../src/stores/layout/index.ts';
import { putImage } from '../support/images.ts';
import { onlay } from '../support/onlay.ts';
import type { Run } from '../support/onlay.ts';
import { file } from '../support/layers.ts';
import { SUITE, makeArchive, makeKey } from '../support/toy-archive.ts';
import { makeLayer, NEW } from '../support/toy-debian.ts';
import { startToyWorld, toyReport } from '../support/toy-world.ts';
import type { ToyWorld } from '../support/toy-world.ts';

/** One error line, a hint, no stack, and a document with the code. */
function assertRefused(run: Run, status: number, code: string, pattern: RegExp): void {
  assert.equal(run.status, status, `${run.stderr}\n${run.stdout.slice(0, 500)}`);
  const errors = run.stderr.split('\n').filter((line) => line.startsWith('error: '));
  assert.equal(errors.length, 1, run.stderr);
  assert.match(errors[0] ?? '', pattern);
  assert.match(run.stderr, /^hint: \S/m, run.stderr);
  assert.doesNotMatch(run.stderr, /^\s+at /m, 'no stack trace');
  assert.equal(run.outcome.error?.code, code);
  assert.equal(run.outcome.changed, false);
}

async function refused(
  world: ToyWorld,
  args: readonly string[],
  status: number,
  code: string,
  pattern: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const before = world.registry.requests.length;
  const run = await onlay(['patch', '--json', ...args], { env });
  assertRefused(run, status, code, pattern);
  const written = world.registry.requests
    .slice(before)
    .filter(({ method }) => !['GET', 'HEAD'].includes(method));
  assert.deepEqual(
    written.map(({ method, path }) => `${method} ${path}`),
    [],
    'nothing was pushed',
  );
}

test('a wrong reference', async () => {
  await using world = await startToyWorld();
  await refused(world, ['-i', 'Registry/UPPER:x', '--push'], 2, 'REFERENCE_INVALID', /UPPER/);
});

test('no destination, and two destinations', async () => {
  await using world = await startToyWorld();
  const run = await onlay(['patch', '-i', world.image, '--json']);
  assertRefused(run, 2, 'USAGE', /destination/i);
  for (const named of ['--push', '-t', '--oci-dir', '--loader']) assert.ok(run.stderr.includes(named), named);
  await refused(
    world,
    ['-i', world.image, '--push', '--oci-dir', world.folder],
    2,
    'USAGE',
    /--push and --oci-dir/,
  );
});

test('an unknown flag, and a flag with a wrong value', async () => {
  assert.equal((await onlay(['patch', '--nonsense'])).status, 2);
  assert.equal((await onlay(['nonsense'])).status, 2);
  await using world = await startToyWorld();
  await refused(world, ['-i', world.image, '--push', '--timeout', 'soon'], 2, 'USAGE', /soon/);
});

test('a missing image in a registry and in a layout', async () => {
  await using world = await startToyWorld();
  await refused(
    world,
    ['-i', `${world.registry.host}/toys/web:nothing`, '--push'],
    4,
    'IMAGE_NOT_FOUND',
    /nothing/,
  );
  await refused(
    world,
    ['-i', `oci:${world.folder}/layout:nothing`, '-t', `oci:${world.folder}/layout:x`],
    4,
    'IMAGE_NOT_FOUND',
    /nothing/,
  );
});

/** The blob of the only layer, in the layout. */
function layerBlob(world: ToyWorld): { readonly path: string; readonly digest: string } {
  const manifest = JSON.parse(Buffer.from(world.document.bytes).toString()) as {
    layers: { digest: string }[];
  };
  const digest = manifest.layers[0]?.digest ?? '';
  return { digest, path: join(world.folder, 'layout', 'blobs', 'sha256', digest.slice(7)) };
}

test('a truncated blob', async () => {
  await using world = await startToyWorld();
  const { path } = layerBlob(world);
  writeFileSync(path, readFileSync(path).subarray(0, 500));
  await refused(
    world,
    ['-i', world.layout, '-t', `oci:${world.folder}/layout:x`],
    6,
    'SIZE_MISMATCH',
    /sha256:/,
  );
});

test('a blob with another digest', async () => {
  await using world = await startToyWorld();
  const { path } = layerBlob(world);
  const bytes = readFileSync(path);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1;
  writeFileSync(path, bytes);
  await refused(
    world,
    ['-i', world.layout, '-t', `oci:${world.folder}/layout:x`],
    6,
    'DIGEST_MISMATCH',
    /sha256:/,
  );
});

for (const [what, bytes] of [
  [
    'a layer with broken gzip',
    Buffer.concat([gzipSync(Buffer.alloc(5000, 'x')).subarray(0, 30), Buffer.alloc(50, 7)]),
  ],
  ['a layer that is no tar', gzipSync(Buffer.alloc(5000, 'x'))],
] as const)
  test(what, async () => {
    await using world = await startToyWorld();
    const store = await openLayout(join(world.folder, 'layout'));
    await putImage(
      store,
      {
        layers: [
          {
            bytes,
            diffId: digestOf(Buffer.alloc(5000, 'x')),
            mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          },
        ],
      },
      'bad',
    );
    await refused(
      world,
      ['-i', `oci:${world.folder}/layout:bad`, '-t', `oci:${world.folder}/layout:x`],
      4,
      'ARCHIVE_INVALID',
      /[Ll]ayer sha256:/,
    );
  });

test('an image without a package database, and one of an unsupported distro', async () => {
  await using world = await startToyWorld();
  const store = await openLayout(join(world.folder, 'layout'));
  await putImage(store, { layers: [makeLayer([file('hello', 'x')])] }, 'scratch');
  await refused(
    world,
    ['-i', `oci:${world.folder}/layout:scratch`, '-t', `oci:${world.folder}/layout:x`],
    4,
    'NO_PACKAGE_DATABASE',
    /package database/,
  );
  const other = makeLayer([
    file('etc/os-release', 'ID=plan9\nPRETTY_NAME="Plan 9"\n'),
    file(
      'var/lib/dpkg/status',
      'Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n',
    ),
  ]);
  await putImage(store, { layers: [other] }, 'plan9');
  await refused(
    world,
    ['-i', `oci:${world.folder}/layout:plan9`, '-t', `oci:${world.folder}/layout:x`],
    4,
    'DISTRO_UNSUPPORTED',
    /Plan 9/,
  );
});

for (const [what, content, code] of [
  ['a report that is not JSON', 'CVE-1 libgreet1', 'REPORT_INVALID'],
  ['a report of another schema', '{"matches":[]}', 'REPORT_UNSUPPORTED'],
  ['a report for another image', toyReport([], { diffIds: [`sha256:${'0'.repeat(64)}`] }), 'REPORT_MISMATCH'],
  ['a report for another distro', toyReport([], { os: 'alpine' }), 'REPORT_MISMATCH'],
] as const)
  test(what, async () => {
    await using world = await startToyWorld();
    const report = join(world.folder, 'report.json');
    writeFileSync(report, content);
    await refused(world, ['-i', world.image, '--push', '-r', report], 3, code, /report/i);
  });

test('a report without end', async (t) => {
  if (!existsSync('/dev/zero')) return t.skip('there is no /dev/zero');
  await using world = await startToyWorld();
  const args = ['-i', world.image, '--push', '-r', '/dev/zero'];
  await refused(world, args, 3, 'REPORT_INVALID', /larger than 512 MiB/);
});

test('a report that is not there', async () => {
  await using world = await startToyWorld();
  await refused(
    world,
    ['-i', world.image, '--push', '-r', join(world.folder, 'none.json')],
    3,
    'REPORT_INVALID',
    /none\.json/,
  );
});

test('an unreachable mirror', async () => {
  await using world = await startToyWorld();
  await world.mirror[Symbol.asyncDispose]();
  await refused(world, ['-i', world.image, '--push'], 75, 'NETWORK', /InRelease|mirror|Cannot/);
});

test('an index with a bad signature', async () => {
  await using world = await startToyWorld();
  const path = `dists/${SUITE}/InRelease`;
  const text = Buffer.from(world.archive.get(path) ?? []).toString();
  world.archive.set(path, Buffer.from(text.replace('Origin: Toys', 'Origin: Boys')));
  await refused(world, ['-i', world.image, '--push'], 6, 'SIGNATURE_INVALID', /Cannot verify Release/);
});

test('an index signed by a key that is not trusted', async () => {
  await using world = await startToyWorld();
  for (const [path, bytes] of await makeArchive(NEW, { key: await makeKey() }))
    world.archive.set(path, bytes);
  await refused(world, ['-i', world.image, '--push'], 6, 'SIGNATURE_INVALID', /signature|key/);
});

test('an index past its Valid-Until', async () => {
  await using world = await startToyWorld({
    archive: {
      date: new Date(Date.now() - 20 * 86_400_000),
      validUntil: new Date(Date.now() - 10 * 86_400_000),
    },
  });
  await refused(world, ['-i', world.image, '--push'], 6, 'INDEX_EXPIRED', /valid until/);
});

test('an index whose content is not what the signed release says', async () => {
  await using world = await startToyWorld();
  for (const [path, bytes] of world.archive) {
    if (path.endsWith('.gz')) world.archive.set(path, gzipSync('Package: evil\n'));
    else if (path.endsWith('/Packages')) world.archive.set(path, Buffer.concat([bytes, Buffer.from('\n')]));
  }
  const run = await onlay(['patch', '-i', world.image, '--push', '--json']);
  assert.equal(run.status, 6, run.stderr);
  assert.match(run.stderr, /^hint: /m);
});

test('a package with another hash', async () => {
  await using world = await startToyWorld();
  for (const [path, bytes] of world.archive)
    if (path.includes('/hello_')) world.archive.set(path, Buffer.from(bytes).fill(0x41, 100, 110));
  await refused(world, ['-i', world.image, '--push'], 6, 'DIGEST_MISMATCH', /hello/);
});

test('a fix that the mirror does not have', async () => {
  await using world = await startToyWorld();
  const report = join(world.folder, 'report.json');
  writeFileSync(
    report,
    toyReport([
      { name: 'libgreet1', fixed: '9.9-1' },
      { name: 'hello', fixed: '1.0-1+deb12u1' },
    ]),
  );
  await refused(world, ['-i', world.image, '--push', '-r', report], 5, 'FIX_UNAVAILABLE', /libgreet1/);
  const run = await onlay(['patch', '-i', world.image, '--push', '-r', report, '--ignore-errors', '--json']);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(
    run.outcome.image?.platforms[0]?.packages.map(({ name }) => name),
    ['hello'],
  );
  assert.ok(run.outcome.image?.platforms[0]?.skipped.some(({ name }) => name === 'libgreet1'));
  // also when it is all that is wanted
  writeFileSync(report, toyReport([{ name: 'libgreet1', fixed: '9.9-1' }]));
  await refused(world, ['-i', world.image, '--push', '-r', report], 5, 'FIX_UNAVAILABLE', /libgreet1/);
  const plan = await onlay(['plan', '-i', world.image, '-r', report]);
  assert.equal(plan.status, 5, plan.stderr);
  const nothing = await onlay(['patch', '-i', world.image, '--push', '-r', report, '--ignore-errors']);
  assert.equal(nothing.status, 0, nothing.stderr);
  assert.match(nothing.stdout, /is left as it is; nothing was written/);
});

test('no credentials, and wrong ones', async () => {
  await using world = await startToyWorld({
    registry: { auth: { kind: 'basic', users: { alice: 'wonderland' } } },
  });
  await refused(world, ['-i', world.image, '--push'], 8, 'AUTH_REQUIRED', /401|credential|log/i);
  const authfile = join(world.folder, 'auth.json');
  const write = (password: string): void =>
    writeFileSync(
      authfile,
      JSON.stringify({
        auths: { [world.registry.host]: { auth: Buffer.from(`alice:${password}`).toString('base64') } },
      }),
    );
  write('looking-glass');
  const wrong = await onlay(['patch', '--json', '-i', world.image, '--push', '--authfile', authfile]);
  assert.equal(wrong.status, 8, wrong.stderr);
  assert.doesNotMatch(wrong.stderr + wrong.stdout, /looking-glass|YWxpY2U/, 'no secret is shown');
  write('wonderland');
  const right = await onlay(['patch', '--json', '-i', world.image, '--push', '--authfile', authfile]);
  assert.equal(right.status, 0, right.stderr);
});

test('a read-only target: registry and directory', async (t) => {
  await using world = await startToyWorld({ registry: { readOnly: true } });
  const run = await onlay([
    'patch',
    '--json',
    '-i',
    world.layout,
    '-t',
    `docker://${world.registry.host}/toys/web:x`,
  ]);
  assertRefused(run, 7, 'TARGET_REFUSED', /toys\/web/);
  if (process.getuid?.() === 0)
    return t.diagnostic('a read-only directory is not tried: root writes everywhere');
  const target = join(world.folder, 'readonly');
  mkdirSync(target);
  chmodSync(target, 0o555);
  const local = await onlay(['patch', '--json', '-i', world.layout, '-t', `oci:${target}:x`]);
  assertRefused(local, 7, 'TARGET_REFUSED', /readonly/);
  assert.deepEqual(readdirSync(target), []);
});

test('a plan for another image', async () => {
  await using world = await startToyWorld();
  const plan = await onlay(['plan', '-i', world.image, '--json']);
  const path = join(world.folder, 'plan.json');
  writeFileSync(path, plan.stdout.replaceAll(world.document.descriptor.digest, `sha256:${'0'.repeat(64)}`));
  await refused(world, ['-i', world.image, '--push', '--plan', path], 3, 'PLAN_MISMATCH', /plan/i);
  writeFileSync(path, '{}');
  await refused(world, ['-i', world.image, '--push', '--plan', path], 3, 'PLAN_INVALID', /plan/i);
});

test('an unsigned archive needs --allow-unsigned, which is recorded', async () => {
  await using world = await startToyWorld();
  const path = `dists/${SUITE}/InRelease`;
  const signed = Buffer.from(world.archive.get(path) ?? []).toString();
  const body = /\n\n([\s\S]*?)\n-----BEGIN PGP SIGNATURE/.exec(signed)?.[1] ?? '';
  world.archive.delete(path);
  world.archive.set(`dists/${SUITE}/Release`, Buffer.from(`${body}\n`));
  await refused(world, ['-i', world.image, '--push'], 6, 'SIGNATURE_INVALID', /sign/);
  const run = await onlay(['patch', '-i', world.image, '--push', '--allow-unsigned', '--json']);
  assert.equal(run.status, 0, run.stderr);
  assert.ok(run.outcome.warnings.some((warning) => warning.includes('--allow-unsigned')));
});
