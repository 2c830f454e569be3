// What `docker save` printed before version 25, and stand-ins for the docker and podman programs.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteString } from '../../src/base/bytes.ts';
import { digestHex } from '../../src/oci/digest.ts';
import { sha256, file, tarOf } from './layers.ts';
import type { TestLayer } from './images.ts';

/** The archive of one image of uncompressed layers; without `names` as `docker save ID` writes it. */
export function dockerSave(layers: readonly TestLayer[], names: readonly string[] | null): Uint8Array {
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '2024-05-06T07:08:09.123456789Z',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map((_, at) => ({ created: '2024-05-06T07:08:09Z', created_by: `step ${at}` })),
  });
  const configName = `${sha256(Buffer.from(config))}.json`;
  const paths = layers.map(({ diffId }) => `${digestHex(diffId)}/layer.tar`);
  const manifest = JSON.stringify([{ Config: configName, RepoTags: names, Layers: paths }]);
  return tarOf([
    file(configName, config),
    ...layers.map(({ bytes }, at) => file(paths[at] ?? '', byteString(bytes))),
    file('manifest.json', manifest),
  ]);
}

export interface FakeDaemons {
  /** To be put before PATH. */
  readonly bin: string;
  /** What `save` prints. */
  readonly saved: string;
  /** What `load` was given last. */
  readonly loaded: string;
}

/** `docker` and `podman` that know `save` and `load`. */
export function fakeDaemons(folder: string): FakeDaemons {
  const bin = join(folder, 'bin');
  const [saved, loaded] = [join(folder, 'saved.tar'), join(folder, 'loaded.tar')];
  mkdirSync(bin, { recursive: true });
  for (const name of ['docker', 'podman']) {
    const path = join(bin, name);
    writeFileSync(
      path,
      `#!/bin/sh\ncase "$1" in save) exec /bin/cat '${saved}' ;; load) exec /bin/cat > '${loaded}' ;; *) exit 125 ;; esac\n`,
    );
    chmodSync(path, 0o755);
  }
  return { bin, saved, loaded };
}
