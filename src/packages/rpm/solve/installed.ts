// The installed packages as the solver sees them, with indexes by name and by what they provide.
import { headerFiles } from '../files.ts';
import { DEPENDENCY_TAGS, formatRelation, headerRelations, type Relation } from '../dependencies.ts';
import { text, type Header } from '../header.ts';
import type { SolvablePackage, WeakRelations } from '../repositories/candidate.ts';
import { parseRich, type RichDependency } from '../rich.ts';
import { headerEvr } from '../scripts.ts';
import { Tag } from '../tags.ts';
import { formatEvr, parseEvr } from '../version.ts';

export interface InstalledSolvable extends SolvablePackage {
  /** Why it must stay, if it must: 'versionlock', 'installonly', … */
  readonly held: string | undefined;
  /** Newer versions may take its place, packages of other names must not. */
  readonly isProtected?: boolean;
  readonly paths: () => Iterable<string>;
}

export function installedSolvable(header: Header, held: string | undefined): InstalledSolvable {
  const name = text(header, Tag.name) ?? '';
  const evr = parseEvr(headerEvr(header));
  const relations = (kind: keyof typeof DEPENDENCY_TAGS): readonly Relation[] =>
    headerRelations(header, DEPENDENCY_TAGS[kind]);
  let paths: ReadonlySet<string> | undefined;
  const files = (): ReadonlySet<string> =>
    (paths ??= new Set(headerFiles(header, name, 'DATABASE_INVALID').map(({ path }) => path)));
  let weak: WeakRelations | undefined;
  return {
    name,
    arch: text(header, Tag.arch) ?? '',
    evr,
    vendor: text(header, Tag.vendor) ?? '',
    sourceRpm: text(header, Tag.sourceRpm) ?? '',
    provides: withSelf(relations('provides'), name, formatEvr(evr)),
    requires: relations('requires'),
    conflicts: relations('conflicts'),
    obsoletes: relations('obsoletes'),
    weak: () =>
      (weak ??= {
        recommends: relations('recommends'),
        suggests: relations('suggests'),
        supplements: relations('supplements'),
        enhances: relations('enhances'),
      }),
    hasFile: (path) => files().has(path),
    held,
    paths: files,
  };
}

/** Every package provides its own name and version; some builders leave it out. */
export function withSelf(provides: readonly Relation[], name: string, version: string): readonly Relation[] {
  return provides.some((relation) => relation.name === name)
    ? provides
    : [...provides, { name, comparison: '=', version }];
}

/** A requirement with its rich form, parsed once. */
export interface Requirement {
  readonly text: string;
  readonly dependency: RichDependency;
}

const parsed = new WeakMap<SolvablePackage, readonly Requirement[]>();

/** Requirements of a package; a rich dependency that cannot be read is taken as a name that nobody provides. */
export function requirementsOf(solvable: SolvablePackage): readonly Requirement[] {
  let list = parsed.get(solvable);
  if (!list) {
    list = solvable.requires.map(toRequirement);
    parsed.set(solvable, list);
  }
  return list;
}

export function toRequirement(relation: Relation): Requirement {
  const rich = relation.name.startsWith('(') ? parseRich(relation.name) : undefined;
  return { text: formatRelation(relation), dependency: rich ?? { kind: 'atom', relation } };
}

/** All names a dependency mentions. */
export function namesIn(dependency: RichDependency): readonly string[] {
  if (dependency.kind === 'atom') return [dependency.relation.name];
  if ('parts' in dependency) return dependency.parts.flatMap(namesIn);
  return [
    dependency.what,
    dependency.condition,
    ...(dependency.otherwise ? [dependency.otherwise] : []),
  ].flatMap(namesIn);
}

export class InstalledSet {
  readonly all: readonly InstalledSolvable[];
  readonly #providers = new Map<string, InstalledSolvable[]>();
  readonly #named = new Map<string, InstalledSolvable[]>();
  #owners: Map<string, InstalledSolvable[]> | undefined;

  constructor(all: readonly InstalledSolvable[]) {
    this.all = all;
    for (const solvable of all) {
      add(this.#named, solvable.name, solvable);
      for (const name of new Set(solvable.provides.map((relation) => relation.name)))
        add(this.#providers, name, solvable);
    }
  }

  named(name: string): readonly InstalledSolvable[] {
    return this.#named.get(name) ?? [];
  }

  /** Packages that provide the name or own the path. */
  providers(name: string): readonly InstalledSolvable[] {
    const stated = this.#providers.get(name) ?? [];
    return name.startsWith('/') ? [...new Set([...stated, ...(this.#files().get(name) ?? [])])] : stated;
  }

  #files(): ReadonlyMap<string, readonly InstalledSolvable[]> {
    if (this.#owners) return this.#owners;
    this.#owners = new Map();
    for (const solvable of this.all) for (const path of solvable.paths()) add(this.#owners, path, solvable);
    return this.#owners;
  }
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
