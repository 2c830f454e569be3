// The order of a transaction: what others require comes first; ties by name, so that it is the same everywhere.
import { compareBytes } from '../../base/bytes.ts';
import { DEPENDENCY_TAGS, headerRelations } from './dependencies.ts';
import { strings, text, type Header } from './header.ts';
import { namesIn, toRequirement } from './solve/installed.ts';
import { Tag } from './tags.ts';

/** `items` sorted so that dependencies precede what requires them; circles are broken at the first name. */
export function transactionOrder<T>(items: readonly T[], headerOf: (item: T) => Header): readonly T[] {
  const nodes = items
    .map((item) => {
      const header = headerOf(item);
      return {
        item,
        name: `${text(header, Tag.name) ?? ''} ${text(header, Tag.arch) ?? ''}`,
        provides: [text(header, Tag.name) ?? '', ...strings(header, Tag.provideName)],
        requires: headerRelations(header, DEPENDENCY_TAGS.requires).flatMap((relation) =>
          namesIn(toRequirement(relation).dependency),
        ),
      };
    })
    .sort((a, b) => compareBytes(a.name, b.name));
  type Node = (typeof nodes)[number];
  const providers = new Map<string, Node[]>();
  for (const node of nodes)
    for (const name of new Set(node.provides)) {
      const list = providers.get(name);
      if (list) list.push(node);
      else providers.set(name, [node]);
    }
  const ordered: T[] = [];
  const seen = new Set<Node>();
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const name of node.requires) for (const provider of providers.get(name) ?? []) visit(provider);
    ordered.push(node.item);
  };
  for (const node of nodes) visit(node);
  return ordered;
}
