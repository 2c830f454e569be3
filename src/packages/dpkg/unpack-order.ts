// The place of every package of a plan in apt's order of unpacking (apt-order.ts), from what the plan was made of.
import { aptOrder } from './apt-order.ts';
import type { LoadedIndex } from './candidates.ts';
import { packageKey } from './solve.ts';
import type { Upgrade } from './solve.ts';
import type { StatusRecord } from './status.ts';
import { graphVersion } from './upgrade-graph.ts';
import type { Bystander, GraphPackage } from './upgrade-graph.ts';

/** Places by package key, from 1. `records` are the installed packages. */
export function unpackOrder(
  upgrades: ReadonlyMap<string, Upgrade>,
  records: readonly StatusRecord[],
  indexes: readonly LoadedIndex[],
  native: string,
): ReadonlyMap<string, number> {
  const packages = new Map<string, GraphPackage>();
  for (const { name, arch, version, multiArch, stanza } of records) {
    const current = graphVersion(version, multiArch, stanza);
    const source = /^\S+/.exec(stanza.get('Source') ?? name)?.[0] ?? name;
    const own = arch === 'all' ? native : arch;
    packages.set(packageKey(name, arch, native), {
      name,
      arch: own,
      source,
      current,
      next: current,
      changes: false,
    });
  }
  for (const [key, { version }] of upgrades) {
    const { name, arch, source, multiArch, stanza } = version;
    const next = graphVersion(version.version, multiArch, stanza);
    const own = arch === 'all' ? native : arch;
    const known = packages.get(key);
    packages.set(key, { name, arch: own, source, current: known?.current, next, changes: true });
  }
  const order = aptOrder([...packages.values()], bystandersOf(upgrades, packages, indexes, native), native);
  return new Map(order.map(({ name, arch }, index) => [packageKey(name, arch, native), index + 1]));
}

/** Packages of the same sources that are not installed, at the version that is installed of the others. */
function bystandersOf(
  upgrades: ReadonlyMap<string, Upgrade>,
  packages: ReadonlyMap<string, GraphPackage>,
  indexes: readonly LoadedIndex[],
  native: string,
): readonly Bystander[] {
  const found = new Map<string, Bystander>();
  const sources = new Map([...upgrades.values()].map((upgrade) => [upgrade.version.source, upgrade]));
  for (const [source, { version, from }] of sources)
    for (const stanza of indexes.flatMap((index) => index.packages.neighbours(version.name))) {
      const name = stanza.get('Package') ?? '';
      if (found.has(name) || packages.has(packageKey(name, native, native))) continue;
      const offered = stanza.get('Version') ?? '';
      const old = from?.version ?? offered;
      // an index of updates has the new version only, which asks for the new version of its siblings
      const then = (value = ''): string => value.replaceAll(`(= ${offered})`, `(= ${old})`);
      const fields = new Map(RELATIONS.map((field) => [field, then(stanza.get(field))]));
      found.set(name, { name, source, version: graphVersion(old, 'no', fields) });
    }
  return [...found.values()];
}

const RELATIONS = ['Pre-Depends', 'Depends', 'Conflicts', 'Breaks'] as const;
