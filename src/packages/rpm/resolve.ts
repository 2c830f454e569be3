// From what is wanted to a plan: configuration of the image, repositories, solving, one root after the other. What
// cannot be had is skipped with a reason, as `dnf upgrade` with best=False leaves it out.
import { OnlayError, hasCode, messageOf } from '../../errors.ts';
import { compareBytes } from '../../base/bytes.ts';
import { mapConcurrent } from '../../base/concurrency.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { PackageAccess, ResolveRequest } from '../family.ts';
import type { PlannedPackage, PlannedRemoval, RepositoryFact, Resolution } from '../package.ts';
import type { RpmArchitecture } from './architecture.ts';
import type { StoredHeader } from './db/backend.ts';
import { keyringsFor, localPath, type FetchedKey, type KeySources } from './keys.ts';
import {
  parseRepositoryOption,
  readConfiguration,
  readVariables,
  type Configuration,
  type RepositoryConfig,
  type Variables,
} from './repositories/configuration.ts';
import type { Locks } from './repositories/locks.ts';
import { matchesGlob } from './repositories/glob.ts';
import { moduleFilter } from './repositories/modules.ts';
import { connection, isReachable, openRepository, type Repository } from './repositories/repository.ts';
import type { InstalledSolvable } from './solve/installed.ts';
import { excluded, Offers } from './solve/offers.ts';
import { sourceOf } from './source.ts';
import { upgrade, type Change, type Obsoleted } from './upgrade.ts';
import { vendorRule } from './vendors.ts';
import { compareEvr, formatEvr } from './version.ts';

export interface ResolveSources {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  readonly architecture: RpmArchitecture;
  readonly headers: readonly StoredHeader[];
  /** What is installed; without a database, what the repositories say of it. */
  readonly installed:
    readonly InstalledSolvable[] | ((repositories: readonly Repository[]) => readonly InstalledSolvable[]);
  readonly locks: Locks;
  readonly variables: Variables;
  /** MODULARITYLABEL of installed packages. */
  readonly moduleLabels: readonly string[];
}

export interface Resolved {
  readonly resolution: Resolution;
  readonly repositories: readonly Repository[];
  readonly obsoleted: readonly Obsoleted[];
}

const CONCURRENCY = 4;

export async function resolve(sources: ResolveSources, request: ResolveRequest): Promise<Resolved> {
  const configuration = configurationFor(sources, request);
  const repositories = await openAll(sources, request, configuration);
  const modules = moduleFilter(
    sources.root,
    await Promise.all(repositories.map((repository) => repository.modules())),
    sources.moduleLabels,
  );
  const { excludes } = configuration.main;
  const offers = new Offers(repositories, {
    architectures: sources.architecture.compatible,
    excludes,
    modules,
    locks: sources.locks,
    mayReplace: vendorRule(sources.root, sources.distro),
  });
  const all = typeof sources.installed === 'function' ? sources.installed(repositories) : sources.installed;
  const isProtected = ({ name }: InstalledSolvable): boolean =>
    configuration.main.protectedPackages.some((pattern) => matchesGlob(pattern, name));
  const installed = all.map((one): InstalledSolvable => ({
    ...one,
    // for dnf what is excluded does not exist: neither as an upgrade nor as something to be replaced
    held: one.held ?? (excluded(one, excludes) ? 'excludepkgs' : undefined),
    isProtected: isProtected(one),
  }));
  const outcome = await upgrade({
    installed,
    offers,
    architectures: sources.architecture.compatible,
    distro: sources.distro,
    request,
  });
  const byName = (a: { name: string; arch: string }, b: { name: string; arch: string }): number =>
    compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch);
  return {
    repositories,
    obsoleted: outcome.obsoleted,
    resolution: {
      packages: (request.wanted === 'all' ? await withAdvisories(outcome.changes, request) : outcome.changes)
        .map(plannedPackage)
        .sort(byName),
      removals: outcome.obsoleted
        .map(({ installed: one, by }): PlannedRemoval => ({
          name: one.name,
          arch: one.arch,
          version: formatEvr(one.evr),
          reason: `obsoleted by ${by}`,
        }))
        .sort(byName),
      skipped: outcome.skipped,
      repositories: repositories.map(repositoryFact),
    },
  };
}

function configurationFor(sources: ResolveSources, request: ResolveRequest): Configuration {
  const { distro, variables } = sources;
  // the image pins its release to a date: said aloud, because the plan depends on the day it is made
  if (distro?.quirks.rpmReleaseVersion !== undefined)
    request.log.info('updates are taken from another release than the image states', {
      releasever: readVariables(sources.root, variables).get('releasever'),
    });
  const configuration = knownRepositories(sources, request.repositories);
  if (configuration.repositories.length === 0)
    throw new OnlayError('REPOSITORIES_MISSING', 'The image names no enabled repository', {
      hint: 'give repositories with --repo id=URL',
    });
  return configuration;
}

type RepositorySources = Pick<ResolveSources, 'root' | 'distro' | 'variables' | 'architecture'>;

/** Those the user gives (--repo), or the image's own, or the usual ones of its distro. */
function knownRepositories(
  { root, distro, variables, architecture }: RepositorySources,
  given: readonly string[],
): Configuration {
  const all = readVariables(root, variables);
  const own = readConfiguration(root, all);
  const parse = (spec: string): RepositoryConfig => parseRepositoryOption(spec, all);
  if (given.length > 0) return { ...own, repositories: given.map(parse) };
  if (own.repositories.length > 0) return own;
  const usual = distro?.defaultRepositories ?? [];
  return {
    ...own,
    repositories: usual.map((spec) => parse(spec.replaceAll('{arch}', architecture.basearch))),
  };
}

/** How the repository that a package comes from is reached. */
export function packageAccess(
  sources: RepositorySources,
  planned: PlannedPackage,
  given: readonly string[],
): PackageAccess {
  const config = knownRepositories(sources, given).repositories.find(({ id }) => id === planned.repository);
  return config ? connection(config, sources.root, planned.url) : {};
}

async function openAll(
  sources: ResolveSources,
  request: ResolveRequest,
  configuration: Configuration,
): Promise<readonly Repository[]> {
  const reachable = configuration.repositories.filter(isReachable);
  for (const { id, baseUrls } of configuration.repositories.filter((config) => !isReachable(config)))
    request.log.warn('repository is on media or behind a protocol that is not spoken: it is left out', {
      repository: id,
      url: baseUrls.join(' '),
    });
  if (reachable.length === 0)
    throw new OnlayError(
      'REPOSITORIES_MISSING',
      'No repository of the image can be reached over http or https',
      {
        hint: 'give repositories with --repo id=URL',
      },
    );
  const opened = await mapConcurrent(reachable, CONCURRENCY, async (config) => {
    try {
      const keys = await fetchKeys(config, request);
      return await openRepository(config, {
        root: sources.root,
        fetch: request.fetch,
        keyrings: await keyringsFor(keySources(sources), request, config.keys, keys),
        now: request.now,
        allowUnsigned: request.allowUnsigned,
        log: request.log,
        keys,
      });
    } catch (error) {
      if (!config.skipIfUnavailable || !hasCode(error, 'NETWORK', 'SERVER', 'TIMEOUT')) throw error;
      request.log.warn('repository is not available', { repository: config.id, reason: messageOf(error) });
      return undefined;
    }
  });
  return opened.filter((repository) => repository !== undefined);
}

export function keySources({ root, distro, headers }: ResolveSources): KeySources {
  return { root, distro, headers };
}

const KEY_LIMIT = 1024 ** 2;

/** Keys the configuration names by URL. Only https: a key from plain http could be anybody's. */
async function fetchKeys(config: RepositoryConfig, request: ResolveRequest): Promise<readonly FetchedKey[]> {
  const keys: FetchedKey[] = [];
  if (request.onlyTrustKeys) return keys;
  for (const url of config.keys) {
    if (localPath(url) !== undefined || !url.startsWith('https:')) continue;
    const bytes = await request.fetch.get({
      url,
      limit: KEY_LIMIT,
      what: `key of ${config.id}`,
      optional: true,
    });
    if (bytes) keys.push({ url, text: Buffer.from(bytes).latin1Slice() });
  }
  return keys;
}

function repositoryFact({ config, url, signedBy, date }: Repository): RepositoryFact {
  return {
    name: config.id,
    url,
    ...(signedBy === undefined ? {} : { signedBy }),
    ...(date === 0 ? {} : { date: new Date(date * 1000).toISOString() }),
  };
}

/** What no scanner has said: which CVEs the upgrades fix, by the advisories of their repositories. */
async function withAdvisories(
  changes: readonly Change[],
  request: ResolveRequest,
): Promise<readonly Change[]> {
  const fixes = new Map<Repository, Awaited<ReturnType<Repository['fixes']>>>();
  for (const repository of new Set(changes.map(({ offer }) => offer.repository))) {
    const upgraded = changes.filter(({ offer, replaces }) => replaces && offer.repository === repository);
    if (upgraded.length === 0) continue;
    try {
      fixes.set(
        repository,
        await repository.fixes(new Set(upgraded.map(({ offer }) => offer.candidate.name))),
      );
    } catch (error) {
      // they say why, not what: nothing is upgraded otherwise without them
      if (!(error instanceof OnlayError) || hasCode(error, 'ABORTED')) throw error;
      request.log.warn('advisories cannot be read: upgrades are listed without what they fix', {
        repository: repository.config.id,
        reason: messageOf(error),
      });
    }
  }
  return changes.map((change) => {
    const { offer, replaces } = change;
    const { candidate } = offer;
    const cves = (fixes.get(offer.repository)?.get(candidate.name) ?? [])
      .filter(
        ({ arch, evr }) =>
          replaces !== undefined &&
          arch === candidate.arch &&
          compareEvr(evr, replaces.evr) > 0 &&
          compareEvr(evr, candidate.evr) <= 0,
      )
      .flatMap((fix) => fix.cves);
    return cves.length === 0 ? change : { ...change, cves: [...new Set(cves)].sort() };
  });
}

function plannedPackage({ offer, replaces, reason, by, cves }: Change): PlannedPackage {
  const { candidate, repository } = offer;
  const version = formatEvr(candidate.evr);
  const source = sourceOf(candidate.sourceRpm, {
    name: candidate.name,
    epoch: candidate.evr.epoch,
    version,
  });
  const { algorithm, value } = candidate.checksum;
  if (algorithm !== 'sha256' && algorithm !== 'sha512' && algorithm !== 'sha1')
    throw new OnlayError(
      'INDEX_INVALID',
      `Package ${candidate.name} of ${repository.config.id} has a ${algorithm} checksum only`,
    );
  return {
    name: candidate.name,
    arch: candidate.arch,
    ...(replaces ? { from: formatEvr(replaces.evr) } : {}),
    to: version,
    source: source.name,
    sourceVersion: source.version,
    repository: repository.config.id,
    url: repository.packageUrl(candidate),
    ...(candidate.size === undefined ? {} : { size: candidate.size }),
    digests: [{ algorithm, over: 'file', value }],
    reason,
    ...(by === undefined ? {} : { by }),
    cves,
    extra: extraOf(repository),
  };
}

/** What `verify` must know of the repository when the plan comes back from a file. */
function extraOf(repository: Repository): Readonly<Record<string, string>> {
  const keys = repository.keys.map(({ text }) => text);
  return {
    trust: repository.trust,
    ...(repository.config.checkPackages ? { gpgcheck: '1' } : {}),
    ...(repository.config.keys.length > 0 ? { gpgkey: repository.config.keys.join(' ') } : {}),
    ...(keys.length > 0 ? { keys: keys.join('\n') } : {}),
  };
}
