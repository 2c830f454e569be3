// Why each package is in a plan.
import type { PlanReason } from '../package.ts';
import type { Upgrade } from './transactions.ts';
import type { Candidate } from './universe.ts';

export interface Reason {
  readonly reason: PlanReason;
  /** Who pulled it in. */
  readonly by?: string;
}

export function reasonsOf(
  { incoming }: Upgrade,
  facts: {
    readonly installed: ReadonlyMap<string, Candidate>;
    readonly requested: 'all' | ReadonlySet<string>;
  },
): ReadonlyMap<Candidate, Reason> {
  const carriers = new Map<string, Candidate>();
  for (const candidate of incoming)
    for (const name of [candidate.name, ...candidate.provides.map((provided) => provided.name)])
      carriers.set(name, candidate);
  const dependants = new Map<Candidate, Candidate>();
  for (const candidate of incoming)
    for (const { name, conflict } of candidate.depends) {
      const needed = conflict ? undefined : carriers.get(name);
      if (needed && needed !== candidate && !dependants.has(needed)) dependants.set(needed, candidate);
    }
  const reasonOf = (candidate: Candidate): Reason => {
    const { installed, requested } = facts;
    const before = installed.get(candidate.name);
    if (requested === 'all' ? before : requested.has(candidate.name))
      return { reason: requested === 'all' ? 'upgrade' : 'requested' };
    const renamed = candidate.provides.find(
      ({ name, version }) => version !== '' && name !== candidate.name && installed.has(name),
    );
    if (!before && renamed) return { reason: 'obsoletes', by: renamed.name };
    const dependant = dependants.get(candidate);
    if (dependant)
      return {
        reason: dependant.origin === candidate.origin && candidate.origin !== '' ? 'sibling' : 'dependency',
        by: dependant.name,
      };
    const condition = candidate.installIf.find(({ name }) => carriers.has(name)) ?? candidate.installIf[0];
    if (condition) return { reason: 'install-if', by: condition.name };
    const cause =
      candidate.depends.find(({ name, operator }) => operator !== '' && carriers.has(name)) ??
      candidate.depends.find(({ name }) => carriers.has(name));
    return cause
      ? { reason: 'breaks', by: carriers.get(cause.name)?.name ?? cause.name }
      : { reason: 'dependency' };
  };
  return new Map(incoming.map((candidate) => [candidate, reasonOf(candidate)]));
}
