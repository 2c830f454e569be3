// Builtins that change the shell's own state, and commands that run other commands (XCU 2.15 and the utilities env,
// nice, nohup, timeout, xargs, sh).
import type { Evaluation } from './evaluate.ts';
import { parseShell } from './parse.ts';
import { copyState, directoryOf, LOCALS, type ShellState } from './state.ts';
import { isKnown, UNKNOWN } from './unknown.ts';

type Builtin = (args: readonly string[], state: ShellState, evaluation: Evaluation) => ShellState | undefined;

function done(state: ShellState): ShellState {
  state.status = true;
  return state;
}

function assign(args: readonly string[], state: ShellState): ShellState {
  for (const arg of args) {
    const match = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(arg);
    if (match) state.variables.set(match[1] as string, match[2] as string);
  }
  return done(state);
}

/** Text that is run as part of the script. */
function runText(
  text: string | undefined,
  state: ShellState,
  evaluation: Evaluation,
): ShellState | undefined {
  const node = text !== undefined && isKnown(text) ? parseShell(text, evaluation.host.dialect) : undefined;
  if (node) return evaluation.run(node, state);
  for (const name of state.variables.keys()) if (name !== 'PWD') state.variables.set(name, UNKNOWN);
  state.status = undefined;
  return state;
}

function leaveLoop(kind: 'breaks' | 'continues'): Builtin {
  return (args, state, evaluation) => evaluation.leaveLoop(state, kind, Number(args[0] ?? 1));
}

function leave(kind: 'exit' | 'return'): Builtin {
  return ([status], state, evaluation) => {
    if (status !== undefined) state.status = isKnown(status) ? Number(status) === 0 : undefined;
    return evaluation.leave(state, kind);
  };
}

/** Drops options and `skip` operands of a command that runs the rest. */
function wrapper(withValue: RegExp, skip = 0): Builtin {
  return (args, state, evaluation) => {
    let at = 0;
    while (args[at]?.startsWith('-') === true) {
      const option = args[at++] as string;
      if (option === '--') break;
      if (withValue.test(option)) at++;
    }
    const rest = args.slice(at + skip);
    return rest.length === 0 ? done(state) : evaluation.external(rest, state);
  };
}

const readVariables: Builtin = (args, state) => {
  const names = args.filter((arg) => /^[A-Za-z_]\w*$/.test(arg));
  const end = state.input.indexOf('\n');
  const line = end < 0 ? state.input : state.input.slice(0, end);
  if (!isKnown(line)) {
    // text that is not known may be many lines like this one
    for (const name of names) state.variables.set(name, names.length === 1 ? line : UNKNOWN);
    state.status = undefined;
    return state;
  }
  state.status = state.input !== '' && end >= 0;
  state.input = end < 0 ? '' : state.input.slice(end + 1);
  let rest = line.trim();
  names.forEach((name, index) => {
    const cut = index < names.length - 1 ? rest.search(/[ \t]/) : -1;
    state.variables.set(name, cut < 0 ? rest : rest.slice(0, cut));
    rest = cut < 0 ? '' : rest.slice(cut).trim();
  });
  return state;
};

const changeDirectory: Builtin = (args, state, { host }) => {
  const target = args.find((arg) => !arg.startsWith('-') || arg === '-') ?? '/root';
  const known = isKnown(target) && target !== '-';
  const path = target.startsWith('/') ? target : `${directoryOf(state)}/${target}`;
  state.status = known ? host.isDirectory(path, '/') : undefined;
  if (state.status !== false) state.variables.set('PWD', known ? path : UNKNOWN);
  return state;
};

const set: Builtin = (args, state) => {
  const first = args.findIndex((arg) => !/^[-+]/.test(arg) || arg === '--');
  if (first >= 0) state.parameters = args.slice(args[first] === '--' ? first + 1 : first);
  return done(state);
};

/** xargs: the command, with what comes in as further arguments. */
const xargs: Builtin = (args, state, evaluation) => {
  let at = 0;
  while (args[at]?.startsWith('-') === true) if (/^-[IdnPsLE]$/.test(args[at++] as string)) at++;
  const known = isKnown(state.input);
  const items = known ? state.input.split(/\s+/).filter((item) => item !== '') : [state.input.trim()];
  const quiet = args.slice(0, at).some((option) => /^-[a-qs-z0]*r|^--no-run-if-empty$/.test(option));
  if (quiet && known && items.length === 0) return done(state);
  const command = args.slice(at);
  const end = evaluation.external([...(command.length === 0 ? ['echo'] : command), ...items], {
    ...copyState(state),
    input: '',
    certain: state.certain && known,
  });
  return Object.assign(state, { status: end.status, output: end.output, input: '' });
};

const subshell: Builtin = (args, state, evaluation) => {
  const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg));
  const text = at >= 0 ? args[at + 1] : undefined;
  const node = text !== undefined && isKnown(text) ? parseShell(text, evaluation.host.dialect) : undefined;
  if (!node) return evaluation.external(['sh', ...args], state);
  const inner = { ...copyState(state), parameters: args.slice(at + 3), functions: new Map() };
  const { status, output, input } = evaluation.subshell(node, inner);
  return Object.assign(state, { status, output, input });
};

export const BUILTINS: Readonly<Record<string, Builtin>> = {
  ':': (_args, state) => done(state),
  true: (_args, state) => done(state),
  false: (_args, state) => Object.assign(state, { status: false }),
  umask: (_args, state) => done(state),
  wait: (_args, state) => done(state),
  hash: (_args, state) => done(state),
  set,
  shopt: (_args, state) => done(state),
  cd: changeDirectory,
  pwd: (_args, state) => Object.assign(done(state), { output: `${state.output}${directoryOf(state)}\n` }),
  read: readVariables,
  export: assign,
  readonly: assign,
  declare: assign,
  local: (args, state) => {
    const names = args.map((arg) => arg.replace(/=[\s\S]*/, ''));
    state.variables.set(LOCALS, [state.variables.get(LOCALS) ?? '', ...names].join(' '));
    for (const name of names) state.variables.set(name, '');
    return assign(args, state);
  },
  unset: (args, state) => {
    for (const name of args) {
      state.variables.delete(name);
      state.functions.delete(name);
    }
    return done(state);
  },
  shift: ([count = '1'], state) => {
    state.parameters = isKnown(count) ? state.parameters.slice(Number(count)) : [UNKNOWN, UNKNOWN];
    return done(state);
  },
  break: leaveLoop('breaks'),
  continue: leaveLoop('continues'),
  exit: leave('exit'),
  return: leave('return'),
  eval: (args, state, evaluation) => {
    const text = args.join(' ');
    if (isKnown(text) && parseShell(text, evaluation.host.dialect)) return runText(text, state, evaluation);
    return runText(undefined, evaluation.external(['eval', ...args], state), evaluation);
  },
  '.': source,
  source,
  exec: (args, state, evaluation) => {
    if (args.length === 0) return done(state);
    return evaluation.leave(evaluation.external(args, state), 'exit');
  },
  command: (args, state, evaluation) =>
    args[0]?.startsWith('-') === true
      ? evaluation.external(['command', ...args], state)
      : args.length === 0
        ? done(state)
        : evaluation.external(args, state),
  trap: ([action = '-', ...signals], state, evaluation) => {
    const node =
      signals.length > 0 && isKnown(action) && action !== '-'
        ? parseShell(action, evaluation.host.dialect)
        : undefined;
    if (node) evaluation.traps.push(node);
    else if (!isKnown(action)) evaluation.external(['trap', action, ...signals], state);
    return done(state);
  },
  env: (args, state, evaluation) => {
    const rest = args.slice(args.findIndex((arg) => !/^-|^[A-Za-z_]\w*=/.test(arg)));
    return rest === args || args.every((arg) => /^-|=/.test(arg))
      ? done(state)
      : evaluation.external(rest, state);
  },
  nice: wrapper(/^-n$/),
  ionice: wrapper(/^-[cnp]$/),
  nohup: wrapper(/(?!)/),
  timeout: wrapper(/^-[ks]$/, 1),
  xargs,
  sh: subshell,
  bash: subshell,
  dash: subshell,
};

function source(args: readonly string[], state: ShellState, evaluation: Evaluation): ShellState | undefined {
  const [path = ''] = args;
  const text = isKnown(path) ? evaluation.host.source(path, directoryOf(state)) : undefined;
  if (text !== undefined) return runText(text, state, evaluation);
  return runText(undefined, evaluation.external(['.', ...args], state), evaluation);
}
