import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  documentOf,
  layerOf,
  putBytes,
  putImage,
  tarOf,
  type TarEntry,
} from '../../../test/support/images.ts';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import { OnlayError } from '../../errors.ts';
import { readTarBytes } from '../../archive/tar-read.ts';
import { digestOf } from '../../oci/digest.ts';
import { readImage } from '../../oci/image.ts';
import type { ImageStore } from '../../oci/image-store.ts';
import { makeDescriptor, type JsonObject } from '../../oci/manifest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { validateImage } from '../../oci/validate.ts';
import { fileEnds, streamEnds } from './ends.ts';
import { ArchiveStore } from './index.ts';
import { hasTool } from '../../../test/support/tool.ts';

const folder = await mkdtemp(join(tmpdir(), 'onlay-archive-'));
test.after(() => rm(folder, { recursive: true }));
let count = 0;
const fresh = (): string => join(folder, `${++count}.tar`);
const openFile = (
  file: string,
  access: 'read' | 'write' = 'read',
  style: 'oci' | 'docker' = 'docker',
): ArchiveStore => new ArchiveStore(fileEnds(file, `docker-archive:${file}`, access), { style });

const layer = await layerOf([{ name: 'a', content: 'a'.repeat(200_000) }], 'docker');
const second = await layerOf([{ name: 'b', content: 'b' }], 'docker');
const tar = gunzipSync(layer.bytes);
const secondTar = gunzipSync(second.bytes);
const hex = (bytes: Uint8Array): string => digestOf(bytes).slice(7);
const config = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(tar), digestOf(secondTar)] },
    history: [{ created_by: 'a' }, { created_by: 'b' }],
  }),
);
const manifestJson = (...items: readonly object[]): TarEntry => ({
  name: 'manifest.json',
  content: JSON.stringify(items),
});
const V1 = 'f'.repeat(64);

/** What the programs of the years wrote; member names and order as theirs. */
const dialects: readonly [name: string, entries: readonly TarEntry[], compression: 'none' | 'gzip'][] = [
  [
    'docker save before 25',
    [
      { name: `${V1}/`, type: 'directory' },
      { name: `${V1}/VERSION`, content: '1.0' },
      { name: `${V1}/json`, content: '{}' },
      { name: `${V1}/layer.tar`, content: tar },
      { name: `${'e'.repeat(64)}/layer.tar`, content: secondTar },
      { name: `${hex(config)}.json`, content: config },
      manifestJson({
        Config: `${hex(config)}.json`,
        RepoTags: ['app:1'],
        Layers: [`${V1}/layer.tar`, `${'e'.repeat(64)}/layer.tar`],
      }),
      { name: 'repositories', content: '{"app":{"1":"x"}}' },
    ],
    'none',
  ],
  [
    'docker save with layers shared by symlink',
    [
      { name: `${V1}/layer.tar`, type: 'symlink', linkname: '../shared/layer.tar' },
      { name: 'shared/layer.tar', content: tar },
      { name: 'other/layer.tar', type: 'link', linkname: 'x.tar' },
      { name: 'x.tar', content: secondTar },
      { name: 'config.json', content: config },
      manifestJson({
        Config: 'config.json',
        RepoTags: ['app:1'],
        Layers: [`${V1}/layer.tar`, 'other/layer.tar'],
      }),
    ],
    'none',
  ],
  [
    'skopeo docker-archive',
    [
      { name: `${hex(tar)}.tar`, content: tar },
      { name: `${V1}/layer.tar`, type: 'symlink', linkname: `../${hex(tar)}.tar` },
      { name: `${hex(secondTar)}.tar`, content: secondTar },
      { name: `${hex(config)}.json`, content: config },
      { name: 'repositories', content: '{}' },
      manifestJson({
        Config: `${hex(config)}.json`,
        RepoTags: ['app:1'],
        Layers: [`${hex(tar)}.tar`, `${hex(secondTar)}.tar`],
      }),
    ],
    'none',
  ],
  [
    'crane, with gzip layers and "./" names',
    [
      { name: `./${digestOf(config)}`, content: config },
      { name: `./${hex(layer.bytes)}.tar.gz`, content: layer.bytes },
      { name: `./${hex(second.bytes)}.tar.gz`, content: second.bytes },
      manifestJson({
        Config: digestOf(config),
        RepoTags: ['app:1'],
        Layers: [`${hex(layer.bytes)}.tar.gz`, `${hex(second.bytes)}.tar.gz`],
      }),
    ],
    'gzip',
  ],
];

async function checkDockerImage(store: ImageStore, compression: 'none' | 'gzip'): Promise<void> {
  const image = await readImage(store, { tag: 'app:1' });
  assert.equal(image.manifest.family, 'docker');
  assert.deepEqual(
    image.layers.map(({ diffId }) => diffId),
    [layer.diffId, second.diffId],
  );
  assert.deepEqual(
    image.layers.map(({ descriptor }) => descriptor.digest),
    compression === 'none' ? [layer.diffId, second.diffId] : [digestOf(layer.bytes), digestOf(second.bytes)],
  );
  assert.equal(image.manifest.config.digest, digestOf(config), 'the config stays as it is');
  assert.deepEqual(await validateImage(store, image.document, { deep: true }), []);
  assert.deepEqual(await store.tags?.(), ['app:1']);
}

for (const [name, entries, compression] of dialects) {
  test(`an archive of ${name} is read`, async () => {
    const file = fresh();
    await writeFile(file, await tarOf(entries));
    await using store = openFile(file);
    await checkDockerImage(store, compression);
  });
}

test('a compressed archive is read, from a file and from standard input', async () => {
  const [, entries, compression] = dialects[0]!;
  const bytes = gzipSync(await tarOf(entries));
  const file = fresh();
  await writeFile(file, bytes);
  await using store = openFile(file);
  await checkDockerImage(store, compression);
  const stdin = new PassThrough();
  stdin.end(bytes);
  await using piped = new ArchiveStore(streamEnds('standard input', stdin, new PassThrough()), {
    style: 'docker',
  });
  await checkDockerImage(piped, compression);
});

test('the same manifest is made each time, whatever the archive is called', async () => {
  const digests: string[] = [];
  for (const [, entries] of dialects.slice(0, 3)) {
    const file = fresh();
    await writeFile(file, await tarOf(entries));
    await using store = openFile(file);
    digests.push((await store.resolve({})).descriptor.digest);
  }
  assert.equal(new Set(digests).size, 1);
});

test('images of one archive are told by name; one without a name by being alone', async () => {
  const item = (RepoTags: readonly string[] | null, layers: readonly string[]): object => ({
    Config: `${layers.length}.json`,
    RepoTags,
    Layers: layers,
  });
  const one = Buffer.from(JSON.stringify({ rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } }));
  const entries = [
    { name: 'l', content: tar },
    { name: 'm', content: secondTar },
    { name: '1.json', content: one },
    { name: '2.json', content: config },
  ];
  const file = fresh();
  await writeFile(
    file,
    await tarOf([...entries, manifestJson(item(['a:1', 'b:1'], ['l']), item(null, ['l', 'm']))]),
  );
  {
    await using store = openFile(file);
    assert.equal((await readImage(store, { tag: 'docker.io/library/b:1' })).layers.length, 1);
    await assert.rejects(
      store.resolve({}),
      (error) => error instanceof OnlayError && error.hint === 'it has a:1',
    );
  }
  await writeFile(file, await tarOf([...entries, manifestJson(item(null, ['l', 'm']))]));
  await using store = openFile(file);
  assert.equal((await readImage(store, {})).layers.length, 2);
});

const damaged: readonly [note: string, content: () => Promise<Uint8Array>, code: string][] = [
  ['text', async () => Buffer.from('no tar at all'.repeat(100)), 'ARCHIVE_INVALID'],
  ['an empty file', async () => new Uint8Array(0), 'ARCHIVE_INVALID'],
  ['a tar of something else', () => tarOf([{ name: 'readme', content: 'x' }]), 'ARCHIVE_INVALID'],
  [
    'an archive that is cut off',
    async () => (await tarOf(dialects[0]![1])).subarray(0, 100_000),
    'ARCHIVE_INVALID',
  ],
  [
    'an archive of docker before 1.10',
    () => tarOf([{ name: 'repositories', content: '{}' }]),
    'IMAGE_UNSUPPORTED',
  ],
  [
    'a manifest.json that is no list',
    () => tarOf([{ name: 'manifest.json', content: '{}' }]),
    'IMAGE_INVALID',
  ],
  [
    'a manifest.json with a wrong type',
    () => tarOf([manifestJson({ Config: 'c', Layers: [1] })]),
    'IMAGE_INVALID',
  ],
  ['a missing config', () => tarOf([manifestJson({ Config: 'c', Layers: [] })]), 'IMAGE_INVALID'],
  [
    'a config outside the archive',
    () => tarOf([manifestJson({ Config: '../../etc/passwd', Layers: [] })]),
    'IMAGE_INVALID',
  ],
  [
    'a config that is a symlink out of the archive',
    () =>
      tarOf([
        { name: 'c', type: 'symlink', linkname: '/etc/passwd' },
        manifestJson({ Config: 'c', Layers: [] }),
      ]),
    'IMAGE_INVALID',
  ],
  [
    'a missing layer',
    () => tarOf([{ name: 'c', content: config }, manifestJson({ Config: 'c', Layers: ['l', 'm'] })]),
    'IMAGE_INVALID',
  ],
  [
    'links in a circle',
    () =>
      tarOf([
        { name: 'c', type: 'symlink', linkname: 'd' },
        { name: 'd', type: 'symlink', linkname: 'c' },
        manifestJson({ Config: 'c', Layers: [] }),
      ]),
    'IMAGE_INVALID',
  ],
  [
    'fewer layers than diff_ids',
    () => tarOf([{ name: 'c', content: config }, manifestJson({ Config: 'c', Layers: [] })]),
    'IMAGE_INVALID',
  ],
  [
    'a layout of an unknown version',
    () =>
      tarOf([
        { name: 'oci-layout', content: '{"imageLayoutVersion":"9"}' },
        { name: 'index.json', content: '{"schemaVersion":2,"manifests":[]}' },
      ]),
    'IMAGE_UNSUPPORTED',
  ],
];
for (const [note, content, code] of damaged)
  test(`${note} is refused`, async () => {
    const file = fresh();
    await writeFile(file, await content());
    await using store = openFile(file);
    await assert.rejects(store.resolve({}), { code });
  });

test('a layer that is not its diff ID is found while it is read', async () => {
  const file = fresh();
  const [, entries] = dialects[0]!;
  await writeFile(
    file,
    await tarOf(
      entries.map((entry) =>
        entry.content === tar ? { ...entry, content: Buffer.from(tar.with(1000, 1)) } : entry,
      ),
    ),
  );
  await using store = openFile(file);
  const image = await readImage(store, {});
  await assert.rejects(
    async () => {
      for await (const chunk of store.blob(image.layers[0]!.descriptor)) void chunk;
    },
    { code: 'DIGEST_MISMATCH' },
  );
});

test('of an index only the platforms that were saved are seen', async () => {
  const folder = new MemoryStore();
  const small = await layerOf([{ name: 'b', content: 'b' }]);
  const child = async (architecture: string): Promise<JsonObject> => ({
    ...(await putImage(folder, { layers: [small], config: { architecture } })).descriptor.raw,
    platform: { os: 'linux', architecture },
  });
  const [amd64, arm64, s390x] = [await child('amd64'), await child('arm64'), await child('s390x')];
  const attestation = {
    ...s390x,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': s390x['digest'],
    },
  };
  const missing = {
    ...arm64,
    digest: digestOf(Buffer.from('missing')),
    platform: { os: 'linux', architecture: 'ppc64le' },
  };
  const index = documentOf(OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [amd64, arm64, missing, s390x, attestation],
    x: 1,
  });
  await folder.putDocument(index);
  const save = async (without: readonly JsonObject[]): Promise<ImageStore> => {
    const left = new Set(without.map(({ digest }) => digest));
    const blobs = [
      ...folder.blobs,
      ...[...folder.documents].map(([digest, { bytes }]) => [digest, bytes] as const),
    ];
    const content = {
      schemaVersion: 2,
      manifests: [
        { ...index.descriptor.raw, annotations: { 'io.containerd.image.name': 'docker.io/library/app:1' } },
      ],
    };
    const file = fresh();
    const entries = blobs
      .filter(([digest]) => !left.has(digest))
      .map(([digest, bytes]) => ({ name: `blobs/${digest.replace(':', '/')}`, content: bytes }));
    await writeFile(
      file,
      await tarOf([
        { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
        { name: 'index.json', content: JSON.stringify(content) },
        ...entries,
      ]),
    );
    return openFile(file);
  };
  await using several = await save([s390x]);
  const document = await several.resolve({ tag: 'app:1' });
  assert.deepEqual(JSON.parse(Buffer.from(document.bytes).toString()), {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [amd64, arm64],
    x: 1,
  });
  assert.deepEqual(await validateImage(several, document, { deep: true }), []);
  await using one = await save([s390x, arm64]);
  assert.equal((await one.resolve({ tag: 'app:1' })).descriptor.digest, amd64['digest']);
});

async function written(name: string, style: 'oci' | 'docker' = 'docker'): Promise<Uint8Array> {
  const file = fresh();
  await using store = openFile(file, 'write', style);
  await putImage(store, { family: 'docker', layers: [layer, second] }, name);
  return readFile(file);
}

test('an archive is written in the form that everybody opens, small files first', async () => {
  const members = readTarBytes(await written('app:1'));
  const names = members.map(({ header }) => header.path);
  assert.deepEqual(names.slice(0, 5), [
    'oci-layout',
    'index.json',
    'manifest.json',
    'blobs/',
    'blobs/sha256/',
  ]);
  assert.ok(members.every(({ header }) => header.mtime === 0 && header.uid === 0));
  const text = (at: number): unknown => JSON.parse(Buffer.from(members[at]!.content).toString());
  const [item] = text(2) as { Config: string; RepoTags: string[]; Layers: string[] }[];
  assert.deepEqual(item?.RepoTags, ['app:1']);
  assert.deepEqual(item?.Layers, [`blobs/sha256/${hex(layer.bytes)}`, `blobs/sha256/${hex(second.bytes)}`]);
  assert.ok(names.includes(item?.Config ?? ''));
  const [entry] = (text(1) as { manifests: { annotations: object }[] }).manifests;
  assert.deepEqual(entry?.annotations, {
    'io.containerd.image.name': 'docker.io/library/app:1',
    'org.opencontainers.image.ref.name': '1',
  });
});

test('the same image gives the same archive; a tag alone gives no RepoTags', async () => {
  assert.deepEqual(await written('app:1'), await written('app:1'));
  const members = readTarBytes(await written('1.0', 'oci'));
  assert.match(Buffer.from(members[2]!.content).toString(), /"RepoTags":null/);
});

test('an archive that exists is replaced as a whole, through a symlink, without leftovers', async () => {
  const file = fresh();
  const link = `${file}.link`;
  await writeFile(file, 'old');
  await symlink(file, link);
  {
    await using store = openFile(link, 'write');
    await putBytes(store, layer.mediaType, layer.bytes);
    assert.equal(await readFile(file, 'utf8'), 'old', 'nothing is visible before the image has a name');
    await putImage(store, { family: 'docker', layers: [layer] }, 'app:1');
  }
  await using store = openFile(file);
  assert.equal((await readImage(store, {})).layers.length, 1);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('.onlay')),
    [],
  );
});

test('an archive is patched in place: what is read stays readable while it is replaced', async () => {
  const file = fresh();
  await writeFile(file, await written('app:1'));
  await using source = openFile(file);
  await using target = openFile(file, 'write');
  assert.notEqual(source.identity, target.identity);
  const image = await readImage(source, { tag: 'app:1' });
  for (const { descriptor } of image.layers)
    await target.putBlob(descriptor, { open: () => source.blob(descriptor) });
  await target.putBlob(image.manifest.config, { open: () => source.blob(image.manifest.config) });
  await target.putDocument(image.document, 'app:2');
  await using result = openFile(file);
  assert.deepEqual(await result.tags(), ['docker.io/library/app:2']);
  assert.deepEqual(await validateImage(source, image.document, { deep: true }), []);
});

test('a missing directory is named when an archive is written', async () => {
  await using store = openFile(join(folder, 'none', 'a.tar'), 'write');
  await assert.rejects(putBytes(store, layer.mediaType, layer.bytes), {
    code: 'TARGET_REFUSED',
    message: /directory does not exist/,
  });
});

test('a file that is not there is not found', async () => {
  await using store = openFile(fresh());
  await assert.rejects(store.resolve({}), { code: 'IMAGE_NOT_FOUND', message: /nothing at docker-archive:/ });
  await using directory = openFile(folder);
  await assert.rejects(directory.resolve({}), { code: 'IMAGE_NOT_FOUND', message: /is a directory/ });
});

test('terminals are neither read from nor written to', async () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  await using store = new ArchiveStore(streamEnds('standard input', terminal, terminal), { style: 'docker' });
  await assert.rejects(store.resolve({}), { code: 'USAGE' });
  await using target = new ArchiveStore(
    { ...streamEnds('x', terminal, terminal), read: async () => undefined },
    { style: 'docker' },
  );
  await assert.rejects(putImage(target, { layers: [layer] }, 'app:1'), { code: 'USAGE' });
});

test('standard output takes one image; a reader that goes away is an error', async () => {
  const stdout = new PassThrough();
  stdout.resume();
  const ends = { ...streamEnds('standard output', new PassThrough(), stdout), read: async () => undefined };
  await using store = new ArchiveStore(ends, { style: 'docker' });
  const document = await putImage(store, { layers: [layer] }, 'app:1');
  await assert.rejects(store.putDocument(document, 'app:2'), { code: 'TARGET_REFUSED' });
  const gone = new PassThrough();
  gone.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  gone.on('error', () => {});
  await using other = new ArchiveStore(
    { ...streamEnds('standard output', gone, gone), read: async () => undefined },
    { style: 'docker' },
  );
  await assert.rejects(putImage(other, { layers: [layer] }, 'app:1'));
});

test('an aborted run writes nothing', async () => {
  const file = fresh();
  const controller = new AbortController();
  await using store = new ArchiveStore(fileEnds(file, 'a', 'write'), {
    style: 'docker',
    signal: controller.signal,
  });
  const document = await putImage(store, { layers: [layer] });
  const reason = new OnlayError('ABORTED', 'Interrupted');
  controller.abort(reason);
  await assert.rejects(store.putDocument(document, 'app:1'), reason);
  await assert.rejects(readFile(file), { code: 'ENOENT' });
});

test('an archive goes into a pipe that stands in the place of a file', async (t) => {
  if (!hasTool('mkfifo')) return t.skip('mkfifo is not installed');
  const pipe = fresh();
  await promisify(execFile)('mkfifo', [pipe]);
  const reading = readFile(pipe);
  await using store = openFile(pipe, 'write');
  await putImage(store, { family: 'docker', layers: [second] }, 'app:1');
  assert.equal(readTarBytes(await reading)[0]?.header.path, 'oci-layout');
});

test('blobs of unknown digests are not there', async () => {
  const file = fresh();
  await writeFile(file, await written('app:1'));
  await using store = openFile(file);
  assert.equal(await store.has(makeDescriptor('a/b', digestOf(Buffer.from('x')), 1)), false);
});
