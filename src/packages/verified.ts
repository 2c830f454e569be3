// The brand that keeps unverified bytes out of unpack: `VerifiedPackage` has one constructor, and that checks.
import { OnlayError } from '../errors.ts';
import { hexDigest } from '../base/hash.ts';
import type { PackageDigest, PlannedPackage } from './package.ts';

declare const verified: unique symbol;

/** A downloaded package whose size and digests are those of the signed index. */
export interface VerifiedPackage {
  readonly planned: PlannedPackage;
  readonly bytes: Uint8Array;
  readonly [verified]: true;
}

/** Computes a digest that is not over the whole file; a family's own knowledge of its format. */
export type PartDigest = (digest: PackageDigest, bytes: Uint8Array) => string;

/**
 * Checks `bytes` against the plan. Throws SIZE_MISMATCH or DIGEST_MISMATCH; PACKAGE_INVALID when the plan holds no
 * digest at all, because then nothing was checked.
 */
export function verifyPackage(
  planned: PlannedPackage,
  bytes: Uint8Array,
  part?: PartDigest,
): VerifiedPackage {
  const what = `${planned.name} ${planned.to} from ${planned.url}`;
  const hint =
    'the mirror may be in the middle of a synchronisation or serve changed files; try again or use another mirror';
  if (planned.size !== undefined && bytes.length !== planned.size)
    throw new OnlayError(
      'SIZE_MISMATCH',
      `Package ${what} has ${bytes.length} bytes, its index says ${planned.size}`,
      { hint },
    );
  if (planned.digests.length === 0)
    throw new OnlayError('PACKAGE_INVALID', `Package ${what} has no digest in its index`);
  for (const digest of planned.digests) {
    const actual =
      digest.over === 'file' ? hexDigest(digest.algorithm, bytes) : requirePart(part, what)(digest, bytes);
    if (actual !== digest.value.toLowerCase())
      throw new OnlayError(
        'DIGEST_MISMATCH',
        `Package ${what} has ${digest.algorithm} ${actual}, its index says ${digest.value}`,
        { hint },
      );
  }
  return { planned, bytes } as VerifiedPackage;
}

function requirePart(part: PartDigest | undefined, what: string): PartDigest {
  if (!part) throw new OnlayError('INTERNAL', `Package ${what} has a digest its family cannot compute`);
  return part;
}
