// Commands that are given several paths: each is judged by itself.
import { absolute, answer, changes, isObscure, isTransient, WOULD_CHANGE } from './command.ts';
import type { Call, Outcome } from './command.ts';

/** Judges each path and joins the outcomes. `undefined`: the command fails there without a change. */
export function eachPath(
  call: Pick<Call, 'directory'>,
  operands: readonly string[],
  judge: (path: string) => Outcome | undefined,
): Outcome {
  const applies: (() => void)[] = [];
  let failed = false;
  for (const operand of operands) {
    const path = absolute(operand, call.directory);
    if (isTransient(path)) continue;
    if (isObscure(path)) return WOULD_CHANGE;
    const outcome = judge(path);
    failed ||= outcome === undefined || outcome.status === false;
    if (outcome?.change === 'unknown') return WOULD_CHANGE;
    if (outcome?.change) applies.push(outcome.change.apply);
  }
  if (applies.length === 0) return answer(!failed);
  return changes('files', () => applies.forEach((apply) => apply()));
}
