// Abstract evaluation of a shell script: which commands it comes to, with what arguments, as far as that can be known.
// Where a condition is not known both ways are followed, and only what both agree on stays known. What commands do is
// the host's business; here are control flow (XCU 2.9), functions, redirections and the builtins that change the shell's
// own state. A script that ends with an error would have made the real upgrade fail, so `set -e` is taken to never act.
import { BUILTINS } from './builtins.ts';
import { expandPattern, expandText, expandWords, type Expander } from './expand.ts';
import { matchesPattern } from './pattern.ts';
import type { Dialect } from './parse.ts';
import { copyState, directoryOf, joinStates, LOCALS, sameState, type ShellState } from './state.ts';
import type { Node, Redirection, Word } from './syntax.ts';
import { bounded, isKnown, not, UNKNOWN, type Truth } from './unknown.ts';

/** A command with all its words expanded; texts may hold UNKNOWN. */
export interface Invocation {
  readonly words: readonly string[];
  readonly input: string;
  readonly directory: string;
  /** False: the script may not come here. */
  readonly certain: boolean;
  /** Names the shell itself would find first. */
  readonly functions: ReadonlySet<string>;
  readonly variables: Map<string, string>;
}

export interface Answer {
  readonly status: Truth;
  readonly output: string;
}

/** The system the script sees. */
export interface Host {
  readonly dialect: Dialect;
  run(invocation: Invocation): Answer;
  /** Output goes to a file. */
  write(
    path: string,
    text: string,
    invocation: Pick<Invocation, 'certain' | 'directory'> & { append: boolean },
  ): void;
  /** Content of a file, UNKNOWN if it is not known. */
  read(path: string, directory: string): string;
  glob(pattern: string, directory: string): readonly string[];
  isDirectory(path: string, directory: string): Truth;
  /** Text of a script that is read in; undefined if it is not known. */
  source(path: string, directory: string): string | undefined;
}

/** The script takes too many steps to be followed. */
export class TooLong extends Error {}

const MAX_STEPS = 20_000;
/** Characters that patterns and fields may cost, all in all. */
const MAX_WORK = 100_000_000;
const MAX_CALLS = 40;

export class Evaluation {
  readonly host: Host;
  #steps = 0;
  #work = 0;
  #calls = 0;
  #exits: ShellState[] = [];
  #returns: ShellState[] = [];
  #loops: { readonly breaks: ShellState[]; readonly continues: ShellState[] }[] = [];
  /** Ways out of the middle so far: a branch that has one leaves what follows uncertain. */
  #escapes = 0;
  #substituted: Truth = true;
  /** Commands of `trap`, run where the script ends. */
  readonly traps: Node[] = [];

  constructor(host: Host) {
    this.host = host;
  }

  /** Follows a whole script. Throws TooLong. */
  script(node: Node, state: ShellState): void {
    const end = this.subshell(node, state);
    for (const trap of this.traps.splice(0)) this.subshell(trap, { ...copyState(end), certain: false });
  }

  run(node: Node, state: ShellState): ShellState | undefined {
    if (++this.#steps > MAX_STEPS) throw new TooLong();
    switch (node.kind) {
      case 'simple':
        return this.#simple(node, state);
      case 'list': {
        let current: ShellState | undefined = state;
        for (const item of node.items) current = current && this.run(item, current);
        return current;
      }
      case 'and':
      case 'or':
        return this.#andOr(node, state);
      case 'not': {
        const end = this.run(node.body, state);
        if (end) end.status = not(end.status);
        return end;
      }
      case 'pipe':
        return this.#pipe(node.items, state);
      case 'if':
        return this.#if(node, 0, state);
      case 'case':
        return this.#case(node, state);
      case 'for':
        return this.#for(node, state);
      case 'while':
        return this.#while(node, state);
      case 'function':
        state.functions.set(node.name, [node.body]);
        state.status = true;
        return state;
      case 'group':
        return this.#redirected(node.redirections, state, (inner) => {
          if (!node.subshell) return this.run(node.body, inner);
          const { status, output, input } = this.subshell(node.body, copyState(inner));
          return Object.assign(inner, { status, output, input });
        });
      default:
        return node satisfies never;
    }
  }

  /** Runs `node` so that `exit` ends it only. */
  subshell(node: Node, state: ShellState): ShellState {
    const [exits, returns, loops, escapes] = [this.#exits, this.#returns, this.#loops, this.#escapes];
    [this.#exits, this.#returns, this.#loops] = [[], [], []];
    const { certain } = state;
    const fallback = copyState(state);
    const end = joinStates([this.run(node, state), ...this.#exits, ...this.#returns]) ?? fallback;
    [this.#exits, this.#returns, this.#loops, this.#escapes] = [exits, returns, loops, escapes];
    return { ...end, certain };
  }

  #andOr(node: Extract<Node, { kind: 'and' | 'or' }>, state: ShellState): ShellState | undefined {
    const left = this.run(node.left, state);
    if (!left) return undefined;
    const goesOn = node.kind === 'and';
    if (left.status !== undefined) return left.status === goesOn ? this.run(node.right, left) : left;
    return this.#branch(left, [
      (inner) => this.run(node.right, Object.assign(inner, { status: goesOn })),
      (inner) => Object.assign(inner, { status: !goesOn }),
    ]);
  }

  /** Follows several ways, of which one is taken. */
  #branch(
    state: ShellState,
    ways: readonly ((inner: ShellState) => ShellState | undefined)[],
  ): ShellState | undefined {
    const escapes = this.#escapes;
    const ends = ways.map((way) => way({ ...copyState(state), certain: false }));
    const joined = joinStates(ends);
    if (joined) joined.certain = state.certain && this.#escapes === escapes && ends.every(Boolean);
    return joined;
  }

  #pipe(items: readonly Node[], state: ShellState): ShellState {
    let { input } = state;
    let status: Truth;
    let output = '';
    for (const item of items) {
      const end = this.subshell(item, { ...copyState(state), input, output: '' });
      ({ status, output } = end);
      input = output;
    }
    state.status = status;
    state.output = bounded(state.output + output);
    return state;
  }

  #if(node: Extract<Node, { kind: 'if' }>, index: number, state: ShellState): ShellState | undefined {
    const branch = node.branches[index];
    if (!branch) {
      if (node.otherwise) return this.run(node.otherwise, state);
      state.status = true;
      return state;
    }
    const tested = this.run(branch.condition, state);
    if (!tested) return undefined;
    if (tested.status === true) return this.run(branch.body, tested);
    if (tested.status === false) return this.#if(node, index + 1, tested);
    return this.#branch(tested, [
      (inner) => this.run(branch.body, inner),
      (inner) => this.#if(node, index + 1, inner),
    ]);
  }

  #case(node: Extract<Node, { kind: 'case' }>, state: ShellState): ShellState | undefined {
    const text = expandText(node.word, this.#expander(state));
    const from = (index: number, inner: ShellState): ShellState | undefined => {
      const item = node.items[index];
      if (!item) return Object.assign(inner, { status: true });
      const verdicts = item.patterns.map((word) => {
        const pattern = expandPattern(word, this.#expander(inner));
        this.#spend(text.length * pattern.length);
        return matches(text, pattern);
      });
      if (verdicts.includes(true)) return this.#body(item.body, inner);
      if (!verdicts.includes(undefined)) return from(index + 1, inner);
      return this.#branch(inner, [
        (taken) => this.#body(item.body, taken),
        (passed) => from(index + 1, passed),
      ]);
    };
    return from(0, state);
  }

  /** What follows a pattern may be empty. */
  #body(node: Node, state: ShellState): ShellState | undefined {
    if (node.kind === 'list' && node.items.length === 0) state.status = true;
    return this.run(node, state);
  }

  #for(node: Extract<Node, { kind: 'for' }>, state: ShellState): ShellState | undefined {
    const values = node.words ? expandWords(node.words, this.#expander(state)) : state.parameters;
    if (!values.every(isKnown))
      return this.#repeat(state, {
        test: (inner) => [inner, inner],
        body: (inner) =>
          joinStates(
            [...new Set(values)].map((value) => {
              const once = copyState(inner);
              once.variables.set(node.name, value);
              return this.run(node.body, once);
            }),
          ),
      });
    return this.#loop(state, (breaks, continues) => {
      let current: ShellState | undefined = state;
      if (values.length === 0) current.status = true;
      for (const value of values) {
        if (!current) break;
        current.variables.set(node.name, value);
        current = joinStates([this.run(node.body, current), ...continues.splice(0)]);
      }
      return joinStates([current, ...breaks]);
    });
  }

  #while(node: Extract<Node, { kind: 'while' }>, state: ShellState): ShellState | undefined {
    return this.#loop(state, (breaks, continues) => {
      let current: ShellState | undefined = state;
      for (;;) {
        if (!current) return joinStates(breaks);
        const tested: ShellState | undefined = this.run(node.condition, current);
        if (!tested) return joinStates(breaks);
        const goesOn: Truth = node.until ? not(tested.status) : tested.status;
        if (goesOn === false) {
          tested.status = true;
          return joinStates([tested, ...breaks]);
        }
        if (goesOn === undefined) {
          // the condition was run once already: from here on nothing is counted
          const body = this.run(node.body, { ...copyState(tested), certain: false });
          const start = joinStates([body, ...continues.splice(0)]);
          const end =
            start &&
            this.#repeat(start, {
              test: (inner) => {
                const again = this.run(node.condition, inner);
                return [again, again];
              },
              body: (inner) => this.run(node.body, inner),
            });
          return joinStates([tested, end, ...breaks]);
        }
        current = joinStates([this.run(node.body, tested), ...continues.splice(0)]);
      }
    });
  }

  /** A loop of an unknown number of rounds, none included: followed until nothing new is learned. */
  #repeat(
    state: ShellState,
    {
      test,
      body,
    }: {
      readonly test: (
        inner: ShellState,
      ) => readonly [ends: ShellState | undefined, goesOn: ShellState | undefined];
      readonly body: (inner: ShellState) => ShellState | undefined;
    },
  ): ShellState | undefined {
    return this.#loop(state, (breaks, continues) => {
      let start: ShellState = { ...copyState(state), certain: false };
      for (;;) {
        const [ends, goesOn] = test(copyState(start));
        const round = goesOn && body(copyState(goesOn));
        const next = joinStates([start, round, ...continues.splice(0)]) as ShellState;
        if (sameState(next, start)) {
          const last = joinStates([ends, ...breaks]);
          if (last) last.status = undefined;
          return last;
        }
        start = next;
      }
    });
  }

  #loop(
    state: ShellState,
    follow: (breaks: ShellState[], continues: ShellState[]) => ShellState | undefined,
  ): ShellState | undefined {
    const { certain } = state;
    const [escapes, exits] = [this.#escapes, this.#exits.length + this.#returns.length];
    const frame = { breaks: [], continues: [] };
    this.#loops.push(frame);
    const end = follow(frame.breaks, frame.continues);
    this.#loops.pop();
    if (end && this.#exits.length + this.#returns.length === exits) {
      end.certain = certain;
      this.#escapes = escapes;
    }
    return end;
  }

  /** `break` or `continue` out of `depth` loops. */
  leaveLoop(state: ShellState, kind: 'breaks' | 'continues', depth: number): undefined {
    this.#escapes++;
    const frame = this.#loops[Math.max(0, this.#loops.length - depth)];
    // leaving several loops at once is taken as an end that is reached some other way
    if (frame) frame[kind].push(state);
    return undefined;
  }

  leave(state: ShellState, kind: 'exit' | 'return'): undefined {
    this.#escapes++;
    (kind === 'exit' ? this.#exits : this.#returns).push(state);
    return undefined;
  }

  #simple(node: Extract<Node, { kind: 'simple' }>, state: ShellState): ShellState | undefined {
    this.#substituted = true;
    const words = expandWords(node.words, this.#expander(state));
    if (node.words.length === 0) {
      for (const { name, value } of node.assignments)
        state.variables.set(name, expandText(value, this.#expander(state)));
      state.status = this.#substituted;
      return this.#redirected(node.redirections, state, (inner) => inner);
    }
    const saved = node.assignments.map(({ name }) => [name, state.variables.get(name)] as const);
    for (const { name, value } of node.assignments)
      state.variables.set(name, expandText(value, this.#expander(state)));
    const end = this.#redirected(node.redirections, state, (inner) =>
      words.length === 0 ? Object.assign(inner, { status: this.#substituted }) : this.invoke(words, inner),
    );
    for (const [name, value] of saved) {
      if (value === undefined) end?.variables.delete(name);
      else end?.variables.set(name, value);
    }
    return end;
  }

  /** Runs a command: a function, a builtin, or something of the host's. */
  invoke(words: readonly string[], state: ShellState): ShellState | undefined {
    if (++this.#steps > MAX_STEPS) throw new TooLong();
    const [name = ''] = words;
    const bodies = state.functions.get(name);
    if (bodies) return this.#function(bodies, words, state);
    const builtin = Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
    return builtin ? builtin(words.slice(1), state, this) : this.external(words, state);
  }

  external(words: readonly string[], state: ShellState): ShellState {
    const { status, output } = this.host.run({
      words,
      input: state.input,
      directory: directoryOf(state),
      certain: state.certain,
      functions: new Set(state.functions.keys()),
      variables: state.variables,
    });
    state.status = status;
    state.output = bounded(state.output + output);
    return state;
  }

  #function(
    bodies: readonly (Node | undefined)[],
    words: readonly string[],
    state: ShellState,
  ): ShellState | undefined {
    if (++this.#calls > MAX_CALLS) throw new TooLong();
    const [returns, loops, escapes, exits] = [this.#returns, this.#loops, this.#escapes, this.#exits.length];
    const outer = copyState(state);
    const ends = bodies.map((body) => {
      [this.#returns, this.#loops] = [[], []];
      const parameters = words.slice(1);
      const inner = { ...copyState(state), parameters, certain: state.certain && bodies.length === 1 };
      inner.variables.delete(LOCALS);
      if (!body) return this.external(words, inner);
      return joinStates([this.run(body, inner), ...this.#returns]);
    });
    [this.#returns, this.#loops] = [returns, loops];
    this.#calls--;
    const end = joinStates(ends);
    if (!end) return undefined;
    end.parameters = outer.parameters;
    for (const name of [...localNames(end), LOCALS]) restore(name, outer, end);
    if (this.#exits.length === exits) {
      end.certain = outer.certain;
      this.#escapes = escapes;
    }
    return end;
  }

  #spend(cost: number): void {
    this.#work += cost;
    if (this.#work > MAX_WORK) throw new TooLong();
  }

  #expander(state: ShellState): Expander {
    return {
      state,
      substitute: (body) => {
        const end = this.subshell(body, { ...copyState(state), output: '' });
        this.#substituted = end.status;
        return end.output.replace(/\n+$/, '');
      },
      glob: (pattern) => this.host.glob(pattern, directoryOf(state)),
      spend: (cost) => this.#spend(cost),
    };
  }

  #redirected(
    redirections: readonly Redirection[],
    state: ShellState,
    run: (inner: ShellState) => ShellState | undefined,
  ): ShellState | undefined {
    if (redirections.length === 0) return run(state);
    const targets = new Map<number, Target>();
    const { output, input } = state;
    let redirectsInput = false;
    for (const { descriptor, operator, target, body } of redirections) {
      const text = (word: Word): string => expandText(word, this.#expander(state));
      if (operator === '<<' && body) {
        state.input = text(body);
        redirectsInput = true;
      } else if (operator === '<' || operator === '<>') {
        const path = text(target);
        if (descriptor === 0) state.input = this.host.read(path, directoryOf(state));
        redirectsInput ||= descriptor === 0;
      } else if (operator === '>&') {
        const number = text(target);
        const other = targets.get(Number(number)) ?? (number === '1' ? 'output' : 'nowhere');
        targets.set(descriptor, /^[0-9]$/.test(number) ? other : 'nowhere');
      } else if (operator !== '<&')
        targets.set(descriptor, { path: text(target), append: operator === '>>' });
    }
    const own = targets.get(1) ?? 'output';
    if (own !== 'output') state.output = '';
    const before = [this.#exits.length, this.#returns.length] as const;
    const end = run(state);
    // what left early has said something that went elsewhere
    for (const left of [...this.#exits.slice(before[0]), ...this.#returns.slice(before[1])])
      left.output = UNKNOWN;
    // what is said of errors is not known
    if (end && targets.get(2) === 'output') end.output = bounded(end.output + UNKNOWN);
    const written = own === 'output' ? '' : (end?.output ?? UNKNOWN);
    if (end && own !== 'output') end.output = output;
    if (end && redirectsInput) end.input = input;
    for (const [descriptor, target] of targets) {
      if (typeof target === 'string') continue;
      this.host.write(target.path, descriptor === 1 ? written : UNKNOWN, {
        append: target.append,
        certain: state.certain,
        directory: directoryOf(state),
      });
    }
    return end;
  }
}

type Target = 'output' | 'nowhere' | { readonly path: string; readonly append: boolean };

function localNames(state: ShellState): readonly string[] {
  return (state.variables.get(LOCALS) ?? '').split(' ').filter((name) => name !== '');
}

function restore(name: string, from: ShellState, to: ShellState): void {
  const value = from.variables.get(name);
  if (value === undefined) to.variables.delete(name);
  else to.variables.set(name, value);
}

function matches(text: string, pattern: string): Truth {
  if (pattern === '*') return true;
  return isKnown(text) && isKnown(pattern) ? matchesPattern(text, pattern) : undefined;
}
