// The repositories of an image: which they are, opened and verified side by side, their indexes loaded in two steps.
// Small suites (security, updates) come first; the large ones, whose indexes cost a second, only when they are needed.
import { OnlayError, hasCode, messageOf } from '../../errors.ts';
import { mapConcurrent } from '../../base/concurrency.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { ResolveRequest } from '../family.ts';
import { readAptConfig, readImageText } from './apt-config.ts';
import { readAuthConf } from './auth-conf.ts';
import type { LoadedIndex } from './candidates.ts';
import { keyringsOf } from './keyrings.ts';
import { scanPackages } from './packages-index.ts';
import { readPins } from './preferences.ts';
import type { Pins } from './preferences.ts';
import { fetchPackages, nameOf, openRepository, packagesSize } from './repository.ts';
import type { Repository, RepositoryContext } from './repository.ts';
import { iso } from './release.ts';
import { readSourceLines, readSources } from './sources.ts';
import type { Source } from './sources.ts';

export interface Repositories {
  readonly pins: Pins;
  /** Those that could be opened, in order of the sources. */
  readonly opened: readonly Repository[];
  /** Why others could not. */
  readonly failures: readonly Failure[];
  /** Loads indexes; those that are loaded already stay. Failures are added to `failures`. */
  load(which: 'small' | 'all'): Promise<readonly LoadedIndex[]>;
  /** True when `load('small')` leaves something out. */
  readonly hasLarge: boolean;
}

export interface Failure {
  readonly source: Source;
  readonly error: OnlayError;
}

export interface RepositoriesInput {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  /** Debian architectures: the native one first. */
  readonly architectures: readonly [string, ...string[]];
  readonly request: ResolveRequest;
}

/** Uncompressed bytes from which an index is loaded only when needed. Debian's security suites have 3 MB, main 50. */
const LARGE = 8 << 20;
const CONCURRENCY = 8;

/** Throws REPOSITORIES_MISSING when neither the user nor the image nor the distro names any. */
export async function openRepositories(input: RepositoriesInput): Promise<Repositories> {
  const { root, request } = input;
  const config = readAptConfig(root);
  const context: RepositoryContext = {
    fetch: request.fetch,
    config,
    logins: readAuthConf(root),
    keyrings: keyringsOf({ ...request, root, distro: input.distro }),
    allowUnsigned: request.allowUnsigned,
    now: request.now,
    log: request.log,
    readImage: (path) => readImageText(root, path),
  };
  if (config.get('Acquire::http::Proxy-Auto-Detect') ?? config.get('Acquire::http::ProxyAutoDetect'))
    request.log.warn('The image finds its proxy with a program, which is not run', {
      hint: 'set http_proxy or use --mirror',
    });
  const sources = chooseSources(input);
  const failures: Failure[] = [];
  const fail = (source: Source, error: unknown): void => {
    // what is wrong with the run, not with a repository, ends it
    if (!(error instanceof OnlayError) || hasCode(error, 'ABORTED', 'INTERNAL', 'CONFIG_INVALID'))
      throw error;
    failures.push({ source, error });
    // answers come in any order, messages in that of the sources
    failures.sort((a, b) => sources.indexOf(a.source) - sources.indexOf(b.source));
  };
  const attempts = await mapConcurrent(sources, CONCURRENCY, async (source) => {
    try {
      return await openRepository(source, context);
    } catch (error) {
      fail(source, error);
      return undefined;
    }
  });
  const opened = attempts.filter((repository) => repository !== undefined);
  warnOfAge(opened, request);
  const targets = opened.flatMap((repository) => targetsOf(repository, input.architectures, request));
  const small = targets.filter((target) => !isLarge(target));
  const loaded = new Map<Target, LoadedIndex | undefined>();
  return {
    pins: readPins(root, config),
    opened,
    failures,
    hasLarge: small.length < targets.length,
    async load(which) {
      const wanted = (which === 'all' ? targets : small).filter((target) => !loaded.has(target));
      await mapConcurrent(wanted, CONCURRENCY, async (target) => {
        try {
          loaded.set(target, await loadIndex(target, context));
        } catch (error) {
          loaded.set(target, undefined);
          fail(target.repository.source, error);
        }
      });
      return targets.flatMap((target) => loaded.get(target) ?? []);
    },
  };
}

function chooseSources({ root, distro, architectures, request }: RepositoriesInput): readonly Source[] {
  const lines = { root, architecture: architectures[0] };
  if (request.repositories.length > 0)
    return readSourceLines(request.repositories, { ...lines, origin: '--repo' });
  const { sources, unsupported } = readSources(root, architectures[0]);
  for (const source of unsupported)
    request.log.warn('A repository of the image is not used', { repository: source });
  if (sources.length > 0) return sources;
  const defaults = (distro?.defaultRepositories ?? []).map((line) =>
    line.replaceAll('{arch}', architectures[0]),
  );
  if (distro && defaults.length > 0) {
    request.log.info('The image names no repository; those of its distro are used', { distro: distro.name });
    return readSourceLines(defaults, { ...lines, origin: `defaults of ${distro.name}` });
  }
  throw new OnlayError(
    'REPOSITORIES_MISSING',
    'The image names no package repository, and none is known for its distro and release',
    {
      hint: 'name them: --repo "deb http://HOST/debian SUITE main" (and --trust-key FILE if the image has no key for them)',
    },
  );
}

/** One Packages file. */
interface Target {
  readonly repository: Repository;
  readonly component: string;
  readonly architecture: string;
}

function targetsOf(
  repository: Repository,
  architectures: readonly string[],
  { log }: ResolveRequest,
): readonly Target[] {
  const { source, release, base } = repository;
  if (source.suite.endsWith('/'))
    return [{ repository, component: '', architecture: architectures[0] as string }];
  const wanted = [...(source.architectures ?? architectures), ...(release.indexOfAll ? ['all'] : [])];
  return source.components.flatMap((component) => {
    const there = wanted.filter(
      (architecture) => release.files.size === 0 || hasIndex(repository, component, architecture),
    );
    if (there.length === 0)
      log.warn('A repository has no packages for this image', {
        repository: nameOf(base, source),
        component,
        architectures: wanted.join(', '),
      });
    return there.map((architecture) => ({ repository, component, architecture }));
  });
}

function hasIndex({ release }: Repository, component: string, architecture: string): boolean {
  const path = `${component}/binary-${architecture}/Packages`;
  return ['', '.xz', '.gz', '.zst', '.bz2', '.lzma'].some((extension) => release.files.has(path + extension));
}

function isLarge({ repository, component, architecture }: Target): boolean {
  return packagesSize(repository, component, architecture) > LARGE;
}

async function loadIndex(target: Target, context: RepositoryContext): Promise<LoadedIndex | undefined> {
  const { component, architecture } = target;
  let { repository } = target;
  let bytes: Uint8Array | undefined;
  try {
    bytes = await fetchPackages(repository, component, architecture, context);
  } catch (error) {
    if (!isStale(error)) throw error;
    // the mirror may have gone on to its next state since Release was read: look once more, then say so
    context.log.debug('Release is read again', {
      repository: nameOf(repository.base, repository.source),
      why: messageOf(error),
    });
    const again = await openRepository(repository.source, context);
    if (again.release.date === repository.release.date) throw error;
    repository = again;
    bytes = await fetchPackages(repository, component, architecture, context);
  }
  if (!bytes) return undefined;
  const name = nameOf(repository.base, repository.source);
  return {
    repository,
    release: repository.release,
    component,
    architecture,
    site: URL.canParse(repository.base) ? new URL(repository.base).hostname : '',
    packages: scanPackages(bytes, `Packages of ${name} ${component} ${architecture}`),
  };
}

function isStale(error: unknown): boolean {
  return error instanceof OnlayError && error.code === 'INDEX_INVALID';
}

const DAY = 86_400_000;
const OLD = 30 * DAY;

/** A mirror that stopped is not seen by its own dates alone: main suites are always old, so the newest one counts. */
function warnOfAge(opened: readonly Repository[], { now, log }: ResolveRequest): void {
  const dates = opened.flatMap(({ release }) => release.date ?? []);
  if (dates.length === 0) return;
  const newest = Math.max(...dates);
  if (now - newest <= OLD) return;
  log.warn('No repository has changed for a long time: the mirror may be stale, or the release has ended', {
    newest: iso(newest),
    days: Math.floor((now - newest) / DAY),
  });
}
