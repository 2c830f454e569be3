// A toy world whose mirror moves on while images are patched, built upon and patched again.
import assert from 'node:assert/strict';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { documentOf, putBytes } from './images.ts';
import { readConfig, readRaw, registryStore } from './inspect-image.ts';
import { file } from './layers.ts';
import { onlay } from './onlay.ts';
import { makeArchive } from './toy-archive.ts';
import { NEW, OLD, makeLayer } from './toy-debian.ts';
import type { ToyPackage } from './toy-package.ts';
import { startToyWorld } from './toy-world.ts';
import type { ToyWorld } from './toy-world.ts';

/** Only hello has an upgrade yet. */
const INTERIM: readonly ToyPackage[] = OLD.map((item) =>
  item.name === 'hello' ? NEW.find(({ name }) => name === 'hello')! : item,
);

export interface LineageWorld extends ToyWorld {
  readonly place: string;
  readonly store: ImageStore;
  /** From now on the mirror has these. */
  publish(packages: readonly ToyPackage[]): Promise<void>;
}

/** `architectures` as Debian names them. */
export async function startLineageWorld(architectures?: readonly string[]): Promise<LineageWorld> {
  const world = await startToyWorld();
  const place = `${world.registry.host}/toys/web`;
  const publish = async (packages: readonly ToyPackage[]): Promise<void> => {
    world.archive.clear();
    const options = { key: world.key, ...(architectures && { architectures }) };
    for (const [path, bytes] of await makeArchive(packages, options)) world.archive.set(path, bytes);
  };
  await publish(INTERIM);
  return { ...world, place, store: registryStore(place), publish };
}

export interface Summary {
  readonly versions: Readonly<Record<string, string>>;
  readonly layers: number;
  readonly lineage: {
    readonly by: string;
    readonly base: string | null;
    readonly name: string | null;
  } | null;
}

/** Package → version, as `inspect` shows them, and what it says of the lineage. */
export async function summaryOf(reference: string): Promise<Summary> {
  const run = await onlay(`inspect ${reference} --json`);
  assert.equal(run.status, 0, run.stderr);
  const [found] = (
    JSON.parse(run.stdout) as {
      platforms: {
        database: { packages: { name: string; version: string }[] };
        layers: unknown[];
        lineage: Summary['lineage'];
      }[];
    }
  ).platforms;
  return {
    versions: Object.fromEntries(found!.database.packages.map(({ name, version }) => [name, version])),
    layers: found!.layers.length,
    lineage: found!.lineage,
  };
}

/** As `docker build` does: FROM the tag, one more layer. */
export async function buildUpon(store: ImageStore, tag: string, as: string): Promise<void> {
  const manifest = await readRaw(store, { tag });
  const config = await readConfig(store, manifest);
  const layer = makeLayer([file('srv/app', 'ours')]);
  const blob = await putBytes(store, layer.mediaType, layer.bytes);
  const bytes = Buffer.from(
    JSON.stringify({
      ...config,
      rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, layer.diffId] },
      history: [...config.history, { created_by: 'COPY app /srv/app' }],
    }),
  );
  const { raw } = await putBytes(store, manifest.config.mediaType, bytes);
  const document = { ...manifest, config: raw, layers: [...manifest.layers, blob.raw] };
  await store.putDocument(documentOf(manifest.mediaType, document), as);
}
