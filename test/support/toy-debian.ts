// An image of a small Debian of its own with packages installed, and two states of its archive: what the image was built
// from, and what has come since. Made here, so that the demo and the tests run anywhere, offline.
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import type { ImageStore, Document } from '../../src/oci/image-store.ts';
import { DOCKER_LAYER, layerMediaType } from '../../src/oci/media-types.ts';
import type { LayerCompression, MediaFamily } from '../../src/oci/media-types.ts';
import { putImage } from './images.ts';
import type { TestLayer } from './images.ts';
import { dir, symlink, tarOf } from './layers.ts';
import type { Entry } from './layers.ts';
import { SUITE } from './toy-archive.ts';
import type { ToyKey } from './toy-archive.ts';
import { ARCH, controlText, md5, md5sums, tree, zstdFrame } from './toy-package.ts';
import type { ToyPackage } from './toy-package.ts';

/** Debian's names of OCI architectures. */
const DEBIAN_ARCH: Readonly<Record<string, string>> = {
  amd64: 'amd64',
  arm64: 'arm64',
  s390x: 's390x',
  arm: 'armhf',
};

export interface ImageOptions {
  /** Base URL of the archive, as it stands in the image's sources list. */
  readonly url: string;
  readonly key: ToyKey;
  /** As OCI names it; default: amd64. */
  readonly architecture?: string;
  /** Files besides the packages', path → content. */
  readonly files?: Readonly<Record<string, string>>;
  /** What is put on the layer with the packages. */
  readonly upperLayers?: readonly TestLayer[];
  readonly family?: MediaFamily;
  readonly compression?: LayerCompression;
}

/** The root file system of an image with `packages` installed, as dpkg would have left it. */
export function rootEntries(
  packages: readonly ToyPackage[],
  { url, key, architecture = ARCH, files = {} }: ImageOptions,
): readonly Entry[] {
  const arch = DEBIAN_ARCH[architecture] ?? architecture;
  const sorted = [...packages].sort((a, b) => (a.name < b.name ? -1 : 1));
  const all: Record<string, string> = {
    'etc/os-release': 'PRETTY_NAME="Toy Debian 12"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    'etc/debian_version': '12.5\n',
    'etc/apt/sources.list.d/toys.sources': `Types: deb\nURIs: ${url}\nSuites: ${SUITE}\nComponents: main\nSigned-By: /usr/share/keyrings/toys.asc\n`,
    'usr/share/keyrings/toys.asc': key.publicKey,
    'var/lib/dpkg/status': sorted.map((item) => `${statusText(item, arch)}\n`).join(''),
    'var/lib/dpkg/info/format': '1\n',
    ...files,
  };
  for (const item of sorted) {
    Object.assign(all, item.files);
    const info = `var/lib/dpkg/info/${item.name}`;
    const shipped = tree(item.files).map(({ path }) => `/${path.replace(/\/$/, '')}\n`);
    all[`${info}.list`] = ['/.\n', ...shipped].join('');
    all[`${info}.md5sums`] = md5sums(item);
    if (item.conffiles) all[`${info}.conffiles`] = item.conffiles.map((path) => `/${path}\n`).join('');
  }
  const entries = tree(all);
  // merged /usr, as every Debian image has it
  const merged = ['bin', 'lib', 'sbin'].map((name) => symlink(name, `usr/${name}`));
  return [...merged, dir('tmp/', { mode: 0o1777 }), ...entries];
}

function statusText(item: ToyPackage, arch: string): string {
  const lines = controlText(item, arch).trimEnd().split('\n');
  const order = [
    'Package',
    'Status',
    'Priority',
    'Section',
    'Installed-Size',
    'Maintainer',
    'Architecture',
    'Source',
    'Version',
    'Depends',
    'Conffiles',
    'Description',
  ];
  const fields = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line]));
  fields.set('Status', 'Status: install ok installed');
  if (item.conffiles)
    fields.set(
      'Conffiles',
      ['Conffiles:', ...item.conffiles.map((path) => ` /${path} ${md5(item.files[path] ?? '')}`)].join('\n'),
    );
  return `${order.flatMap((name) => fields.get(name) ?? []).join('\n')}\n`;
}

export function makeLayer(
  entries: readonly Entry[],
  family: MediaFamily = 'oci',
  compression: LayerCompression = 'gzip',
): TestLayer {
  const tar = tarOf(entries);
  const bytes = { none: () => tar, gzip: () => gzipSync(tar), zstd: () => zstdFrame(tar) }[compression]();
  return { bytes, diffId: digestOf(tar), mediaType: mediaTypeOf(family, compression) };
}

function mediaTypeOf(family: MediaFamily, compression: LayerCompression): string {
  // Docker's family has no zstd layers, but some builders write them
  if (compression !== 'zstd') return layerMediaType(family, compression);
  return family === 'oci' ? layerMediaType('oci', 'zstd') : `${DOCKER_LAYER}.zstd`;
}

export async function putToyImage(
  store: ImageStore,
  packages: readonly ToyPackage[],
  options: ImageOptions,
  tag?: string,
): Promise<Document> {
  const { family = 'oci', compression, architecture, upperLayers = [] } = options;
  const layer = makeLayer(rootEntries(packages, options), family, compression);
  const config = architecture === undefined ? {} : { config: { architecture } };
  return putImage(store, { family, layers: [layer, ...upperLayers], ...config }, tag);
}

/** An old and a new state: a library with its program in lock-step, a program alone, and one without any update. */
export const OLD: readonly ToyPackage[] = [
  {
    name: 'hello',
    version: '1.0-1',
    depends: 'libgreet1 (>= 1.0)',
    files: { 'usr/bin/hello': '#!/bin/sh\necho hello 1.0\n', 'etc/hello.conf': 'greeting=hello\n' },
    conffiles: ['etc/hello.conf'],
  },
  {
    name: 'libgreet1',
    source: 'greet',
    version: '1.0-1',
    files: { 'usr/lib/libgreet.txt': 'greet 1.0\n', 'usr/share/doc/libgreet1/copyright': 'toys\n' },
  },
  {
    name: 'greet-tools',
    source: 'greet',
    version: '1.0-1',
    depends: 'libgreet1 (= 1.0-1)',
    files: { 'usr/bin/greet': '#!/bin/sh\necho greet 1.0\n' },
  },
  { name: 'steady', version: '3.1-2', files: { 'usr/share/steady/data': 'steady\n' } },
];

export const NEW: readonly ToyPackage[] = [
  {
    name: 'hello',
    version: '1.0-1+deb12u1',
    depends: 'libgreet1 (>= 1.0)',
    files: { 'usr/bin/hello': '#!/bin/sh\necho hello 1.0 patched\n', 'etc/hello.conf': 'greeting=hello\n' },
    conffiles: ['etc/hello.conf'],
  },
  {
    name: 'libgreet1',
    source: 'greet',
    version: '1.0-1+deb12u2',
    files: { 'usr/lib/libgreet.txt': 'greet 1.0 patched\n', 'usr/share/doc/libgreet1/copyright': 'toys\n' },
  },
  {
    name: 'greet-tools',
    source: 'greet',
    version: '1.0-1+deb12u2',
    depends: 'libgreet1 (= 1.0-1+deb12u2)',
    files: { 'usr/bin/greet': '#!/bin/sh\necho greet 1.0 patched\n' },
  },
  { name: 'steady', version: '3.1-2', files: { 'usr/share/steady/data': 'steady\n' } },
];
