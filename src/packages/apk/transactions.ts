// What an upgrade does: a solution and the order of its changes. An upgrade of everything begins with apk-tools, if that
// is newer, as a transaction of its own, because apk first replaces itself and then starts anew.
import { orderChanges } from './change-order.ts';
import type { Dependency } from './dependencies.ts';
import { solve } from './solve.ts';
import type { Solution } from './solve.ts';
import { Universe } from './universe.ts';
import type { Candidate, Tags } from './universe.ts';
import { compareVersions } from './version.ts';

export interface UpgradeRequest {
  readonly candidates: readonly Candidate[];
  readonly tags: Tags;
  readonly world: readonly Dependency[];
  readonly upgrade: 'all' | ReadonlySet<string>;
}

export interface Upgrade {
  readonly solution: Solution;
  /** In apk's order. */
  readonly incoming: readonly Candidate[];
  readonly outgoing: readonly Candidate[];
}

export function planUpgrade(request: UpgradeRequest): Upgrade {
  const first = request.upgrade === 'all' ? upgradeApkItself(request) : undefined;
  if (!first || first.incoming.length === 0) return attempt(request);
  const renewed = new Map<Candidate, Candidate>();
  const originals = new Map<Candidate, Candidate>();
  const gone = new Set([
    ...first.outgoing,
    ...request.candidates.filter(
      ({ installed, name }) => installed && first.incoming.some((other) => other.name === name),
    ),
  ]);
  for (const candidate of request.candidates) {
    const installed = first.incoming.includes(candidate) || (candidate.installed && !gone.has(candidate));
    if (installed === candidate.installed) continue;
    const changed = withInstalled(candidate, installed);
    renewed.set(candidate, changed);
    originals.set(changed, candidate);
  }
  const second = attempt({
    ...request,
    candidates: request.candidates.map((candidate) => renewed.get(candidate) ?? candidate),
  });
  const original = (candidate: Candidate): Candidate => originals.get(candidate) ?? candidate;
  // what the first step brought may be replaced or removed again by the second
  const replaced = new Set([...second.incoming, ...second.outgoing].map(({ name }) => name));
  const incoming = [
    ...first.incoming.filter(({ name }) => !replaced.has(name)),
    ...second.incoming.map(original),
  ];
  const present = request.candidates.filter(({ installed }) => installed);
  return {
    solution: {
      ...second.solution,
      tagOf: (candidate) => second.solution.tagOf(renewed.get(candidate) ?? candidate),
    },
    incoming: incoming.filter(({ installed }) => !installed),
    outgoing: present.filter((candidate) =>
      [...first.outgoing, ...second.outgoing.map(original)].includes(candidate),
    ),
  };
}

function upgradeApkItself(request: UpgradeRequest): Upgrade | undefined {
  const own = request.candidates.filter(({ name }) => name === 'apk-tools');
  const present = own.find(({ installed }) => installed);
  if (
    !present ||
    !own.some(({ version, repository }) => repository !== -1 && compareVersions(version, present.version) > 0)
  )
    return undefined;
  const upgrade = attempt({ ...request, upgrade: new Set(['apk-tools']) }, true);
  return upgrade.solution.errors.length > 0 ? undefined : upgrade;
}

function attempt({ candidates, tags, world, upgrade }: UpgradeRequest, keepInstalled = false): Upgrade {
  const universe = new Universe(candidates);
  const solution = solve({ universe, tags, world, upgrade, keepInstalled });
  if (solution.errors.length > 0) return { solution, incoming: [], outgoing: [] };
  const installed = candidates.filter((candidate) => candidate.installed);
  return { solution, ...orderChanges({ universe, world, installed, chosen: solution.chosen }) };
}

function withInstalled(candidate: Candidate, installed: boolean): Candidate {
  const { depends } = candidate;
  return { ...candidate, depends, installed };
}
