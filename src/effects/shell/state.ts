// What is known at one point of a script. Where two ways through it meet, only what both agree on stays known.
import type { Node } from './syntax.ts';
import { UNKNOWN, type Truth } from './unknown.ts';

export interface ShellState {
  readonly variables: Map<string, string>;
  parameters: readonly string[];
  /** Several definitions where it depends on something unknown; undefined among them: perhaps none. */
  readonly functions: Map<string, readonly (Node | undefined)[]>;
  /** Whether the last command succeeded. */
  status: Truth;
  /** What was written to standard output since the enclosing substitution or pipe began. */
  output: string;
  /** What is left of standard input. */
  input: string;
  /** False where it is not sure that the script comes here. */
  certain: boolean;
}

export function copyState(state: ShellState): ShellState {
  return { ...state, variables: new Map(state.variables), functions: new Map(state.functions) };
}

/** States that may be the one at this point; undefined where none comes here. */
export function joinStates(states: readonly (ShellState | undefined)[]): ShellState | undefined {
  const reached = states.filter((state) => state !== undefined);
  const [first, ...others] = reached;
  return first && others.reduce(joinTwo, first);
}

function joinTwo(a: ShellState, b: ShellState): ShellState {
  if (a === b) return a;
  const variables = new Map(a.variables);
  for (const name of new Set([...a.variables.keys(), ...b.variables.keys()]))
    if (a.variables.get(name) !== b.variables.get(name)) variables.set(name, UNKNOWN);
  const functions = new Map(a.functions);
  for (const name of new Set([...a.functions.keys(), ...b.functions.keys()]))
    functions.set(name, [
      ...new Set([...(a.functions.get(name) ?? [undefined]), ...(b.functions.get(name) ?? [undefined])]),
    ]);
  return {
    variables,
    functions,
    parameters: joinParameters(a.parameters, b.parameters),
    status: a.status === b.status ? a.status : undefined,
    output: a.output === b.output ? a.output : UNKNOWN,
    input: a.input === b.input ? a.input : UNKNOWN,
    certain: a.certain && b.certain,
  };
}

function joinParameters(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length !== b.length) return [UNKNOWN, UNKNOWN];
  return a.map((text, index) => (text === b[index] ? text : UNKNOWN));
}

/** True when nothing more is to be learned by going round a loop again. */
export function sameState(a: ShellState, b: ShellState): boolean {
  return (
    a.status === b.status &&
    a.output === b.output &&
    a.input === b.input &&
    a.variables.size === b.variables.size &&
    [...a.variables].every(([name, value]) => b.variables.get(name) === value) &&
    a.parameters.length === b.parameters.length &&
    a.parameters.every((value, index) => b.parameters[index] === value) &&
    a.functions.size === b.functions.size
  );
}

/** Names that `local` declared in the running function, kept as a variable that no script can name. */
export const LOCALS = ' locals';

export function directoryOf(state: ShellState): string {
  return state.variables.get('PWD') ?? '/';
}
