// Cases of test/oracle/tools: a real image and what the real tool makes of it. Built when first needed and kept in
// .oracle, or in the folder that ONLAY_ORACLE names.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { requirePrograms } from './debian-tools.ts';
import { projectRoot, sharedFolder } from './project.ts';

export type CaseFamily = 'debian' | 'alpine' | 'rpm';

export const oracleTools: string = join(projectRoot, 'test', 'oracle', 'tools');
export const oracleFolder: string = process.env['ONLAY_ORACLE'] ?? join(projectRoot, '.oracle');

const NEEDS = {
  debian: { programs: ['mmdebstrap'], data: false },
  alpine: { programs: ['openssl'], data: true },
  rpm: { programs: ['rpm', 'rpmbuild', 'createrepo_c', 'dnf', 'db5.3_verify', 'gpg'], data: true },
} as const;

/** make-case.sh says so of what cannot be had here. */
const NOT_HERE = 77;

/** Undefined when the case is there (after building it), else why it cannot be. Throws when building fails. */
export function needCase(family: CaseFamily, name: string): string | undefined {
  const { programs, data } = NEEDS[family];
  if (process.getuid?.() !== 0) return 'the oracles need root (chroot)';
  if (data && !sharedFolder()) return 'needs the root file systems of the shared data folder';
  const missing = requirePrograms('umoci', 'skopeo', 'python3', ...programs);
  if (missing !== undefined || existsSync(join(oracleFolder, name, 'expected.jsonl'))) return missing;
  mkdirSync(oracleFolder, { recursive: true });
  const made = runTool('bash', [join(oracleTools, family, 'make-case.sh'), name, oracleFolder]);
  if (made.status === 0) return undefined;
  if (made.status === NOT_HERE) return made.text.trimEnd().split('\n').at(-1);
  throw new Error(`the case ${name} could not be built:\n${made.text.slice(-3000)}`);
}

/** Runs a script of the oracles, for a quarter of an hour at most. */
export function runTool(
  command: string,
  args: readonly string[],
): { readonly status: number | null; readonly text: string } {
  const shared = sharedFolder();
  const env = {
    ...process.env,
    ...(shared !== undefined && { ONLAY_SHARED: shared }),
    ONLAY_CACHE_DIR: join(oracleFolder, '.cache', 'onlay'),
  };
  const { status, stdout, stderr } = spawnSync(command, args, {
    env,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    timeout: 880_000,
  });
  return { status, text: `${stdout}${stderr}` };
}
