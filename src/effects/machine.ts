// The system that a maintainer script sees when it is followed (shell/evaluate.ts): commands are looked up in the closed
// list (commands/), effects are asked whether they do what a command would have done, and what remains is noted.
import type { Effect, EffectContext } from './effect.ts';
import { expandGlob } from './glob.ts';
import { answer, absolute, isObscure, WOULD_CHANGE } from './commands/command.ts';
import type { Call, Change, Outcome, Scene } from './commands/command.ts';
import { CONFMODULE } from './commands/debconf.ts';
import { writeFile } from './commands/files.ts';
import { commandNamed } from './commands/index.ts';
import { contentOf, findProgram, SHELL_COMMANDS } from './commands/readers.ts';
import type { Answer, Host, Invocation } from './shell/evaluate.ts';
import type { Dialect } from './shell/parse.ts';
import { isKnown, UNKNOWN, type Truth } from './shell/unknown.ts';

/** What came of following a script. Commands are lists of words. */
export interface Traces {
  /** Reached, or perhaps reached, and not done. */
  readonly open: (readonly string[])[];
  /** Done to the draft. */
  readonly done: { readonly kind: Change['kind']; readonly words: readonly string[] }[];
  /** Names of effects that do what commands would have done. */
  readonly covered: Set<string>;
  /** Names of commands that would have changed nothing. */
  readonly harmless: Set<string>;
}

export interface MachineOptions {
  readonly scene: Scene;
  readonly context: EffectContext;
  readonly effects: readonly Effect[];
  /** Kinds of changes that are made. */
  readonly makes: readonly Change['kind'][];
}

export class Machine implements Host {
  readonly dialect: Dialect;
  readonly traces: Traces = { open: [], done: [], covered: new Set(), harmless: new Set() };
  readonly #options: MachineOptions;

  constructor(options: MachineOptions) {
    this.#options = options;
    const { interpreter } = options.scene.script;
    this.dialect = options.context.family === 'rpm' || interpreter.includes('bash') ? 'bash' : 'posix';
  }

  run({ words, certain, ...rest }: Invocation): Answer {
    const { context, effects, scene } = this.#options;
    const [name = '', ...args] = words;
    const program = baseName(name);
    const covering = effects.find((effect) => effect.covers?.([program, ...args], context) === true);
    if (covering) {
      this.traces.covered.add(covering.name);
      return answer(true);
    }
    if (!this.#exists(name)) {
      this.traces.harmless.add(program);
      return answer(false);
    }
    const command = commandNamed(program);
    const call: Call = { name: program, args, scene, ...rest };
    return this.#settle(command ? command(call) : unlisted(name, args), words, certain);
  }

  write(path: string, text: string, how: Parameters<Host['write']>[2]): void {
    const full = absolute(path, how.directory);
    const outcome = writeFile(this.#options.scene, { path: full, text, append: how.append });
    this.#settle(outcome, [how.append ? '>>' : '>', full], how.certain);
  }

  read(path: string, directory: string): string {
    return contentOf({ scene: this.#options.scene, directory }, path) ?? UNKNOWN;
  }

  glob(pattern: string, directory: string): readonly string[] {
    if (!isKnown(directory) || pattern.includes('\\')) return [UNKNOWN];
    const { root } = this.#options.scene;
    const paths = expandGlob(root, absolute(pattern, directory));
    return pattern.startsWith('/')
      ? paths
      : paths.map((path) => path.slice(directory.replace(/\/*$/, '/').length));
  }

  isDirectory(path: string, directory: string): Truth {
    const full = absolute(path, directory);
    if (!isKnown(full)) return undefined;
    return this.#options.scene.root.follow(full)?.type === 'directory';
  }

  source(path: string, directory: string): string | undefined {
    const full = absolute(path, directory);
    // debconf's functions are commands here
    if (full === CONFMODULE) return this.#options.scene.root.follow(full) ? '' : undefined;
    if (isObscure(full)) return undefined;
    const text = contentOf({ scene: this.#options.scene, directory }, full);
    return text !== undefined && isKnown(text) ? text : undefined;
  }

  #exists(name: string): boolean {
    if (!isKnown(name) || SHELL_COMMANDS.has(name) || name.startsWith('db_')) return true;
    return name !== '' && findProgram(this.#options.scene.root, name) !== undefined;
  }

  #settle({ status, output, change }: Outcome, words: readonly string[], certain: boolean): Answer {
    const { scene, makes } = this.#options;
    if (change === undefined) {
      if (words[0] !== undefined && !SILENT.has(words[0])) this.traces.harmless.add(baseName(words[0]));
    } else if (
      change !== 'unknown' &&
      certain &&
      makes.includes(change.kind) &&
      (scene.phase === 'after' || change.kind !== 'files')
    ) {
      change.apply();
      this.traces.done.push({ kind: change.kind, words });
    } else this.traces.open.push(words);
    return { status, output };
  }
}

/** Programs that are not in the list; what a service does is no part of an image, and asking for a version is harmless. */
function unlisted(name: string, args: readonly string[]): Outcome {
  if (name.startsWith('/etc/init.d/')) return answer(undefined);
  return args.length === 1 && args[0] === '--version' ? answer(undefined, UNKNOWN) : WOULD_CHANGE;
}

/** Not worth naming as a reason. */
const SILENT = new Set('[ test echo printf > >> command type which'.split(' '));

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
