// Clauses that no package states: which packages may take the place of installed ones, that architectures of a package
// stay in step, that parts of a split package come together, and that an upgrade is rather taken than something new.
import { formatRelation, type Relation } from '../dependencies.ts';
import { compareEvr } from '../version.ts';
import { clause, type Clause } from './clause.ts';
import { NOARCH, type Machine } from './machine.ts';
import type { Policy } from './policy.ts';
import { obsoletes, type Member, type Universe } from './universe.ts';
import { weaklyReachable } from './weakly-reachable.ts';

export interface PolicyClausesInput {
  readonly universe: Universe;
  readonly machine: Machine;
  readonly policy: Policy;
  readonly mayReplace: (from: string, to: string) => boolean;
}

/** What may take the place of an installed package, without itself. */
export function updateCandidates(
  one: Member,
  { universe, machine, mayReplace }: Omit<PolicyClausesInput, 'policy'>,
): readonly Member[] {
  const { solvable } = one;
  const mayBecome = (other: Member): boolean =>
    machine.mayChange(solvable.arch, other.solvable.arch) &&
    mayReplace(solvable.vendor, other.solvable.vendor);
  const found: Member[] = [];
  let hasSuccessor = false;
  for (const other of universe.providers({ name: solvable.name })) {
    if (other === one || other.offer?.isExcluded) continue;
    if (!machine.collide(solvable.arch, other.solvable.arch)) continue;
    if (other.solvable.name === solvable.name) {
      if (compareEvr(solvable.evr, other.solvable.evr) > 0) continue;
    } else if (!one.installed?.isProtected && obsoletes(other.solvable, solvable)) hasSuccessor = true;
    else continue;
    if (mayBecome(other)) found.push(other);
  }
  // whoever obsoletes and provides it is its successor; all who obsolete it, where nobody does both
  if (!hasSuccessor && !one.installed?.isProtected)
    found.push(
      ...universe
        .obsoleters(one)
        .filter((other) => mayBecome(other) && machine.collide(solvable.arch, other.solvable.arch)),
    );
  return found;
}

/** A package of a worse architecture needs the better one of the same version beside it, or is not taken at all. */
export function architectureClauses(
  involved: ReadonlySet<Member>,
  { universe, machine }: PolicyClausesInput,
): readonly Clause[] {
  const hasBetter = ({ solvable, installed }: Member): boolean =>
    !installed &&
    machine.score(solvable.arch) > NOARCH &&
    universe.named(solvable.name).some((other) => {
      const score = machine.score(other.solvable.arch);
      return score > NOARCH && score < machine.score(solvable.arch) && !involved.has(other);
    });
  const members = [...involved].some(hasBetter) ? weaklyReachable(universe, involved) : involved;
  const out: Clause[] = [];
  const seen = new Set<string>();
  const score = ({ solvable }: Member): number => machine.score(solvable.arch);
  for (const { solvable } of [...members].sort((a, b) => a.id - b.id)) {
    if (seen.has(solvable.name)) continue;
    seen.add(solvable.name);
    const all = universe.named(solvable.name);
    const same = all.filter((one) => members.has(one));
    const best = Math.min(...same.filter((one) => !one.installed && score(one) > NOARCH).map(score));
    if (!Number.isFinite(best)) continue;
    const isBest = (one: Member): boolean => score(one) === NOARCH || machine.related(score(one), best);
    const twins = (one: Member): readonly Member[] =>
      all.filter(
        (other) =>
          other.solvable.arch !== one.solvable.arch &&
          compareEvr(other.solvable.evr, one.solvable.evr) === 0 &&
          score(other) > 0 &&
          isBest(other),
      );
    // an architecture that is installed alone may stay what it is
    const allowed = same.filter(
      (one) => one.installed && (score(one) === 0 || (!isBest(one) && twins(one).length === 0)),
    );
    for (const one of same) {
      if (isBest(one)) continue;
      if (
        !one.installed &&
        allowed.some(
          (other) => other.solvable.arch === one.solvable.arch || machine.related(score(other), score(one)),
        )
      )
        continue;
      const beside = twins(one);
      if (one.installed && !beside.some(({ installed }) => installed)) continue;
      out.push(
        clause([-one.id, ...beside.map(({ id }) => id)], {
          cause: { kind: 'counterpart', member: one.id, text: one.solvable.arch },
        }),
      );
    }
  }
  return out;
}

/** Where several packages obsolete one, by the same relation, all of them take its place. */
export function splitClauses({ universe, machine, policy }: PolicyClausesInput): readonly Clause[] {
  const relations = new Map<string, Member[]>();
  for (const one of universe.installed)
    for (const other of universe.obsoleters(one))
      for (const relation of other.solvable.obsoletes) {
        const installed = universe
          .obsoletedBy(other, relation)
          .filter((gone) => gone.installed && machine.collide(one.solvable.arch, gone.solvable.arch));
        const key = formatRelation(relation);
        if (installed.length > 0 && !relations.has(key)) relations.set(key, installed);
      }
  const out: Clause[] = [];
  for (const [key, gone] of relations) {
    const states = ({ solvable }: Member): boolean =>
      solvable.obsoletes.some((relation) => formatRelation(relation) === key);
    const all = new Set(
      gone.flatMap((one) => [
        ...[...universe.obsoleters(one), ...universe.named(one.solvable.name)].filter(
          (other) => states(other) && machine.collide(one.solvable.arch, other.solvable.arch),
        ),
      ]),
    );
    const groups = policy
      .bestVersions([...all])
      .map((best) => [...all].filter(({ solvable }) => solvable.name === best.solvable.name));
    if (groups.length < 2) continue;
    for (const group of groups)
      for (const member of group)
        if (!member.installed)
          for (const other of groups)
            if (other !== group) out.push(clause([-member.id, ...other.map(({ id }) => id)]));
  }
  return out;
}

export interface ChoiceInput extends PolicyClausesInput {
  /** From position 1 on. */
  readonly requirements: readonly Clause[];
  /** Members that cannot be installed, because of their architecture. */
  readonly refused: ReadonlySet<number>;
  /** What an installed package may become, itself first. */
  readonly updates: ReadonlyMap<Member, readonly Member[]>;
  /** True for installed packages that shall be updated. */
  readonly isTarget: (member: Member) => boolean;
}

/** A weak clause, and the position of the requirement it narrows. */
export interface ChoiceClause {
  readonly weak: Clause;
  readonly requirement: number;
}

/** Requirements again, without packages that would be new, where an installed one or its upgrade can fulfil them. */
export function choiceClauses(input: ChoiceInput): readonly ChoiceClause[] {
  const out: ChoiceClause[] = [];
  input.requirements.forEach(({ literals }, requirement) => {
    const [first = 0, second = 0] = literals;
    if (requirement === 0 || first >= 0 || (literals.length <= 2 && second <= 0)) return;
    const known = knownWays(literals, input);
    if (known.length === 0) return;
    const next = [first, ...literals.slice(1).filter((literal) => literal < 0), ...known];
    const last = out.at(-1)?.weak.literals;
    if (last?.length === next.length && last.every((literal, i) => literal === next[i])) return;
    out.push({ weak: clause(next, { weak: true }), requirement });
  });
  return out;
}

/** The packages of a requirement that are installed or upgrade what is; none where they are no better than others. */
function knownWays(literals: readonly number[], input: ChoiceInput): readonly number[] {
  const { universe, updates, refused, isTarget } = input;
  let known: { readonly of: Member; readonly id: number }[] = [];
  let hasNew = false;
  let isKept = false;
  for (const literal of literals) {
    const member = universe.member(Math.abs(literal));
    if (literal < 0) {
      if (member.installed && !isTarget(member)) isKept = true;
      continue;
    }
    const one = member.installed ? member : replacedBy(member, input);
    if (!one) hasNew = true;
    else if (member.installed || (!refused.has(literal) && isLegal(one, member, input)))
      known.push({ of: one, id: literal });
  }
  if (!hasNew) return [];
  const fulfilling = new Set(literals.filter((literal) => literal > 0));
  if (!isKept) known = known.filter(({ of: one }) => !isTarget(one) || newestFulfils(one, fulfilling, input));
  // where all that an installed package may become fulfils it, nothing needs saying
  const isSafe = ({ of: one }: { readonly of: Member }): boolean =>
    (updates.get(one) ?? []).every(({ id }) => fulfilling.has(id));
  return known.every(isSafe) ? [] : known.map(({ id }) => id);
}

/** The first installed package that one would take the place of; libsolv keeps what has no version first. */
function replacedBy(member: Member, { universe, machine }: ChoiceInput): Member | undefined {
  const { solvable } = member;
  const rank = ({ version }: Relation): number => Number(version !== undefined);
  return (
    universe
      .named(solvable.name)
      .find((other) => other.installed && machine.collide(solvable.arch, other.solvable.arch)) ??
    solvable.obsoletes
      .toSorted((a, b) => rank(a) - rank(b))
      .map((relation) => universe.obsoletedBy(member, relation).find((other) => other.installed))
      .find((other) => other)
  );
}

function isLegal(one: Member, other: Member, { machine, mayReplace }: ChoiceInput): boolean {
  const [from, to] = [one.solvable, other.solvable];
  if (from.name === to.name && compareEvr(from.evr, to.evr) > 0) return false;
  return machine.mayChange(from.arch, to.arch) && mayReplace(from.vendor, to.vendor);
}

const NOTHING = { levels: new Int32Array(0), trail: [] };

/** True where the newest versions of an installed package still fulfil a requirement. */
function newestFulfils(
  one: Member,
  fulfilling: ReadonlySet<number>,
  { updates, policy }: ChoiceInput,
): boolean {
  const all = (updates.get(one) ?? []).map(({ id }) => id);
  if (all.every((id) => fulfilling.has(id))) return true;
  const best = all.length === 1 ? all : policy.choose(all, NOTHING, { reorder: true });
  return best.some((id) => fulfilling.has(id));
}
