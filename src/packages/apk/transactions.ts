// What an upgrade does: a solution and the order of its changes. An upgrade of everything begins with apk-tools, if that
// is newer, as a transaction of its own, because apk first replaces itself and then starts anew.
import { orderChanges } from './change-order.ts';
import type { Changes } from './change-order.ts';
import type { Dependency } from './dependencies.ts';
import { solve } from './solve.ts';
import type { Solution } from './solve.ts';
import type { Candidate, Tags, Universe } from './universe.ts';
import { compareVersions } from './version.ts';

export interface UpgradeRequest {
  readonly universe: Universe;
  readonly tags: Tags;
  readonly world: readonly Dependency[];
  /** In database order. */
  readonly installed: readonly Candidate[];
  readonly upgrade: 'all' | ReadonlySet<string>;
}

export interface Upgrade extends Changes {
  readonly solution: Solution;
}

export function planUpgrade(request: UpgradeRequest): Upgrade {
  const first = request.upgrade === 'all' ? upgradeApkItself(request) : undefined;
  if (!first || first.incoming.length === 0) return attempt(request);
  const second = attempt({ ...request, installed: afterwards(request.installed, first) });
  // what the first step brought may be replaced or removed again by the second
  const later = new Set([...second.incoming, ...second.outgoing].map(({ name }) => name));
  const incoming = [...first.incoming.filter(({ name }) => !later.has(name)), ...second.incoming];
  const leaving = new Set([...first.outgoing, ...second.outgoing]);
  const names = new Set(incoming.map(({ name }) => name));
  return {
    solution: second.solution,
    incoming: incoming.filter((candidate) => !request.installed.includes(candidate)),
    outgoing: request.installed.filter((candidate) => leaving.has(candidate) && !names.has(candidate.name)),
    leavingBefore: new Map([...first.leavingBefore, ...second.leavingBefore]),
  };
}

/** What is installed after an upgrade: new packages come last. */
function afterwards(installed: readonly Candidate[], { incoming, outgoing }: Changes): Candidate[] {
  const gone = new Set([...incoming, ...outgoing].map(({ name }) => name));
  return [...installed.filter(({ name }) => !gone.has(name)), ...incoming];
}

function upgradeApkItself(request: UpgradeRequest): Upgrade | undefined {
  const present = request.installed.find(({ name }) => name === 'apk-tools');
  const newer = request.universe
    .carriers('apk-tools')
    .some(
      ({ candidate }) =>
        candidate.name === 'apk-tools' &&
        candidate.repository !== -1 &&
        present !== undefined &&
        compareVersions(candidate.version, present.version) > 0,
    );
  if (!newer) return undefined;
  const upgrade = attempt({ ...request, upgrade: new Set(['apk-tools']) }, true);
  return upgrade.solution.errors.length > 0 ? undefined : upgrade;
}

function attempt(request: UpgradeRequest, keepInstalled = false): Upgrade {
  const { installed } = request;
  const solution = solve({ ...request, installed: new Set(installed), keepInstalled });
  if (solution.errors.length > 0) return { solution, incoming: [], outgoing: [], leavingBefore: new Map() };
  const { incoming, outgoing, leavingBefore } = orderChanges({ ...request, chosen: solution.chosen });
  return { solution, incoming, outgoing, leavingBefore };
}
