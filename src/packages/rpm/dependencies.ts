// Dependencies between packages: names with version ranges, as headers and repository metadata state them.
// https://rpm-software-management.github.io/rpm/manual/dependencies.html
import { Sense, Tag } from './tags.ts';
import { numbers, strings, type Header } from './header.ts';
import { compareSegments, parseEvr } from './version.ts';

export type Comparison = '<' | '<=' | '=' | '>=' | '>';

/** `name`, or `name comparison version`. Byte strings. */
export interface Relation {
  readonly name: string;
  readonly comparison?: Comparison | undefined;
  readonly version?: string | undefined;
}

export interface DependencyTags {
  readonly names: number;
  readonly flags: number;
  readonly versions: number;
}

export type DependencyKind =
  | 'provides'
  | 'requires'
  | 'conflicts'
  | 'obsoletes'
  | 'recommends'
  | 'suggests'
  | 'supplements'
  | 'enhances';

export const DEPENDENCY_TAGS: Readonly<Record<DependencyKind, DependencyTags>> = {
  provides: { names: Tag.provideName, flags: Tag.provideFlags, versions: Tag.provideVersion },
  requires: { names: Tag.requireName, flags: Tag.requireFlags, versions: Tag.requireVersion },
  conflicts: { names: Tag.conflictName, flags: Tag.conflictFlags, versions: Tag.conflictVersion },
  obsoletes: { names: Tag.obsoleteName, flags: Tag.obsoleteFlags, versions: Tag.obsoleteVersion },
  recommends: { names: Tag.recommendName, flags: Tag.recommendFlags, versions: Tag.recommendVersion },
  suggests: { names: Tag.suggestName, flags: Tag.suggestFlags, versions: Tag.suggestVersion },
  supplements: { names: Tag.supplementName, flags: Tag.supplementFlags, versions: Tag.supplementVersion },
  enhances: { names: Tag.enhanceName, flags: Tag.enhanceFlags, versions: Tag.enhanceVersion },
};

/** Dependencies of one kind in a header; `rpmlib(…)` is left out of requirements, because rpm itself provides it. */
export function headerRelations(header: Header, tags: DependencyTags): readonly Relation[] {
  const flags = numbers(header, tags.flags);
  const versions = strings(header, tags.versions);
  const out: Relation[] = [];
  strings(header, tags.names).forEach((name, i) => {
    const sense = flags[i] ?? 0;
    if ((sense & Sense.rpmlib) !== 0 || name.startsWith('rpmlib(')) return;
    const comparison = comparisonOf(sense);
    const version = versions[i];
    out.push(comparison && version ? { name, comparison, version } : { name });
  });
  return out;
}

function comparisonOf(flags: number): Comparison | undefined {
  switch (flags & (Sense.less | Sense.greater | Sense.equal)) {
    case Sense.less:
      return '<';
    case Sense.greater:
      return '>';
    case Sense.equal:
      return '=';
    case Sense.less | Sense.equal:
      return '<=';
    case Sense.greater | Sense.equal:
      return '>=';
    default:
      return undefined;
  }
}

/**
 * True when a provided range and a required range overlap. As rpm: no version on either side matches anything; an epoch
 * that is missing is 0; releases count only when both state one.
 */
export function overlaps(provided: Relation, required: Relation): boolean {
  if (provided.name !== required.name) return false;
  return rangesOverlap(provided, required);
}

/** `overlaps` for relations known to be of the same name. */
export function rangesOverlap(provided: Relation, required: Relation): boolean {
  if (
    !provided.comparison ||
    !required.comparison ||
    provided.version === undefined ||
    required.version === undefined
  )
    return true;
  const order = compareLoose(provided.version, required.version);
  const a = provided.comparison;
  const b = required.comparison;
  if (order < 0) return a.startsWith('>') || b.startsWith('<');
  if (order > 0) return a.startsWith('<') || b.startsWith('>');
  return (
    (a.endsWith('=') && b.endsWith('=')) ||
    (a.startsWith('<') && b.startsWith('<')) ||
    (a.startsWith('>') && b.startsWith('>'))
  );
}

/** Order of versions in dependencies: the release counts only when both have one. */
export function compareLoose(a: string, b: string): number {
  const x = parseEvr(a);
  const y = parseEvr(b);
  if (x.epoch !== y.epoch) return x.epoch - y.epoch;
  const version = compareSegments(x.version, y.version);
  if (version !== 0 || !x.release || !y.release) return version;
  return compareSegments(x.release, y.release);
}

/** As rpm writes it: `name >= 1:2-3`. */
export function formatRelation(relation: Relation): string {
  return relation.comparison && relation.version !== undefined
    ? `${relation.name} ${relation.comparison} ${relation.version}`
    : relation.name;
}
