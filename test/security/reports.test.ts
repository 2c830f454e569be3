// Scanner reports are files that anybody may have written: what they claim selects packages, and nothing else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../../src/errors.ts';
import { EVERYTHING } from '../../src/plan/policy.ts';
import { select } from '../../src/plan/select.ts';
import { parseReport } from '../../src/reports/index.ts';
import { runInProcess } from '../support/in-process.ts';
import { startToyWorld, toyReport } from '../support/toy-world.ts';

const parse = (text: string | Uint8Array) => parseReport(Buffer.from(text), 'r.json');

function trivy(vulnerabilities: readonly unknown[]): string {
  return JSON.stringify({
    SchemaVersion: 2,
    Results: [{ Class: 'os-pkgs', Type: 'debian', Vulnerabilities: vulnerabilities }],
  });
}

const INSTALLED = Array.from({ length: 500 }, (_, n) => ({
  name: `lib${n}`,
  arch: 'amd64',
  version: '1',
  source: `src${n % 100}`,
  sourceVersion: '1',
}));

test('S2: a quarter of a million findings are matched by look-up, not by going through all packages', () => {
  const vulnerabilities = Array.from({ length: 250_000 }, (_, n) => ({
    VulnerabilityID: `CVE-${n}`,
    PkgName: n % 2 === 0 ? 'kernel' : `lib${n % 500}`,
    InstalledVersion: '1',
    FixedVersion: n % 3 === 0 ? '' : '2',
  }));
  const { findings } = parse(trivy(vulnerabilities));
  const { wanted, skipped } = select(INSTALLED, findings, EVERYTHING);
  assert.equal(findings.length, 250_000);
  assert.ok(wanted !== 'all' && wanted.length === 250);
  assert.equal(skipped.find(({ name }) => name === 'kernel')?.cves.length, 125_000);
});

test('S2: nesting without end, numbers for names, duplicate keys and NaN', () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  for (const text of [
    deep,
    '{"SchemaVersion":NaN}',
    '{"SchemaVersion":2,"Results":[{"Class":"os-pkgs","Vulnerabilities":[{"PkgName":7}]}]}',
    '{"SchemaVersion":2,"Results":[{"Class":"os-pkgs","Vulnerabilities":{}}]}x',
  ])
    assert.throws(
      () => parse(text),
      (error) => hasCode(error, 'REPORT_INVALID', 'REPORT_UNSUPPORTED'),
      text.slice(0, 60),
    );
  assert.deepEqual(parse(`{"SchemaVersion":2,"Results":${deep}}`).findings, []);
  // as JSON.parse and every scanner's reader have it, the last of two counts
  assert.deepEqual(parse('{"SchemaVersion":1,"SchemaVersion":2,"Results":[]}').findings, []);
});

test('S3: a fixed version is a version: nothing of it is run, matched as a pattern, or lets a package go down', async () => {
  await using world = await startToyWorld();
  const report = join(world.folder, 'report.json');
  const plan = (fixed: string) => {
    writeFileSync(report, toyReport([{ name: 'libgreet1', fixed }]));
    return runInProcess(['plan', '-i', world.layout, '-r', report, '--json']);
  };
  const marker = join(world.folder, 'marker');
  for (const fixed of [
    `$(touch ${marker})`,
    `2; touch ${marker}`,
    '(a+)+$',
    '%s%n',
    '../../etc',
    '9'.repeat(5000),
  ]) {
    const run = await plan(fixed);
    assert.equal(run.status, 5, `${fixed.slice(0, 40)}: ${run.stderr}`);
    assert.match(run.stderr, /^error: 1 wanted fixes cannot be applied: libgreet1/m);
  }
  const older = await plan('0');
  assert.equal(older.status, 0, older.stderr);
  assert.deepEqual((JSON.parse(older.stdout) as { plans: { packages: unknown[] }[] }).plans[0]?.packages, []);
});
