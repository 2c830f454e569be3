// The order in which apk carries out what was solved: depth first from world, dependencies before dependants, packages
// that install_if brings in right after their last condition, and what nothing needs any more as soon as its last
// dependant has gone. It decides the order of scripts.tar and triggers, that of `installed` up to apk 2.12, and who owns
// a file when its next owner comes.
import { isSatisfied } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { compareNames } from './installed.ts';
import type { Candidate, Carrier, Universe } from './universe.ts';

export interface Changes {
  /** Packages that come in, new or in place of another version, in apk's order. */
  readonly incoming: readonly Candidate[];
  /** Installed packages that leave with nothing of their name in their place, in apk's order. */
  readonly outgoing: readonly Candidate[];
  /** Those of `outgoing` that leave right before one of `incoming` comes; the others leave last. */
  readonly leavingBefore: ReadonlyMap<Candidate, readonly Candidate[]>;
}

export interface ChangeInput {
  readonly universe: Universe;
  readonly world: readonly Dependency[];
  /** Installed packages in database order. */
  readonly installed: readonly Candidate[];
  readonly chosen: ReadonlyMap<string, Carrier | undefined>;
}

export function orderChanges(input: ChangeInput): Changes {
  const order = new ChangeOrder(input);
  for (const candidate of input.installed) order.leaveIfOrphan(candidate);
  for (const { name } of [...input.world].sort((a, b) => compareNames(a.name, b.name))) order.change(name);
  for (const { name } of input.installed) order.change(name);
  return order;
}

class ChangeOrder implements Changes {
  readonly incoming: Candidate[] = [];
  readonly outgoing: Candidate[] = [];
  readonly leavingBefore = new Map<Candidate, readonly Candidate[]>();
  readonly #input: ChangeInput;
  readonly #installed: ReadonlyMap<string, Candidate>;
  /** Name → name of the installed package that is it or provides a version of it. */
  readonly #owners = new Map<string, string>();
  /** How many dependencies of packages that are there at this point each installed package meets. */
  readonly #requirers = new Map<string, number>();
  readonly #names = new Set<string>();
  readonly #seen = new Set<Candidate>();
  /** Leaving since the last package came in. */
  #leaving: Candidate[] = [];

  constructor(input: ChangeInput) {
    this.#input = input;
    this.#installed = new Map(input.installed.map((candidate) => [candidate.name, candidate]));
    for (const { name, provides } of input.installed) {
      this.#owners.set(name, name);
      for (const provided of provides) if (provided.version !== '') this.#owners.set(provided.name, name);
    }
    for (const candidate of input.installed) this.#require(candidate);
  }

  change(name: string): void {
    if (this.#names.has(name)) return;
    const candidate = this.#chosen(name);
    if (candidate?.name !== name) {
      const present = this.#installed.get(name);
      if (present) this.#leave(present);
      this.#names.add(name);
    }
    if (!candidate || this.#seen.has(candidate)) return;
    this.#seen.add(candidate);
    this.#names.add(candidate.name);
    for (const provided of candidate.provides) this.#names.add(provided.name);
    const before = this.#installed.get(candidate.name);
    if (before) this.#leaveTriggered(before.name);
    for (const dependency of candidate.depends) this.change(dependency.name);
    if (before !== candidate) this.#comeIn(candidate);
    for (const triggered of this.#input.universe.triggeredBy(candidate.name))
      if (this.#isComplete(triggered)) this.change(triggered);
    this.#require(candidate);
    if (before) this.#release(before);
  }

  leaveIfOrphan(candidate: Candidate): void {
    const { name } = candidate;
    if ((this.#requirers.get(name) ?? 0) === 0 && !this.#chosen(name)) this.#leave(candidate);
  }

  #chosen(name: string): Candidate | undefined {
    return this.#input.chosen.get(name)?.candidate;
  }

  #comeIn(candidate: Candidate): void {
    if (this.#leaving.length > 0) this.leavingBefore.set(candidate, this.#leaving);
    this.#leaving = [];
    this.incoming.push(candidate);
  }

  /** With all that depends on it. */
  #leave(candidate: Candidate): void {
    const { name } = candidate;
    if (this.#seen.has(candidate) || this.#chosen(name)?.name === name) return;
    this.#names.add(name);
    this.#seen.add(candidate);
    for (const other of this.#input.installed)
      if (other.depends.some((dependency) => isMetBy(dependency, candidate))) this.#leave(other);
    this.#leaveTriggered(name);
    this.outgoing.push(candidate);
    this.#leaving.push(candidate);
    this.#release(candidate);
  }

  /** What install_if brought in because of `name`, which has gone or changes. */
  #leaveTriggered(name: string): void {
    for (const triggered of this.#input.universe.triggeredBy(name)) {
      const candidate = this.#installed.get(triggered);
      if (!candidate || this.#names.has(triggered) || this.#chosen(triggered)) continue;
      if (
        candidate.installIf.some(
          (condition) => this.#names.has(condition.name) && !this.#chosen(condition.name),
        )
      )
        this.leaveIfOrphan(candidate);
    }
  }

  #isComplete(name: string): boolean {
    const conditions = this.#chosen(name)?.installIf;
    return (
      conditions !== undefined &&
      conditions.every((condition) => {
        const carrier = this.#input.chosen.get(condition.name);
        const provided = carrier && { version: carrier.version, checksum: carrier.candidate.checksum };
        return this.#names.has(condition.name) && isSatisfied(condition, provided);
      })
    );
  }

  #require({ depends }: Candidate): void {
    for (const { name, conflict } of depends) {
      const owner = conflict ? undefined : this.#owners.get(name);
      if (owner !== undefined) this.#requirers.set(owner, (this.#requirers.get(owner) ?? 0) + 1);
    }
  }

  #release({ depends }: Candidate): void {
    for (const { name, conflict } of depends) {
      const owner = conflict ? undefined : this.#owners.get(name);
      if (owner === undefined) continue;
      const left = (this.#requirers.get(owner) ?? 0) - 1;
      this.#requirers.set(owner, left);
      const present = this.#installed.get(name);
      if (left <= 0 && present) this.#leave(present);
    }
  }
}

function isMetBy(dependency: Dependency, { name, version, checksum, provides }: Candidate): boolean {
  if (dependency.conflict) return false;
  if (dependency.name === name) return isSatisfied(dependency, { version, checksum });
  return provides.some(
    (provided) =>
      provided.name === dependency.name && isSatisfied(dependency, { version: provided.version, checksum }),
  );
}
