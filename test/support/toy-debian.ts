// A small Debian of its own: packages, a signed archive of two states (what the image was built from, and what has come
// since), and an image with the old packages installed. Made here, so that the demo and the tests run anywhere, offline.
import { createHash } from 'node:crypto';
import { createCleartextMessage, generateKey, readPrivateKey, sign } from 'openpgp';
import { gzipSync } from 'node:zlib';
import { fromByteString } from '../../src/base/bytes.ts';
import type { ImageStore, Document } from '../../src/oci/image-store.ts';
import { putImage } from './images.ts';
import type { TestLayer } from './images.ts';
import { dir, file, sha256, symlink, tarOf } from './layers.ts';
import type { Entry } from './layers.ts';
import { digestOf } from '../../src/oci/digest.ts';

export interface ToyPackage {
  readonly name: string;
  readonly version: string;
  readonly source?: string;
  readonly depends?: string;
  /** Path without a leading slash → content. */
  readonly files: Readonly<Record<string, string>>;
  readonly conffiles?: readonly string[];
  readonly postinst?: string;
}

export const ARCH = 'amd64';

/** A .deb with uncompressed members' gzip form, as dpkg-deb -Zgzip writes it. */
export function makeDeb(item: ToyPackage): Uint8Array {
  const control = tarOf([
    dir('./'),
    file('./control', controlText(item)),
    file('./md5sums', md5sums(item)),
    ...(item.conffiles ? [file('./conffiles', item.conffiles.map((path) => `/${path}\n`).join(''))] : []),
    ...(item.postinst === undefined ? [] : [file('./postinst', item.postinst, { mode: 0o755 })]),
  ]);
  const data = tarOf([
    dir('./'),
    ...tree(item.files).map((entry) => ({ ...entry, path: `./${entry.path}` })),
  ]);
  return ar([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(control)],
    ['data.tar.gz', gzipSync(data)],
  ]);
}

function controlText(item: ToyPackage): string {
  return [
    `Package: ${item.name}`,
    ...(item.source === undefined ? [] : [`Source: ${item.source}`]),
    `Version: ${item.version}`,
    `Architecture: ${ARCH}`,
    'Maintainer: Toys <toys@example.org>',
    'Installed-Size: 1',
    ...(item.depends === undefined ? [] : [`Depends: ${item.depends}`]),
    'Section: misc',
    'Priority: optional',
    `Description: toy ${item.name}`,
    '',
  ].join('\n');
}

function md5sums({ files }: ToyPackage): string {
  return Object.entries(files)
    .map(([path, content]) => `${md5(content)}  ${path}\n`)
    .join('');
}

function md5(content: string): string {
  return createHash('md5').update(fromByteString(content)).digest('hex');
}

/** Files with all their directories, parents first. */
function tree(files: Readonly<Record<string, string>>): readonly Entry[] {
  const directories = new Set(
    Object.keys(files).flatMap((path) =>
      path
        .split('/')
        .slice(0, -1)
        .map((_, depth, parts) => parts.slice(0, depth + 1).join('/')),
    ),
  );
  return [
    ...[...directories].sort().map((path) => dir(`${path}/`)),
    ...Object.keys(files)
      .sort()
      .map((path) => file(path, files[path])),
  ];
}

function ar(members: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from('!<arch>\n')];
  for (const [name, content] of members) {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header), content, Buffer.from(content.length % 2 === 1 ? '\n' : ''));
  }
  return Buffer.concat(parts);
}

export interface ToyKey {
  /** ASCII armor. */
  readonly publicKey: string;
  readonly privateKey: string;
}

export async function makeKey(): Promise<ToyKey> {
  return generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: 'Toy archive', email: 'toys@example.org' }],
    date: new Date('2024-01-01T00:00:00Z'),
    format: 'armored',
  });
}

/** Paths below the archive's base URL → bytes; may be changed by tests before or while it is served. */
export type Archive = Map<string, Uint8Array>;

export interface ArchiveOptions {
  readonly key: ToyKey;
  /** Date of the Release file; default: an hour ago. */
  readonly date?: Date;
  readonly validUntil?: Date;
}

export const SUITE = 'bookworm';

export async function makeArchive(
  packages: readonly ToyPackage[],
  { key, date, validUntil }: ArchiveOptions,
): Promise<Archive> {
  const archive: Archive = new Map();
  const stanzas = packages.map((item) => {
    const deb = makeDeb(item);
    const path = `pool/main/${item.name}_${item.version.replace(':', '%3a')}_${ARCH}.deb`;
    archive.set(path, deb);
    const control = controlText(item).trimEnd().split('\n');
    return [...control, `Filename: ${path}`, `Size: ${deb.length}`, `SHA256: ${sha256(deb)}`].join('\n');
  });
  const index = Buffer.from(`${stanzas.join('\n\n')}\n`);
  const indexes: [string, Uint8Array][] = [
    [`main/binary-${ARCH}/Packages`, index],
    [`main/binary-${ARCH}/Packages.gz`, gzipSync(index)],
  ];
  const release = [
    'Origin: Toys',
    `Suite: ${SUITE}`,
    `Codename: ${SUITE}`,
    `Date: ${(date ?? new Date(Date.now() - 3_600_000)).toUTCString().replace('GMT', 'UTC')}`,
    ...(validUntil ? [`Valid-Until: ${validUntil.toUTCString().replace('GMT', 'UTC')}`] : []),
    `Architectures: ${ARCH}`,
    'Components: main',
    'SHA256:',
    ...indexes.map(([path, content]) => ` ${sha256(content)} ${content.length} ${path}`),
    '',
  ].join('\n');
  for (const [path, content] of indexes) archive.set(`dists/${SUITE}/${path}`, content);
  archive.set(`dists/${SUITE}/InRelease`, Buffer.from(await clearSign(release, key)));
  return archive;
}

export async function clearSign(text: string, key: ToyKey): Promise<string> {
  return sign({
    message: await createCleartextMessage({ text }),
    signingKeys: await readPrivateKey({ armoredKey: key.privateKey }),
    date: new Date('2024-06-01T00:00:00Z'),
  });
}

export interface ImageOptions {
  /** Base URL of the archive, as it stands in the image's sources list. */
  readonly url: string;
  readonly key: ToyKey;
  readonly architecture?: string;
  /** Files besides the packages', path → content. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The root file system of an image with `packages` installed, as dpkg would have left it. */
export function rootEntries(
  packages: readonly ToyPackage[],
  { url, key, files = {} }: ImageOptions,
): readonly Entry[] {
  const sorted = [...packages].sort((a, b) => (a.name < b.name ? -1 : 1));
  const all: Record<string, string> = {
    'etc/os-release': 'PRETTY_NAME="Toy Debian 12"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    'etc/debian_version': '12.5\n',
    'etc/apt/sources.list.d/toys.sources': `Types: deb\nURIs: ${url}\nSuites: ${SUITE}\nComponents: main\nSigned-By: /usr/share/keyrings/toys.asc\n`,
    'usr/share/keyrings/toys.asc': key.publicKey,
    'var/lib/dpkg/status': sorted.map((item) => `${statusText(item)}\n`).join(''),
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

function statusText(item: ToyPackage): string {
  const lines = controlText(item).trimEnd().split('\n');
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

export function makeLayer(entries: readonly Entry[]): TestLayer {
  const tar = tarOf(entries);
  return {
    bytes: gzipSync(tar),
    diffId: digestOf(tar),
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  };
}

export async function putToyImage(
  store: ImageStore,
  packages: readonly ToyPackage[],
  options: ImageOptions,
  tag: string,
): Promise<Document> {
  const layer = makeLayer(rootEntries(packages, options));
  return putImage(
    store,
    { layers: [layer], ...(options.architecture && { config: { architecture: options.architecture } }) },
    tag,
  );
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
