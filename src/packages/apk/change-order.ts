// The order in which apk carries out what was solved: depth first from world, dependencies before dependants, packages
// that install_if brings in right after their last condition. It decides the order of scripts.tar and triggers, and of
// `installed` up to apk 2.12.
import { isSatisfied } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { compareNames } from './installed.ts';
import type { Candidate, Carrier, Universe } from './universe.ts';

export interface Changes {
  /** Packages that come in, new or in place of another version, in apk's order. */
  readonly incoming: readonly Candidate[];
  /** Installed packages that leave with nothing of their name in their place, in the order given. */
  readonly outgoing: readonly Candidate[];
}

export function orderChanges(input: {
  readonly universe: Universe;
  readonly world: readonly Dependency[];
  /** Installed packages in database order. */
  readonly installed: readonly Candidate[];
  readonly chosen: ReadonlyMap<string, Carrier | undefined>;
}): Changes {
  const { universe, world, installed, chosen } = input;
  const present = new Set(installed);
  const incoming: Candidate[] = [];
  const visitedNames = new Set<string>();
  const visited = new Set<Candidate>();
  const visit = (name: string): void => {
    if (visitedNames.has(name)) return;
    visitedNames.add(name);
    const candidate = chosen.get(name)?.candidate;
    if (!candidate || visited.has(candidate)) return;
    visited.add(candidate);
    visitedNames.add(candidate.name);
    for (const provided of candidate.provides) visitedNames.add(provided.name);
    for (const dependency of candidate.depends) visit(dependency.name);
    if (!present.has(candidate)) incoming.push(candidate);
    for (const triggered of universe.triggeredBy(candidate.name)) if (isComplete(triggered)) visit(triggered);
  };
  const isComplete = (name: string): boolean => {
    const conditions = chosen.get(name)?.candidate.installIf;
    return (
      conditions !== undefined &&
      conditions.every((condition) => {
        const carrier = chosen.get(condition.name);
        const provided = carrier && { version: carrier.version, checksum: carrier.candidate.checksum };
        return visitedNames.has(condition.name) && isSatisfied(condition, provided);
      })
    );
  };
  for (const { name } of [...world].sort((a, b) => compareNames(a.name, b.name))) visit(name);
  for (const { name } of installed) visit(name);
  const remaining = new Set([...visited].map(({ name }) => name));
  return { incoming, outgoing: installed.filter(({ name }) => !remaining.has(name)) };
}
