// The order in which apt would have dpkg unpack the packages of an upgrade. It shows in the database: whoever is unpacked
// later stands later in triggers/. apt-pkg/orderlist.cc (four passes over the packages, sorted by score) and
// packagemanager.cc (essential packages are configured at once, which may pull others forward). Left out: removals.
import { compareBytes } from '../../base/bytes.ts';
import { UpgradeGraph } from './upgrade-graph.ts';
import type { Bystander, Dependency, GraphPackage, GraphVersion } from './upgrade-graph.ts';

/** Packages that change, in the order in which they are unpacked. */
export function aptOrder(
  packages: readonly GraphPackage[],
  bystanders: readonly Bystander[],
  native: string,
): GraphPackage[] {
  const graph = new UpgradeGraph(packages, bystanders, native);
  const immediate = immediatePackages(graph);
  return new Unpacking(graph, immediate).run(new OrderList(graph, immediate).run());
}

/** Essential packages, and all that they depend on in either version. */
function immediatePackages(graph: UpgradeGraph): ReadonlySet<GraphPackage> {
  const found = new Set<GraphPackage>();
  const add = (start: GraphPackage, side: 'next' | 'current'): void => {
    const open = [start];
    for (let item = open.pop(); item; item = open.pop())
      for (const dependency of graph.dependencies(item[side])) {
        const target = isPositive(dependency) ? graph.named(dependency) : undefined;
        if (!target || found.has(target)) continue;
        found.add(target);
        open.push(target);
      }
  };
  for (const item of graph.packages)
    if (isEssential(item)) {
      found.add(item);
      add(item, 'next');
      add(item, 'current');
    }
  return found;
}

function isEssential({ name, current, next }: GraphPackage): boolean {
  return name === 'apt' || [current, next].some((version) => version?.stanza.get('Essential') === 'yes');
}

function isPositive({ type }: Dependency): boolean {
  return type === 'Pre-Depends' || type === 'Depends';
}

type Rule = 'critical' | 'immediate' | 'pre-depends' | 'reverse' | 'configure';

/** pkgOrderList::OrderUnpack */
class OrderList {
  readonly #graph: UpgradeGraph;
  readonly #immediate: ReadonlySet<GraphPackage>;
  #primary: Rule = 'critical';
  #secondary: Rule | undefined;
  #reverse: Rule | undefined;
  #depth = 0;
  #added = new Set<GraphPackage>();
  #pending = new Set<GraphPackage>();

  constructor(graph: UpgradeGraph, immediate: ReadonlySet<GraphPackage>) {
    this.#graph = graph;
    this.#immediate = immediate;
  }

  run(): GraphPackage[] {
    const score = new Map(this.#graph.changing.map((item) => [item, this.#score(item)]));
    let list = [...this.#graph.changing].sort(
      (a, b) => (score.get(b) ?? 0) - (score.get(a) ?? 0) || compareBytes(a.name, b.name),
    );
    list = this.#pass(list, 'critical', 'reverse', 'configure');
    list = this.#pass(list, 'critical', 'reverse', undefined);
    list = this.#pass(list, 'critical', undefined, undefined);
    return this.#pass(list, 'pre-depends', undefined, undefined);
  }

  #score(item: GraphPackage): number {
    const priority = PRIORITIES[item.next?.stanza.get('Priority') ?? ''] ?? 0;
    const waits = this.#graph.dependencies(item.next).some(({ type }) => type === 'Pre-Depends');
    return (isEssential(item) ? 200 : 0) + (this.#immediate.has(item) ? 10 : 0) + (waits ? 50 : 0) + priority;
  }

  #pass(
    list: readonly GraphPackage[],
    primary: Rule,
    reverse: Rule | undefined,
    secondary: Rule | undefined,
  ): GraphPackage[] {
    this.#primary = primary;
    this.#reverse = reverse;
    this.#secondary = secondary;
    this.#added = new Set();
    this.#pending = new Set();
    for (const item of list) this.#visit(item);
    return [...this.#added];
  }

  #visit(item: GraphPackage): void {
    if (!item.changes || this.#added.has(item) || this.#pending.has(item)) return;
    this.#pending.add(item);
    this.#depth++;
    const before = this.#primary;
    if (this.#immediate.has(item) && before !== 'pre-depends') this.#primary = 'immediate';
    this.#follow(this.#primary, item);
    this.#followBack(this.#primary, item);
    this.#followBack(this.#reverse, item);
    this.#follow(this.#secondary, item);
    this.#pending.delete(item);
    this.#added.add(item);
    this.#primary = before;
    this.#depth--;
  }

  #follow(rule: Rule | undefined, item: GraphPackage): void {
    if (rule === undefined) return;
    for (const dependency of this.#graph.dependencies(item.next)) {
      const { type } = dependency;
      if (rule === 'configure') {
        if (type === 'Depends') this.#visitTargets(dependency);
        continue;
      }
      if (rule === 'critical' && type === 'Depends') continue;
      if (rule === 'pre-depends') {
        if (type === 'Conflicts' || type === 'Breaks') continue;
        if (type === 'Depends' && this.#depth === 1 && !this.#immediate.has(item)) continue;
      }
      const target = this.#graph.named(dependency);
      const isPending = target !== undefined && this.#pending.has(target);
      if (
        this.#holds(dependency, false) &&
        !(isPending && (rule === 'pre-depends' || type === 'Pre-Depends'))
      )
        continue;
      if (target && (this.#added.has(target) || isPending)) continue;
      const before = this.#primary;
      if (rule === 'critical' && type === 'Pre-Depends') this.#primary = 'immediate';
      this.#visitTargets(dependency);
      this.#primary = before;
    }
  }

  /** Dependencies of others, in the versions that are there, on the package and what it provides. */
  #followBack(rule: Rule | undefined, item: GraphPackage): void {
    if (rule !== 'critical' && rule !== 'immediate' && rule !== 'reverse') return;
    const byProvides = [item.current, item.next].flatMap((version) => [
      ...(version?.provides ?? []).flatMap(({ name }) => this.#graph.dependents(name)),
      ...this.#graph.dependents(`${item.name}:any`),
    ]);
    const byName = this.#graph.dependents(item.name).filter((each) => this.#graph.isNamed(each, item));
    for (const dependency of [...byName, ...byProvides]) {
      if (rule !== 'reverse' && dependency.type !== 'Conflicts') continue;
      if (!this.#holds(dependency, true)) this.#visit(dependency.parent);
    }
  }

  #visitTargets(dependency: Dependency): void {
    const positive = isPositive(dependency);
    for (const { item, version } of this.#graph.targets(dependency))
      if (version === (positive ? item.next : item.current)) this.#visit(item);
  }

  /** pkgOrderList::CheckDep: what was added is there in its new version, all else in its old one. */
  #holds(dependency: Dependency, isReverse: boolean): boolean {
    const { type, parent } = dependency;
    const named = isReverse ? this.#graph.named(dependency) : parent;
    for (const { item, version } of this.#graph.targets(dependency)) {
      const isNew = this.#added.has(item) || (isReverse && this.#pending.has(item));
      if (version !== (isNew ? item.next : item.current)) continue;
      if (!isPositive(dependency)) return false;
      if (item === named && version !== item.next) continue;
      return true;
    }
    return type === 'Conflicts';
  }
}

const PRIORITIES: Readonly<Record<string, number>> = { required: 5, important: 4, standard: 3, optional: 1 };

/** pkgPackageManager::SmartUnPack and SmartConfigure, as far as they decide what is unpacked when. */
class Unpacking {
  readonly #graph: UpgradeGraph;
  readonly #immediate: ReadonlySet<GraphPackage>;
  readonly #unpacked = new Set<GraphPackage>();
  readonly #configured = new Set<GraphPackage>();
  readonly #looping = new Set<GraphPackage>();

  constructor(graph: UpgradeGraph, immediate: ReadonlySet<GraphPackage>) {
    this.#graph = graph;
    this.#immediate = immediate;
  }

  run(list: readonly GraphPackage[]): GraphPackage[] {
    for (const item of list) if (!this.#unpacked.has(item)) this.#unpack(item, this.#immediate.has(item));
    return [...this.#unpacked];
  }

  #unpack(item: GraphPackage, immediately: boolean): void {
    const loops = this.#looping.has(item);
    for (let changed = true; changed;) {
      changed = false;
      for (const group of this.#graph.groups(item.next)) {
        const type = group[0]?.type;
        if (type === 'Pre-Depends') changed = this.#prepare(item, group, loops) || changed;
        else if (type === 'Conflicts' || type === 'Breaks')
          for (const { item: other, version } of group.flatMap((each) => this.#graph.targets(each))) {
            if (version !== other.current || !other.changes || this.#unpacked.has(other)) continue;
            if (this.#looping.has(other)) continue;
            this.#within(item, loops, () => this.#unpack(other, false));
            changed ||= this.#unpacked.has(other);
          }
      }
    }
    if (loops || this.#unpacked.has(item)) return;
    this.#unpacked.add(item);
    if (!immediately) return;
    if (item.next?.multiArch === 'same')
      for (const other of this.#graph.siblings(item))
        if (other.changes && !this.#unpacked.has(other)) this.#unpack(other, false);
    this.#configure(item);
  }

  /** Sees to a dependency that must be configured before; true when something was done. */
  #prepare(item: GraphPackage, group: readonly Dependency[], loops: boolean): boolean {
    const targets = group.flatMap((each) => this.#graph.targets(each));
    if (targets.some((target) => this.#stands(target))) return false;
    for (const { item: other, version } of targets) {
      if (version !== other.next || !other.changes) continue;
      if (this.#configured.has(other)) return false;
      if (this.#unpacked.has(other)) {
        this.#within(item, loops, () => this.#configure(other));
        return this.#configured.has(other);
      }
      if (this.#looping.has(other)) continue;
      this.#within(item, loops, () => this.#unpack(other, true));
      return this.#unpacked.has(other);
    }
    return false;
  }

  #configure(item: GraphPackage): void {
    const loops = this.#looping.has(item);
    const open: (readonly Dependency[])[] = [];
    for (const group of this.#graph.groups(item.next)) {
      if (!group.some(isPositive)) continue;
      const targets = group.flatMap((each) => this.#graph.targets(each));
      if (targets.some((target) => this.#stands(target))) continue;
      const next = targets.find(
        ({ item: other, version }) => version === other.next && other.changes && !this.#unpacked.has(other),
      );
      if (next && !loops) this.#within(item, loops, () => this.#unpack(next.item, true));
      open.push(group);
    }
    for (const { item: other, version } of open.flatMap((group) =>
      group.flatMap((each) => this.#graph.targets(each)),
    ))
      if (
        version === other.next &&
        this.#unpacked.has(other) &&
        !this.#configured.has(other) &&
        !this.#looping.has(other)
      )
        this.#within(item, loops, () => this.#configure(other));
    if (!loops) this.#configured.add(item);
  }

  /** There already and not to be changed, or not yet. */
  #stands({ item, version }: { readonly item: GraphPackage; readonly version: GraphVersion }): boolean {
    return version === item.current && !this.#unpacked.has(item);
  }

  #within(item: GraphPackage, loops: boolean, action: () => void): void {
    if (!loops) this.#looping.add(item);
    action();
    if (!loops) this.#looping.delete(item);
  }
}
