// An image for several platforms through a real registry: real Alpine root file systems of two architectures, a Debian,
// Windows, an unknown platform, and attestations. Nothing of it can run here but one, and nothing is run. What was not
// patched stays byte for byte, and docker-registry, skopeo, umoci, crane and oras take the result.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import type { Document, ImageStore } from '../../src/oci/image-store.ts';
import type { JsonObject } from '../../src/oci/manifest.ts';
import { layerMediaType, type MediaFamily } from '../../src/oci/media-types.ts';
import { makeKey, makeRepository, type ToyApk, type ToyKey } from '../support/apks.ts';
import { requirePrograms } from '../support/debian-tools.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { putImage, type TestLayer } from '../support/images.ts';
import { assertSound, parseRaw, readRaw, registryStore, type RawDocument } from '../support/inspect-image.ts';
import { file } from '../support/layers.ts';
import { newerPrograms } from '../support/newer-debian.ts';
import { onlay } from '../support/onlay.ts';
import { sharedFolder } from '../support/project.ts';
import { serveFiles } from '../support/serve-files.ts';
import * as archive from '../support/toy-archive.ts';
import { NEW, OLD, makeLayer, putToyImage } from '../support/toy-debian.ts';
import { attestation, listed, putIndex } from '../support/toy-index.ts';
import { runTool } from '../support/tool.ts';

const UPSTREAM = 'https://dl-cdn.alpinelinux.org/alpine/v3.20';

/** Where the index lists what can be patched. */
const PATCHED: readonly number[] = [0, 1, 3];

/** Newer than what the real root file systems hold. */
const upgrades = (arch: string): readonly ToyApk[] => [
  {
    name: 'scanelf',
    version: '1.3.7-r9',
    arch,
    depends: [`so:libc.musl-${arch}.so.1`],
    provides: ['cmd:scanelf=1.3.7-r9'],
    files: [
      { path: 'usr', type: 'directory' },
      { path: 'usr/bin', type: 'directory' },
      { path: 'usr/bin/scanelf', content: `for ${arch}\n`, mode: 0o755 },
    ],
  },
  {
    name: 'ca-certificates-bundle',
    version: '20260101-r0',
    arch,
    files: [
      { path: 'etc', type: 'directory' },
      { path: 'etc/ssl', type: 'directory' },
      { path: 'etc/ssl/certs', type: 'directory' },
      { path: 'etc/ssl/certs/ca-certificates.crt', content: 'newer\n' },
    ],
  },
];

/** What stands in the way. */
function missing(): string | undefined {
  const shared = sharedFolder();
  if (shared === undefined || !existsSync(join(shared, 'data', 'alpine')))
    return 'the real Alpine root file systems (../shared/data/alpine) are not there';
  if (process.getuid?.() !== 0) return 'umoci unpacks as root only';
  return requirePrograms('docker-registry', 'skopeo', 'umoci');
}

async function alpine(
  store: ImageStore,
  family: MediaFamily,
  arch: string,
  key: ToyKey,
  config: JsonObject,
): Promise<Document> {
  const path = join(sharedFolder() ?? '', 'data', 'alpine', `alpine-minirootfs-3.20.3-${arch}.tar.gz`);
  const bytes = readFileSync(path);
  const real: TestLayer = {
    bytes,
    diffId: digestOf(gunzipSync(bytes)),
    mediaType: layerMediaType(family, 'gzip'),
  };
  const keys = makeLayer([file(`etc/apk/keys/${key.name}`, key.publicKey)], family);
  return putImage(store, { family, layers: [real, keys], config });
}

interface Made {
  readonly document: Document;
  readonly patchable: readonly Document[];
}

async function putFourPlatforms(
  store: ImageStore,
  family: MediaFamily,
  keys: { readonly apk: ToyKey; readonly deb: archive.ToyKey },
  debUrl: string,
): Promise<Made> {
  const amd64 = await alpine(store, family, 'x86_64', keys.apk, {});
  const arm64 = await alpine(store, family, 'aarch64', keys.apk, { architecture: 'arm64', variant: 'v8' });
  const debian = { url: debUrl, key: keys.deb, family, architecture: 's390x' };
  const s390x = await putToyImage(store, OLD, debian);
  const windows = await putImage(store, {
    family,
    layers: [makeLayer([file('Files/Windows/notepad.exe', 'MZ')], family)],
    config: { os: 'windows', 'os.version': '10.0.20348.2700' },
  });
  const unknown = await putImage(store, {
    family,
    layers: [makeLayer([file('bin/x', 'x')], family)],
    config: { os: 'plan9', architecture: 'loong64' },
  });
  const platform = { architecture: 'amd64', os: 'windows', 'os.version': '10.0.20348.2700' };
  const document = await putIndex(
    store,
    family,
    {
      manifests: [
        listed(amd64, 'amd64'),
        listed(arm64, 'arm64', {}, { variant: 'v8' }),
        { ...windows.descriptor.raw, platform },
        listed(s390x, 's390x'),
        { ...unknown.descriptor.raw, platform: { architecture: 'loong64', os: 'plan9' } },
        // of Windows, which stays: so does its attestation
        ...(family === 'oci' ? [await attestation(store, amd64), await attestation(store, windows)] : []),
      ],
      ...(family === 'oci' && { annotations: { 'org.opencontainers.image.title': 'four platforms' } }),
    },
    '1',
  );
  return { document, patchable: [amd64, arm64, s390x] };
}

for (const family of ['oci', 'docker'] as const)
  test(`four platforms of two distributions are patched in one run (${family})`, async (t) => {
    const reason = missing();
    if (reason !== undefined) return t.skip(reason);
    const started = await startDockerRegistry();
    if (!started.registry) return t.skip(started.reason);
    await using registry = started.registry;
    const folder = mkdtempSync(join(tmpdir(), 'onlay-platforms-'));
    try {
      await patchAndCheck(t, family, registry.host, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

async function patchAndCheck(
  t: TestContext,
  family: MediaFamily,
  host: string,
  folder: string,
): Promise<void> {
  const keys = { apk: makeKey('toys.rsa.pub'), deb: await archive.makeKey() };
  const repository = new Map(
    ['x86_64', 'aarch64'].flatMap((arch) => [...makeRepository(upgrades(arch), keys.apk, arch).files]),
  );
  const none = ['x86_64', 'aarch64'].flatMap((arch) => [...makeRepository([], keys.apk, arch).files]);
  await using alpines = await serveFiles(
    new Map([
      ...[...repository].map(([path, bytes]) => [`main/${path}`, bytes] as const),
      ...none.map(([path, bytes]) => [`community/${path}`, bytes] as const),
    ]),
  );
  await using debians = await serveFiles(
    await archive.makeArchive(NEW, { key: keys.deb, architectures: ['s390x'] }),
  );
  const place = `${host}/team/multi`;
  await using store = registryStore(place);
  const made = await putFourPlatforms(store, family, keys, debians.url);

  const run = await onlay(`patch -i ${place}:1 -t patched --mirror ${UPSTREAM}=${alpines.url} --push --json`);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(
    run.outcome.image?.platforms.map(({ platform, status, packages }) => [
      platform,
      status,
      packages.map(({ name, to }) => `${name} ${to}`).join(', '),
    ]),
    [
      ['linux/amd64', 'patched', 'ca-certificates-bundle 20260101-r0, scanelf 1.3.7-r9'],
      ['linux/arm64', 'patched', 'ca-certificates-bundle 20260101-r0, scanelf 1.3.7-r9'],
      ['windows/amd64', 'preserved', ''],
      ['linux/s390x', 'patched', 'greet-tools 1.0-1+deb12u2, hello 1.0-1+deb12u1, libgreet1 1.0-1+deb12u2'],
      ['plan9/loong64', 'preserved', ''],
    ],
  );

  const before = parseRaw(made.document);
  const after = await readRaw(store, { tag: 'patched' });
  assertRestIsKept(before, after, made.patchable);
  for (const [at, document] of made.patchable.entries()) await assertOnlyAdded(store, document, after, at);
  await assertSound(store, 'patched');
  acceptedByAll(t, `${place}:patched`, after, folder);
}

/** The index but for the children that were patched, and the attestation of one of them, is what it was. */
function assertRestIsKept(before: RawDocument, after: RawDocument, patchable: readonly Document[]): void {
  const replaced = patchable.map(({ descriptor }) => descriptor.digest);
  const isDropped = ({ annotations }: RawDocument['manifests'][number]): boolean =>
    replaced.includes(annotations?.['vnd.docker.reference.digest'] as (typeof replaced)[number]);
  const kept = before.manifests.filter((child) => !isDropped(child));
  assert.equal(after.manifests.length, kept.length);
  for (const [at, child] of kept.entries()) {
    const now = after.manifests[at];
    const { digest, size } = child;
    if (!replaced.includes(digest)) assert.equal(JSON.stringify(now), JSON.stringify(child));
    else assert.equal(JSON.stringify({ ...now, digest, size }), JSON.stringify(child));
  }
  const { manifests } = before;
  assert.equal(JSON.stringify({ ...after, manifests }), JSON.stringify(before));
}

/** The layers below are those of the base; one was added. */
async function assertOnlyAdded(
  store: ImageStore,
  base: Document,
  index: RawDocument,
  at: number,
): Promise<void> {
  const child = index.manifests[PATCHED[at] ?? -1];
  assert.ok(child);
  const manifest = await readRaw(store, { digest: child.digest });
  const { layers, mediaType } = parseRaw(base);
  assert.equal(JSON.stringify(manifest.layers.slice(0, -1)), JSON.stringify(layers));
  assert.equal(manifest.layers.length, layers.length + 1);
  assert.equal(manifest.mediaType, mediaType);
}

/** Other programs read and copy the whole, and unpack each platform that they know. */
function acceptedByAll(t: TestContext, reference: string, index: RawDocument, folder: string): void {
  const copy = join(folder, 'copy');
  const skopeo = ['--insecure-policy', 'copy', '--src-tls-verify=false', '-q'];
  runTool('skopeo', [...skopeo, '--all', `docker://${reference}`, `dir:${join(folder, 'all')}`]);
  const raw = runTool('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`]);
  assert.equal(JSON.stringify(JSON.parse(raw.toString())), JSON.stringify(index));
  for (const [architecture, expected] of [
    ['amd64', 'for x86_64\n'],
    ['arm64', 'for aarch64\n'],
  ] as const) {
    const chosen = [
      '--override-arch',
      architecture,
      ...(architecture === 'arm64' ? ['--override-variant', 'v8'] : []),
    ];
    runTool('skopeo', [...chosen, ...skopeo, `docker://${reference}`, `oci:${copy}:${architecture}`]);
    const bundle = join(folder, architecture);
    runTool('umoci', ['unpack', '--image', `${copy}:${architecture}`, bundle]);
    const read = (path: string): string => readFileSync(join(bundle, 'rootfs', path), 'utf8');
    assert.equal(read('usr/bin/scanelf'), expected);
    assert.equal(read('etc/ssl/certs/ca-certificates.crt'), 'newer\n');
    assert.match(read('lib/apk/db/installed'), /\nP:scanelf\nV:1\.3\.7-r9\n/);
    assert.ok(statSync(join(bundle, 'rootfs', 'bin/busybox')).size > 500_000, 'what was below is there');
  }
  for (const name of ['oras', 'crane']) {
    const newer = newerPrograms(name);
    if (newer.path === undefined) {
      t.diagnostic(`${name} was not asked: ${newer.reason}`);
      continue;
    }
    const env = { PATH: `${newer.path}:${process.env['PATH']}` };
    if (name === 'oras') {
      const fetched = runTool('oras', ['manifest', 'fetch', '--plain-http', reference], { env });
      assert.equal(digestOf(fetched), digestOf(raw));
      const layout = `${join(folder, 'oras')}:1`;
      runTool('oras', ['cp', '-r', '--from-plain-http', '--to-oci-layout', reference, layout], { env });
    } else {
      // it knows gzip only, and so not the index as a whole, which has an attestation
      for (const at of PATCHED) {
        const image = reference.replace(/:patched$/, `@${index.manifests[at]?.digest}`);
        runTool('crane', ['validate', '--remote', image], { env });
      }
      const target = reference.replace('/team/multi:', '/copies/multi:');
      runTool('crane', ['copy', reference, target], { env });
      assert.equal(digestOf(runTool('crane', ['manifest', target], { env })), digestOf(raw));
    }
  }
}
