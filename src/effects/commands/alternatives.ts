// update-alternatives: --install, --remove and --auto are compared with the image's database, which is
// var/lib/dpkg/alternatives/NAME (dpkg) or var/lib/alternatives/NAME (chkconfig). Alternatives that are not registered
// are not made here, but reported.
// https://manpages.debian.org/stable/dpkg/update-alternatives.1.en.html
import { byteString } from '../../base/bytes.ts';
import { isKnown, UNKNOWN } from '../shell/unknown.ts';
import { answer, WOULD_CHANGE } from './command.ts';
import type { Call, Command, CommandTable, Outcome } from './command.ts';

interface Slave {
  readonly link: string;
  readonly name: string;
  readonly path: string;
}

/** As it stands in the database; slaves of a choice in the order of the names, '' for none. */
interface Registered {
  readonly link: string;
  readonly slaves: readonly { readonly name: string; readonly link: string }[];
  readonly choices: readonly {
    readonly path: string;
    readonly priority: string;
    readonly slaves: readonly string[];
  }[];
}

const updateAlternatives: Command = (call) => {
  const args = call.args.filter((arg) => !/^--(?:quiet|verbose|force|skip-auto)$/.test(arg));
  const action = args.find((arg) => /^--(?!slave)/.test(arg)) ?? '';
  if (!args.every(isKnown)) return WOULD_CHANGE;
  if (/^--(?:query|list|display|get-selections|version)$/.test(action)) return answer(undefined, UNKNOWN);
  if (action === '--install') return install(call, args);
  const [name = '', path = ''] = args.slice(args.indexOf(action) + 1);
  if (action === '--auto') {
    const registered = text(call, name);
    if (registered === undefined) return answer(false);
    return registered.startsWith('auto\n') ? answer(true) : WOULD_CHANGE;
  }
  if (action === '--remove' || action === '--remove-all') {
    const registered = text(call, name);
    const concerned =
      registered !== undefined && (action === '--remove-all' || `\n${registered}`.includes(`\n${path}\n`));
    return concerned && !comesBack(call, name, path) ? WOULD_CHANGE : answer(true);
  }
  return WOULD_CHANGE;
};

/** Removed before the upgrade and installed again by the new package, as packages of old do. */
function comesBack(call: Call, name: string, path: string): boolean {
  const { phase, context, script } = call.scene;
  const after = context.scripts.find(
    (other) => other.package === script.package && /^(?:postinst|%post)$/.test(other.script),
  );
  const isAutomatic = text(call, name)?.startsWith('auto\n') === true;
  return (
    phase === 'before' &&
    isAutomatic &&
    after !== undefined &&
    [`--install`, name, path].every((word) => after.body.includes(word))
  );
}

export const ALTERNATIVES_COMMANDS: CommandTable = {
  'update-alternatives': updateAlternatives,
  alternatives: updateAlternatives,
};

function folder({ scene }: Pick<Call, 'scene'>): string {
  return scene.context.family === 'dpkg' ? 'var/lib/dpkg/alternatives' : 'var/lib/alternatives';
}

function text(call: Pick<Call, 'scene'>, name: string): string | undefined {
  const path = `${folder(call)}/${name}`;
  const { draft } = call.scene;
  if (!draft.follow(path)) return undefined;
  return draft.readable(path) ? byteString(draft.read(path) ?? new Uint8Array()) : '';
}

function install(call: Call, args: readonly string[]): Outcome {
  const at = args.indexOf('--install');
  const [link = '', name = '', path = '', priority = ''] = args.slice(at + 1);
  const slaves: Slave[] = [];
  for (let index = 0; index < args.length; index++)
    if (args[index] === '--slave') {
      const [slaveLink = '', slaveName = '', slavePath = ''] = args.slice(index + 1);
      slaves.push({ link: slaveLink, name: slaveName, path: slavePath });
    }
  const { draft, context } = call.scene;
  if (!/^[^/\s]+$/.test(name) || !/^-?[0-9]+$/.test(priority)) return answer(false);
  if (!draft.follow(path)) return answer(false);
  const existing = text(call, name);
  if (context.family !== 'dpkg') {
    const there = existing !== undefined && `\n${existing}`.includes(`\n${path}\n`);
    return there && draft.follow(link) ? answer(true) : WOULD_CHANGE;
  }
  if (existing === undefined) return WOULD_CHANGE;
  const registered = readRegistered(existing);
  const choice = registered?.choices.find((candidate) => candidate.path === path);
  const same =
    registered?.link === link &&
    choice?.priority === priority &&
    slaves.every((slave) => {
      const index = registered.slaves.findIndex((candidate) => candidate.name === slave.name);
      return registered.slaves[index]?.link === slave.link && choice.slaves[index] === slave.path;
    }) &&
    choice.slaves.filter((slave) => slave !== '').length === slaves.length;
  return same &&
    draft.lookup(link)?.link === `/etc/alternatives/${name}` &&
    draft.follow(`etc/alternatives/${name}`)
    ? answer(true)
    : WOULD_CHANGE;
}

function readRegistered(content: string): Registered | undefined {
  const lines = content.split('\n');
  let at = 1;
  const link = lines[at++] ?? '';
  const slaves: { name: string; link: string }[] = [];
  while (lines[at] !== '' && at < lines.length)
    slaves.push({ name: lines[at++] ?? '', link: lines[at++] ?? '' });
  at++;
  const choices: { path: string; priority: string; slaves: string[] }[] = [];
  while (at < lines.length && lines[at] !== '') {
    const [path = '', priority = ''] = [lines[at++], lines[at++]];
    choices.push({ path, priority, slaves: lines.slice(at, at + slaves.length) });
    at += slaves.length;
  }
  return choices.length === 0 ? undefined : { link, slaves, choices };
}
