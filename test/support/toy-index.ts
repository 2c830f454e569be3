// A multi-platform image as builders push them: images of several platforms, one of them in a nested index, Windows, an
// unknown platform, BuildKit's attestations, an artifact, and fields that nobody knows.
import type { Document, ImageStore } from '../../src/oci/image-store.ts';
import type { JsonObject } from '../../src/oci/manifest.ts';
import * as types from '../../src/oci/media-types.ts';
import type { MediaFamily } from '../../src/oci/media-types.ts';
import { documentOf, putBytes, putImage } from './images.ts';
import { registryStore } from './inspect-image.ts';
import { file } from './layers.ts';
import { OLD, makeLayer, putToyImage } from './toy-debian.ts';
import { startToyWorld } from './toy-world.ts';
import type { ToyWorld } from './toy-world.ts';

export interface ToyIndex {
  readonly document: Document;
  /** By place: "amd64", "arm64", "s390x" (in the nested index), "windows", … */
  readonly digests: Readonly<Record<string, string>>;
}

export interface IndexWorld extends ToyWorld {
  /** `HOST/toys/multi:1`, where nothing is yet. */
  readonly multi: string;
  /** The repository of `multi`. */
  readonly store: ImageStore;
}

/** A toy world whose archive has all architectures of the index. */
export async function startIndexWorld(): Promise<IndexWorld> {
  const world = await startToyWorld({ archive: { architectures: ['amd64', 'arm64', 's390x'] } });
  const multi = `${world.registry.host}/toys/multi:1`;
  const store = registryStore(multi);
  return {
    ...world,
    multi,
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

export async function putToyIndex(
  store: ImageStore,
  world: Pick<ToyWorld, 'mirror' | 'key'>,
  tag: string,
  family: MediaFamily = 'oci',
): Promise<ToyIndex> {
  const image = { url: world.mirror.url, key: world.key, family };
  const linux = async (architecture: string): Promise<Document> =>
    putToyImage(store, OLD, { ...image, architecture });
  const [amd64, arm64, s390x] = [await linux('amd64'), await linux('arm64'), await linux('s390x')];
  const windows = await putImage(store, {
    family,
    layers: [makeLayer([file('Files/Windows/notepad.exe', 'MZ')], family)],
    config: { os: 'windows', 'os.version': '10.0.20348.2700' },
  });
  const nested = await putIndex(store, family, { manifests: [listed(s390x, 's390x')] });
  const attestations = [await attestation(store, amd64), await attestation(store, arm64)];
  const unknown = await putImage(store, {
    family,
    layers: [makeLayer([file('bin/x', 'x')], family)],
    config: { os: 'freebsd', architecture: 'riscv64' },
  });
  const document = await putIndex(
    store,
    family,
    {
      'x-vendor': { kept: [1, 2, 3] },
      manifests: [
        listed(amd64, 'amd64', { annotations: { 'com.example.built': 'on monday' }, 'x-unknown': true }),
        {
          ...windows.descriptor.raw,
          platform: {
            architecture: 'amd64',
            os: 'windows',
            'os.version': '10.0.20348.2700',
            'os.features': ['win32k'],
          },
        },
        listed(arm64, 'arm64', {}, { variant: 'v8' }),
        ...(family === 'oci' ? attestations : []),
        nested.descriptor.raw,
        { ...unknown.descriptor.raw, platform: { architecture: 'riscv64', os: 'freebsd' } },
      ],
      ...(family === 'oci' && { annotations: { 'org.opencontainers.image.title': 'multi' } }),
    },
    tag,
  );
  return {
    document,
    digests: {
      amd64: amd64.descriptor.digest,
      arm64: arm64.descriptor.digest,
      s390x: s390x.descriptor.digest,
      nested: nested.descriptor.digest,
      windows: windows.descriptor.digest,
      unknown: unknown.descriptor.digest,
      'attestation of amd64': attestations[0]?.['digest'] as string,
      'attestation of arm64': attestations[1]?.['digest'] as string,
    },
  };
}

export async function putIndex(
  store: ImageStore,
  family: MediaFamily,
  fields: JsonObject,
  tag?: string,
): Promise<Document> {
  const mediaType = family === 'oci' ? types.OCI_INDEX : types.DOCKER_INDEX;
  const document = documentOf(mediaType, { schemaVersion: 2, mediaType, ...fields });
  await store.putDocument(document, tag);
  return document;
}

export function listed(
  { descriptor }: Document,
  architecture: string,
  more: JsonObject = {},
  platform: JsonObject = {},
): JsonObject {
  return { ...descriptor.raw, platform: { architecture, os: 'linux', ...platform }, ...more };
}

/** As BuildKit writes them: https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md */
export async function attestation(store: ImageStore, subject: Document): Promise<JsonObject> {
  const statement = Buffer.from(
    JSON.stringify({ _type: 'https://in-toto.io/Statement/v0.1', about: subject.descriptor.digest }),
  );
  const layer = await putBytes(store, 'application/vnd.in-toto+json', statement);
  const config = await putBytes(
    store,
    types.OCI_CONFIG,
    Buffer.from(
      JSON.stringify({
        architecture: 'unknown',
        os: 'unknown',
        config: {},
        rootfs: { type: 'layers', diff_ids: [layer.digest] },
      }),
    ),
  );
  const manifest = documentOf(types.OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: types.OCI_MANIFEST,
    config: config.raw,
    layers: [{ ...layer.raw, annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' } }],
  });
  await store.putDocument(manifest);
  return {
    ...manifest.descriptor.raw,
    annotations: {
      'vnd.docker.reference.digest': subject.descriptor.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
    platform: { architecture: 'unknown', os: 'unknown' },
  };
}
