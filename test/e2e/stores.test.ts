// Every form of source with every form of destination, through the command: the same layer comes out everywhere.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { silentLog } from '../../src/base/log.ts';
import { readImage } from '../../src/oci/image.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import type { Outcome } from '../../src/patch/outcome.ts';
import { openStore, parseTransport } from '../../src/stores/index.ts';
import { dockerSave, fakeDaemons } from '../support/docker-save.ts';
import { assertSound } from '../support/inspect-image.ts';
import { runInProcess } from '../support/in-process.ts';
import { OLD, makeLayer, putToyImage, rootEntries } from '../support/toy-debian.ts';
import { startToyWorld } from '../support/toy-world.ts';

const world = await startToyWorld();
after(() => world[Symbol.asyncDispose]());
const daemons = fakeDaemons(world.folder);
process.env['PATH'] = `${daemons.bin}:${process.env['PATH']}`;
const at = (name: string): string => join(world.folder, name);
const host = world.registry.host;

function open(reference: string, access: 'read' | 'write' = 'read'): Promise<ImageStore> {
  const { stdin, stdout } = process;
  const registry = { env: {}, log: silentLog };
  return openStore(parseTransport(reference), { stdin, stdout, log: silentLog, registry }, access);
}

const options = { url: world.mirror.url, key: world.key };
for (const [reference, name] of [
  [`oci:${at('single')}`, 'base'],
  [`oci-archive:${at('source-oci.tar')}`, 'base'],
  [`docker-archive:${at('source-docker.tar')}`, 'toys/web:base'],
] as const) {
  await using store = await open(reference, 'write');
  await putToyImage(store, OLD, options, name);
}
const old = dockerSave([makeLayer(rootEntries(OLD, options), 'docker', 'none')], ['toys/web:base']);
writeFileSync(at('source-old.tar'), old);
writeFileSync(daemons.saved, old);
const hybrid = readFileSync(at('source-docker.tar'));

interface Source {
  readonly reference: string;
  readonly input?: Uint8Array;
  /** Images that have the same documents: digests of their results are equal. */
  readonly group: 'registry' | 'local' | 'docker save';
}

const digest = world.document.descriptor.digest;
const sources: Readonly<Record<string, Source>> = {
  'a registry': { reference: world.image, group: 'registry' },
  'a registry with its transport': { reference: `docker://${world.image}`, group: 'registry' },
  'a layout': { reference: world.layout, group: 'local' },
  'the only image of a layout': { reference: `oci:${at('single')}`, group: 'local' },
  'a layout by digest': { reference: `oci:${at('layout')}@${digest}`, group: 'local' },
  'an OCI archive': { reference: `oci-archive:${at('source-oci.tar')}`, group: 'local' },
  'an archive with both indexes': {
    reference: `docker-archive:${at('source-docker.tar')}:toys/web:base`,
    group: 'local',
  },
  'an archive of docker save': { reference: `docker-archive:${at('source-old.tar')}`, group: 'docker save' },
  'standard input': { reference: '-', input: old, group: 'docker save' },
  'standard input, compressed': { reference: '-', input: gzipSync(hybrid), group: 'local' },
  docker: { reference: 'docker-daemon:toys/web:base', group: 'docker save' },
  podman: { reference: 'podman:toys/web:base', group: 'docker save' },
};

interface Destination {
  readonly flags: readonly string[];
  /** Where the result is found then. */
  readonly result: string;
}

function destinations(number: number): Readonly<Record<string, Destination>> {
  const name = `out${number}`;
  const loaded = `docker-archive:${daemons.loaded}`;
  return {
    'a registry, pushed': {
      flags: ['-t', `${host}/out/a:${name}`, '--push'],
      result: `${host}/out/a:${name}`,
    },
    'a registry, by transport': {
      flags: ['-t', `docker://${host}/out/b:${name}`],
      result: `${host}/out/b:${name}`,
    },
    'a layout': { flags: ['-t', `oci:${at('out')}:${name}`], result: `oci:${at('out')}:${name}` },
    'a layout with --oci-dir': {
      flags: ['--oci-dir', at('out'), '-t', `dir-${name}`],
      result: `oci:${at('out')}:dir-${name}`,
    },
    'an OCI archive': {
      flags: ['-t', `oci-archive:${at('out.oci.tar')}:${name}`],
      result: `oci-archive:${at('out.oci.tar')}:${name}`,
    },
    'an archive for docker': {
      flags: ['-t', `docker-archive:${at('out.tar')}:toys/out:${name}`],
      result: `docker-archive:${at('out.tar')}:toys/out:${name}`,
    },
    'standard output': { flags: ['-t', '-'], result: `docker-archive:${at('stdout.tar')}` },
    'docker, loaded': { flags: ['--loader', 'docker', '-t', `toys/out:${name}`], result: loaded },
    'docker, by transport': { flags: ['-t', `docker-daemon:toys/out:${name}`], result: loaded },
    'podman, loaded': { flags: ['--loader', 'podman'], result: loaded },
  };
}

let diffId: string | undefined;
for (const [number, [from, source]] of Object.entries(sources).entries())
  test(`from ${from} to every destination`, async () => {
    const digests = new Set<string>();
    for (const [to, { flags, result }] of Object.entries(destinations(number))) {
      const json = to === 'standard output' ? [] : ['--json'];
      const run = await runInProcess(['patch', '-i', source.reference, ...flags, ...json], {
        ...(source.input && { input: source.input }),
      });
      assert.equal(run.status, 0, `to ${to}: ${run.stderr}`);
      if (to === 'standard output') writeFileSync(at('stdout.tar'), run.output);
      else {
        const { image, changed } = JSON.parse(run.stdout) as Outcome;
        assert.equal(changed, true);
        digests.add(image?.digest ?? '');
      }
      await using store = await open(result);
      const patched = await readImage(store, pointOf(result));
      assert.equal(patched.layers.length, 2, to);
      diffId ??= patched.layers[1]?.diffId;
      assert.equal(patched.layers[1]?.diffId, diffId, to);
      digests.add(patched.document.descriptor.digest);
      assert.equal(patched.manifest.family, source.group === 'docker save' ? 'docker' : 'oci');
      await assertSound(store, pointOf(result).tag);
    }
    assert.equal(digests.size, 1, 'one digest, wherever it goes');
    digestsOf[source.group].add([...digests][0] ?? '');
  });

const digestsOf = { registry: new Set<string>(), local: new Set<string>(), 'docker save': new Set<string>() };

test('sources with the same documents gave the same digest', () => {
  for (const found of Object.values(digestsOf)) assert.equal(found.size, 1);
});

function pointOf(reference: string): { readonly tag?: string } {
  const tag = /:([\w-]+)$/.exec(reference)?.[1];
  return reference.endsWith('.tar') || tag === undefined ? {} : { tag };
}
