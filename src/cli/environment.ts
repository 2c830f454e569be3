// Flags from the environment: every long flag as ONLAY_<NAME>. A variable that is empty counts as not set, and one that
// stands for a switch says whether it is on; what is given on the command line comes first.
import { CommanderError } from 'commander';
import type { Command, Option } from 'commander';
import { OnlayError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** To be called when the arguments are parsed. Throws USAGE for a value that the flag does not take. */
export function applyEnvironment(command: Command, env: Environment): void {
  for (const option of command.options) {
    const variable = variableOf(option);
    const text = env[variable] ?? '';
    if (variable === '' || text === '') continue;
    const key = option.attributeName();
    const source = command.getOptionValueSource(key);
    if (source !== undefined && source !== 'default') continue;
    command.setOptionValueWithSource(key, valueOf(option, text, variable), 'env');
  }
}

/** True when the environment switches `name` ("JSON") on; for what must be known when arguments cannot be parsed. */
export function isOn(env: Environment, name: string): boolean {
  return SWITCHES[(env[`ONLAY_${name}`] ?? '').toLowerCase()] === true;
}

/**
 * `--push=true` and `--push=false`, as users of copa write them: commander knows switches only without a value. Answers
 * the remaining arguments and the attribute names that are off.
 */
export function splitSwitches(
  argv: readonly string[],
  commands: readonly Command[],
): { readonly args: readonly string[]; readonly off: readonly string[] } {
  const switches = new Map(
    commands.flatMap(({ options }) =>
      options.filter((option) => option.isBoolean()).map((option) => [option.long, option.attributeName()]),
    ),
  );
  const off: string[] = [];
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const args = argv.flatMap((arg, at) => {
    const [, name, value] = /^(--[a-z-]+)=(true|false)$/.exec(arg) ?? [];
    const key = switches.get(name);
    if (at > end || name === undefined || key === undefined) return [arg];
    if (value === 'true') return [name];
    off.push(key);
    return [];
  });
  return { args, off };
}

function variableOf({ long, negate }: Option): string {
  if (!long || long === '--version') return '';
  const name = long.replace(/^--(?:no-)?/, '').replaceAll('-', '_');
  return `ONLAY_${negate ? 'NO_' : ''}${name.toUpperCase()}`;
}

const SWITCHES: Readonly<Record<string, boolean>> = {
  '1': true,
  true: true,
  yes: true,
  on: true,
  '0': false,
  false: false,
  no: false,
  off: false,
};

function valueOf(option: Option, text: string, variable: string): unknown {
  if (!option.required && !option.optional) {
    const on = SWITCHES[text.toLowerCase()];
    if (on === undefined)
      throw new OnlayError('USAGE', `${variable} is ${JSON.stringify(text)}, which is neither on nor off`, {
        hint: 'set it to true or false',
      });
    return option.negate ? !on : on;
  }
  if (!option.parseArg) return text;
  try {
    return option.parseArg(text, undefined);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new OnlayError('USAGE', `${variable} is ${JSON.stringify(text)}: ${error.message}`, {
      hint: `see --help for ${option.long ?? option.flags}`,
    });
  }
}
