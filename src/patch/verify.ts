// Is an image what it claims to be? Every digest, size and diff ID is recomputed, layers are checked for what runtimes
// disagree on, and package databases are held against the files. With `rebuild` our layer is made once more.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';
import { TarParser } from '../archive/tar-read.ts';
import type { TrustOptions } from '../packages/family.ts';
import type { Fetch } from '../packages/fetch.ts';
import type { Image } from '../oci/image.ts';
import { findPatchLayer, withoutPatchLayer } from '../oci/lineage.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { Platform } from '../oci/manifest.ts';
import { layerType } from '../oci/media-types.ts';
import { validateImage } from '../oci/validate.ts';
import { mergeLayers } from '../rootfs/view.ts';
import { sealLayer, writeLayer } from '../rootfs/write-layer.ts';
import { acquireLayers } from './acquire.ts';
import type { AcquireContext } from './acquire.ts';
import { applyPlan } from './apply.ts';
import { fileEpoch } from './clock.ts';
import { diffPackages } from './diff.ts';
import { openImages } from './open-tree.ts';
import type { PatchSource } from './patch.ts';
import { planTree, readTree } from './plan-platform.ts';
import { EVERYTHING } from '../plan/policy.ts';

export interface Finding {
  /** "image", or the platform it concerns. */
  readonly where: string;
  readonly kind: string;
  readonly message: string;
}

export interface VerifyOptions extends AcquireContext, TrustOptions {
  readonly source: PatchSource;
  readonly platforms: readonly Platform[];
  readonly rebuild: boolean;
  readonly fetch: Fetch;
  readonly repositories: readonly string[];
  readonly now: number;
  readonly sourceDateEpoch: number | undefined;
}

/** Everything that is wrong; empty for a sound image. Throws only what keeps it from looking. */
export async function verifyImage(options: VerifyOptions): Promise<readonly Finding[]> {
  const { source } = options;
  const document = await source.store.resolve(source);
  const problems = await validateImage(source.store, document, {
    deep: true,
    openScanner: (onEntry, what) => new TarParser({ entry: onEntry, data() {}, end() {} }, { what }),
  });
  const found: Finding[] = problems.map(({ kind, message }) => ({ where: 'image', kind, message }));
  // what cannot be read as layers cannot be read as a tree either
  if (found.length > 0) return found;
  for await (const { image, tree } of openImages(source, options.platforms, options)) {
    const where = formatPlatform(image.platform);
    for (const problem of (await tree?.database.audit?.()) ?? [])
      found.push({ where, kind: 'package-file', message: displayText(problem) });
    if (options.rebuild) found.push(...(await rebuild(image, options)).map((item) => ({ ...item, where })));
  }
  return found;
}

/** Makes the patch layer of an image again from its base and the mirror, and compares digests. */
async function rebuild(image: Image, options: VerifyOptions): Promise<readonly Omit<Finding, 'where'>[]> {
  const base = withoutPatchLayer(image);
  if (!base || findPatchLayer(image)?.by !== 'onlay')
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${options.source.name} has no patch layer of onlay on top that could be rebuilt`,
    );
  const { architecture, variant } = image.platform;
  const described = { name: options.source.name, architecture, variant };
  const indexes = await acquireLayers(options.source.store, image.layers, options);
  const read = { log: options.log, anyDistro: true };
  const whole = await readTree(mergeLayers(indexes), described, read);
  const tree = await readTree(mergeLayers(indexes.slice(0, base.layers.length)), described, read);
  const wanted = diffPackages(tree.database.packages, whole.database.packages);
  const keep = wanted.flatMap(({ name, arch, after }) =>
    after === null ? [] : [{ name, arch, floors: [[after]], cves: [] }],
  );
  const policy = { ...EVERYTHING, packages: wanted.map(({ name }) => name) };
  const facts = { digest: base.document.descriptor.digest, platform: formatPlatform(image.platform) };
  const plan = await planTree(tree, { ...options, report: undefined, policy, allowNew: true, keep }, facts);
  const moved = plan.packages.filter(
    ({ name, arch, to }) =>
      wanted.find((item) => item.name === displayText(name) && item.arch === arch)?.after !== to,
  );
  if (moved.length > 0 || plan.packages.length < keep.length)
    return [
      {
        kind: 'rebuild',
        message: `the mirror no longer offers what was installed: ${moved.map(({ name, to }) => `${name} is ${to} now`).join(', ') || 'packages are missing'}`,
      },
    ];
  const epoch = fileEpoch(base.config.created, options.sourceDateEpoch);
  const applied = await applyPlan(tree, plan, {
    ...options,
    imageArch: architecture,
    epoch,
    scripts: 'report',
  });
  const compression = layerType(image.layers.at(-1)?.descriptor.mediaType ?? '')?.compression ?? 'gzip';
  const clamp = options.sourceDateEpoch === undefined ? {} : { epoch: options.sourceDateEpoch };
  const layer = await sealLayer(writeLayer(applied.changes, tree.root, clamp), { compression });
  const expected = image.layers.at(-1);
  if (`sha256:${layer.diffId}` === expected?.diffId) return [];
  return [
    {
      kind: 'rebuild',
      message: `the layer came out as sha256:${layer.diffId}, the image has ${expected?.diffId ?? 'none'}`,
    },
  ];
}
