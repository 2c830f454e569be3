// Results of one platform, as the result document shows them. Byte strings become text here.
import { displayText } from '../base/bytes.ts';
import type { OnlayError } from '../errors.ts';
import type { IndexImage } from '../oci/image.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { PlannedPackage } from '../packages/package.ts';
import type { ErrorOutcome, PackageOutcome, PlatformOutcome, ScriptOutcome } from './outcome.ts';
import type { PlatformResult } from './patch-platform.ts';

export function platformOutcome(result: PlatformResult, dryRun: boolean): PlatformOutcome {
  const { plan, applied, layer, appended, tree } = result;
  const planned = dryRun && (plan.packages.length > 0 || plan.removals.length > 0);
  const source = result.image.document.descriptor.digest;
  return {
    platform: formatPlatform(result.image.platform),
    status: appended ? 'patched' : planned ? 'planned' : 'unchanged',
    digest: appended?.manifest.descriptor.digest ?? source,
    layer: layer
      ? {
          digest: `sha256:${layer.digest}`,
          diffId: `sha256:${layer.diffId}`,
          size: layer.size,
          uncompressedSize: layer.uncompressedSize,
        }
      : null,
    baseDigest: result.baseDigest,
    distro: displayText(tree.osRelease?.prettyName ?? tree.distro?.name ?? ''),
    packages: [
      ...plan.packages.map((item) => packageOutcome(item, scriptsOf(item.name, applied?.scripts ?? []))),
      ...plan.removals.map(({ name, arch, version, reason }) => ({
        name: displayText(name),
        arch,
        from: version,
        to: null,
        source: displayText(name),
        repository: '',
        sha256: '',
        reason,
        cves: [],
        scripts: scriptsOf(name, applied?.scripts ?? []),
      })),
    ],
    skipped: plan.skipped.map((item) => ({
      ...item,
      name: displayText(item.name),
      detail: displayText(item.detail),
    })),
    conffiles: applied?.conffiles ?? [],
    removed: applied?.removed ?? [],
    warnings: applied?.warnings ?? [],
  };
}

function packageOutcome(item: PlannedPackage, scripts: readonly ScriptOutcome[]): PackageOutcome {
  return {
    name: displayText(item.name),
    arch: item.arch,
    from: item.from ?? null,
    to: item.to,
    source: displayText(item.source),
    repository: item.repository,
    sha256:
      item.digests.find(({ algorithm, over }) => algorithm === 'sha256' && over === 'file')?.value ?? '',
    reason: item.by === undefined ? item.reason : `${item.reason} of ${item.by}`,
    cves: item.cves,
    scripts,
  };
}

function scriptsOf(
  name: string,
  scripts: readonly {
    readonly package: string;
    readonly name: string;
    readonly action: ScriptOutcome['action'];
    readonly by: string;
  }[],
): readonly ScriptOutcome[] {
  return scripts
    .filter((script) => script.package === name)
    .map(({ name: script, action, by }) => ({ name: script, action, by }));
}

/** A platform that was not looked at, or whose patching failed: its original stays. */
export function failedOutcome(listed: IndexImage, error: OnlayError | undefined): PlatformOutcome {
  return {
    platform: listed.platform ? formatPlatform(listed.platform) : 'unknown',
    status: error ? 'failed' : 'preserved',
    digest: listed.descriptor.digest,
    layer: null,
    baseDigest: listed.descriptor.digest,
    distro: '',
    packages: [],
    skipped: [],
    conffiles: [],
    removed: [],
    warnings: [],
    ...(error && { error: errorOutcome(error) }),
  };
}

export function errorOutcome(error: OnlayError): ErrorOutcome {
  return { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
}
