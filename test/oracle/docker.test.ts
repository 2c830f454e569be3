// What we write, opened by Docker, skopeo and umoci: from a registry, from archives in files and through a pipe, in both
// families and all compressions, for one platform and for several. All of them must see the same file system.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { indexBlob, snapshot } from '../support/layers.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startDockerd, type Dockerd, type DockerdKind, type StartedDockerd } from '../support/dockerd.ts';
import { registryStore } from '../support/inspect-image.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, putToyImage } from '../support/toy-debian.ts';
import { listed, putIndex, startIndexWorld } from '../support/toy-index.ts';
import { runTool } from '../support/tool.ts';
import { requirePrograms } from '../support/debian-tools.ts';
import { codecAvailability } from '../../src/codec/index.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';

const kinds: readonly DockerdKind[] = ['installed', 'newer', 'newer with containerd'];
const started = new Map<DockerdKind, StartedDockerd>();
for (const kind of kinds) started.set(kind, await startDockerd(kind));
const served = await startDockerRegistry();
const world = await startIndexWorld();
const folder = mkdtempSync(join(tmpdir(), 'onlay-docker-'));
after(async () => {
  for (const { daemon } of started.values()) await daemon?.[Symbol.asyncDispose]();
  await served.registry?.[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** What stands in the way is printed; the rest is what is needed. */
function need(
  t: TestContext,
  kind: DockerdKind,
): { readonly daemon: Dockerd; readonly host: string } | undefined {
  const found = started.get(kind);
  if (!found?.daemon) return void t.skip(found?.reason);
  if (!served.registry) return void t.skip(served.reason);
  return { daemon: found.daemon, host: served.registry.host };
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
  const cannot =
    made === 'zstd' && codecAvailability().zstdEncoder === undefined
      ? 'this installation has no zstd encoder (optional dependency zstd-napi, or Node 22.15)'
      : undefined;
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

  for (const kind of kinds)
    test(`${family}, base ${base}, new layer ${made}: docker pull and load (${kind})`, async (t) => {
      if (cannot !== undefined) return t.skip(cannot);
      const needed = need(t, kind);
      if (!needed) return;
      const { docker, version } = needed.daemon;
      const { host } = needed;
      const piped = await (written ??= write(host));
      const pull = (): Buffer => docker(['pull', '--quiet', `${host}/toys/web:${name}-out`]);
      if (zstd && Number.parseInt(version, 10) < 23) {
        // the base, which is not ours, cannot be read either
        if (base === 'zstd')
          assert.throws(() => docker(['pull', '--quiet', `${host}/toys/web:${name}`]), /invalid tar header/);
        assert.throws(pull, /invalid tar header/);
        return t.skip(`docker ${version} cannot read zstd layers, whoever wrote them`);
      }
      const trees: Record<string, string[]> = {};
      pull();
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
    if (cannot !== undefined) return t.skip(cannot);
    const missing = requirePrograms('skopeo', 'umoci');
    if (missing !== undefined) return t.skip(missing);
    if (!served.registry) return t.skip(served.reason);
    const { host } = served.registry;
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

for (const family of ['oci', 'docker'] as const) {
  const file = join(folder, `multi-${family}.tar`);
  let patched: Promise<readonly (string | undefined)[]> | undefined;
  /** Patches an index into the registry and into an archive; the diff_ids of the new layers. */
  const patch = async (place: string): Promise<readonly (string | undefined)[]> => {
    await using store = registryStore(place);
    const amd64 = await putToyImage(store, OLD, { ...options, family });
    const arm64 = await putToyImage(store, OLD, { ...options, family, architecture: 'arm64' });
    await putIndex(store, family, { manifests: [listed(amd64, 'amd64'), listed(arm64, 'arm64')] }, '1');
    const pushed = await onlay(`patch -i ${place}:1 -t out --push --json`);
    assert.equal(pushed.status, 0, pushed.stderr);
    const saved = await onlay(`patch -i ${place}:1 -t docker-archive:${file}:toys/multi:${family}`);
    assert.equal(saved.status, 0, saved.stderr);
    return (pushed.outcome.image?.platforms ?? []).map(({ layer }) => layer?.diffId);
  };

  for (const kind of kinds)
    test(`several platforms, ${family}: the registry and the archive give each its own (${kind})`, async (t) => {
      const needed = need(t, kind);
      if (!needed) return;
      const { docker } = needed.daemon;
      const place = `${needed.host}/toys/multi-${family}`;
      const diffIds = await (patched ??= patch(place));
      for (const [at, architecture] of ['amd64', 'arm64'].entries()) {
        docker(['pull', '--quiet', '--platform', `linux/${architecture}`, `${place}:out`]);
        const image = inspect(docker, kind, `${place}:out`, architecture);
        assert.equal(image.Architecture, architecture);
        assert.equal(image.RootFS.Layers[1], diffIds[at]);
      }
      docker(['load'], readFileSync(file));
      const loaded = inspect(docker, kind, `toys/multi:${family}`, 'amd64');
      assert.equal(loaded.Architecture, 'amd64', 'a name is for one image: the first');
      // containerd keeps them all
      if (kind === 'newer with containerd')
        assert.equal(inspect(docker, kind, `toys/multi:${family}`, 'arm64').Architecture, 'arm64');
    });

  test(`several platforms, ${family}: skopeo copies them all out of the archive`, async (t) => {
    const missing = requirePrograms('skopeo');
    if (missing !== undefined) return t.skip(missing);
    if (!served.registry) return t.skip(served.reason);
    await (patched ??= patch(`${served.registry.host}/toys/multi-${family}`));
    mkdirSync(join(folder, 'all'), { recursive: true });
    skopeo('copy', '--all', `oci-archive:${file}`, `oci:${join(folder, 'all')}:${family}`);
  });
}

for (const kind of kinds)
  test(`images of the daemon itself are patched, and put back: docker-daemon:, --loader (${kind})`, async (t) => {
    const needed = need(t, kind);
    if (!needed) return;
    const { docker, env } = needed.daemon;
    const place = `${needed.host}/toys/local`;
    await using store = registryStore(place);
    await putToyImage(store, OLD, options, 'base');
    docker(['pull', '--quiet', `${place}:base`]);
    for (const [name, to] of [
      ['toys/put-back:1', '-t docker-daemon:toys/put-back:1'],
      [`${place}:loaded`, `-t ${place}:loaded --loader docker`],
    ] as const) {
      const run = await onlay(`patch -i docker-daemon:${place}:base ${to} --json`, { env });
      assert.equal(run.status, 0, run.stderr);
      const { RootFS } = inspect(docker, 'installed', name, 'amd64');
      assert.equal(RootFS.Layers.length, 2);
      assert.equal(RootFS.Layers[1], run.outcome.image?.platforms[0]?.layer?.diffId);
      const tree = await exported(docker, name);
      if (expected) assert.deepEqual(tree, expected);
    }
    // of an index only the platform of this machine is pulled; containerd saves the index nevertheless
    const arm64 = await putToyImage(store, OLD, { ...options, architecture: 'arm64' });
    const amd64 = await putToyImage(store, OLD, options);
    await putIndex(store, 'oci', { manifests: [listed(arm64, 'arm64'), listed(amd64, 'amd64')] }, 'multi');
    docker(['pull', '--quiet', '--platform', 'linux/amd64', `${place}:multi`]);
    const partial = await onlay(
      `patch -i docker-daemon:${place}:multi -t docker-daemon:toys/partial:1 --json`,
      { env },
    );
    assert.equal(partial.status, 0, partial.stderr);
    assert.deepEqual(
      partial.outcome.image?.platforms.map(({ platform, status }) => [platform, status]),
      [['linux/amd64', 'patched']],
    );
    assert.equal(inspect(docker, 'installed', 'toys/partial:1', 'amd64').RootFS.Layers.length, 2);

    const missing = await onlay('patch -i docker-daemon:toys/nothing:1 -t docker-daemon:x:1', { env });
    assert.equal(missing.status, 4);
    assert.match(missing.stderr, /toys\/nothing:1/);
  });

interface Inspected {
  readonly Architecture: string;
  readonly RootFS: { readonly Layers: readonly string[] };
}

/** Only containerd keeps several platforms under one name. */
function inspect(
  docker: Dockerd['docker'],
  kind: DockerdKind,
  image: string,
  architecture: string,
): Inspected {
  const chosen = kind === 'newer with containerd' ? ['--platform', `linux/${architecture}`] : [];
  const [found] = JSON.parse(docker(['image', 'inspect', ...chosen, image]).toString()) as Inspected[];
  assert.ok(found);
  return found;
}
