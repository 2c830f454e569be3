// dpkg-maintscript-helper(1): what the debhelper-made lines of preinst and postinst do to conffiles, directories and
// symlinks when a package is upgraded past a version. Only lines whose arguments are literal are understood.
import { compareVersions } from './version.ts';

export type HelperCommand =
  | { readonly command: 'rm_conffile'; readonly path: string; readonly owner: string }
  | { readonly command: 'mv_conffile'; readonly path: string; readonly to: string; readonly owner: string }
  | {
      readonly command: 'symlink_to_dir';
      readonly path: string;
      readonly target: string;
      readonly owner: string;
    }
  | {
      readonly command: 'dir_to_symlink';
      readonly path: string;
      readonly target: string;
      readonly owner: string;
    };

/**
 * The helper commands of a script that take effect when the package was at `oldVersion`; `owner` is the package they
 * ask about, by default `packageName`. Undefined `oldVersion`: a new installation, to which none applies.
 */
export function helperCommands(
  script: string,
  { packageName, oldVersion }: { readonly packageName: string; readonly oldVersion: string | undefined },
): HelperCommand[] {
  if (oldVersion === undefined || !script.includes('dpkg-maintscript-helper')) return [];
  const commands: HelperCommand[] = [];
  for (const line of script.replace(/\\\n/g, ' ').split('\n')) {
    const words = /^\s*dpkg-maintscript-helper\s+\S/.test(line) ? splitWords(line) : undefined;
    const separator = words?.indexOf('--') ?? -1;
    if (!words || separator === -1) continue;
    const [, command, ...parameters] = words.slice(0, separator);
    const parsed = parseCommand(command, parameters, packageName);
    if (parsed && appliesTo(oldVersion, parsed.lastVersion)) commands.push(parsed.helper);
  }
  return commands;
}

function parseCommand(
  command: string | undefined,
  parameters: readonly string[],
  packageName: string,
): { helper: HelperCommand; lastVersion: string } | undefined {
  const [path = '', second = '', third = '', fourth = ''] = parameters;
  if (!path.startsWith('/')) return undefined;
  switch (command) {
    case 'rm_conffile':
      return { helper: { command, path, owner: plainName(third || packageName) }, lastVersion: second };
    case 'mv_conffile':
      if (!second.startsWith('/')) return undefined;
      return {
        helper: { command, path, to: second, owner: plainName(fourth || packageName) },
        lastVersion: third,
      };
    case 'symlink_to_dir':
    case 'dir_to_symlink': {
      if (second === '') return undefined;
      const helper = {
        command,
        path: path.replace(/\/+$/, ''),
        target: second,
        owner: plainName(fourth || packageName),
      };
      return { helper, lastVersion: third };
    }
    default:
      return undefined;
  }
}

/** `--compare-versions OLD le-nl LAST`: no last version is later than any. */
function appliesTo(oldVersion: string, lastVersion: string): boolean {
  return lastVersion === '' || compareVersions(oldVersion, lastVersion) <= 0;
}

function plainName(name: string): string {
  return name.replace(/:.*$/, '');
}

/** Words of a simple command as sh splits them; undefined when one is not literal ("$@" after "--" excepted). */
function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  const pattern = /\s+|((?:[^\s'"\\$`;&|<>(){}#*?[\]]|\\.|'[^']*'|"(?:[^"\\$`]|\\.)*")+)|(.)/gsy;
  for (const [, word, other] of line.matchAll(pattern)) {
    if (other !== undefined) return words.includes('--') ? words : undefined;
    if (word !== undefined) words.push(unquote(word));
  }
  return words;
}

function unquote(word: string): string {
  return word.replace(
    /\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/gs,
    (_, escaped?: string, single?: string, double?: string) =>
      escaped ?? single ?? (double as string).replace(/\\([$`"\\])/g, '$1'),
  );
}
