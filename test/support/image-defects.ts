// A table of images, each wrong in one way: one row at least for every kind of problem.
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import * as types from '../../src/oci/media-types.ts';
import type { ProblemKind } from '../../src/oci/problem.ts';
import {
  attestation,
  craft,
  craftDescriptor,
  craftIndex,
  craftLayers,
  etc,
  file,
  other,
  plain,
  plainDocker,
  rawTar,
  withBytes,
  type CraftedImage,
} from './craft-image.ts';
import { putImage } from './images.ts';
import { MemoryStore } from './memory-store.ts';

export const defects: readonly [kind: ProblemKind, note: string, craft: () => Promise<CraftedImage>][] = [
  [
    'document-digest',
    'the manifest is not what its digest says',
    async () => {
      const store = new MemoryStore();
      const { descriptor, bytes } = await putImage(store, { layers: [plain] });
      return { store, document: { descriptor, bytes: bytes.with(bytes.length - 1, 0x20) }, deep: true };
    },
  ],
  [
    'document-invalid',
    'a digest string that is none',
    () => craftDescriptor('config', { digest: 'sha256:../x' }),
  ],
  ['document-invalid', 'layers and manifests in one document', () => craft({ manifest: { manifests: [] } })],
  ['document-unsupported', 'schema 1', () => craft({ manifest: { schemaVersion: 1 } })],
  ['media-type-missing', 'no mediaType', () => craft({ manifest: { mediaType: undefined } })],
  [
    'child-missing',
    'a child is not there',
    () => craftIndex((image) => [image, { ...image, digest: other, platform: undefined }]),
  ],
  ['child-mismatch', 'a child has another size', () => craftIndex((image) => [{ ...image, size: 1 }])],
  ['platform-duplicate', 'one platform twice', () => craftIndex((image) => [image, image])],
  [
    'platform-mismatch',
    'index and config name different platforms',
    () => craftIndex((image) => [image], { config: { architecture: 'arm64' } }),
  ],
  [
    'attestation-orphan',
    'an attestation of nothing listed',
    () => craftIndex((image) => [image, { ...image, ...attestation }]),
  ],
  ['family-mixed', "Docker's layer in an OCI manifest", () => craft({ layers: [plainDocker] })],
  ['family-mixed', "OCI's layer in a Docker manifest", () => craft({ family: 'docker', layers: [plain] })],
  [
    'zstd-in-docker',
    'a zstd layer in a Docker manifest',
    () => craft({ family: 'docker', layers: [withBytes(rawTar, `${types.DOCKER_LAYER}.zstd`)] }, false),
  ],
  [
    'annotations-in-docker',
    'annotations in a Docker manifest',
    () => craft({ family: 'docker', layers: [plainDocker], manifest: { annotations: {} } }),
  ],
  [
    'layer-type-unknown',
    'a layer of an unknown type',
    () => craft({ layers: [plain, withBytes(plain.bytes, 'application/vnd.oci.image.layer.v1.tar+lz4')] }),
  ],
  ['layers-too-many', '126 layers', () => craft({ layers: Array.from({ length: 126 }, () => plain) }, false)],
  ['blob-missing', 'a layer is not there', () => craftDescriptor('layers', { digest: other }, false)],
  [
    'blob-missing',
    'a layer is not there, found by reading',
    () => craftDescriptor('layers', { digest: other }),
  ],
  ['blob-missing', 'the config is not there', () => craftDescriptor('config', { digest: other })],
  [
    'blob-digest',
    'a layer was changed in the store',
    async () => {
      const store = new MemoryStore();
      const document = await putImage(store, { layers: [plain] });
      store.blobs.set(digestOf(plain.bytes), plain.bytes.with(20, plain.bytes[20]! ^ 1));
      return { store, document, deep: true };
    },
  ],
  ['blob-size', 'a wrong layer size', () => craftDescriptor('layers', { size: plain.bytes.length + 1 })],
  [
    'layer-foreign',
    'a layer that is kept elsewhere',
    () =>
      craftDescriptor(
        'layers',
        { digest: other, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' },
        false,
      ),
  ],
  [
    'layer-encrypted',
    'an encrypted layer',
    () => craft({ layers: [withBytes(rawTar, `${types.OCI_LAYER}+gzip+encrypted`)] }),
  ],
  ['config-invalid', 'a config without rootfs', () => craft({ config: { rootfs: undefined } }, false)],
  [
    'config-invalid',
    'a diff_id that is no digest',
    () => craft({ config: { rootfs: { type: 'layers', diff_ids: ['sha256:x'] } } }, false),
  ],
  ['platform-missing', 'no os', () => craft({ config: { os: undefined } })],
  ['platform-missing', 'no architecture', () => craft({ config: { architecture: '' } })],
  ['created-invalid', 'created is no date', () => craft({ config: { created: 'yesterday' } })],
  [
    'layer-count',
    'fewer diff_ids than layers',
    () =>
      craft({
        layers: [plain, plain],
        config: { rootfs: { type: 'layers', diff_ids: [plain.diffId] }, history: undefined },
      }),
  ],
  ['history-long', 'too many history entries', () => craft({ config: { history: [{}, {}] } })],
  ['history-short', 'too few history entries', () => craft({ config: { history: [] } })],
  ['diff-id', 'a wrong diff_id', () => craft({ config: { rootfs: { type: 'layers', diff_ids: [other] } } })],
  ['compression-mismatch', 'a plain layer that is called gzip', () => craft({ layers: [withBytes(rawTar)] })],
  [
    'layer-damaged',
    'a layer that is cut off',
    () => craft({ layers: [withBytes(plain.bytes.subarray(0, -10))] }),
  ],
  [
    'layer-damaged',
    'something behind the gzip data',
    () => craft({ layers: [withBytes(Buffer.concat([plain.bytes, Buffer.from('trailer')]))] }),
  ],
  [
    'gzip-padding',
    'one zero behind the gzip data',
    () => craft({ layers: [withBytes(Buffer.concat([plain.bytes, Buffer.alloc(1)]))] }),
  ],
  [
    'gzip-padding',
    'a block of zeros behind the gzip data',
    () => craft({ layers: [withBytes(Buffer.concat([plain.bytes, Buffer.alloc(512)]))] }),
  ],
  [
    'tar-invalid',
    'no tar in the layer',
    async () => {
      const bytes = Buffer.alloc(1024, 'no tar');
      return craft({
        layers: [{ bytes: gzipSync(bytes), diffId: digestOf(bytes), mediaType: plain.mediaType }],
      });
    },
  ],
  ['path-duplicate', 'one path twice in a layer', () => craftLayers([etc, file('etc/a'), file('./etc//a')])],
  [
    'hardlink-outside',
    'a hard link to a file of a lower layer',
    () => craftLayers([file('a')], [{ name: 'b', type: 'link', linkname: 'a' }]),
  ],
  [
    'hardlink-outside',
    'a hard link before its file',
    () => craftLayers([{ name: 'a', type: 'link', linkname: 'b' }, file('b')]),
  ],
  [
    'path-through-symlink',
    'a file below a symlink of a lower layer',
    () => craftLayers([{ name: 'bin', type: 'symlink', linkname: 'usr/bin' }], [file('bin/newx')]),
  ],
  ['path-outside', 'a path that leaves the root', () => craftLayers([file('a/../../b')])],
  ['whiteout-invalid', 'a whiteout of nothing at all', () => craftLayers([{ name: 'etc/.wh.' }])],
  ['whiteout-invalid', 'a whiteout with content', () => craftLayers([file('etc/.wh.a')])],
];
