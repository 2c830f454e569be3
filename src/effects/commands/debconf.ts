// Questions to debconf: answers come from the image's database, var/cache/debconf/config.dat (debconf-devel(7)). What is
// written to that database is of no use in an image and left out. The database is only asked again when a package is
// reconfigured, so values are what they were when it was last configured.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { isKnown, UNKNOWN } from '../shell/unknown.ts';
import { answer, NOTHING } from './command.ts';
import type { Command, CommandTable } from './command.ts';

export const CONFMODULE = '/usr/share/debconf/confmodule';
export const ANSWERS = 'var/cache/debconf/config.dat';

function storedAnswer(root: RootView, question: string): { value: string; flags: string } | undefined {
  if (!root.readable(ANSWERS)) return undefined;
  const text = `\n\n${byteString(root.read(ANSWERS) ?? new Uint8Array())}\n\n`;
  const start = text.indexOf(`\n\nName: ${question}\n`);
  if (start < 0) return undefined;
  const record = text.slice(start + 2, text.indexOf('\n\n', start + 2));
  const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(record)?.[1] ?? '';
  return { value: field('Value'), flags: field('Flags') };
}

/** The config script of tzdata, which runs before, takes its answers from the link /etc/localtime. */
function timeZone(root: RootView, question: string): string | undefined {
  const link = root.lookup('etc/localtime');
  const zone = /^(?:\/|\.\.\/)usr\/share\/zoneinfo\/([A-Z][a-z]+)\/(.+)$/.exec(link?.link ?? '');
  if (!zone || !root.follow(`usr/share/zoneinfo/${zone[1]}/${zone[2]}`)) return undefined;
  if (question === 'tzdata/Areas') return zone[1];
  return question === `tzdata/Zones/${zone[1]}` ? zone[2] : undefined;
}

const get: Command = ({ name, args: [question = '', flag], scene, variables }) => {
  const known = isKnown(question);
  const zone = known && question.startsWith('tzdata/') ? timeZone(scene.root, question) : undefined;
  const stored = known && !question.startsWith('tzdata/') ? storedAnswer(scene.root, question) : undefined;
  const value =
    name === 'db_get' && zone !== undefined
      ? zone
      : stored === undefined
        ? UNKNOWN
        : name === 'db_get'
          ? stored.value
          : flag === 'seen'
            ? String(stored.flags.split(/,\s*/).includes('seen'))
            : UNKNOWN;
  variables.set('RET', value);
  return answer(value === UNKNOWN ? undefined : true);
};

const input: Command = ({ variables }) => {
  variables.set('RET', UNKNOWN);
  return answer(undefined);
};

export const DEBCONF_COMMANDS: CommandTable = {
  db_get: get,
  db_fget: get,
  db_metaget: input,
  db_input: input,
  db_go: input,
  db_exist: input,
  ...Object.fromEntries(
    'beginblock block capb clear data endblock fset info previous_module progress purge register reset set settitle stop subst title unregister version x_loadtemplatefile'
      .split(' ')
      .map((name) => [`db_${name}`, NOTHING]),
  ),
};
