// What we write, opened by Docker, skopeo and umoci: from a registry, from archives in files and through a pipe, in both
// families and all compressions, for one platform and for several. All of them must see the same file system.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { indexBlob, snapshot } from '../support/layers.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startDockerd } from '../support/dockerd.ts';
import { registryStore } from '../support/inspect-image.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, putToyImage } from '../support/toy-debian.ts';
import { listed, putIndex, startIndexWorld } from '../support/toy-index.ts';
import { hasTool, runTool } from '../support/tool.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';

const started = await startDockerd();
const served = await startDockerRegistry();
const world = await startIndexWorld();
const folder = mkdtempSync(join(tmpdir(), 'onlay-docker-'));
after(async () => {
  await started.daemon?.[Symbol.asyncDispose]();
  await served.registry?.[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** What stands in the way, printed; the rest is what is needed. */
function need(
  t: TestContext,
): { docker: NonNullable<typeof started.daemon>['docker']; host: string } | undefined {
  if (!started.daemon) return void t.skip(started.reason);
  if (!served.registry) return void t.skip(served.reason);
  return { docker: started.daemon.docker, host: served.registry.host };
}

/** The merged tree of an image as Docker extracts it. */
async function exported(docker: (args: readonly string[]) => Buffer, image: string): Promise<string[]> {
  const container = docker(['create', image, '/none']).toString().trim();
  try {
    return await treeOf(docker(['export', container]));
  } finally {
    docker(['rm', container]);
  }
}

// Docker makes these in every container
const RUNTIME =
  /^\{"path":"(?:\.dockerenv|dev|proc|sys|etc\/(?:hostname|hosts|resolv\.conf|mtab))(?:\/[^"]*)?"/;

async function treeOf(tar: Uint8Array): Promise<string[]> {
  return snapshot(mergeLayers([await indexBlob(tar)])).filter((line) => !RUNTIME.test(line));
}

function unpacked(layout: string): Promise<string[]> {
  const bundle = mkdtempSync(join(folder, 'bundle-'));
  rmSync(bundle, { recursive: true });
  runTool('umoci', ['unpack', '--image', layout, bundle]);
  return treeOf(runTool('tar', ['-C', join(bundle, 'rootfs'), '--xattrs', '--numeric-owner', '-c', '.']));
}

const skopeo = (...args: readonly string[]): string =>
  runTool('skopeo', ['--insecure-policy', ...args]).toString();

const options = { url: world.mirror.url, key: world.key };
let expected: string[] | undefined;

for (const [family, base, made] of [
  ['oci', 'gzip', 'gzip'],
  ['oci', 'none', 'uncompressed'],
  ['oci', 'gzip', 'zstd'],
  ['oci', 'zstd', 'gzip'],
  ['docker', 'gzip', 'gzip'],
  ['docker', 'none', 'uncompressed'],
] as const) {
  const name = `${family}-${base}-${made}`;
  const file = join(folder, `${name}.tar`);
  const zstd = base === 'zstd' || made === 'zstd';
  let written: Promise<Buffer> | undefined;
  /** The result in the registry, in a file, and as the bytes of a pipe. */
  const write = async (host: string): Promise<Buffer> => {
    await using store = registryStore(`${host}/toys/web`);
    await putToyImage(store, OLD, { ...options, family, compression: base }, name);
    const patch = `patch -i ${host}/toys/web:${name} --compression ${made}`;
    const pushed = await onlay(`${patch} -t ${name}-out --push`);
    const saved = await onlay(`${patch} -t docker-archive:${file}:toys/file:${name}`);
    const piped = await onlay(`${patch} -t docker-archive:-:toys/pipe:${name}`);
    for (const run of [pushed, saved, piped]) assert.equal(run.status, 0, run.stderr);
    return piped.output;
  };

  test(`${family}, base ${base}, new layer ${made}: docker pull and docker load`, async (t) => {
    const needed = need(t);
    if (!needed) return;
    const { docker, host } = needed;
    const piped = await (written ??= write(host));
    const version = docker(['version', '--format', '{{.Server.Version}}']).toString().trim();
    if (zstd && Number.parseInt(version, 10) < 23)
      return t.skip(`docker ${version} cannot read zstd layers, whoever wrote them`);
    const trees: Record<string, string[]> = {};
    docker(['pull', '--quiet', `${host}/toys/web:${name}-out`]);
    trees['docker pull'] = await exported(docker, `${host}/toys/web:${name}-out`);
    docker(['load', '--input', file]);
    trees['docker load'] = await exported(docker, `toys/file:${name}`);
    assert.match(docker(['load'], piped).toString(), new RegExp(`toys/pipe:${name}`));
    trees['docker load from a pipe'] = await exported(docker, `toys/pipe:${name}`);
    expected ??= trees['docker pull'];
    for (const [way, tree] of Object.entries(trees)) assert.deepEqual(tree, expected, way);
    assert.ok(expected.some((line) => line.includes('"usr/bin/hello"')));

    // and back: in what docker saves there is nothing left to patch
    docker(['tag', `toys/pipe:${name}`, `toys/again:${name}`]);
    const input = docker(['save', `toys/again:${name}`]);
    const again = await onlay('patch -i - -t oci-archive:-:x --exit-code-unchanged 9', { input });
    assert.equal(again.status, 9, again.stderr);
  });

  test(`${family}, base ${base}, new layer ${made}: skopeo and umoci`, async (t) => {
    const needed = need(t);
    if (!needed) return;
    for (const tool of ['skopeo', 'umoci'])
      if (!hasTool(tool)) return t.skip(`${tool} is not installed (Debian package of that name)`);
    const { host } = needed;
    await (written ??= write(host));
    const copy = join(folder, `${name}-copy`);
    const from = `docker://${host}/toys/web:${name}-out`;
    skopeo('copy', '--src-tls-verify=false', from, `oci:${copy}:registry`);
    skopeo('copy', `docker-archive:${file}:toys/file:${name}`, `oci:${copy}:docker`);
    skopeo('copy', `oci-archive:${file}`, `oci:${copy}:oci`);
    // umoci 0.4.7 knows no zstd; skopeo turns the layers of docker-archive into plain ones
    const readable = zstd ? ['docker'] : ['registry', 'docker', 'oci'];
    for (const tag of readable) {
      const tree = await unpacked(`${copy}:${tag}`);
      if (expected) assert.deepEqual(withoutRuntime(tree), withoutRuntime(expected), tag);
    }
  });
}

/** Docker's export has its own directories; umoci's has the image's. */
function withoutRuntime(tree: readonly string[]): readonly string[] {
  return tree.filter((line) => !line.startsWith('{"path":""'));
}

for (const family of ['oci', 'docker'] as const)
  test(`several platforms, ${family}: the archive and the registry give each its own`, async (t) => {
    const needed = need(t);
    if (!needed) return;
    const { docker, host } = needed;
    const place = `${host}/toys/multi-${family}`;
    await using store = registryStore(place);
    const amd64 = await putToyImage(store, OLD, { ...options, family });
    const arm64 = await putToyImage(store, OLD, { ...options, family, architecture: 'arm64' });
    await putIndex(store, family, { manifests: [listed(amd64, 'amd64'), listed(arm64, 'arm64')] }, '1');
    const pushed = await onlay(`patch -i ${place}:1 -t out --push --json`);
    assert.equal(pushed.status, 0, pushed.stderr);
    for (const [architecture, at] of [
      ['amd64', 0],
      ['arm64', 1],
    ] as const) {
      docker(['pull', '--quiet', '--platform', `linux/${architecture}`, `${place}:out`]);
      const [image] = JSON.parse(docker(['image', 'inspect', `${place}:out`]).toString()) as {
        Architecture: string;
        RootFS: { Layers: string[] };
      }[];
      assert.equal(image?.Architecture, architecture);
      assert.equal(image?.RootFS.Layers[1], pushed.outcome.image?.platforms[at]?.layer?.diffId);
    }
    const file = join(folder, `multi-${family}.tar`);
    const saved = await onlay(`patch -i ${place}:1 -t docker-archive:${file}:toys/multi:${family} --json`);
    assert.equal(saved.status, 0, saved.stderr);
    docker(['load'], readFileSync(file));
    const [loaded] = JSON.parse(docker(['image', 'inspect', `toys/multi:${family}`]).toString()) as {
      Architecture: string;
    }[];
    assert.equal(loaded?.Architecture, 'amd64', 'a name is for one image: the first');
    if (!hasTool('skopeo')) return t.skip('skopeo is not installed (Debian package of that name)');
    mkdirSync(join(folder, 'all'), { recursive: true });
    skopeo('copy', '--all', `oci-archive:${file}`, `oci:${join(folder, 'all')}:${family}`);
  });
