// Plans against real dnf (best=False, no weak dependencies), asked through its Python module: the situations that made
// rules of the solver, then random repositories. rpm must accept the transactions, too.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePlans, Dnf, hasDnf, NO_DNF } from '../support/dnf-plan.ts';
import type { CraftedPackage } from '../support/rpm-craft.ts';
import { rpmSystem } from '../support/rpm-system.ts';
import { oneRepository, randomRepository, richRepository } from './rpm-random.ts';

/** `RPM_PLAN_SEEDS=300` looks at more, `RPM_PLAN_SEEDS=301-600` at others. */
const SEEDS = (process.env['RPM_PLAN_SEEDS'] ?? '40').split('-').map(Number);
const FIRST = SEEDS.length > 1 ? (SEEDS[0] ?? 1) : 1;
const LAST = SEEDS.at(-1) ?? FIRST;

/** `name version [arch] | P provides; … | R requires; … | C conflicts | O obsoletes` */
function parse(text: string): CraftedPackage {
  const [head = '', ...rest] = text.split('|').map((part) => part.trim());
  const [name = '', version = '1', arch = 'noarch'] = head.split(' ');
  const list = (letter: string): readonly string[] =>
    rest
      .filter((part) => part.startsWith(`${letter} `))
      .flatMap((part) => part.slice(2).split(';'))
      .map((item) => item.trim());
  return {
    name,
    version,
    arch,
    provides: list('P'),
    requires: list('R'),
    conflicts: list('C'),
    obsoletes: list('O'),
    files: [{ path: `/opt/${name}/f`, content: name + version }],
  };
}

const SITUATIONS: readonly (readonly [
  string,
  readonly string[],
  readonly string[],
  readonly string[] | null,
])[] = [
  ['a new dependency is installed', ['x 1'], ['x 2 | R helper', 'helper 1'], ['x']],
  [
    'a rich dependency counts where its condition holds',
    ['x 1', 'trigger 1'],
    ['x 2 | R (helper >= 1 if trigger)', 'helper 1'],
    ['x'],
  ],
  [
    'a rich dependency does not count where its condition fails',
    ['x 1'],
    ['x 2 | R (helper >= 1 if trigger)', 'helper 1'],
    ['x'],
  ],
  [
    'a file outside the package index is found in the file lists',
    ['x 1'],
    ['x 2 | R /opt/helper/f', 'helper 1'],
    ['x'],
  ],
  [
    'what requires the old version exactly is upgraded along',
    ['libx 1', 'usesx 1 | R libx = 1'],
    ['libx 2', 'usesx 2 | R libx = 2'],
    ['libx'],
  ],
  ['an obsoleter takes the place', ['oldn 1'], ['newn 1 | O oldn < 2'], ['oldn']],
  [
    'an obsoleter takes the place without being named',
    ['oldn 1', 'x 1'],
    ['newn 1 | O oldn < 2', 'x 2'],
    null,
  ],
  [
    'a package that was split is replaced by all its parts',
    ['big 1'],
    ['parta 1 | O big < 2', 'partb 1 | O big < 2'],
    null,
  ],
  ['without its dependency a package stays', ['x 1'], ['x 2 | R nowhere'], ['x']],
  ['an older version that can be installed is better than none', ['x 1'], ['x 3 | R nowhere', 'x 2'], ['x']],
  [
    'of several providers the first by name is taken',
    ['x 1'],
    ['x 2 | R cap', 'provB 1 | P cap', 'provAA 1 | P cap'],
    ['x'],
  ],
  [
    'an upgrade that provides is better than a new package',
    ['x 1', 'y 1'],
    ['x 2 | R cap', 'y 2 | P cap', 'a 1 | P cap'],
    ['x'],
  ],
  [
    'what only requires the name is not touched',
    ['lab 1', 'labtwo 1 | R lab'],
    ['lab 2', 'labtwo 2'],
    ['lab'],
  ],
  ['a conflict is solved by upgrading the other', ['x 1', 'y 1'], ['x 2 | C y < 2', 'y 2'], ['x']],
  [
    'a new package in conflict with an installed one is taken in an older version',
    ['x 1', 'y 1'],
    ['x 2 | R n', 'n 1', 'n 2 | C y < 2', 'y 2'],
    ['x'],
  ],
  ['a conflict that nothing solves keeps the old version', ['x 1', 'y 1'], ['x 2 | C y'], ['x']],
  [
    'a chain of lock-step packages moves together',
    ['a 1 | R b = 1', 'b 1 | R c = 1', 'c 1'],
    ['a 2 | R b = 2', 'b 2 | R c = 2', 'c 2'],
    ['c'],
  ],
];

test('plans are those of dnf in the situations that made the rules', { timeout: 300_000 }, async (t) => {
  using system = rpmSystem();
  if (!system || !hasDnf()) return t.skip(NO_DNF);
  using dnf = new Dnf(system);
  for (const [title, installed, offered, names] of SITUATIONS) {
    const { ours, theirs } = await comparePlans(system, dnf, {
      installed: installed.map(parse),
      repositories: oneRepository(offered.map(parse)),
      excludes: [],
      names,
    });
    assert.deepEqual(ours, theirs, title);
  }
});

const GENERATORS = { plain: randomRepository, rich: richRepository };

for (const [kind, generate] of Object.entries(GENERATORS))
  test(
    `plans for random repositories are those of dnf, and rpm accepts them (${kind})`,
    { timeout: 3_600_000 },
    async (t) => {
      using system = rpmSystem();
      if (!system || !hasDnf()) return t.skip(NO_DNF);
      using dnf = new Dnf(system);
      const differing: number[] = [];
      for (let seed = FIRST; seed <= LAST; seed++) {
        const { ours, theirs, check } = await comparePlans(system, dnf, generate(seed));
        if (JSON.stringify(ours) !== JSON.stringify(theirs)) differing.push(seed);
        assert.equal(check, '', `rpm refuses the plan of seed ${seed}`);
      }
      assert.deepEqual(differing, [], 'seeds whose plans differ');
    },
  );
