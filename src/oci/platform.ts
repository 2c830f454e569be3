// Platforms of an index: names, variants and choice. Rules of image-spec image-index.md and containerd's platforms
// package (default variants, and that a v7 machine runs v6). Attestations are not platforms.
import { OnlayError } from '../errors.ts';
import { isIndexType, isManifestType, isConfigType } from './media-types.ts';
import type { Descriptor, ImageIndex, Platform } from './manifest.ts';

/** Reads "linux/arm/v7", "linux/amd64" or an architecture alone. Throws REFERENCE_INVALID. */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().split('/');
  const [os, architecture, variant] = parts.length === 1 ? ['linux', parts[0]] : parts;
  if (parts.length > 3 || !parts.every((part) => /^[A-Za-z0-9_.-]{1,64}$/.test(part)) || !os || !architecture)
    throw new OnlayError('REFERENCE_INVALID', `Cannot read platform ${JSON.stringify(text.slice(0, 100))}`, {
      hint: 'a platform is OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, as linux/amd64 or linux/arm/v7',
    });
  if (
    parts.length === 1 &&
    !ARCHITECTURES.has(architecture.toLowerCase()) &&
    !(architecture.toLowerCase() in ALIASES)
  )
    throw new OnlayError('REFERENCE_INVALID', `Unknown architecture ${JSON.stringify(architecture)}`, {
      hint: `known are ${[...ARCHITECTURES].join(', ')}`,
    });
  return normalizePlatform({ os, architecture, ...(variant !== undefined && { variant }) });
}

/** "linux/arm/v7"; an OS version is not shown. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  return [os || 'unknown', architecture || 'unknown', ...(variant === undefined ? [] : [variant])].join('/');
}

const ARCHITECTURES: ReadonlySet<string> = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);
const ALIASES: Readonly<Record<string, readonly [string, string?]>> = Object.assign(Object.create(null), {
  i386: ['386'],
  i686: ['386'],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
});

/** One spelling for what means the same: x86_64 = amd64, arm = arm/v7, arm64/v8 = arm64, amd64/v1 = amd64. */
export function normalizePlatform(platform: Platform): Platform {
  const alias = ALIASES[platform.architecture.toLowerCase()];
  const architecture = alias?.[0] ?? platform.architecture.toLowerCase();
  const given = platform.variant?.toLowerCase().replace(/^(?=[0-9])/, 'v') || alias?.[1];
  const usual = USUAL_VARIANT[architecture];
  const variant = architecture === 'arm' ? (given ?? usual) : given === usual ? undefined : given;
  return {
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant !== undefined && { variant }),
    ...(platform.osVersion !== undefined && { osVersion: platform.osVersion }),
  };
}
const USUAL_VARIANT: Readonly<Record<string, string | undefined>> = { arm: 'v7', arm64: 'v8', amd64: 'v1' };

/** True when `have` is the platform `wanted` names; an OS version counts when `wanted` has one. */
export function matchPlatform(wanted: Platform, have: Platform): boolean {
  const a = normalizePlatform(wanted);
  const b = normalizePlatform(have);
  return (
    a.os === b.os &&
    a.architecture === b.architecture &&
    a.variant === b.variant &&
    (a.osVersion === undefined || a.osVersion === b.osVersion)
  );
}

/**
 * For each wanted platform the first that matches, else the best lower variant (arm v7 → v6 → v5, amd64 v3 → v2 → v1);
 * in the order of `children`, each once. All children when nothing is named. Throws PLATFORM_NOT_FOUND.
 */
export function choosePlatforms<T extends { readonly platform?: Platform }>(
  children: readonly T[],
  wanted: readonly Platform[] | undefined,
): readonly T[] {
  if (wanted === undefined) return children;
  const chosen = new Set(wanted.map((platform) => chooseOne(children, platform)));
  return children.filter((child) => chosen.has(child));
}

function chooseOne<T extends { readonly platform?: Platform }>(children: readonly T[], wanted: Platform): T {
  for (const acceptable of acceptablePlatforms(normalizePlatform(wanted))) {
    const child = children.find(
      ({ platform }) => platform !== undefined && matchPlatform(acceptable, platform),
    );
    if (child) return child;
  }
  const names = children.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : []));
  throw new OnlayError('PLATFORM_NOT_FOUND', `The image has no ${formatPlatform(wanted)}`, {
    hint:
      names.length === 0 ? 'it names no platforms' : `it has ${[...new Set(names)].slice(0, 50).join(', ')}`,
  });
}

function acceptablePlatforms(wanted: Platform): Platform[] {
  const lowest = wanted.architecture === 'arm' ? 5 : wanted.architecture === 'amd64' ? 1 : undefined;
  const level = Number(/^v([0-9])$/.exec(wanted.variant ?? '')?.[1]);
  if (lowest === undefined || !(level > lowest)) return [wanted];
  return Array.from({ length: level - lowest + 1 }, (_, step) => ({
    ...wanted,
    variant: `v${level - step}`,
  }));
}

export type ChildKind = 'image' | 'index' | 'attestation' | 'artifact';

/** What an entry of an index is, as far as its descriptor says. */
export function childKind(child: Descriptor): ChildKind {
  if (attestationSubject(child) !== undefined || isUnknown(child.platform)) return 'attestation';
  if (isIndexType(child.mediaType)) return 'index';
  if (!isManifestType(child.mediaType)) return 'artifact';
  return child.artifactType !== undefined && !isConfigType(child.artifactType) ? 'artifact' : 'image';
}

/** The digest of the image that an attestation child of BuildKit speaks of; undefined for other children. */
export function attestationSubject(child: Descriptor): string | undefined {
  if (child.annotations['vnd.docker.reference.type'] !== 'attestation-manifest') return undefined;
  return child.annotations['vnd.docker.reference.digest'] ?? '';
}

function isUnknown(platform: Platform | undefined): boolean {
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}

/** The images of one index (not of nested ones) that the user asked for; all when nothing is named. */
export function selectPlatforms(index: ImageIndex, wanted?: readonly Platform[]): readonly Descriptor[] {
  return choosePlatforms(
    index.manifests.filter((child) => childKind(child) === 'image'),
    wanted,
  );
}
