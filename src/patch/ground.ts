// What a new patch layer lies on. An earlier patch layer on top is replaced, never stacked: what it upgraded is wanted
// again, from the base below it. Only where the repositories have lost such an upgrade does the earlier layer stay, and
// the new one lies on it.
import type { Log } from '../base/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Image } from '../oci/image.ts';
import { findPatchLayer, withoutPatchLayer } from '../oci/lineage.ts';
import type { InstalledPackage, Wanted } from '../packages/package.ts';
import type { Plan } from '../plan/plan.ts';
import type { Tree } from './plan-platform.ts';

export interface Ground {
  readonly base: Image;
  readonly tree: Tree;
  readonly plan: Plan;
  /** The manifest that is patched, and its fully qualified name. */
  readonly origin: { readonly digest: Digest; readonly name?: string };
}

export interface GroundOptions {
  readonly log: Log;
  /** Of the image as it was opened. */
  readonly baseName: string | undefined;
  /** The plan was made beforehand, and is not made again. */
  readonly locked: boolean;
  readonly readBelow: (layers: number) => Promise<Tree>;
  readonly plan: (tree: Tree, keep: readonly Wanted[]) => Promise<Plan>;
}

/** `current` is the plan for the image as it is, with something to do. */
export async function findGround(
  image: Image,
  whole: Tree,
  current: Plan,
  options: GroundOptions,
): Promise<Ground> {
  const { baseName: name, log } = options;
  const origin = { digest: image.document.descriptor.digest, ...(name !== undefined && { name }) };
  const asIs: Ground = { base: image, tree: whole, plan: current, origin };
  const below = withoutPatchLayer(image);
  const patched = findPatchLayer(image);
  if (!below || !patched) return asIs;
  const tree = await options.readBelow(below.layers.length);
  const { baseDigest, baseName } = patched;
  const recorded =
    baseDigest === undefined
      ? origin
      : { digest: baseDigest, ...(baseName !== undefined && { name: baseName }) };
  if (options.locked)
    return fits(current, tree) ? { base: below, tree, plan: current, origin: recorded } : asIs;
  const keep = earlierUpgrades(tree.database.packages, whole.database.packages);
  const plan = await options.plan(tree, keep);
  const lost = keep.find(
    (item) => !plan.packages.some(({ name, arch }) => name === item.name && arch === item.arch),
  );
  if (lost) {
    log.warn(
      'The earlier patch layer stays below the new one: the repositories no longer have all it holds',
      {
        package: lost.name,
      },
    );
    return asIs;
  }
  if (patched.by === 'copa')
    log.warn('The patch layer of copa is replaced; only what it upgraded in the package database is kept');
  return { base: below, tree, plan, origin: recorded };
}

/** Whether a plan was made for this tree: it upgrades from versions that are installed. */
function fits(plan: Plan, { database }: Tree): boolean {
  const installed = new Set(database.packages.map(({ name, version }) => `${name}\n${version}`));
  return plan.packages.every(({ name, from }) => from === undefined || installed.has(`${name}\n${from}`));
}

/** What the packages of an earlier patch layer were raised to: floors for the new one. */
function earlierUpgrades(
  base: readonly InstalledPackage[],
  whole: readonly InstalledPackage[],
): readonly Wanted[] {
  const before = new Map(base.map((item) => [`${item.name}\n${item.arch}`, item.version]));
  return whole
    .filter(({ name, arch, version }) => (before.get(`${name}\n${arch}`) ?? version) !== version)
    .map(({ name, arch, version }) => ({ name, arch, floors: [[version]], cves: [] }));
}
