// Solving against the real apt-get on random repositories: consistent images, indexes with random versions,
// dependencies, alternatives, Breaks, Conflicts, Provides and sources. Where apt-get would remove packages we refuse
// instead, so those answers are not compared; the seed is fixed, ONLAY_RANDOM_CASES=N runs more.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { signingKey } from '../support/apt-repository.ts';
import { openCase, rowsOf } from '../support/apt-toy.ts';
import { aptUnavailable } from '../support/apt.ts';
import type { ToyCase } from '../support/apt-toy.ts';
import { randomNumbers } from '../support/random.ts';

const CASES = Number(process.env['ONLAY_RANDOM_CASES'] ?? 40);
const FIRST = Number(process.env['ONLAY_RANDOM_SEED'] ?? 1);

describe('random repositories', { skip: aptUnavailable() }, () => {
  test('upgrades of everything and of single packages are those of apt-get', async (t) => {
    const work = mkdtempSync(join(tmpdir(), 'apt-random-'));
    t.after(() => rmSync(work, { recursive: true, force: true }));
    const key = await signingKey();
    const counts = { equal: 0, accepted: 0, removing: 0 };
    for (let seed = FIRST; seed < FIRST + CASES; seed++) {
      const item = randomCase(seed);
      const directory = join(work, String(seed));
      const { ours, theirs } = await openCase(directory, item, key);
      const names = item.installed.map((row) => row.replace(/ .*/, ''));
      for (const wanted of [undefined, ...names.map((name) => [name])]) {
        const expected = wanted
          ? await theirs.simulate('install', '--only-upgrade', ...wanted)
          : await theirs.simulate('upgrade', '--with-new-pkgs');
        const plan = rowsOf(await ours(wanted));
        if (!expected || expected.some((row) => row.startsWith('-'))) counts.removing++;
        else if (isDeepStrictEqual(plan, expected)) counts.equal++;
        else {
          const told = `seed ${seed}, ${wanted?.join(' ') ?? 'everything'}\nours: ${plan.join(', ')}\napt: ${expected.join(', ')}\n${JSON.stringify(item, undefined, 1)}`;
          const accepted = await theirs.simulate(
            'install',
            '-oAPT::Get::Upgrade-By-Source-Package=false',
            ...plan.map((row) => row.replace(' ', '=')),
          );
          assert.deepEqual(accepted, plan, told);
          // apt gives up on some upgrades that can be done, and where two exclude each other it may take the other one
          assert.ok(plan.length > 0, told);
          counts.accepted++;
          if (process.env['ONLAY_RANDOM_CASES'])
            t.diagnostic(told.replace(/\n\{[^]*/, '').replaceAll('\n', ' / '));
        }
      }
      rmSync(directory, { recursive: true, force: true });
    }
    t.diagnostic(`${CASES} repositories: ${JSON.stringify(counts)}`);
    assert.ok(counts.equal > 20 * counts.accepted && counts.equal > CASES);
  });
});

/** Installed packages are at version 1 and need only each other; the repository has those and later ones. */
function randomCase(seed: number): ToyCase {
  const random = randomNumbers(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const chance = (share: number): boolean => random() < share;
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'].slice(0, 4 + Math.floor(random() * 7));
  const installedNames = names.filter(() => chance(0.7));
  const virtuals = ['v', 'w'];
  const source = new Map(names.map((name) => [name, chance(0.3) ? 's' : name]));
  const row = (name: string, version: number, fields: Record<string, string>): string => {
    const own = source.get(name) as string;
    const all = { ...(own === name ? {} : { Source: own }), ...fields };
    return `${name} ${version} ${Object.entries(all)
      .filter(([, value]) => value !== '')
      .map(([field, value]) => `${field}: ${value}`)
      .join('; ')}`;
  };
  const installed = installedNames.map((name) => {
    const others = installedNames.filter((other) => other !== name);
    const depends = others
      .filter(() => chance(0.25))
      .map((other) =>
        pick([other, `${other} (>= 1)`, `${other} (= 1)`, `${other} (<< 3)`, `nowhere | ${other}`]),
      );
    return row(name, 1, { Depends: depends.join(', ') });
  });
  const relation = (): string => {
    const target = chance(0.12) ? pick(virtuals) : pick(names);
    return chance(0.5) ? `${target} (${pick(['>=', '>=', '=', '<<'])} ${pick([1, 2, 3])})` : target;
  };
  const later = names.flatMap((name) =>
    [2, 3]
      .filter(() => chance(0.45))
      .map((version) =>
        row(name, version, {
          Depends: Array.from({ length: Math.floor(random() * 3) }, () =>
            chance(0.3) ? `${relation()} | ${relation()}` : relation(),
          ).join(', '),
          Breaks: chance(0.12) ? `${pick(names)} (<< ${pick([2, 3])})` : '',
          Conflicts: chance(0.05) ? pick(names) : '',
          Provides: chance(0.15) ? pick(['v', 'w', 'v (= 2)', 'w (= 3)']) : '',
        }),
      ),
  );
  const others = names.filter((name) => !installedNames.includes(name)).map((name) => row(name, 1, {}));
  return { installed, stable: [...later, ...installed, ...others] };
}
