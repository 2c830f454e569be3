// Fetches what a source stands for: its signed Release file, then package indexes by the digests in it. Nothing is used
// before it was verified; what --allow-unsigned lets through is told and recorded (no `signature`).
import { OnlayError, hasCode } from '../../errors.ts';
import { byteString } from '../../base/bytes.ts';
import { hexDigest } from '../../base/hash.ts';
import type { Log } from '../../base/log.ts';
import { decompressBytes } from '../../codec/index.ts';
import { isCleartextSigned, readCleartext } from '../../trust/cleartext.ts';
import type { Keyring } from '../../trust/keyring.ts';
import { verifyCleartext, verifyDetached } from '../../trust/openpgp.ts';
import type { Fetch, FetchRequest } from '../fetch.ts';
import type { AptConfig } from './apt-config.ts';
import { accessTo } from './access.ts';
import type { AuthEntry } from './auth-conf.ts';
import { checkFreshness, checkSuite, parseRelease } from './release.ts';
import type { IndexFile, Release } from './release.ts';
import type { Source } from './sources.ts';

/** A source whose Release file was verified. */
export interface Repository {
  readonly source: Source;
  readonly release: Release;
  /** The base URL that answered. */
  readonly base: string;
  /** Until when the index is good, milliseconds since 1970, if it says. */
  readonly validUntil: number | undefined;
}

export interface RepositoryContext {
  readonly fetch: Fetch;
  readonly config: AptConfig;
  readonly logins: readonly AuthEntry[];
  readonly keyrings: (source: Source) => Promise<readonly Keyring[]>;
  readonly allowUnsigned: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly log: Log;
  /** Content of a file of the image, for client certificates and authorities. */
  readonly readImage: (path: string) => string | undefined;
}

const MAX_RELEASE = 16 << 20;
const MAX_INDEX = 2 ** 30;

/** "http://host/debian bookworm-security", for messages and results. */
export function nameOf(base: string, source: Source): string {
  return `${base.replace(/^(\w+:\/\/)[^/@]*@/, '$1')} ${source.suite}`;
}

/** Fetches and verifies the Release file of a source; of several bases the first that answers counts. */
export async function openRepository(source: Source, context: RepositoryContext): Promise<Repository> {
  for (const [index, base] of source.bases.entries()) {
    try {
      return await openAt(base, source, context);
    } catch (error) {
      if (index === source.bases.length - 1 || !hasCode(error, 'NETWORK', 'SERVER', 'TIMEOUT')) throw error;
      context.log.warn('A mirror of the list does not answer, the next one is asked', {
        mirror: base,
        why: error.message,
      });
    }
  }
  throw new OnlayError('INTERNAL', `A repository of ${source.origin} has no URL`);
}

async function openAt(base: string, source: Source, context: RepositoryContext): Promise<Repository> {
  const what = `Release of ${nameOf(base, source)}`;
  const signed = await readSignedRelease(base, source, what, context);
  if (!signed) return { source, release: BARE, base, validUntil: undefined };
  const release = parseRelease(signed.text, what, signed.signature);
  const { config } = context;
  const validUntil = checkFreshness(release, what, {
    now: context.now,
    checkValidUntil: source.checkValidUntil ?? config.flag('Acquire::Check-Valid-Until', true),
    checkDate: source.checkDate ?? config.flag('Acquire::Check-Date', true),
    maxFuture: Number(config.get('Acquire::Max-FutureTime') ?? 10),
    validUntilMax:
      source.validUntilMax ??
      number(config.get(`Acquire::Max-ValidTime::${release.label}`) ?? config.get('Acquire::Max-ValidTime')),
    validUntilMin:
      source.validUntilMin ??
      number(config.get(`Acquire::Min-ValidTime::${release.label}`) ?? config.get('Acquire::Min-ValidTime')),
  });
  checkSuite(release, source, what);
  return { source, release, base, validUntil };
}

/** What a directory of packages without a Release file has to say of itself. */
const BARE: Release = {
  origin: '',
  label: '',
  suite: '',
  codename: '',
  version: '',
  date: undefined,
  validUntil: undefined,
  notAutomatic: false,
  butAutomaticUpgrades: false,
  acquireByHash: false,
  indexOfAll: false,
  files: new Map(),
  signature: undefined,
};

/** InRelease, else Release with Release.gpg; undefined when there is none and --allow-unsigned was given. */
async function readSignedRelease(
  base: string,
  source: Source,
  what: string,
  context: RepositoryContext,
): Promise<{ text: string; signature: Release['signature'] } | undefined> {
  const get = (name: string): Promise<Uint8Array | undefined> =>
    context.fetch.get({
      ...requestTo(`${directory(base, source)}${name}`, source, context),
      what: `${name} of ${nameOf(base, source)}`,
      limit: MAX_RELEASE,
      optional: true,
      // caches on the way shall ask whether it is still the current one, as apt has them do
      headers: { 'cache-control': 'max-age=0' },
    });
  const options = { keyrings: await context.keyrings(source), at: context.now, what };
  const document = await get('InRelease');
  if (document) {
    try {
      const { text, signature } = await verifyCleartext({ ...options, document });
      return { text: byteString(text), signature };
    } catch (error) {
      unsigned(error, source, what, context);
      return {
        text: byteString(isCleartextSigned(document) ? readCleartext(document, what).text : document),
        signature: undefined,
      };
    }
  }
  const data = await get('Release');
  if (!data && context.allowUnsigned) {
    context.log.warn('A repository without a Release file is used, as --allow-unsigned says', {
      repository: what,
    });
    return undefined;
  }
  if (!data)
    throw new OnlayError(
      'SERVER',
      `Cannot use ${nameOf(base, source)}: there is neither InRelease nor Release`,
      {
        hint: 'is this the right URL and suite? Archived releases have moved: --mirror FROM=TO',
      },
    );
  const detached = await get('Release.gpg');
  try {
    if (!detached) throw new OnlayError('SIGNATURE_INVALID', `Cannot verify ${what}: it is not signed`);
    return {
      text: byteString(data),
      signature: await verifyDetached({ ...options, data, signature: detached }),
    };
  } catch (error) {
    unsigned(error, source, what, context);
    return { text: byteString(data), signature: undefined };
  }
}

/** Rethrows, unless --allow-unsigned was given. */
function unsigned(error: unknown, source: Source, what: string, context: RepositoryContext): void {
  if (!hasCode(error, 'SIGNATURE_INVALID')) throw error;
  if (context.allowUnsigned) {
    context.log.warn('An unsigned or badly signed repository is used, as --allow-unsigned says', {
      repository: what,
      why: error.message,
    });
    return;
  }
  if (!source.trusted) throw error;
  throw new OnlayError('SIGNATURE_INVALID', error.message, {
    hint: `the image marks it as trusted (${source.origin}), which is not believed; use --allow-unsigned, or --trust-key FILE`,
    cause: error,
  });
}

/** An index of a repository, verified and decompressed; undefined when the Release file has none of that name. */
export async function fetchPackages(
  repository: Repository,
  component: string,
  architecture: string,
  context: RepositoryContext,
): Promise<Uint8Array | undefined> {
  const path = packagesPath(repository.source, component, architecture);
  const what = `Packages of ${nameOf(repository.base, repository.source)} ${component === '' ? '' : `${component} `}${architecture}`;
  if (repository.release === BARE) return fetchUnlisted(repository, path, what, context);
  const variants = choose(repository.release.files, path);
  if (variants.length === 0) return undefined;
  const plain = repository.release.files.get(path);
  for (const file of variants) {
    const bytes = await fetchVerified(repository, file, what, context);
    if (!bytes) continue;
    const content = await decompressBytes(bytes, { limit: plain?.size ?? MAX_INDEX, what });
    if (plain && content.length !== plain.size) throw stale(repository, what, 'its content has another size');
    return content;
  }
  throw stale(repository, what, `none of ${variants.map((file) => file.path).join(', ')} is there`);
}

/** The index of a directory without a Release file; only with --allow-unsigned. */
async function fetchUnlisted(
  repository: Repository,
  path: string,
  what: string,
  context: RepositoryContext,
): Promise<Uint8Array | undefined> {
  const { source, base } = repository;
  for (const extension of ['.xz', '.gz', '']) {
    const url = `${directory(base, source)}${path}${extension}`;
    const bytes = await context.fetch.get({
      ...requestTo(url, source, context),
      what,
      limit: MAX_INDEX,
      optional: true,
    });
    if (bytes) return decompressBytes(bytes, { limit: MAX_INDEX, what });
  }
  return undefined;
}

/** The uncompressed size that the Release file states, 0 if it does not. */
export function packagesSize(
  { release, source }: Repository,
  component: string,
  architecture: string,
): number {
  return release.files.get(packagesPath(source, component, architecture))?.size ?? 0;
}

function packagesPath(source: Source, component: string, architecture: string): string {
  return source.suite.endsWith('/') ? 'Packages' : `${component}/binary-${architecture}/Packages`;
}

/** Above this size gzip is preferred: it decodes three times as fast for a third more bytes. */
const LARGE = 2 << 20;

/** Forms of an index in order of preference. */
function choose(files: ReadonlyMap<string, IndexFile>, path: string): readonly IndexFile[] {
  const large = (files.get(`${path}.xz`)?.size ?? 0) > LARGE;
  const order = large
    ? ['.gz', '.zst', '.xz', '.bz2', '.lzma', '']
    : ['.xz', '.zst', '.gz', '.bz2', '.lzma', ''];
  return order.flatMap((extension) => files.get(path + extension) ?? []);
}

async function fetchVerified(
  repository: Repository,
  file: IndexFile,
  what: string,
  context: RepositoryContext,
): Promise<Uint8Array | undefined> {
  const { source, base, release } = repository;
  const root = directory(base, source);
  const byHash =
    source.byHash ??
    (context.config.get('Acquire::By-Hash') === 'force' || context.config.flag('Acquire::By-Hash', true));
  const places = [`${root}${file.path}`];
  if (release.acquireByHash && byHash)
    places.unshift(`${root}${file.path.replace(/[^/]*$/, '')}by-hash/SHA256/${file.sha256}`);
  let other = false;
  for (const url of places) {
    const bytes = await context.fetch
      .get({
        ...requestTo(url, source, context),
        what,
        limit: file.size,
        size: file.size,
        sha256: file.sha256,
        optional: true,
      })
      .catch((error: unknown) => {
        // more than the Release file says is another file
        if (hasCode(error, 'LIMIT_EXCEEDED')) return new Uint8Array();
        throw error;
      });
    if (!bytes) continue;
    if (bytes.length === file.size && hexDigest('sha256', bytes) === file.sha256) return bytes;
    other = true;
  }
  if (other) throw stale(repository, what, `${file.path} is not the one that the signed Release file names`);
  return undefined;
}

/** A mirror between two states, or one that serves changed files: they look alike from here. */
function stale({ release }: Repository, what: string, why: string): OnlayError {
  const date = release.date === undefined ? '' : ` of ${new Date(release.date).toISOString().slice(0, 10)}`;
  return new OnlayError('INDEX_INVALID', `Cannot use ${what}: ${why} (Release${date})`, {
    hint: 'the mirror may be in the middle of a synchronisation or copied incompletely; try again later or use another mirror: --mirror FROM=TO',
  });
}

function directory(base: string, { suite }: Source): string {
  const path = suite.endsWith('/') ? suite.replace(/^\.?\/+/, '') : `dists/${suite}/`;
  return `${base}/${path}`;
}

/** The URL of a package of the repository. Throws INDEX_INVALID for a Filename that leaves it. */
export function packageUrl(repository: Repository, filename: string): string {
  const path = filename.replace(/^(?:\.\/)+/, '');
  if (
    path === '' ||
    path.startsWith('/') ||
    /^[a-z][a-z0-9+.-]*:/i.test(path) ||
    path.split('/').includes('..') ||
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    /[\0-\x1f\\]/.test(path)
  )
    throw new OnlayError(
      'INDEX_INVALID',
      `Packages of ${nameOf(repository.base, repository.source)} has a Filename outside of the repository: ${filename.slice(0, 100)}`,
    );
  const encoded = path.replace(
    /[^A-Za-z0-9._~+:@!$&'()*,;=/-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `${repository.base}/${encoded}`;
}

function requestTo(
  url: string,
  source: Source,
  context: RepositoryContext,
): Omit<FetchRequest, 'what' | 'limit' | 'optional'> {
  const { config, logins, readImage } = context;
  const isOurs = !source.origin.startsWith('etc/');
  return { url, ...accessTo(url, { config, logins: [...source.logins, ...logins], readImage, isOurs }) };
}

function number(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) && value !== '0' ? Number(value) : undefined;
}
