// Which findings and packages the user wants patched: --severity, --cve, --package, --ignore-package.
import type { Finding } from '../packages/package.ts';

export interface Policy {
  /** Upper case; empty: all. */
  readonly severities: readonly string[];
  readonly cves: readonly string[];
  /** Globs with `*` and `?` over package names; empty: all. */
  readonly packages: readonly string[];
  readonly ignoredPackages: readonly string[];
}

export const EVERYTHING: Policy = { severities: [], cves: [], packages: [], ignoredPackages: [] };

export function wantsFinding(policy: Policy, finding: Finding): boolean {
  return (
    (policy.severities.length === 0 ||
      policy.severities.includes((finding.severity ?? 'UNKNOWN').toUpperCase())) &&
    (policy.cves.length === 0 || policy.cves.includes(finding.id)) &&
    wantsPackage(policy, finding.name)
  );
}

export function wantsPackage(policy: Policy, name: string): boolean {
  return (
    (policy.packages.length === 0 || policy.packages.some((glob) => matchesGlob(glob, name))) &&
    !policy.ignoredPackages.some((glob) => matchesGlob(glob, name))
  );
}

/** True when the policy names packages, so that update-all becomes a list. */
export function namesPackages(policy: Policy): boolean {
  return policy.packages.length > 0 || policy.ignoredPackages.length > 0;
}

/** Linear in both lengths (no regular expression is built from user or report text). */
export function matchesGlob(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (g < glob.length && glob[g] === '*') {
      star = g++;
      resume = t;
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++;
      t++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++resume;
    } else return false;
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}
