// Our patch layer, made once more: from the image below it and the packages that are in it, which the plan names or the
// repositories still offer. The same inputs give the same layer, so any difference tells of tampering or of a moved
// mirror, and which of them is said.
import { displayText } from '../base/bytes.ts';
import type { Image } from '../oci/image.ts';
import { withoutPatchLayer } from '../oci/lineage.ts';
import type { Platform } from '../oci/manifest.ts';
import { layerType } from '../oci/media-types.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { TrustOptions } from '../packages/family.ts';
import type { Fetch } from '../packages/fetch.ts';
import type { Plan } from '../plan/plan.ts';
import { EVERYTHING } from '../plan/policy.ts';
import type { Policy } from '../plan/policy.ts';
import { sealLayer, writeLayer } from '../rootfs/write-layer.ts';
import { mergeLayers } from '../rootfs/view.ts';
import { acquireLayers } from './acquire.ts';
import type { AcquireContext } from './acquire.ts';
import { applyPlan } from './apply.ts';
import { fileEpoch } from './clock.ts';
import { diffPackages } from './diff.ts';
import type { PackageDifference } from './diff.ts';
import type { PatchSource } from './options.ts';
import { planTree, readTree } from './plan-platform.ts';
import type { Tree } from './plan-platform.ts';

export interface RebuildOptions extends AcquireContext, TrustOptions {
  readonly source: PatchSource;
  readonly platforms: readonly Platform[];
  readonly fetch: Fetch;
  readonly repositories: readonly string[];
  /** Plans that were applied; absent: solved again from what the layer changed. */
  readonly plans: readonly Plan[] | undefined;
  readonly now: number;
  readonly sourceDateEpoch: number | undefined;
}

/** Why the layer does not come out as it is in the image; undefined when it does. */
export async function rebuildLayer(image: Image, options: RebuildOptions): Promise<string | undefined> {
  const below = withoutPatchLayer(image);
  if (!below) return 'there are layers on top of the patch layer, so it cannot be told apart';
  const { architecture, variant } = image.platform;
  const described = { name: options.source.name, architecture, variant };
  const indexes = await acquireLayers(options.source.store, image.layers, options);
  const read = { log: options.log, anyDistro: true };
  const whole = await readTree(mergeLayers(indexes), described, read);
  const tree = await readTree(mergeLayers(indexes.slice(0, -1)), described, read);
  const made = diffPackages(tree.database.packages, whole.database.packages);
  let failure = '';
  for await (const plan of candidates(image, tree, made, options)) {
    const other = mismatchOf(plan, made);
    if (other !== undefined) {
      failure ||= `the packages of the layer are not to be had any more: ${other}`;
      continue;
    }
    const applied = await applyPlan(tree, plan, {
      ...options,
      imageArch: architecture,
      epoch: fileEpoch(below.config.created, options.sourceDateEpoch),
      scripts: 'report',
    });
    const top = image.layers.at(-1);
    const compression = layerType(top?.descriptor.mediaType ?? '')?.compression ?? 'gzip';
    const clamp = options.sourceDateEpoch === undefined ? {} : { epoch: options.sourceDateEpoch };
    const layer = await sealLayer(writeLayer(applied.changes, tree.root, clamp), { compression });
    if (`sha256:${layer.diffId}` === top?.diffId) return undefined;
    failure = `the layer came out as sha256:${layer.diffId}, the image has ${top?.diffId}`;
  }
  return failure;
}

/** Whether everything was upgraded or what was asked for makes a difference (apt marks the latter), and is not recorded. */
async function* candidates(
  image: Image,
  tree: Tree,
  made: readonly PackageDifference[],
  options: RebuildOptions,
): AsyncGenerator<Plan> {
  const given = options.plans?.find((plan) => plan.image.platform === formatPlatform(image.platform));
  if (given) return yield given;
  const upgraded = made.filter(({ before, after }) => before !== null && after !== null);
  const keep = upgraded.map(({ name, arch, after }) => ({
    name,
    arch,
    floors: [[after as string]],
    cves: [],
  }));
  const facts = { digest: image.document.descriptor.digest, platform: formatPlatform(image.platform) };
  const solve = (policy: Policy): Promise<Plan> =>
    planTree(tree, { ...options, report: undefined, policy, allowNew: true, keep }, facts);
  yield solve(EVERYTHING);
  yield solve({ ...EVERYTHING, packages: upgraded.map(({ name }) => name) });
}

/** The first package that would not be as it is in the image. */
function mismatchOf(plan: Plan, made: readonly PackageDifference[]): string | undefined {
  const planned = new Map<string, string | null>([
    ...plan.packages.map(({ name, arch, to }) => [`${displayText(name)} ${arch}`, to] as const),
    ...plan.removals.map(({ name, arch }) => [`${displayText(name)} ${arch}`, null] as const),
  ]);
  for (const { name, arch, after } of made) {
    const to = planned.get(`${name} ${arch}`);
    if (to !== after) return `${name} is ${after ?? 'gone'}, now it would be ${to ?? 'left as it is'}`;
    planned.delete(`${name} ${arch}`);
  }
  const [extra] = planned;
  return extra && `${extra[0]} would become ${extra[1] ?? 'removed'}`;
}
