// The plan: everything that was decided, before anything is downloaded. Plain JSON data; a plan file is a lock, applied
// by `patch --plan` without solving. Reader and writer share the schema version.
import { OnlayError } from '../errors.ts';
import type {
  FamilyName,
  PlannedPackage,
  PlannedRemoval,
  RepositoryFact,
  Resolution,
  Skipped,
} from '../packages/package.ts';

export const PLAN_VERSION = 1;

export interface Plan extends Resolution {
  readonly schemaVersion: typeof PLAN_VERSION;
  readonly image: {
    /** Manifest digest of the platform's image as it was given. */
    readonly digest: string;
    readonly platform: string;
  };
  readonly distro: { readonly id: string; readonly version: string; readonly family: FamilyName };
  /** True when repositories were used without a valid signature. */
  readonly unsigned: boolean;
}

/** Sorted by name and arch, so that equal decisions are equal documents. */
export function makePlan(resolution: Resolution, facts: Pick<Plan, 'image' | 'distro' | 'unsigned'>): Plan {
  const byName = (a: { name: string; arch?: string }, b: { name: string; arch?: string }): number =>
    compare(a.name, b.name) || compare(a.arch ?? '', b.arch ?? '');
  return {
    schemaVersion: PLAN_VERSION,
    ...facts,
    packages: [...resolution.packages].sort(byName),
    removals: [...resolution.removals].sort(byName),
    skipped: [...resolution.skipped].sort((a, b) => byName(a, b) || compare(a.reason, b.reason)),
    repositories: [...resolution.repositories].sort(byName),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** True when applying it would change nothing. */
export function isEmpty(plan: Plan): boolean {
  return plan.packages.length === 0 && plan.removals.length === 0;
}

export function serializePlans(plans: readonly Plan[]): string {
  return `${JSON.stringify({ kind: 'onlay-plan', schemaVersion: PLAN_VERSION, plans }, null, 2)}\n`;
}

/** Reads a plan file. Throws PLAN_INVALID. */
export function parsePlans(text: string, source: string): readonly Plan[] {
  const bad = (why: string, cause?: unknown): OnlayError =>
    new OnlayError('PLAN_INVALID', `Plan ${source} ${why}`, {
      hint: 'write it with `onlay plan --json`',
      cause,
    });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw bad(`is not JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const outer = record(document);
  if (outer?.['kind'] !== 'onlay-plan') throw bad('is not a plan of onlay');
  if (outer['schemaVersion'] !== PLAN_VERSION)
    throw bad(`has schema version ${String(outer['schemaVersion'])}, known is ${PLAN_VERSION}`);
  if (!Array.isArray(outer['plans'])) throw bad('has no plans');
  return outer['plans'].map((plan, index) => checkPlan(plan, (why) => bad(`plans[${index}] ${why}`)));
}

const FAMILIES: readonly string[] = ['dpkg', 'apk', 'rpm'];
const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9_.]+)?$/;

function checkPlan(value: unknown, bad: (why: string) => OnlayError): Plan {
  const plan = record(value);
  const image = record(plan?.['image']);
  const distro = record(plan?.['distro']);
  if (!plan || !image || !distro) throw bad('lacks image or distro');
  if (!isText(image['digest']) || !isText(image['platform']) || !PLATFORM.test(image['platform']))
    throw bad('has a wrong image');
  if (
    !isText(distro['id']) ||
    !isText(distro['version']) ||
    !isText(distro['family']) ||
    !FAMILIES.includes(distro['family'])
  )
    throw bad('has a wrong distro');
  if (typeof plan['unsigned'] !== 'boolean') throw bad('does not say whether it is signed');
  for (const list of ['packages', 'removals', 'skipped', 'repositories'])
    if (!Array.isArray(plan[list]) || !plan[list].every((item) => record(item)))
      throw bad(`has wrong ${list}`);
  for (const item of plan['packages'] as PlannedPackage[]) checkPackage(item, bad);
  for (const item of plan['removals'] as PlannedRemoval[])
    if (![item.name, item.arch, item.version, item.reason].every(isText)) throw bad('has a wrong removal');
  for (const item of plan['skipped'] as Skipped[])
    if (
      ![item.name, item.reason, item.detail].every(isText) ||
      typeof item.failure !== 'boolean' ||
      !Array.isArray(item.cves)
    )
      throw bad('has a wrong skipped package');
  for (const item of plan['repositories'] as RepositoryFact[])
    if (![item.name, item.url].every(isText)) throw bad('has a wrong repository');
  return value as Plan;
}

function checkPackage(item: PlannedPackage, bad: (why: string) => OnlayError): void {
  const texts = [
    item.name,
    item.arch,
    item.to,
    item.source,
    item.sourceVersion,
    item.repository,
    item.url,
    item.reason,
  ];
  if (!texts.every(isText)) throw bad('has a package with a missing field');
  if (!/^(?:https?|file):\/\//.test(item.url)) throw bad(`has a package with an unusable URL: ${item.url}`);
  if (item.size !== undefined && !(Number.isSafeInteger(item.size) && item.size >= 0))
    throw bad(`has a wrong size for ${item.name}`);
  if (!Array.isArray(item.digests) || item.digests.length === 0) throw bad(`has no digest for ${item.name}`);
  for (const digest of item.digests)
    if (
      !['sha1', 'sha256', 'sha512'].includes(digest.algorithm) ||
      !['file', 'apk-control'].includes(digest.over) ||
      !/^[0-9a-f]+$/i.test(digest.value)
    )
      throw bad(`has a wrong digest for ${item.name}`);
  if (!Array.isArray(item.cves) || !item.cves.every(isText)) throw bad(`has wrong cves for ${item.name}`);
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
