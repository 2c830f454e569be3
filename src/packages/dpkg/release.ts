// The Release file of a suite: https://wiki.debian.org/DebianRepository/Format. What it says is believed only after its
// signature was verified (repository.ts); here it is parsed and its age and name are checked.
import { OnlayError } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';
import type { SignatureFact } from '../../trust/openpgp.ts';
import { parseStanza } from './control.ts';
import type { Source } from './sources.ts';

/** Size and digest of an index, as the Release file states them. */
export interface IndexFile {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
}

export interface Release {
  readonly origin: string;
  readonly label: string;
  readonly suite: string;
  readonly codename: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly date: number | undefined;
  readonly validUntil: number | undefined;
  readonly notAutomatic: boolean;
  readonly butAutomaticUpgrades: boolean;
  readonly acquireByHash: boolean;
  /** Packages of architecture "all" have an index of their own, beside being in those of the architectures or not. */
  readonly indexOfAll: boolean;
  /** By path, "main/binary-amd64/Packages.xz". */
  readonly files: ReadonlyMap<string, IndexFile>;
  /** Absent with --allow-unsigned. */
  readonly signature: SignatureFact | undefined;
}

/** Parses a Release file. Throws INDEX_INVALID, also when it lists no SHA-256 digests. */
export function parseRelease(text: string, what: string, signature: SignatureFact | undefined): Release {
  const stanza = parseStanza(text, { what, code: 'INDEX_INVALID' });
  const field = (name: string): string => stanza.get(name) ?? '';
  const digests = stanza.get('SHA256');
  if (digests === undefined)
    throw new OnlayError('INDEX_INVALID', `Cannot use ${what}: it has no SHA-256 digests of its indexes`, {
      hint: 'older digests are not safe; the repository has to be published with SHA256',
    });
  return {
    origin: field('Origin'),
    label: field('Label'),
    suite: field('Suite'),
    codename: field('Codename'),
    version: field('Version'),
    date: readDate(stanza.get('Date'), 'Date', what),
    validUntil: readDate(stanza.get('Valid-Until'), 'Valid-Until', what),
    notAutomatic: field('NotAutomatic') === 'yes',
    butAutomaticUpgrades: field('ButAutomaticUpgrades') === 'yes',
    acquireByHash: field('Acquire-By-Hash') === 'yes',
    indexOfAll:
      field('Architectures').split(/\s+/).includes('all') &&
      !field('No-Support-for-Architecture-all').split(/\s+/).includes('Packages'),
    files: readFiles(digests, what),
    signature,
  };
}

const ROW = /^[ \t]+([0-9A-Fa-f]{64})[ \t]+(\d{1,15})[ \t]+(\S+)[ \t]*$/gm;

function readFiles(digests: string, what: string): ReadonlyMap<string, IndexFile> {
  const files = new Map<string, IndexFile>();
  // the value begins after the field name: give its first row the blank that the others have
  for (const [, sha256 = '', size = '', path = ''] of ` ${digests}`.matchAll(ROW)) {
    // only package indexes are ever asked for
    if (!PACKAGES.test(path)) continue;
    if (path.startsWith('/') || path.split('/').includes('..'))
      throw new OnlayError(
        'INDEX_INVALID',
        displayText(`Cannot use ${what}: it lists an index outside of its suite: ${path.slice(0, 100)}`),
      );
    files.set(path, { path, sha256: sha256.toLowerCase(), size: Number(size) });
  }
  return files;
}

const PACKAGES = /(?:^|\/)Packages(?:\.[a-z0-9]+)?$/;

function readDate(value: string | undefined, field: string, what: string): number | undefined {
  if (value === undefined) return undefined;
  const date = Date.parse(value);
  if (Number.isNaN(date))
    throw new OnlayError(
      'INDEX_INVALID',
      displayText(`Cannot use ${what}: its ${field} is no date: ${value.slice(0, 60)}`),
    );
  return date;
}

export interface FreshnessOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly checkValidUntil: boolean;
  readonly checkDate: boolean;
  /** Seconds that clocks may differ. */
  readonly maxFuture: number;
  /** Seconds after Date, from configuration. */
  readonly validUntilMax: number | undefined;
  readonly validUntilMin: number | undefined;
}

/** Throws INDEX_EXPIRED for an index that is past its time or from the future; answers until when it is good. */
export function checkFreshness(
  release: Release,
  what: string,
  options: FreshnessOptions,
): number | undefined {
  const { date, validUntil } = release;
  const { now } = options;
  if (options.checkDate && date !== undefined && date > now + options.maxFuture * 1000)
    throw new OnlayError(
      'INDEX_EXPIRED',
      `Cannot use ${what}: it is of ${iso(date)}, which is in the future`,
      {
        hint: 'is the clock of this machine right?',
      },
    );
  let until = validUntil;
  if (date !== undefined && options.validUntilMax !== undefined)
    until = Math.min(until ?? Infinity, date + options.validUntilMax * 1000);
  if (until !== undefined && date !== undefined && options.validUntilMin !== undefined)
    until = Math.max(until, date + options.validUntilMin * 1000);
  if (options.checkValidUntil && until !== undefined && until < now)
    throw new OnlayError(
      'INDEX_EXPIRED',
      `Cannot use ${what}: it was valid until ${iso(until)}; the mirror is stale, or serves an old state on purpose`,
      {
        hint: 'use a current mirror (--mirror FROM=TO); for a snapshot say so: --repo "deb [check-valid-until=no] URL SUITE COMPONENT…"',
      },
    );
  return until;
}

/**
 * Throws INDEX_INVALID when the Release file is that of another suite: a mirror could serve an older or emptier one
 * under this name, and all of them are signed by the same keys.
 */
export function checkSuite(release: Release, source: Source, what: string): void {
  const names = [release.suite, release.codename].filter((name) => name !== '');
  if (source.suite.endsWith('/') || names.length === 0) return;
  // "buster/updates" is called "buster" by its Release file
  if (names.some((name) => source.suite === name || source.suite.startsWith(`${name}/`))) return;
  throw new OnlayError(
    'INDEX_INVALID',
    displayText(`Cannot use ${what}: it is the index of ${names.join(', ')}`),
    {
      hint: 'the mirror serves another suite under this name',
    },
  );
}

export function iso(date: number): string {
  return new Date(date).toISOString().replace('.000Z', 'Z');
}
