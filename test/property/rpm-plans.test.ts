// Plans for generated repositories leave a consistent system: what comes in has all it requires, what stays loses nothing,
// nothing is beside what it excludes. Whether they are those of dnf is for test/oracle/rpm-plan.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { rangesOverlap, type Relation } from '../../src/packages/rpm/dependencies.ts';
import { rpm } from '../../src/packages/rpm/family.ts';
import { parseRich, type RichDependency } from '../../src/packages/rpm/rich.ts';
import { richRepository } from '../oracle/rpm-random.ts';
import type { CraftedPackage } from '../support/rpm-craft.ts';
import { rpmImage } from '../support/rpm-image.ts';
import { memoryRepository, REPOSITORY_URL } from '../support/rpm-repository.ts';

const SEEDS = 120;

const label = ({ name, version, arch }: CraftedPackage): string => `${name}-${version}-1.${arch}`;
const own = ({ name, version }: CraftedPackage): Relation => ({
  name,
  comparison: '=',
  version: `${version}-1`,
});

function parsed(text: string): RichDependency {
  return parseRich(text.startsWith('(') ? text : `(${text})`) ?? assert.fail(text);
}

function relation(text: string): Relation {
  const dependency = parsed(text);
  return dependency.kind === 'atom' ? dependency.relation : assert.fail(text);
}

function provides(one: CraftedPackage, wanted: Relation): boolean {
  if (wanted.name.startsWith('/')) return (one.files ?? []).some(({ path }) => path === wanted.name);
  return [...(one.provides ?? []).map(relation), own(one)].some(
    (stated) => stated.name === wanted.name && rangesOverlap(stated, wanted),
  );
}

function matches(one: CraftedPackage, dependency: RichDependency): boolean {
  if (dependency.kind === 'atom') return provides(one, dependency.relation);
  if (dependency.kind === 'with') return dependency.parts.every((part) => matches(one, part));
  if (dependency.kind !== 'without') return assert.fail(dependency.kind);
  const [first, ...others] = dependency.parts;
  return first !== undefined && matches(one, first) && !others.some((part) => matches(one, part));
}

function holds(system: readonly CraftedPackage[], dependency: RichDependency): boolean {
  switch (dependency.kind) {
    case 'and':
      return dependency.parts.every((part) => holds(system, part));
    case 'or':
      return dependency.parts.some((part) => holds(system, part));
    case 'if':
      if (holds(system, dependency.condition)) return holds(system, dependency.what);
      return dependency.otherwise === undefined || holds(system, dependency.otherwise);
    case 'unless':
      return assert.fail('none is made');
    default:
      return system.some((one) => matches(one, dependency));
  }
}

/** What is wrong with `system`, as far as packages that are new in it are concerned, or that lost something. */
function complaints(before: readonly CraftedPackage[], system: readonly CraftedPackage[]): readonly string[] {
  const out: string[] = [];
  for (const one of system) {
    const isOld = before.includes(one);
    for (const text of one.requires ?? [])
      if (!holds(system, parsed(text)) && !(isOld && !holds(before, parsed(text))))
        out.push(`${label(one)} requires ${text}`);
    for (const other of system) {
      if (other === one || (isOld && before.includes(other))) continue;
      for (const text of one.conflicts ?? [])
        if (!text.startsWith('(') && provides(other, relation(text)))
          out.push(`${label(one)} conflicts with ${label(other)}`);
      for (const text of one.obsoletes ?? [])
        if (relation(text).name === other.name && rangesOverlap(own(other), relation(text)))
          out.push(`${label(one)} obsoletes ${label(other)}`);
      if (one.name === other.name && (one.arch === other.arch || one.arch === 'noarch'))
        out.push(`${label(one)} is beside ${label(other)}`);
    }
  }
  return out;
}

test('plans leave a consistent system', async () => {
  let changed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { installed, repositories, names } = richRepository(seed);
    const offered = repositories[0]?.packages ?? [];
    const root = rpmImage(installed);
    const database = await rpm.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
    assert.ok(database);
    const { packages, removals } = await database.resolve({
      trustKeys: [],
      onlyTrustKeys: false,
      allowUnsigned: true,
      fetch: memoryRepository(offered).fetch,
      wanted:
        names === null
          ? 'all'
          : installed
              .filter(({ name }) => names.includes(name))
              .map(({ name, arch = '' }) => ({ name, arch, floors: [], cves: [] })),
      repositories: [`base=${REPOSITORY_URL}`],
      allowNew: true,
      now: Date.now(),
      log: silentLog,
    });
    const added = packages.map(
      ({ name, to, arch }) =>
        offered.find((one) => label(one) === `${name}-${to}.${arch}`) ?? assert.fail(`${name}-${to}.${arch}`),
    );
    const isReplaced = (one: CraftedPackage): boolean =>
      packages.some(({ name, from }) => {
        if (name !== one.name || from === undefined) return false;
        const archs = added.filter((other) => other.name === name).map(({ arch }) => arch);
        return archs.includes(one.arch) || archs.includes('noarch') || one.arch === 'noarch';
      });
    const isRemoved = (one: CraftedPackage): boolean =>
      removals.some(({ name, arch }) => name === one.name && arch === one.arch);
    const system = [...installed.filter((one) => !isReplaced(one) && !isRemoved(one)), ...added];
    assert.deepEqual(complaints(installed, system), [], `seed ${seed}`);
    changed += packages.length;
  }
  assert.ok(changed > SEEDS, 'hardly any package was upgraded');
});
