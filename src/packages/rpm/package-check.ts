// Checks a downloaded package: what the plan says of it, what it says of itself, and the signature that vouches for it
// where the repository's metadata does not.
import { OnlayError, hasCode, messageOf } from '../../errors.ts';
import type { Log } from '../../base/log.ts';
import type { TrustOptions } from '../family.ts';
import type { PlannedPackage } from '../package.ts';
import { verifyPackage, type VerifiedPackage } from '../verified.ts';
import { text } from './header.ts';
import { keyringsFor, type KeySources } from './keys.ts';
import { checkDigests, parseRpm, verifySignature, type RpmFile } from './rpm-file.ts';
import { headerEvr } from './scripts.ts';
import { Tag } from './tags.ts';
import { compareVersions } from './version.ts';

export interface CheckContext {
  readonly sources: KeySources;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly log: Log;
}

/** Throws SIZE_MISMATCH, DIGEST_MISMATCH, PACKAGE_INVALID, SIGNATURE_INVALID. */
export async function checkPackage(
  planned: PlannedPackage,
  bytes: Uint8Array,
  trust: TrustOptions,
  context: CheckContext,
): Promise<VerifiedPackage> {
  const verified = verifyPackage(planned, bytes);
  const what = packageLabel(planned);
  const rpm = parseRpm(bytes, what);
  checkDigests(rpm, what);
  checkIdentity(planned, rpm);
  const vouched = planned.extra?.['trust'];
  if (vouched === 'metadata' && planned.extra?.['gpgcheck'] !== '1') return verified;
  const keys = planned.extra?.['keys'];
  const keyrings = await keyringsFor(
    context.sources,
    trust,
    (planned.extra?.['gpgkey'] ?? '').split(' ').filter((url) => url !== ''),
    keys === undefined ? [] : [{ url: 'keys of the plan', text: keys }],
  );
  try {
    await verifySignature(rpm, { keyrings, at: context.now, what });
  } catch (error) {
    if (!trust.allowUnsigned || !hasCode(error, 'SIGNATURE_INVALID')) throw error;
    context.log.warn('package is not verified', { package: what, reason: messageOf(error) });
  }
  return verified;
}

/** A signed package of another name or version must not be passed off as this one. */
function checkIdentity(planned: PlannedPackage, { header }: RpmFile): void {
  const name = text(header, Tag.name);
  const arch = text(header, Tag.arch);
  const version = headerEvr(header);
  if (name !== planned.name || arch !== planned.arch || compareVersions(version, planned.to) !== 0)
    throw new OnlayError(
      'PACKAGE_INVALID',
      `Package ${packageLabel(planned)} from ${planned.url} is really ${name}-${version}.${arch}`,
    );
  if (header.byTag.has(Tag.sourcePackage))
    throw new OnlayError('PACKAGE_INVALID', `Package ${packageLabel(planned)} is a source package`);
}

export function packageLabel(planned: PlannedPackage): string {
  return `${planned.name}-${planned.to}.${planned.arch}`;
}
