// The indexes of all repositories, fetched and checked.
import { OnlayError } from '../../errors.ts';
import { mapConcurrent } from '../../base/concurrency.ts';
import { silentLog } from '../../base/log.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { PackageAccess, ResolveRequest } from '../family.ts';
import type { RepositoryFact } from '../package.ts';
import { INDEX_LIMIT, openIndex } from './apkindex.ts';
import type { OpenRepository } from './candidates.ts';
import { trustedKeys } from './keys.ts';
import { parseRepositories, readRepositories } from './repositories.ts';
import type { Repository } from './repositories.ts';

export interface ImageFacts {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  /** As apk names it: x86_64, aarch64, … */
  readonly arch: string;
}

const CONCURRENCY = 4;

/** --repo, else the image's own, else the distro's. Throws REPOSITORIES_MISSING, INDEX_INVALID, SIGNATURE_INVALID. */
export async function openRepositories(
  image: ImageFacts,
  request: ResolveRequest,
): Promise<readonly OpenRepository[]> {
  const repositories = chooseRepositories(image, request);
  const keys = trustedKeys(image.root, image.distro, request);
  return mapConcurrent(repositories, CONCURRENCY, async (repository) => {
    const what = `index of ${repository.name}`;
    const bytes = await request.fetch.get({
      url: repository.indexUrl,
      limit: INDEX_LIMIT,
      what,
      ...repository.access,
    });
    const index = openIndex(bytes, {
      what: `The ${what}`,
      keys,
      allowUnsigned: request.allowUnsigned,
      log: request.log,
    });
    return { repository, index };
  });
}

function chooseRepositories(
  { root, distro, arch }: ImageFacts,
  { repositories, log }: ResolveRequest,
): readonly Repository[] {
  if (repositories.length > 0) return parseRepositories(repositories, arch, log);
  const own = readRepositories(root, arch, log);
  if (own.length > 0) return own;
  const standard = distro?.defaultRepositories ?? [];
  if (standard.length === 0)
    throw new OnlayError(
      'REPOSITORIES_MISSING',
      'The image names no apk repositories, and none are known for it',
      {
        hint: 'give them with --repo URL, and their key with --trust-key FILE',
      },
    );
  log.info('The image names no apk repositories; those of its distro are used', {
    repositories: standard.join(' '),
  });
  return parseRepositories(standard, arch, log);
}

/** How the repository that a package comes from is reached. */
export function accessOf(image: ImageFacts, url: string, repositories: readonly string[]): PackageAccess {
  const log = silentLog;
  const known =
    repositories.length > 0
      ? parseRepositories(repositories, image.arch, log)
      : readRepositories(image.root, image.arch, log);
  return known.find(({ packageBase }) => url.startsWith(packageBase))?.access ?? {};
}

export function repositoryFacts(opened: readonly OpenRepository[]): readonly RepositoryFact[] {
  return opened.map(({ repository, index }) => ({
    name: repository.name,
    url: repository.indexUrl,
    ...(index.signedBy === undefined ? {} : { signedBy: index.signedBy }),
    ...(index.date > 0 ? { date: new Date(index.date * 1000).toISOString() } : {}),
  }));
}
