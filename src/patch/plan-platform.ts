// From an image to its plan: layers → tree → distro and database → what is wanted → what will be done. No byte of a
// package is fetched here, only signed indexes.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import type { Log } from '../base/log.ts';
import { detectDistro } from '../distros/detect.ts';
import { distros } from '../distros/index.ts';
import type { Distro, OsRelease } from '../packages/distro.ts';
import type { PackageDatabase, ResolveRequest, TrustOptions } from '../packages/family.ts';
import type { Fetch } from '../packages/fetch.ts';
import { families } from '../packages/index.ts';
import type { Wanted } from '../packages/package.ts';
import { makePlan } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { matchesGlob } from '../plan/policy.ts';
import type { Policy } from '../plan/policy.ts';
import { select } from '../plan/select.ts';
import type { Report } from '../reports/index.ts';
import type { RootView } from '../rootfs/root-view.ts';

export interface Tree {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  readonly osRelease: OsRelease | undefined;
  readonly database: PackageDatabase;
}

/** Finds distro and package database. Throws NO_PACKAGE_DATABASE or DISTRO_UNSUPPORTED. */
export async function readTree(
  root: RootView,
  image: { readonly name: string; readonly architecture: string; readonly variant: string | undefined },
  options: { readonly log: Log; readonly anyDistro: boolean },
): Promise<Tree> {
  const { distro, osRelease } = detectDistro(root, { architecture: image.architecture });
  const order = distro
    ? [...families].sort((a, b) => Number(b.name === distro.family) - Number(a.name === distro.family))
    : families;
  for (const family of order) {
    const database = await family.open({
      root,
      distro,
      imageArch: image.architecture,
      ...(image.variant === undefined ? {} : { imageVariant: image.variant }),
      log: options.log,
    });
    if (!database) continue;
    if (!distro && !options.anyDistro)
      throw new OnlayError(
        'DISTRO_UNSUPPORTED',
        `${image.name} is of an unsupported distro: ${describe(osRelease)}`,
        {
          hint: `supported are ${distros.map(({ id }) => id).join(', ')}; for another one give its repositories with --repo and --trust-key`,
        },
      );
    return { root, distro, osRelease, database };
  }
  throw new OnlayError('NO_PACKAGE_DATABASE', `${image.name} has no package database (dpkg, apk or rpm)`, {
    hint: 'images built from scratch without a package manager cannot be patched; rebuild them',
  });
}

function describe(osRelease: OsRelease | undefined): string {
  return osRelease ? displayText(osRelease.prettyName || osRelease.id) : 'it has no os-release';
}

export interface PlanOptions extends TrustOptions {
  readonly fetch: Fetch;
  readonly report: Report | undefined;
  readonly policy: Policy;
  readonly repositories: readonly string[];
  readonly allowNew: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly log: Log;
  /** Upgrades that an earlier patch layer made and that must not be lost. */
  readonly keep?: readonly Wanted[];
}

/** Selects and resolves. `facts` go into the plan as they are. */
export async function planTree(tree: Tree, options: PlanOptions, facts: Plan['image']): Promise<Plan> {
  const { database, distro, osRelease } = tree;
  const selection = select(database.packages, options.report?.findings, options.policy);
  for (const glob of options.report ? [] : options.policy.packages)
    if (!database.packages.some(({ name }) => matchesGlob(glob, name)))
      options.log.warn('No installed package matches', { package: displayText(glob) });
  const wanted = merge(selection.wanted, options.keep ?? []);
  const request: ResolveRequest = { ...options, wanted };
  const nothing = wanted !== 'all' && wanted.length === 0;
  const resolution = nothing
    ? { packages: [], removals: [], skipped: [], repositories: [] }
    : await database.resolve(request);
  return makePlan(
    { ...resolution, skipped: [...selection.skipped, ...resolution.skipped] },
    {
      image: facts,
      distro: {
        id: distro?.id ?? osRelease?.id ?? 'unknown',
        version: distro?.osRelease.versionId ?? osRelease?.versionId ?? '',
        family: database.family,
      },
      unsigned: resolution.repositories.some((repository) => repository.signedBy === undefined),
    },
  );
}

function merge(wanted: 'all' | readonly Wanted[], keep: readonly Wanted[]): 'all' | readonly Wanted[] {
  if (wanted === 'all' || keep.length === 0) return wanted;
  const merged = new Map(wanted.map((item) => [`${item.name}\n${item.arch}`, item]));
  for (const item of keep) {
    const known = merged.get(`${item.name}\n${item.arch}`);
    merged.set(
      `${item.name}\n${item.arch}`,
      known ? { ...known, floors: [...known.floors, ...item.floors] } : item,
    );
  }
  return [...merged.values()];
}
