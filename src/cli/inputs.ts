// Flags → the values the pipeline takes: reports, trust, policy.
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OnlayError } from '../errors.ts';
import { encodeText } from '../base/bytes.ts';
import { parsePlatform } from '../oci/platform.ts';
import type { Platform } from '../oci/manifest.ts';
import type { TrustOptions } from '../packages/family.ts';
import { parsePlans } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import type { Policy } from '../plan/policy.ts';
import { parseReport } from '../reports/index.ts';
import type { Report } from '../reports/index.ts';
import { readUserFile } from './session.ts';
import type { PlanFlags } from './options.ts';

/** --report: a file, or a folder whose *.json files each are a report. Undefined: update everything. */
export async function readReports(flags: PlanFlags): Promise<readonly Report[] | undefined> {
  if (flags.report === undefined) return undefined;
  const path = flags.report;
  const found = await stat(path).catch(() => undefined);
  if (!found)
    throw new OnlayError('REPORT_INVALID', `There is no report at ${path}`, {
      hint: 'give a file, or a folder with one report for each platform',
    });
  if (!found.isDirectory()) return [parseReport(await readReport(path), basename(path))];
  const names = (await readdir(path)).filter((name) => name.endsWith('.json')).sort();
  if (names.length === 0)
    throw new OnlayError('REPORT_INVALID', `The folder ${path} holds no report`, {
      hint: 'reports end in .json',
    });
  const reports: Report[] = [];
  for (const name of names) reports.push(parseReport(await readReport(join(path, name)), name));
  return reports;
}

function readReport(path: string): Promise<Uint8Array> {
  return readUserFile(path, '--report', 'REPORT_INVALID');
}

export async function readTrust(
  flags: Pick<PlanFlags, 'trustKey' | 'onlyTrustKeys' | 'allowUnsigned'>,
): Promise<TrustOptions> {
  const trustKeys = [];
  for (const path of flags.trustKey ?? [])
    trustKeys.push({ name: basename(path), bytes: await readUserFile(path, '--trust-key') });
  if (flags.onlyTrustKeys && trustKeys.length === 0)
    throw new OnlayError('USAGE', '--only-trust-keys needs at least one --trust-key');
  return {
    trustKeys,
    onlyTrustKeys: flags.onlyTrustKeys === true,
    allowUnsigned: flags.allowUnsigned === true,
  };
}

/** Throws USAGE for what would select nothing, or everything, without saying so. */
export function readPolicy(flags: PlanFlags): Policy {
  for (const [name, given] of Object.entries({ '--severity': flags.severity, '--cve': flags.cve }))
    if (given !== undefined && flags.report === undefined)
      throw new OnlayError('USAGE', `${name} chooses from the findings of a report, and there is none`, {
        hint: 'give one with --report, or choose packages with --package',
      });
  const severities = (flags.severity ?? []).map((severity) => severity.toUpperCase());
  const unknown = severities.find((severity) => !SEVERITIES.includes(severity));
  if (unknown !== undefined)
    throw new OnlayError('USAGE', `--severity does not know ${JSON.stringify(unknown)}`, {
      hint: `severities are ${SEVERITIES.join(', ')}`,
    });
  return {
    severities,
    cves: flags.cve ?? [],
    packages: (flags.package ?? []).map(encodeText),
    ignoredPackages: (flags.ignorePackage ?? []).map(encodeText),
  };
}

/** Of all scanners together. */
const SEVERITIES: readonly string[] = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'NEGLIGIBLE', 'UNKNOWN'];

/** --plan. Throws PLAN_INVALID, also for a plan of unsigned repositories unless they are allowed. */
export async function readPlans(
  path: string,
  flags: Pick<PlanFlags, 'allowUnsigned'>,
): Promise<readonly Plan[]> {
  const text = Buffer.from(await readUserFile(path, '--plan', 'PLAN_INVALID')).toString('utf8');
  const plans = parsePlans(text, path);
  requireSigned(plans, flags);
  return plans;
}

export function requireSigned(plans: readonly Plan[], flags: Pick<PlanFlags, 'allowUnsigned'>): void {
  if (flags.allowUnsigned || !plans.some(({ unsigned }) => unsigned)) return;
  throw new OnlayError('PLAN_INVALID', 'The plan was made from unsigned repositories', {
    hint: 'apply it with --allow-unsigned',
  });
}

/** For a run by a plan. Throws USAGE for flags that would decide again. */
export function refuseDecisions(flags: PlanFlags): void {
  const decided = {
    '--report': flags.report,
    '--repo': flags.repo,
    '--severity': flags.severity,
    '--cve': flags.cve,
    '--package': flags.package,
    '--ignore-package': flags.ignorePackage,
    '--no-new': flags.new ? undefined : true,
  };
  for (const [name, value] of Object.entries(decided))
    if (value !== undefined)
      throw new OnlayError('USAGE', `--plan cannot be combined with ${name}`, {
        hint: 'a plan holds all decisions already',
      });
}

export function readPlatforms(platforms: readonly string[] | undefined): readonly Platform[] {
  return (platforms ?? []).map(parsePlatform);
}
