// Relations between packages as solving reads them: deb-control(5), Debian Policy chapter 7. The strict reading, and
// the types, are those of relations.ts; here an odd field must not make an index of 60 000 packages unusable.
import type { Relation, RelationGroup } from './relations.ts';

/** Groups of a field in order: all must hold, of each group one alternative. */
export function dependencyGroups(field: string | undefined): readonly RelationGroup[] {
  if (!field) return [];
  const groups: RelationGroup[] = [];
  // one blank for any run of them: RELATION would take quadratic time over long ones
  for (const part of field.replace(/\s+/g, ' ').split(',')) {
    if (part.trim() === '') continue;
    groups.push(part.split('|').map(readRelation));
  }
  return groups;
}

/** The relations of a field in which a bar has no meaning: Breaks, Conflicts, Provides. */
export function relationList(field: string | undefined): readonly Relation[] {
  return dependencyGroups(field).flat();
}

const RELATION =
  /^\s*([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([A-Za-z0-9][A-Za-z0-9-]*))?\s*(?:\(\s*(<<|<=|>=|>>|=|<|>)?\s*([^\s()]+)\s*\))?\s*$/;
/** The single signs are old spellings that always meant "or equal". */
const OPERATORS: Readonly<Record<string, NonNullable<Relation['operator']>>> = {
  '<': '<=',
  '>': '>=',
  '': '=',
};

/** What cannot be read is a relation to a package that does not exist: it fails where it matters, and is shown. */
function readRelation(text: string): Relation {
  const match = RELATION.exec(text);
  if (!match) return { name: text.trim() };
  const [, name, arch, sign = '', version] = match;
  return {
    name: name as string,
    ...(arch === undefined ? {} : { arch }),
    ...(version === undefined
      ? {}
      : { operator: OPERATORS[sign] ?? (sign as NonNullable<Relation['operator']>), version }),
  };
}
