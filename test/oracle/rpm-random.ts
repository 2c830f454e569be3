// Random packages for the rpm oracles: file lists of two versions with a user's edits between them, and small
// repositories with dependencies of all kinds. The same seed gives the same case.
import type { CraftedFile, CraftedPackage } from '../support/rpm-craft.ts';
import type { OfferedRepository, PlanCase } from '../support/dnf-plan.ts';
import { randomNumbers } from '../support/random.ts';
import { FileFlag } from '../../src/packages/rpm/tags.ts';

const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const { config, doc, license, missingOk, noReplace, ghost } = FileFlag;

export interface Edit {
  readonly path: string;
  readonly how:
    'append' | 'delete' | 'replace' | 'link' | 'chmod' | 'create' | 'into-directory' | 'move-directory';
}

export interface UpgradeCase {
  readonly before: readonly CraftedPackage[];
  readonly after: readonly CraftedPackage[];
  readonly edits: readonly Edit[];
  /** Options of rpm for both installation and upgrade. */
  readonly options: readonly string[];
}

class Choices {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = randomNumbers(seed);
  }
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)] as T;
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
}

/** Prefixes keep /lib64 and /usr/lib64, one directory, from having one file under two names in one package. */
const DIRECTORIES = [
  { path: '/etc/x', prefix: '' },
  { path: '/usr/x', prefix: '' },
  { path: '/lib64/x', prefix: 'l' },
  { path: '/usr/lib64/x', prefix: 'u' },
  { path: '/opt/d', prefix: '' },
  { path: '/var/y', prefix: '' },
  // below what may itself be a file, a symlink or a directory of a package
  { path: '/opt/d/a', prefix: '' },
  { path: '/opt/d/pab', prefix: '' },
];
const FLAGS = [
  0,
  0,
  0,
  config,
  config,
  config | noReplace,
  config | noReplace,
  config | missingOk,
  ghost,
  ghost | config,
  doc,
  ghost | config | noReplace,
  config | noReplace | missingOk,
  license,
  license | doc,
];

const LANGUAGES = ['de', 'en', 'fr'];
const EDITS: readonly Edit['how'][] = [
  'append',
  'append',
  'append',
  'delete',
  'replace',
  'link',
  'chmod',
  'into-directory',
  'move-directory',
];
const CAPS = [
  'cap_net_raw=ep',
  'cap_setuid=eip cap_net_raw+ei',
  'cap_net_bind_service,cap_sys_nice+ep',
  '=ep',
];

type Draft = { -readonly [K in keyof CraftedFile]: CraftedFile[K] };

export function randomUpgrade(seed: number): UpgradeCase {
  const random = new Choices(seed);
  const before: CraftedPackage[] = [];
  const after: CraftedPackage[] = [];
  const names = ['pa', 'pb', 'pc'].slice(0, 1 + random.below(3));
  for (const name of names) {
    const paths = new Set<string>();
    for (let i = 2 + random.below(8); i > 0; i--) {
      const { path, prefix } = random.pick(DIRECTORIES);
      paths.add(`${path}/${prefix}${random.chance(0.6) ? name : ''}${random.pick('abcdef'.split(''))}`);
    }
    // documentation that is there in any case tells whether documentation is wanted
    const one: Draft[] = [{ path: `/etc/${name}.doc`, flags: doc, content: 'd', mtime: 1 }];
    const two: Draft[] = [{ path: `/etc/${name}.doc`, flags: doc, content: 'd2', mtime: 2 }];
    for (const lang of LANGUAGES) {
      one.push({ path: `/etc/${name}.${lang}`, lang, content: 'l', mtime: 1 });
      two.push({ path: `/etc/${name}.${lang}`, lang, content: 'l2', mtime: 2 });
    }
    for (const path of [...paths].sort()) {
      const old = randomFile(random, path, 1);
      const inOld = random.chance(0.85);
      if (inOld) one.push(old);
      if (random.chance(0.85))
        two.push(inOld && random.chance(0.75) ? changed(random, old) : randomFile(random, path, 2));
    }
    straightenLinks(one);
    straightenLinks(two);
    const isReplaced = random.chance(0.9);
    const archs = random.chance(0.2) ? ['i686', 'x86_64'] : ['noarch'];
    for (const arch of archs) {
      before.push({ name, version: '1', arch, files: colored(one, arch) });
      if (isReplaced) after.push({ name, version: '2', arch, files: colored(two, arch) });
    }
  }
  // a package that was not there: for itself, or in place of another one
  if (random.chance(0.3)) {
    const files = ['/etc/x/a', '/etc/x/n', '/usr/x/pab', '/opt/d/n', '/usr/lib64/x/ua', '/lib64/x/lpaa']
      .filter(() => random.chance(0.4))
      .map((path) => randomFile(random, path, 1));
    straightenLinks(files);
    const gone = names.filter((name) => !after.some((one) => one.name === name));
    after.push({ name: 'pn', version: '1', files, ...(gone.length > 0 ? { obsoletes: gone } : {}) });
  }
  straightenTrees(before, []);
  straightenTrees(after, before);
  const edits: Edit[] = [];
  for (const { files } of before)
    for (const { path } of files ?? []) if (random.chance(0.3)) edits.push({ path, how: random.pick(EDITS) });
  if (random.chance(0.3)) edits.push({ path: `${random.pick(DIRECTORIES).path}/user`, how: 'create' });
  for (const { files } of after)
    for (const { path } of files ?? []) if (random.chance(0.08)) edits.push({ path, how: 'create' });
  return {
    before,
    after,
    edits,
    options: [
      ...(random.chance(0.2) ? ['--excludedocs'] : []),
      ...(random.chance(0.2) ? ['--define', `_install_langs ${random.pick(['de', 'en:fr', 'fr_FR'])}`] : []),
    ],
  };
}

/** The files of one of several architectures: some say of what kind they are and differ, the others are shared. */
function colored(files: readonly Draft[], arch: string): readonly Draft[] {
  if (arch === 'noarch') return files.map((file) => ({ ...file }));
  const color = arch === 'i686' ? 1 : 2;
  return files.map((file, index) =>
    file.content === undefined || file.inode !== undefined || index % 3 !== 0 || (file.flags ?? 0) !== 0
      ? { ...file }
      : { ...file, color, content: `${file.content} ${arch}` },
  );
}

/**
 * Nothing lies below what is no directory in some package of the same time, or was none in another package before: rpm
 * may install the one first that has files in the new directory, and fails.
 */
function straightenTrees(packages: CraftedPackage[], earlier: readonly CraftedPackage[]): void {
  const isDirectory = (file: CraftedFile): boolean => ((file.mode ?? 0) & 0o170000) === DIRECTORY;
  const leavesOf = ({ files = [] }: CraftedPackage): readonly string[] =>
    files.filter((file) => !isDirectory(file)).map(({ path }) => path);
  const leaves = new Set(packages.flatMap(leavesOf));
  packages.forEach((one, index) => {
    const others = new Set(earlier.filter(({ name }) => name !== one.name).flatMap(leavesOf));
    const files = (one.files ?? []).filter(({ path }) => {
      const parent = path.slice(0, path.lastIndexOf('/'));
      return !leaves.has(parent) && !others.has(parent);
    });
    packages[index] = { ...one, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
  });
}

function randomFile(random: Choices, path: string, version: number): Draft {
  const file: Draft = {
    path,
    flags: random.pick(FLAGS),
    mtime: 1_700_000_000 + version * 1000 + random.below(3),
  };
  const kind = random.next();
  if (kind < 0.12) return { ...file, link: random.pick(['t1', 't2', '../x/a', '/nowhere', 'b', 'a']) };
  if (kind < 0.2) return { ...file, flags: 0, mode: DIRECTORY | random.pick([0o755, 0o700, 0o2755]) };
  file.mode = REGULAR | random.pick([0o644, 0o600, 0o755, 0o4755, 0o640]);
  file.content = `${path}${random.chance(0.5) ? version : ''}`;
  file.user = random.pick(['root', 'root', 'bin', 'nobodyx']);
  file.group = random.pick(['root', 'root', 'bin', 'nogroupx']);
  if (random.chance(0.2)) file.inode = 7;
  if (random.chance(0.05)) file.caps = random.pick(CAPS);
  if (random.chance(0.1)) file.lang = random.pick(['de', 'fr', 'en', 'fr|en']);
  return file;
}

function changed(random: Choices, old: Draft): Draft {
  const file = { ...old, mtime: (old.mtime ?? 0) + (random.chance(0.5) ? 500 : 0) };
  const isDirectory = ((file.mode ?? 0) & 0o170000) === DIRECTORY;
  if (file.content !== undefined && random.chance(0.4)) file.content += ' new';
  if (!isDirectory && random.chance(0.25)) file.flags = random.pick(FLAGS);
  if (file.content !== undefined && random.chance(0.1)) file.mode = REGULAR | 0o600;
  if (file.link !== undefined && random.chance(0.4)) file.link = 't3';
  return file;
}

/** Hard links are one file: same content, mode, owner and flags; one alone is none. */
function straightenLinks(files: Draft[]): void {
  const linked = files.filter((file) => file.inode !== undefined && ((file.flags ?? 0) & ghost) === 0);
  const [first] = linked;
  for (const file of files) {
    if (file.inode === undefined) continue;
    if (linked.length < 2 || !linked.includes(file) || !first) delete file.inode;
    else {
      const { content, mode, user, group, mtime } = first;
      Object.assign(file, {
        content,
        mode,
        user,
        group,
        mtime,
        flags: (first.flags ?? 0) & (config | noReplace | doc),
      });
      delete file.caps;
    }
  }
}

export function oneRepository(packages: readonly CraftedPackage[]): readonly OfferedRepository[] {
  return [{ id: 'lab', packages, priority: 99, cost: 1000, excludes: [] }];
}

const CAPABILITIES = ['cap1', 'cap2', 'cap3'];
const NEW_NAMES = ['na', 'nb', 'nc'];

export function randomRepository(seed: number): PlanCase {
  const random = new Choices(seed);
  const names = 'abcdefghij'
    .split('')
    .slice(0, 4 + random.below(6))
    .map((letter) => `p${letter}`);
  const all = [...names, ...NEW_NAMES];
  const archs = new Map(all.map((name) => [name, random.chance(0.7) ? 'noarch' : 'x86_64']));
  const installedNames = names.filter(() => random.chance(0.8));
  if (installedNames.length === 0) installedNames.push('pa');

  const dependency = (pool: readonly string[], version: number, self: string): string => {
    const name = random.pick(pool.filter((other) => other !== self)) ?? 'pa';
    const kind = random.next();
    if (kind < 0.35) return name;
    if (kind < 0.55) return `${name} >= ${1 + random.below(version)}`;
    if (kind < 0.65) return `${name} = ${version}-1`;
    if (kind < 0.7) return `${name} = ${version}`;
    if (kind < 0.8) return random.pick(CAPABILITIES);
    if (kind < 0.86) return `${random.pick(CAPABILITIES)} >= ${1 + random.below(3)}`;
    if (kind < 0.9) return `/opt/${name}/f`;
    if (kind < 0.94) return `(${name} >= ${version} if ${random.pick(names)})`;
    if (kind < 0.97) return `(${name} or ${random.pick(pool)})`;
    return `(${name} and ${random.pick(names)})`;
  };
  const make = (name: string, version: number, pool: readonly string[]): CraftedPackage => ({
    name,
    version: String(version),
    arch: archs.get(name) ?? 'noarch',
    provides: random.chance(0.4)
      ? [random.chance(0.5) ? random.pick(CAPABILITIES) : `${random.pick(CAPABILITIES)} = ${version}`]
      : [],
    requires: [...new Set(Array.from({ length: random.below(3) }, () => dependency(pool, version, name)))],
    files: [{ path: `/opt/${name}/f`, content: `${name} ${version}` }],
  });
  // an installed package requires what is there, so that the root is sound
  const installed = installedNames.map((name) => {
    const one = make(name, 1, installedNames);
    return {
      ...one,
      requires: (one.requires ?? []).filter((text) => {
        const [required = ''] = text.split(' ');
        return required !== name && installedNames.includes(required);
      }),
    };
  });
  const offered: CraftedPackage[] = [];
  for (const name of all) {
    const isNew = NEW_NAMES.includes(name);
    const newest = 1 + random.below(isNew ? 2 : 3);
    for (let version = isNew ? 1 : 2; version <= newest; version++) {
      const one = make(name, version, all);
      const others = names.filter((other) => other !== name);
      offered.push({
        ...one,
        conflicts: random.chance(0.1) ? [`${random.pick(others)} < ${version}`] : [],
        obsoletes: isNew && random.chance(0.08) ? [`${random.pick(names)} < ${version + 1}`] : [],
      });
    }
  }
  const some = [random.pick(installedNames), ...(random.chance(0.3) ? [random.pick(installedNames)] : [])];
  return {
    installed,
    repositories: oneRepository(offered),
    excludes: [],
    names: random.chance(0.4) ? null : [...new Set(some)],
  };
}

/**
 * The same with what is rarer: weak dependencies, two architectures of a package, packages that change theirs, chains of
 * obsoletes, several repositories with priorities and costs, excluded packages, all operators of rich dependencies.
 */
export function richRepository(seed: number): PlanCase {
  const random = new Choices(seed);
  const names = 'abcdefghijkl'
    .split('')
    .slice(0, 4 + random.below(8))
    .map((letter) => `p${letter}`);
  const all = [...names, ...NEW_NAMES];
  const archs = new Map(
    all.map((name) => [
      name,
      random.pick([['noarch'], ['noarch'], ['x86_64'], ['x86_64'], ['x86_64', 'i686'], ['i686']]),
    ]),
  );
  const installedNames = names.filter(() => random.chance(0.8));
  if (installedNames.length === 0) installedNames.push('pa');
  const atom = (pool: readonly string[], version: number): string => {
    const name = random.pick(pool);
    const kind = random.next();
    if (kind < 0.3) return name;
    if (kind < 0.5) return `${name} >= ${1 + random.below(version)}`;
    if (kind < 0.58) return `${name} = ${version}-1`;
    if (kind < 0.64) return `${name} < ${version + 1}`;
    if (kind < 0.7) return `${name} <= ${version}`;
    if (kind < 0.84) return random.pick(CAPABILITIES);
    if (kind < 0.94)
      return `${random.pick(CAPABILITIES)} ${random.pick(['>=', '=', '<', '>', '<='])} ${1 + random.below(3)}`;
    return `/opt/${name}/f`;
  };
  const rich = (pool: readonly string[], version: number, depth: number): string => {
    const operand = (): string =>
      depth > 0 && random.chance(0.25) ? rich(pool, version, depth - 1) : atom(pool, version);
    const kind = random.next();
    if (kind < 0.2) return `(${operand()} and ${operand()})`;
    if (kind < 0.4) return `(${operand()} or ${operand()}${random.chance(0.3) ? ` or ${operand()}` : ''})`;
    if (kind < 0.7) return `(${operand()} if ${operand()})`;
    if (kind < 0.8) return `(${operand()} if ${operand()} else ${operand()})`;
    const capability = random.pick(CAPABILITIES);
    return kind < 0.9
      ? `(${capability} with ${atom(pool, version)})`
      : `(${capability} without ${atom(pool, version)})`;
  };
  const list = (chance: number, make: () => string): readonly string[] =>
    random.chance(chance) ? [make()] : [];
  const others = (self: string): readonly string[] => all.filter((name) => name !== self);
  const make = (name: string, version: number, arch: string, pool: readonly string[]): CraftedPackage => ({
    name,
    version: String(version),
    arch,
    provides: random.chance(0.45)
      ? [
          random.chance(0.4)
            ? random.pick(CAPABILITIES)
            : `${random.pick(CAPABILITIES)} ${random.pick(['=', '=', '=', '<=', '>='])} ${1 + random.below(3)}`,
        ]
      : [],
    requires: [
      ...new Set(
        Array.from({ length: random.below(3) }, () =>
          random.chance(0.25) ? rich(pool, version, 1) : atom(pool, version),
        ),
      ),
    ],
    recommends: list(0.15, () => atom(others(name), version)),
    suggests: list(0.1, () => atom(others(name), version)),
    supplements: list(0.1, () => atom(others(name), version)),
    enhances: list(0.05, () => atom(others(name), version)),
    files: [{ path: `/opt/${name}/f`, content: `${name} ${version}` }],
  });
  const installed: CraftedPackage[] = [];
  for (const name of installedNames)
    for (const arch of archs.get(name) ?? []) {
      const one = make(name, 1, arch, installedNames);
      installed.push({
        ...one,
        // what is required is there, so that the root is sound
        requires: (one.requires ?? []).filter(
          (text) => /^p[a-z]$|^p[a-z] (>=|=|<=) 1(-1)?$/.test(text) && text.slice(0, 2) !== name,
        ),
        conflicts: list(0.06, () => `${random.pick(others(name))} >= ${2 + random.below(2)}`),
        obsoletes: list(0.03, () => `${random.pick(NEW_NAMES)} < 2`),
      });
    }
  const offer = (): readonly CraftedPackage[] => {
    const offered: CraftedPackage[] = [];
    for (const name of all) {
      const isNew = NEW_NAMES.includes(name);
      const newest = 1 + random.below(isNew ? 2 : 3);
      const usual = archs.get(name) ?? ['noarch'];
      for (let version = isNew || random.chance(0.1) ? 1 : 2; version <= newest; version++) {
        const changed = random.chance(0.12) ? random.pick([['noarch'], ['x86_64'], ['i686']]) : usual;
        for (const arch of changed) {
          if (changed.length > 1 && random.chance(0.08)) continue;
          offered.push({
            ...make(name, version, arch, all),
            conflicts: [
              ...list(0.1, () => `${random.pick(others(name))} < ${version}`),
              ...list(0.03, () => random.pick(CAPABILITIES)),
              ...list(0.03, () => `(${random.pick(others(name))} and ${random.pick(others(name))})`),
            ],
            obsoletes: [
              ...list(
                isNew ? 0.15 : 0.05,
                () => `${random.pick(others(name))} < ${version + random.below(2)}`,
              ),
              ...list(isNew ? 0.06 : 0.01, () => random.pick(others(name))),
            ],
          });
        }
      }
    }
    return offered;
  };
  const repositories: OfferedRepository[] = ['lab', ...(random.chance(0.3) ? ['extra'] : [])].map((id) => ({
    id,
    packages: offer(),
    priority: random.pick([99, 99, 99, 50, 10]),
    cost: random.pick([1000, 1000, 500]),
    excludes: list(0.08, () => random.pick(all)),
  }));
  const some = Array.from({ length: 1 + random.below(3) }, () => random.pick(installedNames));
  return {
    installed,
    repositories,
    excludes: list(0.1, () => random.pick([random.pick(all), `${random.pick(all)}-3*`, 'n*'])),
    names: random.chance(0.4) ? null : [...new Set(some)],
  };
}
