import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { layerOf, putBytes, putImage } from '../../../test/support/images.ts';
import { OnlayError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import type { ImageStore } from '../../oci/image-store.ts';
import { makeDescriptor } from '../../oci/manifest.ts';
import { openLayout } from './index.ts';

const layer = await layerOf([{ name: 'a', content: 'a' }]);
const folder = await mkdtemp(join(tmpdir(), 'onlay-layout-'));
test.after(() => rm(folder, { recursive: true }));
let count = 0;
const fresh = (): string => join(folder, `layout-${++count}`);
const blobPath = (directory: string, bytes: Uint8Array): string =>
  join(directory, 'blobs', 'sha256', digestOf(bytes).slice(7));
async function filled(tag = 'a'): Promise<{ directory: string; store: ImageStore }> {
  const directory = fresh();
  const store = await openLayout(directory, { create: true });
  await putImage(store, { layers: [layer] }, tag);
  return { directory, store };
}

/** Runs `program`, which finds what this file imports, in another process. */
function otherProcess(program: string, ...args: readonly string[]): Promise<{ stdout: string }> {
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const imports = `
    import { openLayout } from ${url('./index.js')};
    import { layerOf, putBytes, putImage } from ${url('../../../test/support/images.js')};`;
  return promisify(execFile)(process.execPath, ['--input-type=module', '-e', imports + program, ...args]);
}

test('a layout has the files the specification wants and no others', async () => {
  const { directory } = await filled();
  assert.deepEqual((await readdir(directory)).sort(), ['blobs', 'index.json', 'oci-layout']);
  assert.equal(await readFile(join(directory, 'oci-layout'), 'utf8'), '{"imageLayoutVersion":"1.0.0"}');
  assert.equal((await readdir(join(directory, 'blobs', 'sha256'))).length, 3);
});

test('entries and fields of others in index.json stay as they are', async () => {
  const { directory, store } = await filled('old');
  const path = join(directory, 'index.json');
  const index = JSON.parse(await readFile(path, 'utf8')) as { manifests: object[] };
  const foreign = { ...index.manifests[0], annotations: { x: 'y' }, 'x-unknown': [1] };
  await writeFile(
    path,
    JSON.stringify({ 'x-first': 1.5, ...index, manifests: [foreign, ...index.manifests] }),
  );
  const moved = await putImage(store, { layers: [layer, layer] }, 'old');
  const after = JSON.parse(await readFile(path, 'utf8')) as { manifests: { digest: string }[] };
  assert.deepEqual(Object.keys(after), ['x-first', 'schemaVersion', 'mediaType', 'manifests']);
  assert.deepEqual(after.manifests[0], foreign);
  assert.deepEqual(
    after.manifests.slice(1).map(({ digest }) => digest),
    [moved.descriptor.digest],
  );
});

test('openLayout() says what is missing', async () => {
  await assert.rejects(openLayout(fresh()), { code: 'IMAGE_NOT_FOUND', message: /There is no directory/ });
  const empty = fresh();
  await mkdir(empty);
  await assert.rejects(openLayout(empty), { code: 'IMAGE_NOT_FOUND', message: /not an OCI image layout/ });
  await writeFile(join(empty, 'file'), '');
  await assert.rejects(openLayout(empty, { create: true }), {
    code: 'TARGET_REFUSED',
    message: /holds other files \(file\)/,
  });
  await assert.rejects(openLayout(join(empty, 'file')), {
    code: 'IMAGE_NOT_FOUND',
    message: /not a directory/,
  });
  await assert.rejects(openLayout(join(empty, 'file'), { create: true }), { code: 'IMAGE_NOT_FOUND' });
});

test('resolve() without a tag answers what openLayout() was given, else the only image', async () => {
  const { directory, store } = await filled('a');
  const only = await store.resolve({});
  await putImage(store, { layers: [layer, layer] }, 'b');
  await assert.rejects(
    store.resolve({}),
    (error) => error instanceof OnlayError && error.hint === 'it has a, b',
  );
  const a = await openLayout(directory, { tag: 'a' });
  assert.equal((await a.resolve({})).descriptor.digest, only.descriptor.digest);
  const b = await openLayout(directory, { digest: (await store.resolve({ tag: 'b' })).descriptor.digest });
  assert.notEqual((await b.resolve({})).descriptor.digest, only.descriptor.digest);
});

test('a layout of another version is refused', async () => {
  const { directory } = await filled();
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
  await assert.rejects(openLayout(directory), { code: 'IMAGE_UNSUPPORTED' });
});

for (const [what, spoil] of [
  ['a symlinked blob', (path: string) => rename(path, `${path}.x`).then(() => symlink(`${path}.x`, path))],
  ['a directory in place of a blob', (path: string) => rm(path).then(() => mkdir(path))],
  [
    'a symlinked folder of blobs',
    (path: string) =>
      rename(dirname(path), `${dirname(path)}.x`).then(() => symlink(`${dirname(path)}.x`, dirname(path))),
  ],
] as const)
  test(`${what} is refused`, async () => {
    const { directory, store } = await filled();
    await spoil(blobPath(directory, layer.bytes));
    const blob = makeDescriptor(layer.mediaType, digestOf(layer.bytes), layer.bytes.length);
    await assert.rejects(
      async () => {
        for await (const chunk of store.blob(blob)) void chunk;
      },
      { code: 'IMAGE_INVALID' },
    );
  });

test('a symlinked index.json is refused', async () => {
  const { directory } = await filled();
  const path = join(directory, 'index.json');
  await rename(path, `${path}.x`);
  await symlink(`${path}.x`, path);
  await assert.rejects(openLayout(directory), { code: 'IMAGE_INVALID', message: /symlink/ });
});

test('a changed blob is found while it is read', async () => {
  const { directory, store } = await filled();
  await writeFile(blobPath(directory, layer.bytes), layer.bytes.with(20, layer.bytes[20]! ^ 1));
  const blob = makeDescriptor(layer.mediaType, digestOf(layer.bytes), layer.bytes.length);
  await assert.rejects(
    async () => {
      for await (const chunk of store.blob(blob)) void chunk;
    },
    { code: 'DIGEST_MISMATCH' },
  );
  await writeFile(blobPath(directory, layer.bytes), Buffer.concat([layer.bytes, layer.bytes]));
  assert.equal(await store.has(blob), false, 'another size is not the blob');
  await putBytes(store, layer.mediaType, layer.bytes);
  assert.equal(await store.has(blob), true, 'and is replaced');
});

// in a process of its own, because a user ID is the whole process's
test('a directory that cannot be written to is refused with a hint', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can become another user');
  const parent = fresh();
  await mkdir(parent);
  await chmod(folder, 0o755);
  const { directory } = await filled();
  const program = `
    const [directory, parent] = process.argv.slice(1);
    process.seteuid(65534);
    for (const name of [directory, parent + '/new']) {
      const store = await openLayout(name, { create: true });
      try {
        await putBytes(store, 'a/b', Buffer.from('new'));
      } catch ({ code, hint }) {
        console.log(code, hint);
      }
    }`;
  const { stdout } = await otherProcess(program, directory, parent);
  const line = 'TARGET_REFUSED choose another place with -t, or change its permissions\n';
  assert.equal(stdout, line + line);
});

test("writers at the same time do not lose each other's tags", async () => {
  const directory = fresh();
  const tags = Array.from({ length: 12 }, (_, at) => `tag-${at}`);
  await Promise.all(
    tags.map(async (tag) =>
      putImage(await openLayout(directory, { create: true }), { layers: [layer] }, tag),
    ),
  );
  assert.deepEqual([...(await (await openLayout(directory)).tags!())].sort(), tags.sort());
});

test('nor do writers in other processes', async () => {
  const directory = fresh();
  const program = `
    const [directory, name] = process.argv.slice(1);
    const store = await openLayout(directory, { create: true });
    const layer = await layerOf([{ name: 'a', content: name }]);
    for (let at = 0; at < 5; at++) await putImage(store, { layers: [layer] }, name + '-' + at);`;
  await Promise.all(['x', 'y'].map((name) => otherProcess(program, directory, name)));
  const tags = await (await openLayout(directory)).tags!();
  assert.deepEqual(tags.toSorted(), ['x-0', 'x-1', 'x-2', 'x-3', 'x-4', 'y-0', 'y-1', 'y-2', 'y-3', 'y-4']);
});

test('a lock whose owner is gone is taken over', async () => {
  const { directory, store } = await filled();
  const lock = join(directory, '.onlay.lock');
  await writeFile(lock, '1 host.elsewhere\n');
  await utimes(lock, 0, 0);
  await putImage(store, { layers: [layer] }, 'b');
  assert.deepEqual(await store.tags!(), ['a', 'b']);
  await assert.rejects(readFile(lock), { code: 'ENOENT' });
});
