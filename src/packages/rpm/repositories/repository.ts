// One repository, opened: repomd.xml from a mirror, its signature, the package index checked against it. File lists and
// modules are fetched when they are needed.
import { OnlayError, hasCode, messageOf } from '../../../errors.ts';
import { hexDigest } from '../../../base/hash.ts';
import type { Log } from '../../../base/log.ts';
import { byteString } from '../../../base/bytes.ts';
import { decompress, decompressBytes } from '../../../codec/index.ts';
import type { RootView } from '../../../rootfs/root-view.ts';
import type { Keyring } from '../../../trust/keyring.ts';
import { isOfStranger, verifyDetached } from '../../../trust/openpgp.ts';
import type { PackageAccess } from '../../family.ts';
import type { Fetch, FetchRequest } from '../../fetch.ts';
import type { FetchedKey } from '../keys.ts';
import { parseCandidate, type OfferedPackage } from './candidate.ts';
import { readText, USER, type RepositoryConfig } from './configuration.ts';
import { NO_MODULES, parseModules, type ModuleMetadata } from './modules.ts';
import { parseMetalink, parseMirrorList, type Mirrors } from './metalink.ts';
import { escapeXml, PackageSpans, unescapeXml } from './package-index.ts';
import { readFixes, type Fix } from './updateinfo.ts';
import { checkMetadata, locate, parseRepomd, type MetadataFile, type Repomd } from './repomd.ts';

/**
 * What vouches for a package: the signed metadata its digest is from, its own signature, or (allowed by the user)
 * nothing.
 */
export type RepositoryTrust = 'metadata' | 'package' | 'none';

export interface RepositoryContext {
  readonly root: RootView;
  readonly fetch: Fetch;
  readonly keyrings: readonly Keyring[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly allowUnsigned: boolean;
  readonly log: Log;
  /** Keys that were fetched for it, to be carried along. */
  readonly keys: readonly FetchedKey[];
}

const REPOMD_LIMIT = 16 * 1024 ** 2;
const LIST_LIMIT = 4 * 1024 ** 2;
const METADATA_LIMIT = 1024 ** 3;
const OPEN_LIMIT = 2 * 1024 ** 3 - 1;
const CHUNK = 256 * 1024;
const MAX_MIRRORS = 6;
const SEARCHES_WITHOUT_INDEX = 5;

/** Opens a repository. Throws what the fetch throws, INDEX_INVALID, SIGNATURE_INVALID, DIGEST_MISMATCH, SIZE_MISMATCH. */
export async function openRepository(
  config: RepositoryConfig,
  context: RepositoryContext,
): Promise<Repository> {
  const mirrors = await findMirrors(config, context);
  let failure: unknown;
  for (const url of mirrors.urls.slice(0, MAX_MIRRORS)) {
    try {
      return await openAt(config, url.endsWith('/') ? url : `${url}/`, {
        ...context,
        digests: mirrors.digests,
      });
    } catch (error) {
      // another mirror may be better, except where the repository itself is not to be trusted
      if (
        !hasCode(error, 'NETWORK', 'SERVER', 'TIMEOUT', 'DIGEST_MISMATCH', 'SIZE_MISMATCH', 'INDEX_INVALID')
      )
        throw error;
      failure ??= error;
      context.log.debug('mirror failed', { repository: config.id, url, reason: messageOf(error) });
    }
  }
  if (failure !== undefined) throw failure;
  throw new OnlayError(
    'REPOSITORIES_MISSING',
    `Repository ${config.id} of ${config.origin} has no URL that can be used`,
  );
}

const REACHABLE = /^(?:https?|file):/;

/** False for repositories on media (`cd:`, `iso:`, …) or behind protocols that are not spoken (`ftp:`, `nfs:`, …). */
export function isReachable({ baseUrls, mirrorList, metalink }: RepositoryConfig): boolean {
  return [...baseUrls, mirrorList, metalink].some((url) => url !== undefined && REACHABLE.test(url));
}

async function findMirrors(config: RepositoryConfig, context: RepositoryContext): Promise<Mirrors> {
  const own = config.baseUrls.filter((url) => REACHABLE.test(url));
  const list = config.metalink ?? config.mirrorList;
  if (list === undefined) return { urls: own, digests: [] };
  try {
    const bytes = await get(config, context, {
      url: list,
      limit: LIST_LIMIT,
      what: `mirrors of ${config.id}`,
    });
    const isXml = byteString(bytes.subarray(0, 512)).trimStart().startsWith('<');
    const found = isXml
      ? parseMetalink(bytes, `mirrors of ${config.id}`)
      : parseMirrorList(byteString(bytes));
    return { urls: [...own, ...found.urls], digests: found.digests };
  } catch (error) {
    if (own.length === 0) throw error;
    return { urls: own, digests: [] };
  }
}

async function openAt(
  config: RepositoryConfig,
  url: string,
  context: RepositoryContext & { readonly digests: Mirrors['digests'] },
): Promise<Repository> {
  const what = `repomd.xml of ${config.id}`;
  const repomdUrl = `${url}repodata/repomd.xml`;
  const bytes = await get(config, context, { url: repomdUrl, limit: REPOMD_LIMIT, what });
  if (
    context.digests.length > 0 &&
    !context.digests.some(({ algorithm, value }) => hexDigest(algorithm, bytes) === value)
  )
    throw new OnlayError('DIGEST_MISMATCH', `${what} at ${url} is none that the metalink names`, {
      hint: 'the mirror is too old or too new; try another one',
    });
  const signature = await getOptional(config, context, {
    url: `${repomdUrl}.asc`,
    limit: LIST_LIMIT,
    what: `signature of ${what}`,
  });
  const { trust, signedBy } = await trustOf(config, context, { bytes, signature, what });
  const repomd = parseRepomd(bytes, what);
  const primary = repomd.files.get('primary');
  if (!primary) {
    const others = [...repomd.files.keys()].filter((type) => type.startsWith('primary'));
    throw new OnlayError(
      'INDEX_INVALID',
      `Cannot read ${what}: it lists no primary${others.length > 0 ? `, only ${others.join(' and ')}` : ''}`,
      others.length > 0
        ? { hint: 'sqlite and zchunk alone are not read; `createrepo_c --update` writes XML beside them' }
        : {},
    );
  }
  const index = new PackageSpans(await metadata(config, context, url, primary), `primary of ${config.id}`);
  return new Repository({ config, context, url, repomd, index, trust, signedBy });
}

interface SignedBytes {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array | undefined;
  readonly what: string;
}

async function trustOf(
  config: RepositoryConfig,
  context: RepositoryContext,
  { bytes, signature, what }: SignedBytes,
): Promise<{ trust: RepositoryTrust; signedBy: string | undefined }> {
  let refusal: unknown;
  if (signature && context.keyrings.length > 0) {
    try {
      const fact = await verifyDetached({
        data: bytes,
        signature,
        keyrings: context.keyrings,
        at: context.now,
        what,
      });
      return { trust: 'metadata', signedBy: fact.fingerprint };
    } catch (error) {
      if (!hasCode(error, 'SIGNATURE_INVALID')) throw error;
      // signatures of other keys say nothing; one that is broken says that something was changed
      if (!context.allowUnsigned && !isOfStranger(error) && !isPage(signature)) throw error;
      refusal = error;
    }
  }
  if (context.allowUnsigned) {
    context.log.warn('repository is not verified', {
      repository: config.id,
      reason: refusal === undefined ? 'no signature' : messageOf(refusal),
    });
    return { trust: 'none', signedBy: undefined };
  }
  if (config.checkMetadata)
    throw (
      refusal ?? new OnlayError('SIGNATURE_INVALID', `${what} is not signed, which ${config.origin} asks for`)
    );
  // packages carry signatures of their own, as for dnf
  const fingerprints = context.keyrings.flatMap(({ keys }) =>
    keys.map((key) => key.getFingerprint().toUpperCase()),
  );
  if (fingerprints.length === 0)
    throw new OnlayError(
      'SIGNATURE_INVALID',
      `Repository ${config.id} is not verified: no key for it is known`,
      {
        hint: 'give its key with --trust-key FILE, or --allow-unsigned',
      },
    );
  return { trust: 'package', signedBy: `packages: ${[...new Set(fingerprints)].sort().join(' ')}` };
}

/** What some servers send in place of a file they do not have. */
function isPage(signature: Uint8Array): boolean {
  return /^\s*</.test(byteString(signature.subarray(0, 64)));
}

async function metadata(
  config: RepositoryConfig,
  context: RepositoryContext,
  url: string,
  file: MetadataFile,
): Promise<Uint8Array> {
  const what = `${file.type} of ${config.id}`;
  const compressed = await download(config, context, url, file);
  return decompressBytes(compressed, { limit: Math.min(file.openSize ?? OPEN_LIMIT, OPEN_LIMIT), what });
}

async function download(
  config: RepositoryConfig,
  context: RepositoryContext,
  url: string,
  file: MetadataFile,
): Promise<Uint8Array> {
  const what = `${file.type} of ${config.id}`;
  const compressed = await get(config, context, {
    url: locate(url, file.location, what),
    limit: file.size ?? METADATA_LIMIT,
    what,
    ...(file.algorithm === 'sha256' ? { sha256: file.digest } : {}),
    ...(file.size === undefined ? {} : { size: file.size }),
  });
  checkMetadata(file, compressed, what);
  return compressed;
}

/** In pieces, so that what is decompressed comes in pieces too. */
async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

async function get(
  config: RepositoryConfig,
  context: RepositoryContext,
  request: FetchRequest,
): Promise<Uint8Array> {
  return await context.fetch.get({
    ...request,
    ...connection(config, context.root, request.url),
    optional: false,
  });
}

async function getOptional(
  config: RepositoryConfig,
  context: RepositoryContext,
  request: FetchRequest,
): Promise<Uint8Array | undefined> {
  return context.fetch.get({ ...request, ...connection(config, context.root, request.url), optional: true });
}

/**
 * Credentials, proxy and certificates of the configuration for `url`. A mirror that a list names does not get the login.
 * A file: URL of the image is a path of the image.
 */
export function connection(config: RepositoryConfig, root: RootView, url: string): PackageAccess {
  const { tls } = config;
  const pem = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readText(root, path);
  const ca = pem(tls?.ca);
  const cert = pem(tls?.cert);
  const key = pem(tls?.key);
  return {
    ...(config.origin === USER ? {} : { hostFiles: false }),
    ...(config.username === undefined || !isStated(config, url)
      ? {}
      : { credentials: { username: config.username, password: config.password ?? '' } }),
    ...(config.proxy === undefined ? {} : { proxy: config.proxy }),
    ...(tls
      ? {
          tls: {
            verify: tls.verify,
            ...(ca === undefined ? {} : { ca }),
            ...(cert === undefined ? {} : { cert }),
            ...(key === undefined ? {} : { key }),
          },
        }
      : {}),
  };
}

function isStated({ baseUrls, metalink, mirrorList }: RepositoryConfig, url: string): boolean {
  const origin = originOf(url);
  return [...baseUrls, metalink, mirrorList].some((one) => one !== undefined && originOf(one) === origin);
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

interface Opened {
  readonly config: RepositoryConfig;
  readonly context: RepositoryContext;
  readonly url: string;
  readonly repomd: Repomd;
  readonly index: PackageSpans;
  readonly trust: RepositoryTrust;
  readonly signedBy: string | undefined;
}

/** An opened repository; packages are parsed when they are asked for. */
export class Repository {
  readonly config: RepositoryConfig;
  readonly url: string;
  readonly trust: RepositoryTrust;
  readonly signedBy: string | undefined;
  /** Newest timestamp of the metadata, seconds since 1970. */
  readonly date: number;
  readonly keys: readonly FetchedKey[];
  readonly #opened: Opened;
  readonly #parsed = new Map<number, OfferedPackage>();
  #byName: Map<string, number[]> | undefined;
  #byProvided: ReadonlyMap<string, readonly number[]> | undefined;
  #byObsoleted: ReadonlyMap<string, readonly number[]> | undefined;
  #lookups = 0;
  #fileLists: Promise<PackageSpans | undefined> | undefined;

  constructor(opened: Opened) {
    this.#opened = opened;
    this.config = opened.config;
    this.url = opened.url;
    this.trust = opened.trust;
    this.signedBy = opened.signedBy;
    this.date = opened.repomd.date;
    this.keys = opened.context.keys;
  }

  /** How many packages there are. */
  get size(): number {
    return this.#opened.index.count;
  }

  named(name: string): readonly OfferedPackage[] {
    return (this.#names().get(name) ?? []).map((index) => this.#package(index));
  }

  /** Packages that provide `name` (a capability, not a path), by what they state or by their own name. */
  providers(name: string): readonly OfferedPackage[] {
    // a few searches are cheaper than an index of everything
    const found =
      this.#lookups++ < SEARCHES_WITHOUT_INDEX
        ? this.#opened.index.containing(`name="${escapeXml(name)}"`)
        : [...new Set([...(this.#provides().get(name) ?? []), ...(this.#names().get(name) ?? [])])];
    return found
      .map((index) => this.#package(index))
      .filter(
        (candidate) =>
          candidate.name === name || candidate.provides.some((relation) => relation.name === name),
      );
  }

  /** Packages that obsolete a package of this name, at some version. */
  obsoleters(name: string): readonly OfferedPackage[] {
    return (this.#obsoletes().get(name) ?? []).map((at) => this.#package(at));
  }

  /** Packages that supplement or enhance others. */
  supplementing(): readonly OfferedPackage[] {
    const { index } = this.#opened;
    const found = new Set([...index.containing('<rpm:supplements>'), ...index.containing('<rpm:enhances>')]);
    return [...found].map((at) => this.#package(at));
  }

  /** Packages that have the file `path`, as far as the package index says. */
  ownersInPrimary(path: string): readonly OfferedPackage[] {
    return this.#opened.index.containing(`>${escapeXml(path)}</file>`).map((index) => this.#package(index));
  }

  /** Packages that have the file `path`; fetches the file lists. */
  async ownersInFileLists(path: string): Promise<readonly OfferedPackage[]> {
    this.#fileLists ??= this.#openFileLists();
    const lists = await this.#fileLists;
    if (!lists) return [];
    const found: OfferedPackage[] = [];
    for (const index of lists.containing(`>${escapeXml(path)}</file>`)) {
      const id = lists.between(index, 'pkgid="', '"');
      const name = lists.between(index, ' name="', '"');
      if (id === undefined || name === undefined) continue;
      const owner = this.named(unescapeXml(name)).find(({ checksum }) => checksum.value === id.toLowerCase());
      if (owner) found.push(owner);
    }
    return found;
  }

  async modules(): Promise<ModuleMetadata> {
    const { config, context, url, repomd } = this.#opened;
    const file = repomd.files.get('modules');
    return file ? parseModules(await metadata(config, context, url, file)) : NO_MODULES;
  }

  /** What advisories say of packages of these names; nothing where the repository has none. */
  async fixes(names: ReadonlySet<string>): Promise<ReadonlyMap<string, readonly Fix[]>> {
    const { config, context, url, repomd } = this.#opened;
    const file = repomd.files.get('updateinfo');
    if (!file) return new Map();
    const what = `advisories of ${config.id}`;
    const compressed = await download(config, context, url, file);
    const limit = Math.min(file.openSize ?? OPEN_LIMIT, OPEN_LIMIT);
    return readFixes(decompress(chunksOf(compressed), { limit, what }), names, what);
  }

  packageUrl(candidate: OfferedPackage): string {
    return locate(this.url, candidate.location, `Package ${candidate.name} of ${this.config.id}`);
  }

  async #openFileLists(): Promise<PackageSpans | undefined> {
    const { config, context, url, repomd } = this.#opened;
    const file = repomd.files.get('filelists');
    return file && new PackageSpans(await metadata(config, context, url, file), `filelists of ${config.id}`);
  }

  #provides(): ReadonlyMap<string, readonly number[]> {
    this.#byProvided ??= this.#entriesOf(
      'rpm:provides',
      Array.from({ length: this.#opened.index.count }, (_, at) => at),
    );
    return this.#byProvided;
  }

  #obsoletes(): ReadonlyMap<string, readonly number[]> {
    this.#byObsoleted ??= this.#entriesOf('rpm:obsoletes', this.#opened.index.containing('<rpm:obsoletes>'));
    return this.#byObsoleted;
  }

  /** Packages by the names in one of their lists. */
  #entriesOf(element: string, packages: readonly number[]): ReadonlyMap<string, readonly number[]> {
    const found = new Map<string, number[]>();
    for (const at of packages) {
      const section = this.#opened.index.between(at, `<${element}>`, `</${element}>`) ?? '';
      for (const [, raw] of section.matchAll(/ name="([^"]*)"/g)) {
        const name = unescapeXml(raw as string);
        const list = found.get(name);
        if (!list) found.set(name, [at]);
        else if (list.at(-1) !== at) list.push(at);
      }
    }
    return found;
  }

  #names(): ReadonlyMap<string, readonly number[]> {
    if (this.#byName) return this.#byName;
    const names = new Map<string, number[]>();
    const { index } = this.#opened;
    for (let at = 0; at < index.count; at++) {
      const name = index.between(at, '<name>', '</name>');
      if (name === undefined) continue;
      const key = unescapeXml(name.trim());
      const list = names.get(key);
      if (list) list.push(at);
      else names.set(key, [at]);
    }
    this.#byName = names;
    return names;
  }

  #package(index: number): OfferedPackage {
    let candidate = this.#parsed.get(index);
    if (!candidate) {
      candidate = parseCandidate(this.#opened.index.span(index), index, this.#opened.index.what);
      this.#parsed.set(index, candidate);
    }
    return candidate;
  }
}
