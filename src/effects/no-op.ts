// Scripts that would change nothing in an image on this upgrade. A script counts only if every command in it is one of a
// closed list; anything that is not understood makes it "not run", which is reported.
import type { EffectContext, ScriptRun } from './effect.ts';

/** Why a script is a no-op, or undefined. */
export function noOpReason(script: ScriptRun, context: EffectContext): string | undefined {
  if (script.interpreter !== '' && !/^(?:\/usr)?\/bin\/(?:sh|dash|bash)(?:\s+-e)?$/.test(script.interpreter))
    return undefined;
  const commands = commandsOf(script.body);
  if (commands === undefined) return undefined;
  const unknown = commands.filter((command) => !isHarmless(command, context));
  if (unknown.length > 0) return undefined;
  return commands.length === 0
    ? 'empty'
    : `only ${[...new Set(commands.map((command) => command.split(/\s/)[0] as string))].sort().join(', ')}`;
}

/** Shell words that only structure a script. */
const STRUCTURE =
  /^(?:then|else|fi|do|done|esac|;;|\{|\}|exit(?: 0)?|set -[a-z]+|:|true|return(?: 0)?|#.*)?$/;

/**
 * The simple commands of a script, without comments, tests and case labels; undefined when it has something that line
 * by line reading cannot judge: here-documents, functions, substitutions that run programs, redirections to files.
 */
function commandsOf(body: string): readonly string[] | undefined {
  const joined = body.replace(/\\\n/g, ' ');
  if (/<<|\beval\b|\bsource\b|^\s*\.\s/m.test(joined)) return undefined;
  if (/^\s*[A-Za-z_]\w*\s*\(\)/m.test(joined)) return undefined;
  const commands: string[] = [];
  for (const line of joined.split('\n')) {
    const code = line.replace(/(^|\s)#.*$/, '').trim();
    for (const part of code.split(/\s*(?:(?<!;);(?!;)|&&|\|\|)\s*/)) {
      const command = stripKeywords(part.trim());
      if (STRUCTURE.test(command) || isTest(command) || isCaseLabel(command) || isAssignment(command))
        continue;
      commands.push(command.replace(/\s*\d?>\s*\/dev\/null|\s*\d>&\d/g, '').trim());
    }
  }
  if (commands.some((command) => /[`>|&]|\$\(/.test(command))) return undefined;
  return commands;
}

function stripKeywords(command: string): string {
  return command
    .replace(/^(?:(?:if|elif|then|else|while|until|do|!)\s+)+/, '')
    .replace(/\s*;;$/, '')
    .trim();
}

function isTest(command: string): boolean {
  return /^(?:\[ .* \]|test\s.*|command -v \S+(?: >\s*\/dev\/null)?(?: 2>&1)?|which \S+.*|dpkg --compare-versions [^;&|`]*|case\s+\S+\s+in.*)$/.test(
    command,
  );
}

function isCaseLabel(command: string): boolean {
  return /^\(?[\w"'*|\s-]+\)$/.test(command);
}

function isAssignment(command: string): boolean {
  return (
    /^(?:local\s+|export\s+)?[A-Za-z_]\w*=[^`$]*$/.test(command) ||
    /^[A-Za-z_]\w*="?\$\{?\w+[^`(]*$/.test(command)
  );
}

/** Commands that find their work done already when a package is upgraded inside one release, or concern running systems. */
const HARMLESS: readonly RegExp[] = [
  // running services do not exist in an image
  /^(?:invoke-rc\.d|systemctl|deb-systemd-invoke|service|\/etc\/init\.d\/\S+)\s/,
  // unit enablement: state files exist since the first installation, upgrades do not change them
  /^deb-systemd-helper\s/,
  /^update-rc\.d\s/,
  // alternatives of an installed package are registered
  /^update-alternatives\s+--(?:quiet\s+--)?install\s/,
  // read by install itself
  /^dpkg-maintscript-helper\s/,
  /^dpkg-trigger\s/,
  /^(?:echo|printf)\s/,
];

function isHarmless(command: string, { family }: EffectContext): boolean {
  return family === 'dpkg' && HARMLESS.some((pattern) => pattern.test(command));
}
