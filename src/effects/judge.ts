// What becomes of one maintainer script: it is followed in a draft on top of the draft. If all it does is understood,
// the changes are kept; else only its accounts and alternatives are, and the commands that were not run are told.
import { createDraft } from '../rootfs/draft.ts';
import type { Draft } from '../rootfs/draft.ts';
import { hexDigest } from '../base/hash.ts';
import { displayText, fromByteString } from '../base/bytes.ts';
import type { Scene } from './commands/command.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { invocationOf } from './invocation.ts';
import { Machine, type MachineOptions, type Traces } from './machine.ts';
import { Evaluation, TooLong } from './shell/evaluate.ts';
import { parseShell } from './shell/parse.ts';
import { UNKNOWN } from './shell/unknown.ts';

export interface ScriptVerdict {
  readonly package: string;
  readonly name: string;
  readonly action: 'emulated' | 'not-run' | 'no-op';
  /** Effects or commands that stand for it; why there is nothing to do; or the commands that would have run. */
  readonly by: string;
}

export interface Judgement {
  readonly verdict: ScriptVerdict;
  /** Packages whose triggers it activates. */
  readonly activated: ReadonlySet<string>;
}

const SHELL = /^(?:\/usr)?\/bin\/(?:sh|dash|bash|ash|busybox sh)(?:\s+-[a-z]+)*$/;

/**
 * What following a script may change. Of rpm's scriptlets only what makes accounts is taken over: its own closed list of
 * effects does the rest, and anything else is told.
 */
const MAKES: Readonly<Record<EffectContext['family'], MachineOptions['makes']>> = {
  dpkg: ['files', 'accounts', 'alternatives'],
  apk: ['files', 'accounts'],
  rpm: ['accounts'],
};

export function judgeScript(
  script: ScriptRun,
  context: EffectContext,
  effects: readonly Effect[],
  madeAccounts = false,
): Judgement {
  const nothing: ReadonlySet<string> = new Set();
  const verdict = (action: ScriptVerdict['action'], by: string): ScriptVerdict => ({
    package: script.package,
    name: script.script,
    action,
    by,
  });
  const reason = effects.map((effect) => effect.noOp?.(script, context)).find((text) => text !== undefined);
  if (reason !== undefined) return { verdict: verdict('no-op', reason), activated: nothing };
  const standing = effects.find((effect) => effect.standsFor(script, context));
  if (standing) return { verdict: verdict('emulated', standing.name), activated: nothing };
  const interpreter = script.interpreter || '/bin/sh';
  if (!SHELL.test(interpreter)) {
    const plain = plainProgram(script, context, effects);
    return {
      verdict: plain ? verdict('emulated', plain) : verdict('not-run', described(script, [])),
      activated: nothing,
    };
  }
  const all = follow(script, context, effects, MAKES[context.family]);
  if (!all) return { verdict: verdict('not-run', described(script, [])), activated: nothing };
  const { traces, activated } = all;
  if (traces.open.length === 0) {
    commit(all.draft, context.draft);
    const by = [...traces.covered, ...doneBy(traces, madeAccounts)];
    return {
      verdict: by.length > 0 ? verdict('emulated', by.join(', ')) : verdict('no-op', harmlessness(traces)),
      activated,
    };
  }
  if (traces.done.some(({ kind }) => kind !== 'files')) {
    // each of these is whole in itself
    const part = follow(script, context, effects, ['accounts', 'alternatives']);
    if (part) commit(part.draft, context.draft);
    return {
      verdict: verdict('not-run', described(script, part?.traces.open ?? traces.open)),
      activated,
    };
  }
  return { verdict: verdict('not-run', described(script, traces.open)), activated };
}

/** Only the accounts that a script makes before the files of its package come. Answers whether it made any. */
export function makeAccounts(script: ScriptRun, context: EffectContext, effects: readonly Effect[]): boolean {
  if (invocationOf(script, context).phase !== 'before' || !SHELL.test(script.interpreter || '/bin/sh'))
    return false;
  if (
    effects.some(
      (effect) => effect.noOp?.(script, context) !== undefined || effect.standsFor(script, context),
    )
  )
    return false;
  const followed = follow(script, context, effects, ['accounts']);
  if (!followed?.traces.done.some(({ kind }) => kind === 'accounts')) return false;
  commit(followed.draft, context.draft);
  return true;
}

/** `%post -p /sbin/ldconfig`: the interpreter is the program. */
function plainProgram(
  { interpreter, body }: ScriptRun,
  context: EffectContext,
  effects: readonly Effect[],
): string | undefined {
  const words = interpreter.trim().split(/\s+/);
  if (body.trim() !== interpreter && body.trim() !== '') return undefined;
  const program = (words[0] ?? '').replace(/^.*\//, '');
  return effects.find((effect) => effect.covers?.([program, ...words.slice(1)], context) === true)?.name;
}

interface Followed {
  readonly draft: Draft;
  readonly traces: Traces;
  readonly activated: ReadonlySet<string>;
}

/** Undefined when the script is not understood. */
function follow(
  script: ScriptRun,
  context: EffectContext,
  effects: readonly Effect[],
  makes: MachineOptions['makes'],
): Followed | undefined {
  const { phase, isUpgrade, parameters, variables } = invocationOf(script, context);
  const draft = createDraft(context.draft);
  const activated = new Set<string>();
  const root = phase === 'before' ? context.draft.base : draft;
  const scene: Scene = { context, script, phase, isUpgrade, root, draft, activated };
  const machine = new Machine({ scene, context, effects, makes });
  const node = parseShell(script.body, machine.dialect);
  if (!node) return undefined;
  try {
    new Evaluation(machine).script(node, {
      variables: new Map(variables),
      parameters,
      functions: new Map(),
      status: true,
      output: '',
      input: '',
      certain: true,
    });
  } catch (error) {
    if (error instanceof TooLong) return undefined;
    throw error;
  }
  return { draft, traces: machine.traces, activated };
}

function commit(from: Draft, to: Draft): void {
  for (const change of from.changes().changes) {
    if (change.kind === 'remove') to.remove(change.path);
    else if (change.kind === 'link') to.link(change.path, change.target);
    else to.put(change.path, change.node);
  }
}

function doneBy({ done }: Traces, madeAccounts: boolean): readonly string[] {
  const kinds = (['accounts', 'alternatives'] as const).filter(
    (name) => (name === 'accounts' && madeAccounts) || done.some(({ kind }) => kind === name),
  );
  const files = done.filter(({ kind }) => kind === 'files').map(({ words }) => words);
  return [...kinds, ...(files.length > 0 ? [`shell: ${shortened(files)}`] : [])];
}

function harmlessness({ harmless }: Traces): string {
  return harmless.size === 0 ? 'nothing to do' : `nothing to do: ${[...harmless].sort().join(', ')}`;
}

function described({ interpreter, body }: ScriptRun, open: readonly (readonly string[])[]): string {
  const what = open.length === 0 ? 'not understood' : `would run: ${shortened(open)}`;
  return `${what} (${displayText(interpreter || 'no interpreter')}, sha256:${hexDigest('sha256', fromByteString(body))})`;
}

const MAX_COMMANDS = 5;
const MAX_LETTERS = 120;

function shortened(commands: readonly (readonly string[])[]): string {
  const texts = [...new Set(commands.map(shown))];
  const more = texts.length > MAX_COMMANDS ? `; ${UNKNOWN} (${texts.length - MAX_COMMANDS} more)` : '';
  return texts.slice(0, MAX_COMMANDS).join('; ') + more;
}

/** Text for people: byte strings are decoded around what is not known. */
function shown(words: readonly string[]): string {
  const text = words
    .join(' ')
    .split(UNKNOWN)
    .map((part) => displayText(part).replace(/[\p{Cc}\s]+/gu, ' '))
    .join(UNKNOWN);
  return text.length > MAX_LETTERS ? `${text.slice(0, MAX_LETTERS)}${UNKNOWN}` : text;
}
