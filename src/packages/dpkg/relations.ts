// Relationship fields as dpkg itself reads and writes them (lib/dpkg/fields.c, dump.c): for the status database, which
// holds them re-rendered, and for Replaces. Solving has its own reading (dependencies.ts).
import { OnlayError } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';
import { compareVersions } from './version.ts';

/** "a (>= 1) | b, c:any" is two groups, the first with two relations. */
export interface Relation {
  readonly name: string;
  /** Qualifier as written, without the colon. */
  readonly arch?: string;
  readonly operator?: '<<' | '<=' | '=' | '>=' | '>>';
  readonly version?: string;
}

export type RelationGroup = readonly Relation[];

/** Throws PACKAGE_INVALID; `what` names the field and its package. */
export function parseRelations(value: string, what: string): readonly RelationGroup[] {
  if (value.trim() === '') return [];
  return value.split(',').map((group) => group.split('|').map((text) => parseRelation(text, what)));
}

/** The field value as dpkg writes it: one line, single spaces, no old operators, no zero epochs. */
export function formatRelations(groups: readonly RelationGroup[]): string {
  return groups.map((group) => group.map(formatRelation).join(' | ')).join(', ');
}

/** True when `version` satisfies what the relation says of versions. */
export function satisfiesVersion(relation: Relation, version: string): boolean {
  if (relation.operator === undefined || relation.version === undefined) return true;
  const order = compareVersions(version, relation.version);
  switch (relation.operator) {
    case '<<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>>':
      return order > 0;
    default:
      return relation.operator satisfies never;
  }
}

/** A version as dpkg writes it: an epoch of 0 and its leading zeros go. */
export function formatVersion(version: string): string {
  const match = /^\s*0*(\d*):(.*)$/s.exec(version);
  if (!match) return version.trim();
  const [, epoch = '', rest = ''] = match;
  return epoch === '' && !rest.includes(':') ? rest.trim() : `${epoch === '' ? '0' : epoch}:${rest.trim()}`;
}

const RELATION =
  /^([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([A-Za-z0-9-]+))?(?:\s*\(\s*(<<|<=|<|>>|>=|>|=)?\s*([^\s()]+)\s*\))?$/;

function parseRelation(text: string, what: string): Relation {
  const match = RELATION.exec(text.trim());
  if (!match)
    throw new OnlayError(
      'PACKAGE_INVALID',
      displayText(`Cannot read ${what}: "${text.trim().slice(0, 80)}"`),
    );
  const [, name = '', arch, operator, version] = match;
  return {
    name,
    ...(arch === undefined ? {} : { arch }),
    ...(version === undefined ? {} : { operator: canonicalOperator(operator), version }),
  };
}

/** deb-control(5): the deprecated '<' and '>' mean "or equal". */
function canonicalOperator(operator: string | undefined): NonNullable<Relation['operator']> {
  if (operator === '<') return '<=';
  if (operator === '>') return '>=';
  return (operator ?? '=') as NonNullable<Relation['operator']>;
}

function formatRelation({ name, arch, operator, version }: Relation): string {
  const qualified = arch === undefined ? name : `${name}:${arch}`;
  return version === undefined ? qualified : `${qualified} (${operator} ${formatVersion(version)})`;
}
