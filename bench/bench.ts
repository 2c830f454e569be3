// `npm run bench`: patching one image by apt in a chroot, by onlay from registry to registry, and moving it by skopeo, in
// one run on one machine; the table goes to bench/RESULTS.md. Needs root and Debian's tools; says so where they lack.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { debianMirror } from '../test/support/debian-mirror.ts';
import { projectRoot } from '../test/support/project.ts';

interface Row {
  readonly name: string;
  readonly wall: number;
  readonly cpu: number | undefined;
  readonly memory: number | undefined;
  readonly note: string;
}

const TOOLS = ['mmdebstrap', 'umoci', 'skopeo', 'docker-registry', 'python3', 'unshare', 'chroot'];
const missing = TOOLS.filter((tool) => !has(tool));
if (process.getuid?.() !== 0 || missing.length > 0) {
  console.error(
    `the benchmark needs root and ${missing.join(', ') || 'nothing else'} (Debian: apt-get install mmdebstrap umoci skopeo docker-registry python3)`,
  );
  process.exit(1);
}

const cache = process.env['ONLAY_BENCH_DIR'] ?? join(projectRoot, '.oracle', 'bench');
const work = mkdtempSync(join(tmpdir(), 'onlay-bench-'));
const { archive, security } = debianMirror();
run('bash', join(projectRoot, 'bench', 'image.sh'), cache, archive, security);
const port = await freePort();
const registry = startRegistry(port);
try {
  await answering(port);
  const reference = `127.0.0.1:${port}/bench/web`;
  run(
    'skopeo',
    'copy',
    '-q',
    '--dest-tls-verify=false',
    `oci:${cache}/layout:base`,
    `docker://${reference}:base`,
  );
  const rows = [
    aptRow(),
    row('skopeo copy, registry to registry (moves bytes only)', [
      'skopeo',
      'copy',
      '-q',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      `docker://${reference}:base`,
      `docker://127.0.0.1:${port}/copy/web:base`,
    ]),
    onlayRow('onlay, pure JavaScript, cold, registry to registry with push', reference, 'cold', []),
    onlayRow('onlay, fills its cache', reference, 'fill', ['--cache-dir', join(work, 'cache')]),
    onlayRow('onlay, warm (its cache)', reference, 'warm', ['--cache-dir', join(work, 'cache')]),
  ];
  report(rows);
} finally {
  registry.kill();
  rmSync(work, { recursive: true, force: true });
}

function aptRow(): Row {
  const root = join(work, 'apt');
  execFileSync('cp', ['-a', join(cache, 'root'), root]);
  const script = `mount -t proc proc ${root}/proc; mount --rbind /dev ${root}/dev
    for f in resolv.conf hosts; do mount --bind "$(readlink -f /etc/$f)" "${root}/etc/$f" 2>/dev/null || cp -L /etc/$f ${root}/etc/$f; done
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot ${root} sh -c 'apt-get -q update && apt-get -q -y -o Dpkg::Use-Pty=0 upgrade' >${work}/apt.log 2>&1`;
  return row('chroot: apt-get update && apt-get -y upgrade (no layer, no push)', [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'bash',
    '-ec',
    script,
  ]);
}

function onlayRow(
  name: string,
  reference: string,
  tag: string,
  flags: readonly string[],
  env: Record<string, string> = {},
): Row {
  const out = join(work, `${tag}.result.json`);
  const cacheFlags = flags.includes('--cache-dir') ? [] : ['--no-cache'];
  const measured = row(
    name,
    [
      'sh',
      '-c',
      '"$@" >"$0"',
      out,
      process.execPath,
      join(projectRoot, 'bin', 'onlay.js'),
      'patch',
      '-i',
      `${reference}:base`,
      '-t',
      tag,
      '--push',
      '--json',
      '--progress',
      'quiet',
      ...cacheFlags,
      ...flags,
    ],
    env,
  );
  const result = JSON.parse(readFileSync(out, 'utf8')) as {
    bytes: { pulled: number; fetched: number; pushed: number };
    timings: Record<string, number>;
    image: { platforms: { packages: unknown[] }[] };
  };
  const { pulled, fetched, pushed } = result.bytes;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const stages = Object.entries(result.timings)
    .map(([stage, time]) => `${stage} ${(time / 1000).toFixed(2)}`)
    .join(', ');
  return {
    ...measured,
    note: `${result.image.platforms[0]?.packages.length ?? 0} packages; pulled ${mb(pulled)}, fetched ${mb(fetched)}, pushed ${mb(pushed)}; ${stages}`,
  };
}

function row(name: string, command: readonly string[], env: Record<string, string> = {}): Row {
  const out = join(work, 'measure.json');
  execFileSync('python3', [join(projectRoot, 'bench', 'measure.py'), out, ...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  const { wall, cpu, memory } = JSON.parse(readFileSync(out, 'utf8')) as {
    wall: number;
    cpu: number;
    memory: number;
  };
  console.error(`${name}: ${wall.toFixed(2)} s`);
  return { name, wall, cpu, memory, note: '' };
}

function report(rows: readonly Row[]): void {
  const apt = rows[0]?.wall ?? Number.NaN;
  const cells = rows.map(
    ({ name, wall, cpu, memory, note }) =>
      `| ${name} | ${wall.toFixed(2)} | ${(wall / apt).toFixed(2)} | ${cpu?.toFixed(2) ?? ''} | ${memory?.toFixed(0) ?? ''} | ${note} |`,
  );
  const text = `# Benchmark

\`npm run bench\` on ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}. One image (bookworm of
the main archive with nginx, python3, git, perl and others), one registry on loopback, one Debian mirror, one run; times in
seconds, memory of the largest process in MB. Compare ratios, not seconds: the machine may be shared.

| what | wall s | of apt | CPU s | peak MB | notes |
|---|---|---|---|---|---|
${cells.join('\n')}
`;
  writeFileSync(join(projectRoot, 'bench', 'RESULTS.md'), text);
  console.log(text);
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function has(tool: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some((folder) => existsSync(join(folder, tool)));
}

function startRegistry(port: number): { kill(): void } {
  const config = join(work, 'registry.yml');
  mkdirSync(join(work, 'registry'));
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${join(work, 'registry')}}}\nhttp: {addr: 127.0.0.1:${port}}\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  return { kill: () => void child.kill() };
}

async function answering(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/v2/`)).ok) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error('docker-registry does not answer');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
