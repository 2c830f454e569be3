// Preferences of apk: which option of a name is taken, and which name is decided first. Both decide what is found where
// constraints leave a choice.
import type { Choice, Name } from './solve-graph.ts';
import type { Candidate } from './universe.ts';
import { compareVersions } from './version.ts';

/** Positive: `a` is the better choice. The first rule that tells them apart decides. */
export function prefer(a: Choice, b: Choice, keepInstalled: boolean): number {
  const left = a.option;
  const right = b.option;
  const upgrade = left.upgrade || right.upgrade;
  const installed = Number(left.installed) - Number(right.installed);
  return (
    Number(left.selectable) - Number(right.selectable) ||
    Number(left.merged) - Number(right.merged) ||
    right.conflicts - left.conflicts ||
    (keepInstalled && !upgrade ? installed : 0) ||
    Number(left.tagAllowed) - Number(right.tagAllowed) ||
    Number(left.tagPreferred) - Number(right.tagPreferred) ||
    (upgrade ? 0 : installed) ||
    compareProvided(a.version, b.version) ||
    (left.candidate.name === right.candidate.name
      ? compareVersions(left.candidate.version, right.candidate.version)
      : 0) ||
    installed ||
    left.candidate.priority - right.candidate.priority ||
    rank(right.candidate) - rank(left.candidate)
  );
}

/** A name provided without a version ties with every version. */
function compareProvided(a: string, b: string): number {
  return a === '' || b === '' ? 0 : compareVersions(a, b);
}

function rank({ repository }: Candidate): number {
  return repository === -1 ? -1 : repository;
}

/** True when `a` is decided before `b`: by rank, then the longer chain of dependencies, then what is required. */
export function isBefore(a: Name, b: Name): boolean {
  return (a.rank - b.rank || a.depth - b.depth || Number(a.required > 0) - Number(b.required > 0)) > 0;
}
