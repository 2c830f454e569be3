// Plans of ours beside those of real dnf, for one case: a root, repositories, what is asked.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from './project.ts';
import type { CraftedPackage } from './rpm-craft.ts';
import { planFor } from './rpm-family.ts';
import { NO_RPM, type RpmSystem } from './rpm-system.ts';

export interface OfferedRepository {
  readonly id: string;
  readonly packages: readonly CraftedPackage[];
  readonly priority: number;
  readonly cost: number;
  readonly excludes: readonly string[];
}

export interface PlanCase {
  readonly installed: readonly CraftedPackage[];
  readonly repositories: readonly OfferedRepository[];
  readonly excludes: readonly string[];
  /** null: everything. */
  readonly names: readonly string[] | null;
}

const PYTHON = '/usr/bin/python3';
export const NO_DNF: string = `${NO_RPM}, and the dnf module of ${PYTHON}`;

export interface Plan {
  readonly install: readonly string[];
  readonly remove: readonly string[];
}

/** Real dnf, answering one case after the other. */
export class Dnf implements Disposable {
  readonly #process;
  readonly #lines: AsyncIterator<string>;

  constructor(system: RpmSystem) {
    this.#process = spawn(PYTHON, [join(projectRoot, 'test/support/dnf-plan.py')], {
      env: { ...process.env, ...system.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async plan(question: unknown): Promise<Plan> {
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(value as string) as Plan;
  }

  [Symbol.dispose](): void {
    this.#process.stdin.end();
  }
}

export function hasDnf(): boolean {
  return spawnSync(PYTHON, ['-c', 'import dnf']).status === 0;
}

export interface Compared {
  readonly ours: Plan;
  readonly theirs: Plan;
  /** What rpm says against ours. */
  readonly check: string;
}

export async function comparePlans(
  system: RpmSystem,
  dnf: Dnf,
  { installed, repositories, excludes, names }: PlanCase,
): Promise<Compared> {
  const root = system.makeRoot('root');
  system.register(root, installed);
  const at = repositories.map(({ id, packages }) => system.repository(id, packages));
  const theirs = await dnf.plan({
    root,
    arch: 'x86_64',
    names,
    excludes,
    repositories: repositories.map(({ id, priority, cost, excludes: without }, i) => ({
      id,
      path: at[i],
      priority,
      cost,
      excludes: without,
    })),
  });
  configure(root, { repositories, excludes, at });
  const { packages, removals } = await planFor(root, [], names);
  const withEpoch = (version: string): string => (version.includes(':') ? version : `0:${version}`);
  // of several architectures of a package, the one that is replaced is the one that leaves no other
  const leaving = packages.flatMap(({ name: one, from, arch }) => {
    if (from === undefined) return [];
    const same = installed.filter((other) => other.name === one);
    const replaced = same.find((other) => other.arch === arch) ?? same[0];
    return [`${one}-${withEpoch(from)}.${replaced?.arch ?? 'noarch'}`];
  });
  const ours = {
    install: packages.map(({ name: one, to, arch }) => `${one}-${withEpoch(to)}.${arch}`).sort(),
    remove: [
      ...leaving,
      ...removals.map(({ name: one, version, arch }) => `${one}-${withEpoch(version)}.${arch}`),
    ].sort(),
  };
  const files = packages.map(({ url }) => decodeURIComponent(new URL(url).pathname));
  const tried =
    files.length > 0
      ? system.rpm(
          root,
          '-U',
          '--test',
          '--justdb',
          '--replacepkgs',
          '--replacefiles',
          '--nosignature',
          ...files,
        )
      : undefined;
  for (const directory of [root, ...at]) rmSync(directory, { recursive: true });
  return { ours, theirs, check: tried && tried.status !== 0 ? tried.stderr : '' };
}

function configure(
  root: string,
  { repositories, excludes, at }: Pick<PlanCase, 'repositories' | 'excludes'> & { at: readonly string[] },
): void {
  mkdirSync(join(root, 'etc/yum.repos.d'), { recursive: true });
  mkdirSync(join(root, 'etc/dnf'), { recursive: true });
  writeFileSync(join(root, 'etc/dnf/dnf.conf'), `[main]\nexcludepkgs=${excludes.join(' ')}\n`);
  for (const [i, { id, priority, cost, excludes: without }] of repositories.entries())
    writeFileSync(
      join(root, `etc/yum.repos.d/${i}.repo`),
      `[${id}]\nbaseurl=file://${at[i]}/\nenabled=1\ngpgcheck=0\npriority=${priority}\ncost=${cost}\n` +
        `excludepkgs=${without.join(' ')}\n`,
    );
}
