// From what is wanted to a plan: configuration of the image, repositories, solving, one root after the other. What
// cannot be had is skipped with a reason, as `dnf upgrade` with best=False leaves it out.
import { OnlayError, hasCode, messageOf } from '../../errors.ts';
import { compareBytes } from '../../base/bytes.ts';
import { mapConcurrent } from '../../base/concurrency.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { ResolveRequest } from '../family.ts';
import type {
  PlannedPackage,
  PlannedRemoval,
  PlanReason,
  RepositoryFact,
  Resolution,
  Skipped,
  Wanted,
} from '../package.ts';
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
import { moduleFilter } from './repositories/modules.ts';
import { openRepository, type Repository } from './repositories/repository.ts';
import type { SolvablePackage } from './repositories/candidate.ts';
import { InstalledSet, type InstalledSolvable } from './solve/installed.ts';
import { Offers, type Offer } from './solve/offers.ts';
import {
  EMPTY_STATE,
  FileListsNeeded,
  obsoletes,
  Solver,
  type Choice,
  type Solution,
  type State,
} from './solve/solve.ts';
import { sourceOf } from './source.ts';
import { vendorRule } from './vendors.ts';
import { compareEvr, compareVersions, formatEvr } from './version.ts';

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
  readonly state: State;
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
  const offers = new Offers(repositories, {
    architectures: sources.architecture.compatible,
    excludes: configuration.main.excludes,
    modules,
    locks: sources.locks,
    mayReplace: vendorRule(sources.root, sources.distro),
  });
  const installed =
    typeof sources.installed === 'function' ? sources.installed(repositories) : sources.installed;
  const resolver = new Resolver(sources, installed, request, offers);
  const outcome = await resolver.run();
  return {
    repositories,
    state: outcome.state,
    resolution: {
      packages: await resolver.planned(outcome.state),
      removals: outcome.state.obsoleted
        .map(({ installed, by }): PlannedRemoval => ({
          name: installed.name,
          arch: installed.arch,
          version: formatEvr(installed.evr),
          reason: `obsoleted by ${by}`,
        }))
        .sort((a, b) => compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch)),
      skipped: outcome.skipped,
      repositories: repositories.map(repositoryFact),
    },
  };
}

function configurationFor(sources: ResolveSources, request: ResolveRequest): Configuration {
  const { root, distro, variables } = sources;
  const all = readVariables(root, variables);
  // the image pins its release to a date: said aloud, because the plan depends on the day it is made
  if (distro?.quirks.rpmReleaseVersion !== undefined)
    request.log.info('updates are taken from another release than the image states', {
      releasever: all.get('releasever'),
    });
  const own = readConfiguration(root, all);
  if (request.repositories.length > 0)
    return { ...own, repositories: request.repositories.map((spec) => parseRepositoryOption(spec, all)) };
  if (own.repositories.length > 0) return own;
  const defaults = (distro?.defaultRepositories ?? []).map((spec) =>
    parseRepositoryOption(spec.replaceAll('{arch}', sources.architecture.basearch), all),
  );
  if (defaults.length === 0)
    throw new OnlayError('REPOSITORIES_MISSING', 'The image names no enabled repository', {
      hint: 'give repositories with --repo id=URL',
    });
  return { ...own, repositories: defaults };
}

async function openAll(
  sources: ResolveSources,
  request: ResolveRequest,
  configuration: Configuration,
): Promise<readonly Repository[]> {
  const opened = await mapConcurrent(configuration.repositories, CONCURRENCY, async (config) => {
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

interface Root {
  readonly installed: InstalledSolvable;
  readonly wanted: Wanted | undefined;
}

class Resolver {
  readonly #sources: ResolveSources;
  readonly #installed: readonly InstalledSolvable[];
  readonly #request: ResolveRequest;
  readonly #offers: Offers;
  readonly #solver: Solver;
  readonly #fileOwners = new Map<string, readonly Offer[]>();
  readonly #skipped: Skipped[] = [];
  readonly #cves = new Map<string, Set<string>>();

  constructor(
    sources: ResolveSources,
    installed: readonly InstalledSolvable[],
    request: ResolveRequest,
    offers: Offers,
  ) {
    this.#sources = sources;
    this.#installed = installed;
    this.#request = request;
    this.#offers = offers;
    this.#solver = new Solver({
      installed: new InstalledSet(installed),
      offers,
      allowNew: request.allowNew,
      fileOwners: this.#fileOwners,
    });
  }

  async run(): Promise<{ state: State; skipped: readonly Skipped[] }> {
    let state = EMPTY_STATE;
    for (const root of this.#roots()) state = await this.#resolveRoot(state, root);
    // what came along with another root fixes too
    const skipped = this.#skipped.sort(
      (a, b) => compareBytes(a.name, b.name) || compareBytes(a.detail, b.detail),
    );
    return { state, skipped };
  }

  #roots(): readonly Root[] {
    const { wanted } = this.#request;
    const byName = (a: Root, b: Root): number =>
      compareBytes(a.installed.name, b.installed.name) || compareBytes(a.installed.arch, b.installed.arch);
    if (wanted === 'all')
      return this.#installed.map((installed) => ({ installed, wanted: undefined })).sort(byName);
    const roots: Root[] = [];
    for (const one of wanted) {
      const found = this.#installed.filter(({ name, arch }) => name === one.name && arch === one.arch);
      if (found.length === 0)
        this.#skip(one.name, 'not-installed', `${one.name}.${one.arch} is not installed`, {
          failure: true,
          cves: one.cves,
        });
      for (const installed of found) roots.push({ installed, wanted: one });
    }
    return roots.sort(byName);
  }

  async #resolveRoot(state: State, { installed, wanted }: Root): Promise<State> {
    const cves = wanted?.cves ?? [];
    const done = state.choices.find(({ replaces }) => replaces === installed);
    if (done) {
      if (wanted && !this.#reaches(done.offer, wanted))
        this.#skip(
          installed.name,
          'fix-not-available',
          `only ${formatEvr(done.offer.candidate.evr)} can be had`,
          { failure: true, cves },
        );
      this.#note(installed.name, cves);
      return wanted ? this.#asRequested(state, done) : this.#asUpgrade(state, done);
    }
    const obsoleted = state.obsoleted.find((one) => one.installed === installed);
    if (obsoleted) {
      this.#note(obsoleted.by, cves);
      return state;
    }
    if (wanted && wanted.floors.length > 0 && this.#meets(installed, wanted)) {
      this.#skip(installed.name, 'already-fixed', `${formatEvr(installed.evr)} is installed`, {
        failure: false,
        cves,
      });
      return state;
    }
    if (installed.held !== undefined) {
      if (wanted)
        this.#skip(installed.name, 'held', `it is held (${installed.held})`, { failure: true, cves });
      return state;
    }
    const choices = this.#candidates(installed, wanted);
    const fixing = wanted ? choices.filter(({ offer }) => this.#reaches(offer, wanted)) : choices;
    const [newest] = choices;
    if (!newest) {
      if (wanted)
        this.#skip(
          installed.name,
          wanted.floors.length > 0 ? 'fix-not-available' : 'no-candidate',
          'no repository has a newer version',
          {
            failure: wanted.floors.length > 0,
            cves,
          },
        );
      return state;
    }
    if (fixing.length === 0) {
      this.#skip(
        installed.name,
        'fix-not-available',
        `the newest version is ${formatEvr(newest.offer.candidate.evr)}`,
        { failure: true, cves },
      );
      return state;
    }
    let reason: string | undefined;
    let needsNew = false;
    for (const choice of fixing) {
      const solution = await this.#add(state, choice);
      if ('state' in solution) {
        this.#note(choice.offer.candidate.name, cves);
        return choice.reason === 'obsoletes' ? this.#addSplit(solution.state, installed) : solution.state;
      }
      reason ??= solution.failure.text;
      needsNew ||= solution.failure.kind === 'new-package';
    }
    this.#skip(installed.name, needsNew ? 'new-package-not-allowed' : 'unsatisfiable', reason ?? '', {
      failure: wanted !== undefined,
      cves,
    });
    return state;
  }

  /** A package that was split is obsoleted by several, which take its place together. */
  async #addSplit(state: State, installed: InstalledSolvable): Promise<State> {
    let all = state;
    const names = new Set(all.choices.map(({ offer }) => offer.candidate.name));
    for (const choice of this.#obsoletersOf(installed)) {
      if (names.has(choice.offer.candidate.name)) continue;
      const solution = await this.#add(all, choice);
      if (!('state' in solution)) continue;
      all = solution.state;
      names.add(choice.offer.candidate.name);
    }
    return all;
  }

  /** Solves, and fetches file lists as often as the search asks for another path. */
  async #add(state: State, choice: Choice): Promise<Solution> {
    for (;;) {
      try {
        return this.#solver.add(state, choice);
      } catch (error) {
        if (!(error instanceof FileListsNeeded)) throw error;
        this.#fileOwners.set(error.path, await this.#offers.ownersInFileLists(error.path));
      }
    }
  }

  /** Newer versions, newest first; what obsoletes the package comes before versions that it obsoletes too. */
  #candidates(installed: InstalledSolvable, wanted: Wanted | undefined): readonly Choice[] {
    const reason: PlanReason = wanted ? 'requested' : 'upgrade';
    const upgrades = this.#offers
      .upgrades(installed)
      .map((offer): Choice => ({ offer, replaces: installed, reason, by: undefined }));
    const newest = upgrades[0]?.offer.candidate;
    const obsoleters = this.#obsoletersOf(installed);
    const replacing = obsoleters.filter(({ offer }) => !newest || obsoletes(offer.candidate, newest));
    return [...replacing, ...upgrades, ...obsoleters.filter((choice) => !replacing.includes(choice))];
  }

  #obsoletersOf(installed: InstalledSolvable): readonly Choice[] {
    return this.#offers
      .obsoleters(installed.name)
      .filter(
        ({ candidate }) =>
          candidate.name !== installed.name &&
          obsoletes(candidate, installed) &&
          this.#offers.mayReplace(installed.vendor, candidate.vendor),
      )
      .sort(
        (a, b) =>
          compareBytes(a.candidate.name, b.candidate.name) || compareEvr(b.candidate.evr, a.candidate.evr),
      )
      .flatMap((offer): readonly Choice[] => {
        const present = this.#installed.find(({ name }) => name === offer.candidate.name);
        if (present && compareEvr(offer.candidate.evr, present.evr) <= 0) return [];
        return [{ offer, replaces: present, reason: 'obsoletes', by: installed.name }];
      });
  }

  #asRequested(state: State, done: Choice): State {
    return replaceChoice(state, done, { ...done, reason: 'requested', by: undefined });
  }

  #asUpgrade(state: State, done: Choice): State {
    return replaceChoice(state, done, { ...done, reason: 'upgrade', by: undefined });
  }

  #meets(installed: InstalledSolvable, wanted: Wanted): boolean {
    return meetsFloors(wanted, this.#advisoryVersion(installed));
  }

  #reaches({ candidate }: Offer, wanted: Wanted): boolean {
    // another package that takes its place has versions of its own
    if (candidate.name !== wanted.name) return true;
    return meetsFloors(wanted, this.#advisoryVersion(candidate));
  }

  /** In the numbering of the distro's advisories: that of the binary, or of its source. */
  #advisoryVersion({ name, evr, sourceRpm }: SolvablePackage): string {
    const version = formatEvr(evr);
    if (!this.#sources.distro?.quirks.rpmSourceAdvisories) return version;
    return sourceOf(sourceRpm, { name, epoch: evr.epoch, version }).version;
  }

  #note(name: string, cves: readonly string[]): void {
    const known = this.#cves.get(name) ?? new Set();
    for (const cve of cves) known.add(cve);
    this.#cves.set(name, known);
  }

  #skip(
    name: string,
    reason: Skipped['reason'],
    detail: string,
    rest: { failure: boolean; cves: readonly string[] },
  ): void {
    this.#skipped.push({ name, reason, detail, ...rest });
  }

  async planned(state: State): Promise<readonly PlannedPackage[]> {
    const packages = state.choices.map(({ offer, replaces, reason, by }): PlannedPackage => {
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
        cves: [...(this.#cves.get(candidate.name) ?? [])].sort(),
        extra: extraOf(repository),
      };
    });
    return packages.sort((a, b) => compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch));
  }
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

function replaceChoice(state: State, from: Choice, to: Choice): State {
  return { ...state, choices: state.choices.map((choice) => (choice === from ? to : choice)) };
}

/** One alternative of every finding is reached. */
function meetsFloors({ floors }: Wanted, version: string): boolean {
  return floors.every((alternatives) => alternatives.some((floor) => compareVersions(version, floor) >= 0));
}
