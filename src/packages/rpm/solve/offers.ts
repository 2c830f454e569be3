// What the repositories offer for this image, filtered as dnf and zypp do: architecture, excludes, modules, locks,
// vendor. Priorities hide nothing: they are a matter of choice.
import { formatEvr, compareEvr } from '../version.ts';
import type { OfferedPackage, SolvablePackage } from '../repositories/candidate.ts';
import { matchesGlob } from '../repositories/glob.ts';
import type { Locks } from '../repositories/locks.ts';
import type { ModuleFilter } from '../repositories/modules.ts';
import type { Repository } from '../repositories/repository.ts';

export interface Offer {
  readonly candidate: OfferedPackage;
  readonly repository: Repository;
  /** It may not be taken: excluded, locked, of another module stream. As for dnf, others see that it exists. */
  readonly isExcluded: boolean;
}

export interface OfferRules {
  /** Architectures that may be installed, best first. */
  readonly architectures: readonly string[];
  readonly excludes: readonly string[];
  readonly modules: ModuleFilter;
  readonly locks: Locks;
  /** True when a package of vendor `to` may replace one of vendor `from`. */
  readonly mayReplace: (from: string, to: string) => boolean;
}

export class Offers {
  /** Better priority first, then lower cost, then the order of the configuration. */
  readonly repositories: readonly Repository[];
  readonly #rules: OfferRules;
  readonly #byName = new Map<string, readonly Offer[]>();
  readonly #known = new WeakMap<OfferedPackage, Offer>();

  constructor(repositories: readonly Repository[], rules: OfferRules) {
    this.repositories = repositories.toSorted(
      (a, b) => a.config.priority - b.config.priority || a.config.cost - b.config.cost,
    );
    this.#rules = rules;
  }

  /** Packages of a name, newest first; of equal ones that of the better repository first. */
  named(name: string): readonly Offer[] {
    let offers = this.#byName.get(name);
    if (!offers) {
      offers = this.repositories
        .flatMap((repository) =>
          repository
            .named(name)
            .filter((candidate) => this.#fits(candidate))
            .map((candidate) => this.#remember(candidate, repository)),
        )
        .sort((a, b) => compareEvr(b.candidate.evr, a.candidate.evr));
      this.#byName.set(name, offers);
    }
    return offers;
  }

  /** Packages newer than an installed one that may replace it, newest first. */
  upgrades(installed: SolvablePackage): readonly Offer[] {
    return this.named(installed.name).filter(
      ({ candidate, isExcluded }) =>
        !isExcluded &&
        compareEvr(candidate.evr, installed.evr) > 0 &&
        sameArchitecture(candidate.arch, installed.arch) &&
        this.#rules.mayReplace(installed.vendor, candidate.vendor),
    );
  }

  providers(name: string): readonly Offer[] {
    return this.#collect((repository) =>
      name.startsWith('/')
        ? [...repository.providers(name), ...repository.ownersInPrimary(name)]
        : repository.providers(name),
    );
  }

  obsoleters(name: string): readonly Offer[] {
    return this.#collect((repository) => repository.obsoleters(name)).filter(({ isExcluded }) => !isExcluded);
  }

  /** Packages that supplement or enhance others. */
  supplementing(): readonly Offer[] {
    return this.#collect((repository) => repository.supplementing()).filter(({ isExcluded }) => !isExcluded);
  }

  async ownersInFileLists(path: string): Promise<readonly Offer[]> {
    const found: Offer[] = [];
    for (const repository of this.repositories)
      for (const candidate of await repository.ownersInFileLists(path))
        if (this.#fits(candidate)) found.push(this.#remember(candidate, repository));
    return found;
  }

  mayReplace(from: string, to: string): boolean {
    return this.#rules.mayReplace(from, to);
  }

  #collect(find: (repository: Repository) => readonly OfferedPackage[]): readonly Offer[] {
    const found = new Set<Offer>();
    for (const repository of this.repositories)
      for (const candidate of find(repository))
        if (this.#fits(candidate)) found.add(this.#remember(candidate, repository));
    return [...found];
  }

  #remember(candidate: OfferedPackage, repository: Repository): Offer {
    let offer = this.#known.get(candidate);
    if (!offer) {
      offer = { candidate, repository, isExcluded: !this.#allows(candidate, repository) };
      this.#known.set(candidate, offer);
    }
    return offer;
  }

  #fits({ arch }: OfferedPackage): boolean {
    return arch === 'noarch' || this.#rules.architectures.includes(arch);
  }

  #allows(candidate: OfferedPackage, { config }: Repository): boolean {
    const { excludes, modules, locks } = this.#rules;
    if (excluded(candidate, excludes) || excluded(candidate, config.excludes)) return false;
    if (config.includes.length > 0 && !excluded(candidate, config.includes)) return false;
    if (!locks.allows(candidate.name, candidate.evr, candidate.arch)) return false;
    return modules.allows(candidate, config.moduleHotfixes);
  }
}

/** A package may become or cease to be noarch. */
export function sameArchitecture(a: string, b: string): boolean {
  return a === b || a === 'noarch' || b === 'noarch';
}

/** True where `excludepkgs` patterns name a package. */
export function excluded({ name, arch, evr }: SolvablePackage, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return false;
  const version = formatEvr({ ...evr, epoch: 0 });
  const names = [
    name,
    `${name}.${arch}`,
    `${name}-${version}`,
    `${name}-${version}.${arch}`,
    `${name}-${evr.epoch}:${version}`,
    `${name}-${evr.epoch}:${version}.${arch}`,
    `${name}-${evr.version}`,
  ];
  return patterns.some((pattern) => names.some((text) => matchesGlob(pattern, text)));
}
