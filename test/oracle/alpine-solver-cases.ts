// Small generated systems for the solver: packages with dependencies by name, soname and operator, virtual and
// versioned provides, install_if, conflicts, renames, tags and pins; an old state that is installed, a newer one in
// repositories.
import { fromByteString } from '../../src/base/bytes.ts';
import { parseIndex } from '../../src/packages/apk/apkindex.ts';
import { collectOffers } from '../../src/packages/apk/candidates.ts';
import { isSatisfied, parseDependencies, parseDependency } from '../../src/packages/apk/dependencies.ts';
import type { Dependency } from '../../src/packages/apk/dependencies.ts';
import { readInstalled } from '../../src/packages/apk/installed.ts';
import { planUpgrade } from '../../src/packages/apk/transactions.ts';
import type { Random } from './alpine-random.ts';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly origin: string;
  readonly depends: readonly string[];
  readonly provides: readonly string[];
  readonly installIf: readonly string[];
  readonly priority: number;
  readonly tag: string;
}

export interface System {
  readonly installed: readonly Package[];
  readonly world: readonly string[];
  readonly repositories: readonly { readonly tag: string; readonly packages: readonly Package[] }[];
  readonly names: readonly string[];
}

interface Blueprint {
  readonly name: string;
  readonly soname: string;
  readonly depends: readonly number[];
  readonly style: number;
}

const VERSIONS = ['1.0-r0', '1.0-r1', '1.1-r0', '1.2.3-r0', '2.0-r0'];

export function generateCase(random: Random): System {
  const count = 4 + random.below(9);
  const plan: Blueprint[] = [];
  for (let index = 0; index < count; index++) {
    const below = Array.from({ length: index }, (_, item) => item).filter(() =>
      random.chance(2 / (index + 1)),
    );
    plan.push({
      name: `${'abcdefghijklmn'[random.below(14)]}${index}`,
      soname: `so:lib${index}.so`,
      depends: below,
      style: random.below(12),
    });
  }
  const oldVersions = plan.map(() => random.below(3));
  const newVersions = oldVersions.map((version) =>
    random.chance(0.6) ? version + 1 + random.below(2) : version,
  );
  const old = plan.map((_, index) => build(random, plan, index, oldVersions, '', false));
  const wanted = closure(random, plan);
  const installed = old.filter((_, index) => wanted.has(index));
  const current = plan.flatMap((_, index) => {
    if (random.chance(0.06)) return [];
    const next = build(random, plan, index, newVersions, '', random.chance(0.3));
    const same = oldVersions[index] === newVersions[index];
    // mostly the very same package where the version is the same
    return same && random.chance(0.8)
      ? [old[index] as Package]
      : random.chance(0.25)
        ? [next, old[index] as Package]
        : [next];
  });
  if (random.chance(0.2) && installed.length > 0) {
    const gone = random.pick(installed);
    const version = '3.0-r0';
    current.push({
      ...gone,
      name: `z${gone.name}`,
      version,
      provides: [...gone.provides, `${gone.name}=${version}`],
      installIf: [],
    });
    if (random.chance(0.5)) removeAll(current, gone.name);
  }
  const tagged = plan.flatMap((_, index) =>
    random.chance(0.15)
      ? [
          build(
            random,
            plan,
            index,
            newVersions.map((v) => Math.min(4, v + 1)),
            'edge',
            false,
          ),
        ]
      : [],
  );
  const world = [...wanted]
    .filter((index) => isTop(plan, wanted, index) || random.chance(0.15))
    .map((index) => wish(random, old[index] as Package, tagged));
  if (random.chance(0.05)) world.push(`!${random.pick(plan).name}`);
  const repositories: System['repositories'] = [
    ...(random.chance(0.3) ? split(random, current) : [{ tag: '', packages: current }]),
    { tag: 'edge', packages: tagged },
  ];
  const names = random.chance(0.4) ? [] : installed.filter(() => random.chance(0.3)).map(({ name }) => name);
  return { installed, world: [...new Set(world)].sort(), repositories, names };
}

function removeAll(packages: Package[], name: string): void {
  for (let at = packages.length - 1; at >= 0; at--) if (packages[at]?.name === name) packages.splice(at, 1);
}

function split(random: Random, packages: readonly Package[]): { tag: string; packages: Package[] }[] {
  const first = packages.filter(() => random.chance(0.6));
  return [
    { tag: '', packages: first },
    { tag: '', packages: packages.filter((item) => !first.includes(item) || random.chance(0.1)) },
  ];
}

function build(
  random: Random,
  plan: readonly Blueprint[],
  index: number,
  versions: readonly number[],
  tag: string,
  varied: boolean,
): Package {
  const item = plan[index] as Blueprint;
  const version = VERSIONS[versions[index] as number] as string;
  const depends = item.depends.map((below) => {
    const other = plan[below] as Blueprint;
    const otherVersion = VERSIONS[versions[below] as number] as string;
    switch ((item.style + below) % 6) {
      case 0:
      case 1:
        return other.soname;
      case 2:
        return `${other.name}=${otherVersion}`;
      case 3:
        return `${other.name}>=${otherVersion}`;
      case 4:
        return other.style === 5 ? 'virt' : other.name;
      default:
        return random.chance(0.3) ? `${other.name}~${otherVersion.split('.')[0]}` : other.name;
    }
  });
  if (varied && random.chance(0.3)) depends.push(random.pick(plan).name);
  if (varied && random.chance(0.15)) {
    const other = random.pick(plan);
    if (other !== item) depends.push(`!${other.name}`);
  }
  const provides = [`${item.soname}=${versions[index]}`];
  if (varied && random.chance(0.2)) provides[0] = `${item.soname}.${versions[index]}=1`;
  if (item.style === 5) provides.push('virt');
  if (item.style === 6) provides.push(`cmd:tool=${version}`);
  const installIf =
    item.style === 7 && item.depends.length > 0
      ? [
          `${plan[item.depends[0] as number]?.name}=${VERSIONS[versions[item.depends[0] as number] as number]}`,
          ...(random.chance(0.3) ? [(plan[0] as Blueprint).name] : []),
        ]
      : [];
  return {
    name: item.name,
    version,
    origin: item.name,
    depends: item.style === 7 ? depends.slice(1) : depends,
    provides,
    installIf,
    priority: item.style === 5 && index % 2 === 1 ? 10 * index : 0,
    tag,
  };
}

/** Indexes of what is installed: some tops and all they depend on. */
function closure(random: Random, plan: readonly Blueprint[]): Set<number> {
  const wanted = new Set<number>();
  const add = (index: number): void => {
    if (wanted.has(index)) return;
    wanted.add(index);
    for (const below of plan[index]?.depends ?? []) add(below);
  };
  for (let index = plan.length - 1; index >= 0; index--) if (random.chance(0.35)) add(index);
  return wanted;
}

function isTop(plan: readonly Blueprint[], wanted: ReadonlySet<number>, index: number): boolean {
  return ![...wanted].some((other) => plan[other]?.depends.includes(index));
}

function wish(random: Random, item: Package, tagged: readonly Package[]): string {
  if (tagged.some(({ name }) => name === item.name) && random.chance(0.6)) return `${item.name}@edge`;
  const choice = random.below(14);
  if (choice === 0) return `${item.name}=${item.version}`;
  if (choice === 1) return `${item.name}<2`;
  if (choice === 2) return `${item.name}~${item.version.split('.')[0]}`;
  if (choice === 3) return `${item.name}>=${item.version}`;
  return item.name;
}

function checksum({ tag, ...item }: Package): string {
  const text = JSON.stringify(item) + tag;
  let hash = 0n;
  for (const character of text)
    hash = (hash * 1099511628211n + BigInt(character.charCodeAt(0))) % (1n << 160n);
  return `Q1${Buffer.from(hash.toString(16).padStart(40, '0'), 'hex').toString('base64')}`;
}

function recordText(item: Package): string {
  const line = (letter: string, values: readonly string[]): string =>
    values.length > 0 ? `${letter}:${values.join(' ')}\n` : '';
  return (
    `C:${checksum(item)}\nP:${item.name}\nV:${item.version}\nA:x86_64\nS:1\nI:1\nT:\nU:\nL:\no:${item.origin}\n` +
    (item.priority > 0 ? `k:${item.priority}\n` : '') +
    line('D', item.depends) +
    line('p', item.provides) +
    line('i', item.installIf)
  );
}

export function indexText(packages: readonly Package[]): string {
  return packages.map((item) => `${recordText(item)}\n`).join('');
}

export function installedText(packages: readonly Package[]): string {
  return indexText([...packages].sort((a, b) => (a.name < b.name ? -1 : 1)));
}

const REPOSITORY = { name: '', indexUrl: '', packageBase: '', archFolders: true, access: {} } as const;

/** Our answer in the form of the test: undefined changes where there is no solution. */
export function solveCase(system: System): { changes: string[] | undefined; errors: readonly string[] } {
  const records = readInstalled(fromByteString(installedText(system.installed)), 'installed');
  const { universe, tags, installed } = collectOffers(
    records,
    system.repositories.map(({ tag, packages }) => ({
      repository: { ...REPOSITORY, tag },
      index: { entries: parseIndex(indexText(packages), 'index'), signedBy: undefined, date: 0 },
    })),
  );
  const world = parseDependencies(system.world.join(' '));
  const upgrade = system.names.length === 0 ? 'all' : new Set(system.names);
  const { solution, incoming, outgoing } = planUpgrade({ universe, tags, installed, world, upgrade });
  const { errors } = solution;
  if (errors.length > 0) return { changes: undefined, errors };
  const before = new Map(installed.map((candidate) => [candidate.name, candidate.version]));
  return {
    changes: [
      ...incoming.map(({ name, version }) => `${name} ${before.get(name) ?? '-'} ${version}`),
      ...outgoing.map(({ name, version }) => `${name} ${version} -`).sort(),
    ],
    errors,
  };
}

function parse(items: readonly string[]): readonly Dependency[] {
  return items.flatMap((item) => parseDependency(item) ?? []);
}

/** True when world and every dependency hold after the changes; "changes" in the form of solveCase(). */
export function isSound(system: System, changes: readonly string[] | undefined): boolean {
  if (!changes) return false;
  const after = new Map(system.installed.map((item) => [item.name, item.version]));
  for (const change of changes) {
    const [name = '', , to = ''] = change.split(' ');
    if (to === '-') after.delete(name);
    else after.set(name, to);
  }
  // several packages can share a name and version: any of them may be meant
  const all = [...system.installed, ...system.repositories.flatMap(({ packages }) => packages)];
  const present = all.filter((item) => after.get(item.name) === item.version);
  const holds = (dependency: Dependency): boolean => {
    const carriers = present.flatMap((item) => [
      ...(item.name === dependency.name ? [{ version: item.version, checksum: '' }] : []),
      ...parse(item.provides).flatMap(({ name, version }) =>
        name === dependency.name ? [{ version, checksum: '' }] : [],
      ),
    ]);
    if (dependency.conflict) return carriers.every((carrier) => isSatisfied(dependency, carrier));
    return carriers.some((carrier) => isSatisfied(dependency, carrier));
  };
  return (
    parseDependencies(system.world.join(' ')).every(holds) &&
    [...after].every(([name, version]) =>
      present.some(
        (item) => item.name === name && item.version === version && parse(item.depends).every(holds),
      ),
    )
  );
}
