// A command of a maintainer script, and what is known of it: its answer, and the change it would make to the image, if
// any. Every module of this folder holds one table: name → meaning.
import { hexDigest } from '../../base/hash.ts';
import { fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootNode, RootView } from '../../rootfs/root-view.ts';
import type { EffectContext, ScriptRun } from '../effect.ts';
import { isKnown, UNKNOWN, type Truth } from '../shell/unknown.ts';

/** Where and when a script runs. */
export interface Scene {
  readonly context: EffectContext;
  readonly script: ScriptRun;
  /** The package was there before. */
  readonly isUpgrade: boolean;
  /** Before the new files are there, or after. */
  readonly phase: 'before' | 'after';
  /** What the script sees. */
  readonly root: RootView;
  /** The image as it will be; changes go here. */
  readonly draft: Draft;
  /** Packages whose triggers the script activates, as dpkg names them. */
  readonly activated: Set<string>;
}

export interface Call {
  readonly name: string;
  readonly args: readonly string[];
  readonly input: string;
  readonly directory: string;
  readonly variables: Map<string, string>;
  readonly functions: ReadonlySet<string>;
  readonly scene: Scene;
}

export interface Outcome {
  readonly status: Truth;
  readonly output: string;
  /** 'unknown': it would change something, but what is not known here. */
  readonly change?: 'unknown' | Change;
}

export interface Change {
  readonly kind: 'files' | 'accounts' | 'alternatives';
  readonly apply: () => void;
}

export type Command = (call: Call) => Outcome;
export type CommandTable = Readonly<Record<string, Command>>;

/** Nothing changes. */
export function answer(status: Truth, output = ''): Outcome {
  return { status, output };
}

export function changes(kind: Change['kind'], apply: () => void): Outcome {
  return { status: true, output: '', change: { kind, apply } };
}

export const WOULD_CHANGE: Outcome = { status: undefined, output: UNKNOWN, change: 'unknown' };
export const NOTHING: Command = () => answer(true);
/** Reads only; what it says is not known. */
export const READS: Command = () => answer(undefined, UNKNOWN);

export interface Options {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/** Options as getopt_long reads them; `withValue` names those that take a value ("m mode"). */
export function parseOptions(args: readonly string[], withValue = ''): Options {
  const valued = new Set(withValue.split(' '));
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const operands: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === '--') {
      operands.push(...args.slice(at + 1));
      break;
    }
    if (arg.startsWith('--')) {
      const [name = '', ...rest] = arg.slice(2).split('=');
      flags.add(name);
      if (rest.length > 0) values.set(name, rest.join('='));
      else if (valued.has(name)) values.set(name, args[++at] ?? '');
    } else if (arg.startsWith('-') && arg !== '-') {
      for (let index = 1; index < arg.length; index++) {
        const letter = arg[index] as string;
        flags.add(letter);
        if (!valued.has(letter)) continue;
        values.set(letter, arg.slice(index + 1) || (args[++at] ?? ''));
        break;
      }
    } else operands.push(arg);
  }
  return { flags, values, operands };
}

/** First value of several spellings of one option. */
export function valueOf({ values }: Options, ...names: readonly string[]): string | undefined {
  return names.map((name) => values.get(name)).find((value) => value !== undefined);
}

export function hasFlag({ flags }: Options, ...names: readonly string[]): boolean {
  return names.some((name) => flags.has(name));
}

export function absolute(path: string, directory: string): string {
  return path.startsWith('/') ? path : `${directory}/${path}`;
}

/**
 * Places that live as long as a running system: what is there is not part of an image. So does the file that libc6 has
 * while it is upgraded.
 */
export function isTransient(path: string): boolean {
  return /^\/+(?:(?:dev|run|proc|sys|tmp|var\/run|var\/tmp|var\/lock)(?:\/|$)|etc\/ld\.so\.nohwcap$)/.test(
    path,
  );
}

/** True when `path` may hold `..` or text that is not known. */
export function isObscure(path: string): boolean {
  return !isKnown(path) || /(?:^|\/)\.\.(?:\/|$)/.test(path) || path.includes('\0') || path === '';
}

export function baseNameOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/** True for a file with this content. */
export function holds(node: RootNode | undefined, text: string): boolean {
  return node?.type === 'file' && node.sha256 === hexDigest('sha256', fromByteString(text));
}
