// Packages that weak dependencies lead to as well. They are never added for that, but for libsolv they exist: where one of
// a better architecture is among them, those of the same name and a worse one are not taken.
import type { RichDependency } from '../rich.ts';
import { requirementsOf, toRequirement } from './installed.ts';
import type { Member, Universe } from './universe.ts';

export function weaklyReachable(universe: Universe, members: ReadonlySet<Member>): ReadonlySet<Member> {
  const reached = new Set(members);
  const waiting = universe.supplementing();
  for (let size = 0; size !== reached.size;) {
    size = reached.size;
    // what is added while a set is walked through is walked through, too
    for (const { solvable } of reached) {
      const { recommends, suggests } = solvable.weak();
      const wishes = [...recommends, ...suggests].map(toRequirement);
      for (const { dependency } of [...requirementsOf(solvable), ...wishes])
        for (const member of namedBy(universe, dependency)) reached.add(member);
    }
    for (const member of waiting) {
      const { supplements, enhances } = member.solvable.weak();
      if ([...supplements, ...enhances].some((relation) => isPossible(toRequirement(relation).dependency)))
        reached.add(member);
    }
  }
  return reached;

  function isPossible(dependency: RichDependency): boolean {
    switch (dependency.kind) {
      case 'and':
        return dependency.parts.every(isPossible);
      case 'or':
        return dependency.parts.some(isPossible);
      case 'if':
      case 'unless':
        return isPossible(dependency.what);
      default:
        return universe.matching(dependency).some((member) => reached.has(member));
    }
  }
}

/** Packages that can fulfil a part of a dependency. */
function namedBy(universe: Universe, dependency: RichDependency): readonly Member[] {
  switch (dependency.kind) {
    case 'and':
    case 'or':
      return dependency.parts.flatMap((part) => namedBy(universe, part));
    case 'if':
    case 'unless': {
      const { what, condition, otherwise } = dependency;
      const parts = otherwise ? [what, condition, otherwise] : [what];
      return parts.flatMap((part) => namedBy(universe, part));
    }
    default:
      return universe.matching(dependency);
  }
}
