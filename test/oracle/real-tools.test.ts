// Every oracle case: a real image, upgraded by the real package manager and by us, compared path by path (README in
// tools/). ONLAY_ORACLE_CASES chooses some of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { needCase, oracleFolder, oracleTools, runTool } from '../support/oracle-case.ts';
import { projectRoot } from '../support/project.ts';

const chosen = process.env['ONLAY_ORACLE_CASES']?.split(/[\s,]+/);

for (const family of ['debian', 'alpine', 'rpm'] as const) {
  for (const name of casesOf(family)) {
    test(`${family}: ${name} equals what the real tool makes of it`, { timeout: 900_000 }, (t) => {
      const reason = needCase(family, name);
      if (reason !== undefined) return t.skip(reason);
      const compared = runTool('bash', [
        join(oracleTools, 'run-case.sh'),
        join(oracleFolder, name),
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
  const lines = readFileSync(join(oracleTools, family, 'cases'), 'utf8').split('\n');
  const names = lines.map((line) => line.split(/\s/)[0] ?? '').filter((name) => name !== '');
  return chosen ? names.filter((name) => chosen.includes(name)) : names;
}
