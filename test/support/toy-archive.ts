// A signed apt archive of toy packages, as a map of paths.
import { createCleartextMessage, generateKey, readPrivateKey, sign } from 'openpgp';
import { gzipSync } from 'node:zlib';
import { sha256 } from './layers.ts';
import { ARCH, controlText, makeDeb } from './toy-package.ts';
import type { DebCompression, ToyPackage } from './toy-package.ts';

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
  /** Debian's names; default: amd64 only. */
  readonly architectures?: readonly string[];
  readonly suite?: string;
  readonly compression?: DebCompression;
}

export const SUITE = 'bookworm';

export async function makeArchive(
  packages: readonly ToyPackage[],
  { key, date, validUntil, architectures = [ARCH], suite = SUITE, compression }: ArchiveOptions,
): Promise<Archive> {
  const archive: Archive = new Map();
  const indexes: [string, Uint8Array][] = [];
  for (const arch of architectures) {
    const index = addPackages(archive, packages, { arch, compression });
    indexes.push(
      [`main/binary-${arch}/Packages`, index],
      [`main/binary-${arch}/Packages.gz`, gzipSync(index)],
    );
  }
  const release = [
    'Origin: Toys',
    `Suite: ${suite}`,
    `Codename: ${suite.split('-')[0]}`,
    `Date: ${(date ?? new Date(Date.now() - 3_600_000)).toUTCString().replace('GMT', 'UTC')}`,
    ...(validUntil ? [`Valid-Until: ${validUntil.toUTCString().replace('GMT', 'UTC')}`] : []),
    `Architectures: ${architectures.join(' ')}`,
    'Components: main',
    'SHA256:',
    ...indexes.map(([path, content]) => ` ${sha256(content)} ${content.length} ${path}`),
    '',
  ].join('\n');
  for (const [path, content] of indexes) archive.set(`dists/${suite}/${path}`, content);
  archive.set(`dists/${suite}/InRelease`, Buffer.from(await clearSign(release, key)));
  return archive;
}

/** Puts packages into the pool; answers their index. */
function addPackages(
  archive: Archive,
  packages: readonly ToyPackage[],
  { arch, compression }: { readonly arch: string; readonly compression: DebCompression | undefined },
): Uint8Array {
  const stanzas = packages.map((item) => {
    const deb = makeDeb(item, arch, compression);
    const path = `pool/main/${item.name}_${item.version.replace(':', '%3a')}_${arch}.deb`;
    archive.set(path, deb);
    const control = controlText(item, arch).trimEnd().split('\n');
    const fields = [...control, ...(item.indexFields ?? [])];
    return [...fields, `Filename: ${path}`, `Size: ${deb.length}`, `SHA256: ${sha256(deb)}`].join('\n');
  });
  return Buffer.from(`${stanzas.join('\n\n')}\n`);
}

export async function clearSign(text: string, key: ToyKey): Promise<string> {
  return sign({
    message: await createCleartextMessage({ text }),
    signingKeys: await readPrivateKey({ armoredKey: key.privateKey }),
    date: new Date('2024-06-01T00:00:00Z'),
  });
}
