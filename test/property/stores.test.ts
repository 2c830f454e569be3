// Archives with anything wrong in their JSON or their bytes: opening and checking them ends with an answer or an
// OnlayError, and what is handed out has the digest it was asked for.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import { collect } from '../../src/base/streams.ts';
import { readTarBytes, TarParser } from '../../src/archive/tar-read.ts';
import { OnlayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { listImages, readIndexImage } from '../../src/oci/image.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { validateImage } from '../../src/oci/validate.ts';
import { openStore, parseTransport } from '../../src/stores/index.ts';
import { dockerSave } from '../support/docker-save.ts';
import { documentOf, layerOf, putImage, tarOf } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'onlay-property-'));
after(() => rmSync(folder, { recursive: true }));
const options = {
  stdin: process.stdin,
  stdout: process.stdout,
  log: silentLog,
  registry: { env: {}, log: silentLog },
};
const path = join(folder, 'a.tar');

interface Part {
  readonly name: string;
  readonly content: Uint8Array;
}

const layer = await layerOf(
  [
    { name: 'etc/', type: 'directory' },
    { name: 'etc/a', content: 'a' },
  ],
  'oci',
  'none',
);

async function hybrid(): Promise<Uint8Array> {
  await using store = await openStore(parseTransport(`docker-archive:${path}:x/y:1`), options, 'write');
  const { descriptor } = await putImage(store, { layers: [layer, layer] });
  const arm64 = await putImage(store, { layers: [layer], config: { architecture: 'arm64' } });
  const manifests = [descriptor, arm64.descriptor].map(({ raw }, at) => ({
    ...raw,
    platform: { os: 'linux', architecture: ['amd64', 'arm64'][at] },
  }));
  const index = documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  await store.putDocument(index, 'x/y:1');
  return readFileSync(path);
}

const partsOf = (tar: Uint8Array): readonly Part[] =>
  readTarBytes(tar, { what: 'test' })
    .filter(({ header }) => header.type === 'file')
    .map(({ header, content }) => ({ name: header.path, content }));
const archives = [await hybrid(), dockerSave([layer, layer], ['x/y:1'])].map(partsOf);

const odd = fc.constantFrom<unknown>(
  null,
  [],
  {},
  7,
  -1,
  Number.MAX_VALUE,
  '',
  'x',
  '../../etc/passwd',
  '/etc/passwd',
  `sha256:${'0'.repeat(64)}`,
  ['x'],
  [null],
  { x: 1 },
  true,
);

/** Replaces, removes or doubles one value somewhere in a JSON document; `pick` chooses where. */
function spoil(value: unknown, pick: number, replacement: unknown): unknown {
  const places: (readonly (string | number)[])[] = [];
  const walk = (at: unknown, trail: readonly (string | number)[]): void => {
    places.push(trail);
    if (Array.isArray(at)) at.forEach((item, key) => walk(item, [...trail, key]));
    else if (typeof at === 'object' && at !== null)
      for (const [key, item] of Object.entries(at)) walk(item, [...trail, key]);
  };
  walk(value, []);
  const place = places[pick % places.length] ?? [];
  const copy = structuredClone(value) as Record<string | number, unknown>;
  if (place.length === 0) return replacement;
  let at = copy;
  for (const key of place.slice(0, -1)) at = at[key] as typeof at;
  at[place.at(-1) ?? ''] = replacement;
  return copy;
}

const seldom = fc.oneof(
  { weight: 12, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 0.999, noNaN: true }) },
);

/** Blobs under their digests again, and all that refers to them with it: what is wrong is found, not that it changed. */
function renamed(parts: readonly Part[]): readonly Part[] {
  const digest = ({ content }: Part): string => digestOf(content).slice(7);
  const stale = parts.find((part) => part.name.startsWith('blobs/') && !part.name.endsWith(digest(part)));
  if (!stale) return parts;
  const old = stale.name.slice(-64);
  const descriptor = new RegExp(`("digest":"sha256:)${old}("(?:,"size":)?)\\d*`, 'g');
  return renamed(
    parts.map((part) => {
      if (part === stale) return { name: `blobs/sha256/${digest(stale)}`, content: stale.content };
      const text = Buffer.from(part.content).toString('latin1');
      const changed = text
        .replace(descriptor, (_, before, after) =>
          after === '"'
            ? `${before}${digest(stale)}"`
            : `${before}${digest(stale)}${after}${stale.content.length}`,
        )
        .replaceAll(old, digest(stale));
      return { ...part, content: Buffer.from(changed, 'latin1') };
    }),
  );
}

const spoiled = fc
  .record({
    archive: fc.constantFrom(...archives),
    part: fc.nat(),
    pick: fc.nat(),
    replacement: odd,
    cut: seldom,
    flip: seldom,
  })
  .map(async ({ archive, part, pick, replacement, cut, flip }) => {
    const json = archive.filter(({ content }) => /^\s*[[{]/.test(Buffer.from(content).toString('latin1')));
    const chosen = json[part % json.length];
    const parts = archive.map((item) => {
      if (item !== chosen) return item;
      const text = JSON.stringify(spoil(JSON.parse(Buffer.from(item.content).toString()), pick, replacement));
      return { name: item.name, content: Buffer.from(text) };
    });
    const tar = Buffer.from(await tarOf(renamed(parts)));
    if (flip !== null) tar[Math.floor(flip * tar.length)]! ^= 0x41;
    return cut === null ? tar : tar.subarray(0, Math.floor(cut * tar.length));
  });

test('an archive that is spoiled in any way', async () => {
  await fc.assert(
    fc.asyncProperty(spoiled, fc.constantFrom('docker-archive', 'oci-archive'), async (tar, kind) => {
      writeFileSync(path, await tar);
      await using store = await openStore(parseTransport(`${kind}:${path}`), options);
      try {
        await store.tags?.();
        const document = await store.resolve({});
        assert.equal(digestOf(document.bytes), document.descriptor.digest);
        for (const listed of await listImages(store, document)) {
          const image = await readIndexImage(store, listed);
          for (const { descriptor } of image.layers) {
            const bytes = await collect(store.blob(descriptor), { limit: 1 << 20, what: 'layer' });
            assert.equal(digestOf(bytes), descriptor.digest);
          }
        }
        await validateImage(store, document, {
          deep: true,
          openScanner: (entry, what) => new TarParser({ entry, data() {}, end() {} }, { what }),
        });
      } catch (error) {
        if (!(error instanceof OnlayError)) throw error;
        assert.notEqual(error.code, 'INTERNAL');
      }
    }),
    { numRuns: 200 },
  );
});
