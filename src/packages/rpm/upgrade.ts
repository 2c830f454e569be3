// From what is wanted to what changes: what is there to upgrade, one solution for all of it, why each package comes in,
// and why something wanted does not. What cannot be had is skipped, as `dnf upgrade` with best=False leaves it out.
import { compareBytes } from '../../base/bytes.ts';
import type { Distro } from '../distro.ts';
import type { ResolveRequest } from '../family.ts';
import type { PlanReason, Skipped, Wanted } from '../package.ts';
import type { SolvablePackage } from './repositories/candidate.ts';
import { InstalledSet, requirementsOf, namesIn, type InstalledSolvable } from './solve/installed.ts';
import { sameArchitecture, type Offer, type Offers } from './solve/offers.ts';
import { Solver, type Solution, type Targets } from './solve/solve.ts';
import { obsoletes, provides } from './solve/universe.ts';
import { sourceOf } from './source.ts';
import { compareVersions, formatEvr } from './version.ts';

/** A package that comes in. */
export interface Change {
  readonly offer: Offer;
  /** The installed package it replaces. */
  readonly replaces: InstalledSolvable | undefined;
  readonly reason: PlanReason;
  /** Name of the package that pulled it in. */
  readonly by: string | undefined;
  readonly cves: readonly string[];
}

/** An installed package that leaves without a newer version of its own. */
export interface Obsoleted {
  readonly installed: InstalledSolvable;
  readonly by: string;
}

export interface Upgrade {
  readonly changes: readonly Change[];
  readonly obsoleted: readonly Obsoleted[];
  readonly skipped: readonly Skipped[];
}

export interface UpgradeInput {
  readonly installed: readonly InstalledSolvable[];
  readonly offers: Offers;
  readonly architectures: readonly string[];
  readonly distro: Distro | undefined;
  readonly request: Pick<ResolveRequest, 'wanted' | 'allowNew'>;
}

export async function upgrade(input: UpgradeInput): Promise<Upgrade> {
  const upgrader = new Upgrader(input);
  return upgrader.run();
}

/** Something installed that shall be upgraded. */
interface Root {
  readonly installed: InstalledSolvable;
  readonly wanted: Wanted | undefined;
  /** Best first; empty where only an equal version is offered. */
  readonly goals: readonly Offer[];
}

const NO_CHANGE: Solution = { added: [], gone: new Set(), unknownPaths: [] };

class Upgrader {
  readonly #input: UpgradeInput;
  readonly #set: InstalledSet;
  readonly #skipped: Skipped[] = [];
  readonly #cves = new Map<string, Set<string>>();

  constructor(input: UpgradeInput) {
    this.#input = input;
    this.#set = new InstalledSet(input.installed);
  }

  async run(): Promise<Upgrade> {
    const { wanted } = this.#input.request;
    const roots = this.#roots();
    const { solver, solution } = await this.#solve(roots);
    const changes = this.#changes(roots, solution);
    const obsoleted = this.#obsoleted(changes, solution);
    for (const root of roots) this.#outcome(root, { solver, solution, changes, obsoleted });
    if (wanted !== 'all') this.#unreached(wanted, changes);
    return {
      changes: changes.map((change) => ({
        ...change,
        cves: [...(this.#cves.get(change.offer.candidate.name) ?? [])].sort(),
      })),
      obsoleted,
      skipped: this.#skipped.sort((a, b) => compareBytes(a.name, b.name) || compareBytes(a.detail, b.detail)),
    };
  }

  #roots(): readonly Root[] {
    const { request, installed } = this.#input;
    if (request.wanted === 'all')
      return installed.flatMap((one): readonly Root[] => {
        const goals = one.held === undefined ? this.#goals(one) : [];
        return goals.length > 0 ? [{ installed: one, wanted: undefined, goals }] : [];
      });
    const roots: Root[] = [];
    for (const wanted of request.wanted) {
      const found = installed.filter(({ name, arch }) => name === wanted.name && arch === wanted.arch);
      if (found.length === 0)
        this.#skip(wanted, 'not-installed', `${wanted.name}.${wanted.arch} is not installed`, true);
      for (const one of found) {
        const goals = this.#wantedGoals(one, wanted);
        if (goals) roots.push({ installed: one, wanted, goals });
      }
    }
    return roots;
  }

  /** What fixes a wanted package; undefined, with the reason noted, where nothing is to be done or can be. */
  #wantedGoals(one: InstalledSolvable, wanted: Wanted): readonly Offer[] | undefined {
    const hasFloors = wanted.floors.length > 0;
    if (hasFloors && meetsFloors(wanted, this.#advisoryVersion(one))) {
      this.#skip(wanted, 'already-fixed', `${formatEvr(one.evr)} is installed`, false);
      return undefined;
    }
    if (one.held !== undefined) {
      this.#skip(wanted, 'held', `it is held (${one.held})`, true);
      return undefined;
    }
    const goals = this.#goals(one);
    const fixing = goals.filter((offer) => this.#reaches(offer, wanted));
    const [newest] = goals;
    if (!newest)
      this.#skip(
        wanted,
        hasFloors ? 'fix-not-available' : 'no-candidate',
        'no repository has a newer version',
        hasFloors,
      );
    else if (fixing.length === 0)
      this.#skip(
        wanted,
        'fix-not-available',
        `the newest version is ${formatEvr(newest.candidate.evr)}`,
        true,
      );
    return hasFloors && fixing.length === 0 ? undefined : fixing;
  }

  /** Newer versions, newest first, and what obsoletes the package or one of those. */
  #goals(one: InstalledSolvable): readonly Offer[] {
    const { offers } = this.#input;
    const upgrades = offers.upgrades(one);
    const obsoleters = offers
      .obsoleters(one.name)
      .filter(
        ({ candidate }) =>
          candidate.name !== one.name &&
          offers.mayReplace(one.vendor, candidate.vendor) &&
          (obsoletes(candidate, one) || upgrades.some((offer) => obsoletes(candidate, offer.candidate))),
      );
    const newest = upgrades[0]?.candidate;
    const first = obsoleters.filter(({ candidate }) => !newest || obsoletes(candidate, newest));
    return [...first, ...upgrades, ...obsoleters.filter((offer) => !first.includes(offer))];
  }

  /** Solves, and fetches file lists as often as the solution depends on them. */
  async #solve(roots: readonly Root[]): Promise<{ solver: Solver; solution: Solution }> {
    const { offers, architectures, request } = this.#input;
    const fileOwners = new Map<string, readonly Offer[]>();
    const targets = request.wanted === 'all' ? 'all' : this.#targets(roots);
    for (;;) {
      const solver = new Solver({
        installed: this.#set,
        offers,
        architectures,
        allowNew: request.allowNew,
        fileOwners,
      });
      // keeping everything is always a solution; none is found only where there is too much to try
      const solution = solver.solve(targets) ?? NO_CHANGE;
      if (solution.unknownPaths.length === 0) return { solver, solution };
      for (const path of solution.unknownPaths) fileOwners.set(path, await offers.ownersInFileLists(path));
    }
  }

  /** The goals of all roots, for all installed packages they would take the place of, as dnf names targets. */
  #targets(roots: readonly Root[]): Targets {
    const targets = new Map<InstalledSolvable, Set<SolvablePackage>>();
    const aim = (one: InstalledSolvable, goal: SolvablePackage): void => {
      const goals = targets.get(one);
      if (goals) goals.add(goal);
      else targets.set(one, new Set([goal]));
    };
    for (const { installed, wanted, goals } of roots) {
      // packages of the same version too: that of the repository may require something else
      const same = this.#input.offers
        .named(installed.name)
        .filter((offer) => wanted && this.#reaches(offer, wanted));
      for (const one of this.#set.named(installed.name)) aim(one, one);
      for (const { candidate } of [...goals, ...same]) {
        for (const one of this.#set.named(candidate.name)) {
          aim(one, one);
          aim(one, candidate);
        }
        for (const { name } of candidate.obsoletes)
          for (const one of this.#set.named(name))
            if (one.name !== candidate.name && obsoletes(candidate, one)) aim(one, candidate);
      }
    }
    return targets;
  }

  #changes(roots: readonly Root[], { added, gone }: Solution): readonly Change[] {
    const wanted = new Map(roots.map((root) => [root.installed, root]));
    const replaced = added.map((offer) => {
      const same = this.#set.named(offer.candidate.name).filter((one) => gone.has(one));
      return (
        same.find(({ arch }) => arch === offer.candidate.arch) ??
        same.find(({ arch }) => sameArchitecture(arch, offer.candidate.arch))
      );
    });
    const why = new Reasons(this.#set, added, replaced, gone);
    return added.map((offer, at): Change => {
      const replaces = replaced[at];
      const root = replaces && wanted.get(replaces);
      const change = { offer, replaces, cves: [] };
      if (root) return { ...change, reason: root.wanted ? 'requested' : 'upgrade', by: undefined };
      return { ...change, ...why.of(offer, replaces, wanted) };
    });
  }

  #obsoleted(changes: readonly Change[], { gone }: Solution): readonly Obsoleted[] {
    return [...gone].flatMap((installed): readonly Obsoleted[] => {
      if (changes.some(({ replaces }) => replaces === installed)) return [];
      const by =
        changes.find(
          ({ offer }) => offer.candidate.name !== installed.name && obsoletes(offer.candidate, installed),
        ) ?? changes.find(({ offer }) => offer.candidate.name === installed.name);
      return [{ installed, by: by?.offer.candidate.name ?? installed.name }];
    });
  }

  /** Notes what a root's upgrade fixes, or why there is none. */
  #outcome(
    { installed, wanted, goals }: Root,
    {
      solver,
      solution,
      changes,
      obsoleted,
    }: {
      solver: Solver;
      solution: Solution;
      changes: readonly Change[];
      obsoleted: readonly Obsoleted[];
    },
  ): void {
    const change = changes.find(({ replaces }) => replaces === installed);
    const cves = wanted?.cves ?? [];
    if (change) {
      this.#note(change.offer.candidate.name, cves);
      return;
    }
    const successor = obsoleted.find((one) => one.installed === installed);
    if (successor) {
      this.#note(successor.by, cves);
      return;
    }
    if (solution.added.some((offer) => goals.includes(offer))) return;
    const [best] = goals;
    if (!best) return;
    const { kind, text } = solver.explain(best);
    this.#skipped.push({
      name: installed.name,
      reason: kind === 'new-package' ? 'new-package-not-allowed' : 'unsatisfiable',
      detail: text,
      failure: wanted !== undefined,
      cves,
    });
  }

  /** What came in for another reason may fix less than is wanted. */
  #unreached(all: readonly Wanted[], changes: readonly Change[]): void {
    for (const wanted of all) {
      const change = changes.find(
        ({ replaces }) => replaces?.name === wanted.name && replaces.arch === wanted.arch,
      );
      if (change && !this.#reaches(change.offer, wanted))
        this.#skip(
          wanted,
          'fix-not-available',
          `only ${formatEvr(change.offer.candidate.evr)} can be had`,
          true,
        );
    }
  }

  #reaches({ candidate }: Offer, wanted: Wanted): boolean {
    // another package that takes its place has versions of its own
    return candidate.name !== wanted.name || meetsFloors(wanted, this.#advisoryVersion(candidate));
  }

  /** In the numbering of the distro's advisories: that of the binary, or of its source. */
  #advisoryVersion({ name, evr, sourceRpm }: SolvablePackage): string {
    const version = formatEvr(evr);
    if (!this.#input.distro?.quirks.rpmSourceAdvisories) return version;
    return sourceOf(sourceRpm, { name, epoch: evr.epoch, version }).version;
  }

  #note(name: string, cves: readonly string[]): void {
    const known = this.#cves.get(name) ?? new Set();
    for (const cve of cves) known.add(cve);
    this.#cves.set(name, known);
  }

  #skip({ name, cves }: Wanted, reason: Skipped['reason'], detail: string, failure: boolean): void {
    // several installed versions of one package are skipped once, and what is said first counts
    if (this.#skipped.some((one) => one.name === name && one.reason === reason && one.detail === detail))
      return;
    this.#skipped.push({ name, reason, detail, failure, cves });
  }
}

/** Why packages come in that nobody asked for, as far as one package can be named. */
class Reasons {
  readonly #installed: InstalledSet;
  readonly #added: readonly Offer[];
  readonly #replaced: readonly (InstalledSolvable | undefined)[];
  readonly #gone: ReadonlySet<InstalledSolvable>;

  constructor(
    installed: InstalledSet,
    added: readonly Offer[],
    replaced: readonly (InstalledSolvable | undefined)[],
    gone: ReadonlySet<InstalledSolvable>,
  ) {
    this.#installed = installed;
    this.#added = added;
    this.#replaced = replaced;
    this.#gone = gone;
  }

  of(
    offer: Offer,
    replaces: InstalledSolvable | undefined,
    roots: ReadonlyMap<InstalledSolvable, Root>,
  ): Pick<Change, 'reason' | 'by'> {
    const { candidate } = offer;
    const left = [...this.#gone].filter((one) => one.name !== candidate.name && obsoletes(candidate, one));
    const obsoleted = left.find((one) => roots.has(one));
    if (obsoleted) return { reason: 'obsoletes', by: obsoleted.name };
    const requirer = this.#added.find((other) => other !== offer && this.#lacks(other.candidate, candidate));
    if (requirer) return { reason: 'dependency', by: requirer.candidate.name };
    const sibling =
      replaces && this.#added.find((other) => other !== offer && other.candidate.name === candidate.name);
    if (sibling) return { reason: 'sibling', by: candidate.name };
    const stays = this.#installed.all.find((one) => !this.#gone.has(one) && this.#lacks(one, candidate));
    if (stays) return { reason: 'dependency', by: stays.name };
    if (left[0]) return { reason: 'obsoletes', by: left[0].name };
    if (replaces) return { reason: 'breaks', by: this.#breaker(replaces)?.candidate.name };
    return { reason: 'dependency', by: this.#added.find((other) => other !== offer)?.candidate.name };
  }

  /** True when `one` requires something that `provider` has and nothing that stays. */
  #lacks(one: SolvablePackage, provider: SolvablePackage): boolean {
    return requirementsOf(one).some(({ dependency }) => {
      const names = namesIn(dependency);
      if (!names.some((name) => provides(provider, { name }))) return false;
      if (dependency.kind !== 'atom') return true;
      const { relation } = dependency;
      return (
        provides(provider, relation) &&
        !this.#installed
          .providers(relation.name)
          .some((other) => !this.#gone.has(other) && provides(other, relation))
      );
    });
  }

  /** Whose coming made a package impossible as it was: it took what that required, or is in conflict with it. */
  #breaker(one: InstalledSolvable): Offer | undefined {
    const needs = requirementsOf(one).flatMap(({ dependency }) =>
      dependency.kind === 'atom' ? [dependency.relation] : [],
    );
    return (
      this.#added.find((_, at) => {
        const before = this.#replaced[at];
        return (
          before !== undefined &&
          before !== one &&
          needs.some(
            (relation) =>
              provides(before, relation) && !provides((this.#added[at] as Offer).candidate, relation),
          )
        );
      }) ??
      this.#added.find(
        ({ candidate }) =>
          candidate.conflicts.some((relation) => provides(one, relation)) ||
          one.conflicts.some((relation) => provides(candidate, relation)),
      ) ??
      this.#added.find((_, at) => this.#replaced[at] !== one)
    );
  }
}

/** One alternative of every finding is reached. */
function meetsFloors({ floors }: Wanted, version: string): boolean {
  return floors.every((alternatives) => alternatives.some((floor) => compareVersions(version, floor) >= 0));
}
