// Every oracle case: a real image, upgraded by the real package manager and by us, compared path by path (README in
// tools/). Cases are built once and kept; ONLAY_ORACLE names the folder, ONLAY_ORACLE_CASES chooses some of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requirePrograms } from '../support/debian-tools.ts';
import { projectRoot, sharedFolder } from '../support/project.ts';

const tools = join(projectRoot, 'test', 'oracle', 'tools');
const out = process.env['ONLAY_ORACLE'] ?? join(projectRoot, '.oracle');
const chosen = process.env['ONLAY_ORACLE_CASES']?.split(/[\s,]+/);

const FAMILIES = [
  { family: 'debian', programs: ['mmdebstrap'], data: false },
  { family: 'alpine', programs: ['openssl'], data: true },
  { family: 'rpm', programs: ['rpm', 'rpmbuild', 'createrepo_c', 'dnf', 'db5.3_verify', 'gpg'], data: true },
] as const;

for (const { family, programs, data } of FAMILIES) {
  for (const name of casesOf(family)) {
    test(`${family}: ${name} equals what the real tool makes of it`, { timeout: 900_000 }, (t) => {
      const reason = skipReason(programs, data);
      if (reason !== undefined) return t.skip(reason);
      if (!existsSync(join(out, name, 'expected.jsonl'))) {
        mkdirSync(out, { recursive: true });
        const made = run('bash', [join(tools, family, 'make-case.sh'), name, out]);
        if (made.status === 77) return t.skip(made.text.trimEnd().split('\n').at(-1));
        assert.equal(made.status, 0, `the case could not be built:\n${made.text.slice(-3000)}`);
      }
      const compared = run('bash', [
        join(tools, 'run-case.sh'),
        join(out, name),
        '--',
        process.execPath,
        join(projectRoot, 'bin', 'onlay.js'),
      ]);
      t.diagnostic(compared.text.trimEnd().split('\n').at(-1) ?? '');
      assert.equal(compared.status, 0, compared.text.slice(-4000));
    });
  }
}

function casesOf(family: string): readonly string[] {
  const lines = readFileSync(join(tools, family, 'cases'), 'utf8').split('\n');
  const names = lines.map((line) => line.split(/\s/)[0] ?? '').filter((name) => name !== '');
  return chosen ? names.filter((name) => chosen.includes(name)) : names;
}

function skipReason(programs: readonly string[], data: boolean): string | undefined {
  if (process.getuid?.() !== 0) return 'the oracles need root (chroot)';
  if (data && !sharedFolder()) return 'needs the root file systems of the shared data folder';
  return requirePrograms('umoci', 'skopeo', 'python3', ...programs);
}

function run(
  command: string,
  args: readonly string[],
): { readonly status: number | null; readonly text: string } {
  const shared = sharedFolder();
  const env = {
    ...process.env,
    ...(shared !== undefined && { ONLAY_SHARED: shared }),
    ONLAY_CACHE_DIR: join(out, '.cache', 'onlay'),
  };
  const { status, stdout, stderr } = spawnSync(command, args, {
    env,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    timeout: 880_000,
  });
  return { status, text: `${stdout}${stderr}` };
}
