// Plans against real dnf (best=False, no weak dependencies), asked through its Python module: the situations that made
// rules of the solver, then random repositories. Where the two differ on a random one, ours must still be a transaction
// that rpm accepts.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Resolution } from '../../src/packages/package.ts';
import { projectRoot } from '../support/project.ts';
import type { CraftedPackage } from '../support/rpm-craft.ts';
import { planFor } from '../support/rpm-family.ts';
import { NO_RPM, rpmSystem, type RpmSystem } from '../support/rpm-system.ts';
import { randomRepository, type PlanCase } from './rpm-random.ts';

const SEEDS = Number(process.env['RPM_PLAN_SEEDS'] ?? 40);
const PYTHON = '/usr/bin/python3';
const NO_DNF = `${NO_RPM}, and the dnf module of ${PYTHON}`;

interface Plan {
  readonly install: readonly string[];
  readonly remove: readonly string[];
}

class Dnf implements Disposable {
  readonly #process;
  readonly #lines: AsyncIterator<string>;

  constructor(system: RpmSystem) {
    this.#process = spawn(PYTHON, [join(projectRoot, 'test/support/dnf-plan.py')], {
      env: { ...process.env, ...system.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async plan(root: string, repository: string, names: readonly string[] | null): Promise<Plan> {
    this.#process.stdin.write(`${JSON.stringify({ root, repo: repository, names, arch: 'x86_64' })}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(value as string) as Plan;
  }

  [Symbol.dispose](): void {
    this.#process.stdin.end();
  }
}

function hasDnf(): boolean {
  return spawnSync(PYTHON, ['-c', 'import dnf']).status === 0;
}

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
  for (const [index, [title, installed, offered, names]] of SITUATIONS.entries()) {
    const { ours, theirs } = await both(system, dnf, `s${index}`, {
      installed: installed.map(parse),
      offered: offered.map(parse),
      names,
    });
    assert.deepEqual(ours, theirs, title);
  }
});

test(
  'plans for random repositories are those of dnf, or ones that rpm accepts',
  { timeout: 600_000 },
  async (t) => {
    using system = rpmSystem();
    if (!system || !hasDnf()) return t.skip(NO_DNF);
    using dnf = new Dnf(system);
    const differing: number[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const one = randomRepository(seed);
      if (one.offered.length === 0) continue;
      const { ours, theirs, resolution, root, repository } = await both(system, dnf, `${seed}`, one, true);
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) differing.push(seed);
      const files = resolution.packages.map(({ url }) => decodeURIComponent(new URL(url).pathname));
      if (files.length > 0) {
        const check: SpawnSyncReturns<string> = system.rpm(
          root,
          '-U',
          '--test',
          '--justdb',
          '--nosignature',
          ...files,
        );
        assert.equal(check.status, 0, `rpm refuses the plan of seed ${seed}: ${check.stderr}`);
      }
      rmSync(root, { recursive: true });
      rmSync(repository, { recursive: true });
    }
    t.diagnostic(
      `${SEEDS - differing.length} of ${SEEDS} plans are the same; not those of ${differing.join(' ')}`,
    );
    assert.ok(differing.length <= SEEDS * 0.1, `plans differ for ${differing.join(' ')}`);
  },
);

async function both(
  system: RpmSystem,
  dnf: Dnf,
  name: string,
  { installed, offered, names }: PlanCase,
  keep = false,
): Promise<{ ours: Plan; theirs: Plan; resolution: Resolution; root: string; repository: string }> {
  const root = system.makeRoot(`root-${name}`);
  system.register(root, installed);
  const repository = system.repository(`repository-${name}`, offered);
  const theirs = await dnf.plan(root, repository, names);
  const resolution = await planFor(root, repository, names);
  const withEpoch = (version: string): string => (version.includes(':') ? version : `0:${version}`);
  const archOf = new Map(installed.map((one) => [one.name, one.arch ?? 'noarch']));
  const ours = {
    install: resolution.packages.map(({ name: one, to, arch }) => `${one}-${withEpoch(to)}.${arch}`).sort(),
    remove: [
      ...resolution.packages
        .filter(({ from }) => from !== undefined)
        .map(({ name: one, from }) => `${one}-${withEpoch(from ?? '')}.${archOf.get(one)}`),
      ...resolution.removals.map(({ name: one, version, arch }) => `${one}-${withEpoch(version)}.${arch}`),
    ].sort(),
  };
  if (!keep) {
    rmSync(root, { recursive: true });
    rmSync(repository, { recursive: true });
  }
  return { ours, theirs, resolution, root, repository };
}
