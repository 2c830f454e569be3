// What is wanted → what will be done: `apk upgrade`, or `apk upgrade NAMES`, without touching world. A name that cannot
// be upgraded does not spoil the others: it is left out and said why.
import { OnlayError } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import type { ResolveRequest } from '../family.ts';
import type { PlannedPackage, PlannedRemoval, Resolution, Skipped, Wanted } from '../package.ts';
import { checksumHex } from './checksum.ts';
import { collectOffers } from './candidates.ts';
import type { Offer, Offers } from './candidates.ts';
import type { Dependency } from './dependencies.ts';
import { formatDependency, isSatisfied } from './dependencies.ts';
import { field } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import { openRepositories, repositoryFacts } from './open-repositories.ts';
import type { ImageFacts } from './open-repositories.ts';
import type { Solution } from './solve.ts';
import { planUpgrade } from './transactions.ts';
import type { Upgrade } from './transactions.ts';
import { packageUrl } from './repositories.ts';
import { label } from './universe.ts';
import type { Candidate } from './universe.ts';
import { compareVersions, isValidVersion } from './version.ts';
import { reasonsOf } from './reasons.ts';

export interface InstalledState {
  readonly records: readonly InstalledRecord[];
  readonly world: readonly Dependency[];
}

export async function resolveUpgrade(
  image: ImageFacts,
  state: InstalledState,
  request: ResolveRequest,
): Promise<Resolution> {
  const opened = await openRepositories(image, request);
  requireTags(
    state.world,
    opened.map(({ repository }) => repository.tag),
  );
  const offers = collectOffers(state.records, opened);
  const { upgrade, skipped } = new Negotiation(offers, state, request).run();
  warnAboutSiblings(upgrade, offers, request.log);
  return {
    packages: plannedPackages(upgrade, offers, request.wanted),
    removals: plannedRemovals(upgrade, state.records),
    skipped,
    repositories: repositoryFacts(opened),
  };
}

/** apk refuses to upgrade while world asks for a tag that no repository has. */
function requireTags(world: readonly Dependency[], tags: readonly string[]): void {
  const missing = world.find(({ tag }) => tag !== '' && !tags.includes(tag));
  if (missing)
    throw new OnlayError(
      'REPOSITORIES_MISSING',
      `etc/apk/world asks for ${displayText(formatDependency(missing))}, but no repository has the tag @${displayText(missing.tag)}`,
      { hint: `give it with --repo "@${displayText(missing.tag)} URL"` },
    );
}

/** Finds the largest set of names that can be upgraded together, all of them as a rule. */
class Negotiation {
  readonly #offers: Offers;
  readonly #world: readonly Dependency[];
  readonly #request: ResolveRequest;
  readonly #installed: ReadonlyMap<string, Candidate>;
  readonly #skipped = new Map<string, Skipped>();

  constructor(offers: Offers, { world }: InstalledState, request: ResolveRequest) {
    this.#offers = offers;
    this.#world = world;
    this.#request = request;
    this.#installed = new Map(offers.installed.map((item) => [item.name, item]));
  }

  run(): { readonly upgrade: Upgrade; readonly skipped: readonly Skipped[] } {
    const { wanted } = this.#request;
    if (wanted === 'all') {
      const all = this.#attempt('all');
      if (this.#objection(all) === undefined) return { upgrade: all, skipped: [] };
      const names = [...this.#installed.values()].filter((item) => this.#newest(item.name) !== undefined);
      return this.#upgradeSome(names.map(({ name }) => ({ name, arch: '', floors: [], cves: [] })));
    }
    return this.#upgradeSome(wanted.filter((item) => this.#isOpen(item)));
  }

  #attempt(upgrade: 'all' | ReadonlySet<string>): Upgrade {
    return planUpgrade({ ...this.#offers, world: this.#world, upgrade });
  }

  /** All of them; else as many as can be had, one after the other; floors are checked on the result. */
  #upgradeSome(items: readonly Wanted[]): { upgrade: Upgrade; skipped: readonly Skipped[] } {
    let names = new Set(items.map(({ name }) => name));
    let upgrade = this.#attempt(names);
    if (this.#objection(upgrade) !== undefined) {
      const base = this.#objection(this.#attempt(new Set()));
      names = new Set();
      for (const item of items) {
        const next = this.#attempt(new Set([...names, item.name]));
        const objection = this.#objection(next);
        if (objection === undefined) {
          names.add(item.name);
          upgrade = next;
        } else this.#skip(item, ...(base ?? objection));
      }
    }
    const open = items.filter(({ name }) => names.has(name));
    const short = open.filter((item) => !this.#isReached(item, upgrade));
    for (const item of short) this.#skip(item, ...this.#whyShort(item, upgrade));
    const rest = open.filter((item) => !short.includes(item));
    if (short.length > 0 && rest.length > 0) return this.#upgradeSome(rest);
    // where nothing that is wanted can be had, nothing else is done either
    if (rest.length === 0) upgrade = { ...upgrade, incoming: [], outgoing: [] };
    return { upgrade, skipped: [...this.#skipped.values()] };
  }

  /** Why a solution is not acceptable. */
  #objection({ solution, incoming }: Upgrade): [Skipped['reason'], string] | undefined {
    const [error] = solution.errors;
    if (error !== undefined) return ['unsatisfiable', displayText(error)];
    for (const candidate of incoming) {
      const before = this.#installed.get(candidate.name);
      if (before && compareVersions(candidate.version, before.version) < 0)
        return ['unsatisfiable', `it would lower ${label(before)} to ${candidate.version}`];
      if (!before && !this.#request.allowNew)
        return ['new-package-not-allowed', `it needs ${label(candidate)}, which is not installed`];
    }
    return undefined;
  }

  /** Answers names about which nothing is to be solved. */
  #isOpen(item: Wanted): boolean {
    const present = this.#installed.get(item.name);
    if (!present) this.#skip(item, 'not-installed', 'it is not in the package database');
    else if (item.floors.length > 0 && meetsFloors(present.version, item.floors))
      this.#skip(item, 'already-fixed', `${present.version} is installed`);
    else if (!this.#offered(item.name).some(({ name }) => name === item.name))
      return this.#isRenamed(item) || this.#skip(item, 'no-candidate', 'no repository has it');
    else return true;
    return false;
  }

  /** Another package in a repository provides the name with a version: it would take the place. */
  #isRenamed({ name }: Wanted): boolean {
    return this.#offers.universe
      .carriers(name)
      .some(({ candidate, version }) => candidate.repository !== -1 && version !== '');
  }

  /** What carries the name in the repositories. */
  #offered(name: string): readonly Candidate[] {
    const carriers = this.#offers.universe.carriers(name).map(({ candidate }) => candidate);
    return carriers.filter(({ repository }) => repository !== -1);
  }

  #isReached({ name, floors }: Wanted, { solution }: Upgrade): boolean {
    const carrier = solution.chosen.get(name);
    const present = this.#installed.get(name);
    // a package that is nobody's dependency any more is gone, and its defect with it
    if (!carrier || !present) return true;
    if (carrier.candidate !== present) return meetsFloors(carrier.version, floors);
    return false;
  }

  #whyShort(item: Wanted, { solution }: Upgrade): [Skipped['reason'], string] {
    const newest = this.#newest(item.name);
    const present = this.#installed.get(item.name) as Candidate;
    if (!newest) {
      const best = this.#best(item.name);
      const have = best ? `the repositories have ${best.version}` : 'no repository has a newer version';
      return item.floors.length === 0
        ? ['no-candidate', `${present.version} is installed, ${have}`]
        : ['fix-not-available', have];
    }
    if (!meetsFloors(newest.version, item.floors))
      return ['fix-not-available', `the repositories have ${newest.version}`];
    const pins = this.#world.filter(({ name, operator }) => name === item.name && operator !== '');
    if (pins.length > 0)
      return [
        'pinned',
        `etc/apk/world asks for ${pins.map((pin) => displayText(formatDependency(pin))).join(' ')}`,
      ];
    return ['unsatisfiable', displayText(this.#whyKept(present, newest, solution))];
  }

  /** What keeps a package although a newer one could be had. */
  #whyKept(present: Candidate, newest: Candidate, solution: Solution): string {
    if (newest.installIf.length > 0)
      return `it is installed along with ${newest.installIf.map(formatDependency).join(' ')}`;
    const carried = new Map(newest.provides.map(({ name, version }) => [name, version]));
    carried.set(newest.name, newest.version);
    for (const { candidate } of [...solution.chosen.values()].filter((carrier) => carrier !== undefined))
      for (const dependency of candidate.depends) {
        const version = carried.get(dependency.name);
        const isOurs =
          dependency.name === present.name || present.provides.some(({ name }) => name === dependency.name);
        const carrier = version === undefined ? undefined : { version, checksum: newest.checksum };
        if (isOurs && !isSatisfied(dependency, carrier))
          return `${label(candidate)} wants ${formatDependency(dependency)}`;
      }
    const why = solution.whyNot(newest);
    return why === undefined || why.startsWith(`${present.name} is carried by`)
      ? `${label(present)} is kept`
      : why;
  }

  /** The highest version in a repository that may be used and that is above what is installed. */
  #newest(name: string): Candidate | undefined {
    const present = this.#installed.get(name);
    const best = this.#best(name);
    return best && (!present || compareVersions(best.version, present.version) > 0) ? best : undefined;
  }

  #best(name: string): Candidate | undefined {
    const { tags } = this.#offers;
    const allowed = this.#world
      .filter((item) => item.name === name)
      .reduce((set, { tag }) => set | tags.bit(tag), tags.bit(''));
    let best: Candidate | undefined;
    for (const candidate of this.#offered(name))
      if (candidate.name === name && isValidVersion(candidate.version) && (candidate.tags & allowed) !== 0)
        if (!best || compareVersions(candidate.version, best.version) > 0) best = candidate;
    return best;
  }

  #skip({ name, floors, cves }: Wanted, reason: Skipped['reason'], detail: string): false {
    const failure = reason !== 'already-fixed' && !(reason === 'no-candidate' && floors.length === 0);
    if (!this.#skipped.has(name)) this.#skipped.set(name, { name, reason, detail, failure, cves });
    return false;
  }
}

function meetsFloors(version: string, floors: Wanted['floors']): boolean {
  return floors.every((alternatives) => alternatives.some((floor) => compareVersions(version, floor) >= 0));
}

function plannedPackages(
  upgrade: Upgrade,
  offers: Offers,
  wanted: ResolveRequest['wanted'],
): readonly PlannedPackage[] {
  const { solution, incoming, leavingBefore } = upgrade;
  const installed = new Map(offers.installed.map((item) => [item.name, item]));
  const cves = new Map(wanted === 'all' ? [] : wanted.map((item) => [item.name, item.cves]));
  const reasons = reasonsOf(upgrade, {
    installed,
    requested: wanted === 'all' ? 'all' : new Set(cves.keys()),
  });
  return incoming.map((candidate, order) => {
    const { entry, from: repository } = candidate as Offer;
    if (!entry || !repository)
      throw new OnlayError('INTERNAL', `${label(candidate)} was chosen, but is in no repository`);
    const from = installed.get(candidate.name)?.version;
    const tag = solution.tagOf(candidate);
    const leaving = leavingBefore.get(candidate)?.map(({ name }) => name) ?? [];
    return {
      name: candidate.name,
      arch: entry.arch,
      ...(from === undefined ? {} : { from }),
      to: candidate.version,
      source: candidate.origin || candidate.name,
      sourceVersion: candidate.version,
      repository: repository.name,
      url: packageUrl(repository, entry),
      ...(entry.size > 0 ? { size: entry.size } : {}),
      digests: [{ algorithm: 'sha1', over: 'apk-control', value: checksumHex(candidate.checksum) }],
      ...(reasons.get(candidate) ?? { reason: 'dependency' }),
      cves: cves.get(candidate.name) ?? [],
      extra: {
        order: String(order),
        ...(tag === '' ? {} : { tag }),
        ...(leaving.length > 0 ? { leaving: leaving.join(' ') } : {}),
      },
    };
  });
}

function plannedRemovals(
  { outgoing, solution }: Upgrade,
  records: readonly InstalledRecord[],
): readonly PlannedRemoval[] {
  const archs = new Map(records.map((record) => [field(record, 'P'), field(record, 'A')]));
  return outgoing.map(({ name, version }) => {
    const heir = solution.chosen.get(name)?.candidate;
    const reason = heir ? `${label(heir)} takes its place` : 'nothing needs it any more';
    return { name, arch: archs.get(name) ?? '', version, reason };
  });
}

/** apk does not keep packages of one origin at one version; mixtures are rarely meant. */
function warnAboutSiblings({ incoming, solution }: Upgrade, offers: Offers, log: Log): void {
  const raised = new Map(incoming.map((item) => [item.origin, item]));
  for (const candidate of offers.installed) {
    const sibling = raised.get(candidate.origin);
    if (!sibling || candidate.origin === '') continue;
    if (
      solution.chosen.get(candidate.name)?.candidate === candidate &&
      compareVersions(candidate.version, sibling.version) < 0
    )
      log.warn('A package of the same origin stays at an older version', {
        package: label(candidate),
        upgraded: label(sibling),
        origin: candidate.origin,
      });
  }
}
