// Packages of a small Debian of its own, as .deb files. Made here, so that the demo and the tests run anywhere, offline.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { fromByteString } from '../../src/base/bytes.ts';
import { dir, file, tarOf } from './layers.ts';
import type { Entry } from './layers.ts';

export interface ToyPackage {
  readonly name: string;
  readonly version: string;
  readonly source?: string;
  readonly depends?: string;
  /** Path without a leading slash → content. */
  readonly files: Readonly<Record<string, string>>;
  readonly conffiles?: readonly string[];
  readonly postinst?: string;
  /** Further lines of its stanza in an index. */
  readonly indexFields?: readonly string[];
}

export type DebCompression = 'gzip' | 'zstd';

export const ARCH = 'amd64';

/** A .deb as dpkg-deb -Zgzip, or -Zzstd as on Ubuntu, writes it. */
export function makeDeb(
  item: ToyPackage,
  arch: string = ARCH,
  compression: DebCompression = 'gzip',
): Uint8Array {
  const control = tarOf([
    dir('./'),
    file('./control', controlText(item, arch)),
    file('./md5sums', md5sums(item)),
    ...(item.conffiles ? [file('./conffiles', item.conffiles.map((path) => `/${path}\n`).join(''))] : []),
    ...(item.postinst === undefined ? [] : [file('./postinst', item.postinst, { mode: 0o755 })]),
  ]);
  const data = tarOf([
    dir('./'),
    ...tree(item.files).map((entry) => ({ ...entry, path: `./${entry.path}` })),
  ]);
  const [extension, compress] = compression === 'gzip' ? ['gz', gzipSync] : ['zst', zstdFrame];
  return ar([
    ['debian-binary', Buffer.from('2.0\n')],
    [`control.tar.${extension}`, compress(control)],
    [`data.tar.${extension}`, compress(data)],
  ]);
}

/** A zstd frame of raw blocks (RFC 8878), so that no encoder is needed. */
export function zstdFrame(content: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])];
  const step = 100_000;
  for (let at = 0; at < content.length; at += step) {
    const block = content.subarray(at, at + step);
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (at + step >= content.length ? 1 : 0), 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

export function controlText(item: ToyPackage, arch: string): string {
  return [
    `Package: ${item.name}`,
    ...(item.source === undefined ? [] : [`Source: ${item.source}`]),
    `Version: ${item.version}`,
    `Architecture: ${arch}`,
    'Maintainer: Toys <toys@example.org>',
    'Installed-Size: 1',
    ...(item.depends === undefined ? [] : [`Depends: ${item.depends}`]),
    'Section: misc',
    'Priority: optional',
    `Description: toy ${item.name}`,
    '',
  ].join('\n');
}

export function md5sums({ files }: ToyPackage): string {
  return Object.entries(files)
    .map(([path, content]) => `${md5(content)}  ${path}\n`)
    .join('');
}

export function md5(content: string): string {
  return createHash('md5').update(fromByteString(content)).digest('hex');
}

/** Files with all their directories, parents first. */
export function tree(files: Readonly<Record<string, string>>): readonly Entry[] {
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
