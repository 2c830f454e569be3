import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Wanted } from '../package.ts';
import type { AvailableVersion, Universe } from './candidates.ts';
import { versionOf } from './candidates.ts';
import { parseStanza } from './control.ts';
import type { InstalledVersion } from './solve.ts';
import { assess } from './wanted.ts';

const DAY = Date.UTC(2026, 10, 20);

function version(text: string): AvailableVersion {
  const stanza = parseStanza(text.replaceAll('; ', '\n'), { what: 'a test', code: 'INTERNAL' });
  const index = { release: { suite: 'stable', date: DAY } };
  return {
    ...versionOf(stanza, 'p', stanza.get('Version') ?? ''),
    stanza,
    index,
    priority: 500,
  } as unknown as AvailableVersion;
}

/** What becomes of one wanted package: "seed", and the reasons of what is skipped. */
function outcome(
  installed: string,
  available: readonly string[],
  floors: readonly string[][],
  more: { held?: string; candidate?: number } = {},
): string[] {
  const current = {
    ...version(installed),
    ...(more.held === undefined ? {} : { held: more.held }),
  } as InstalledVersion;
  const versions = available.map(version);
  const universe = {
    candidate: () => versions[more.candidate ?? 0],
    versions: () => versions,
  } as unknown as Universe;
  const wanted: Wanted = { name: 'p', arch: 'amd64', floors, cves: ['CVE-1'] };
  const { seeds, skipped, resolved } = assess(
    [wanted],
    () => current,
    universe,
    () => 'amd64',
  );
  return [
    ...seeds.map((seed) => `seed ${(resolved.get(seed) ?? []).join()}`.trim()),
    ...skipped.map(({ reason, failure }) => `${reason}${failure ? '!' : ''}`),
  ];
}

test('assess() decides by the source version, which is what scanners state', () => {
  const odd = 'Version: 4:12.2.0-3; Source: gcc-defaults (1.203)';
  for (const [installed, available, floors, expected] of [
    ['Version: 1', ['Version: 2'], [['2']], ['seed CVE-1']],
    ['Version: 1', ['Version: 2'], [['1.5']], ['seed CVE-1']],
    ['Version: 1', ['Version: 2'], [], ['seed CVE-1']],
    ['Version: 2', ['Version: 3'], [['2']], ['already-fixed']],
    ['Version: 1', ['Version: 2'], [['3']], ['fix-not-available!']],
    ['Version: 1', ['Version: 2'], [['3', '2']], ['seed CVE-1']],
    // of two findings one is fixed: the upgrade is worth it, but nothing is claimed
    ['Version: 1', ['Version: 2'], [['2'], ['3']], ['seed', 'fix-not-available!']],
    ['Version: 1', [], [['2']], ['no-candidate!']],
    ['Version: 1', [], [], ['no-candidate']],
    // binary and source differ: 4:12 is no proof of 1.204
    [odd, ['Version: 4:12.2.0-4; Source: gcc-defaults (1.204)'], [['1.204']], ['seed CVE-1']],
    [odd, ['Version: 4:12.2.0-4; Source: gcc-defaults (1.203)'], [['1.204']], ['fix-not-available!']],
    // a floor with the binary's own epoch is one of the binary
    [odd, ['Version: 4:12.2.0-5; Source: gcc-defaults (1.204)'], [['4:12.2.0-4']], ['seed CVE-1']],
    [odd, ['Version: 4:12.2.0-3; Source: gcc-defaults (1.204)'], [['4:12.2.0-4']], ['fix-not-available!']],
    // a binary rebuild: its source is older in number
    ['Version: 1-1', ['Version: 1-1+b1; Source: p (1-1)'], [['1-1+b1']], ['seed CVE-1']],
  ] as const)
    assert.deepEqual(
      outcome(installed, available, floors as unknown as string[][]),
      expected,
      `${installed} ${available.join()} ${floors.join()}`,
    );
});

test('assess() says what is held and what the image pins', () => {
  assert.deepEqual(outcome('Version: 1', ['Version: 2'], [['2']], { held: 'hold' }), ['held!']);
  assert.deepEqual(outcome('Version: 1', ['Version: 3', 'Version: 2'], [['3']], { candidate: 1 }), [
    'pinned!',
  ]);
  assert.deepEqual(outcome('Version: 3', ['Version: 3'], [], { candidate: 9 }), ['already-fixed']);
});
