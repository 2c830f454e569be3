// Commands that concern a running system, which an image is not, and those that arrange what runs when it starts:
// deb-systemd-helper, update-rc.d, systemd-tmpfiles, systemd-sysusers.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { isKnown } from '../shell/unknown.ts';
import { groupEntry, groupId, linesOf, userEntry, userId } from './accounts-file.ts';
import { answer, isTransient, NOTHING, parseOptions, WOULD_CHANGE } from './command.ts';
import type { Command, CommandTable, Outcome, Scene } from './command.ts';

const STATE = 'var/lib/systemd/deb-systemd-helper-enabled';
const MASKED = 'var/lib/systemd/deb-systemd-helper-masked';

/** init-system-helpers, script/deb-systemd-helper. */
const debSystemdHelper: Command = ({ args, scene }) => {
  const options = parseOptions(args);
  const [action = '', ...units] = options.operands;
  if (action === 'was-enabled' || action === 'is-enabled' || action === 'debian-installed')
    return answer(undefined);
  if (!isKnown(action) || !units.every(isKnown) || options.flags.has('user'))
    return options.flags.has('user') && units.every((unit) => hasState(scene.draft, unit, USER_STATE))
      ? answer(true)
      : WOULD_CHANGE;
  switch (action) {
    case 'unmask':
      return units.some((unit) => scene.draft.lookup(`${MASKED}/${unit}`)) ? WOULD_CHANGE : answer(true);
    case 'enable':
    case 'update-state':
      return enable(scene, units);
    case 'purge':
      return units.some((unit) => hasState(scene.draft, unit, STATE)) ? WOULD_CHANGE : answer(true);
    default:
      return WOULD_CHANGE;
  }
};

const USER_STATE = 'var/lib/systemd/deb-systemd-user-helper-enabled';

function hasState(root: RootView, unit: string, folder: string): boolean {
  return root.lookup(`${folder}/${unit}.dsh-also`) !== undefined;
}

/** Links are made once, when a unit comes; the state files say that they were. A changed [Install] would add some. */
function enable({ draft, context }: Scene, units: readonly string[]): Outcome {
  const settled = units.every((unit) => {
    const path = ['etc', 'lib', 'usr/lib']
      .map((place) => `${place}/systemd/system/${unit}`)
      .find((place) => draft.follow(place)?.type === 'file');
    if (!hasState(draft, unit, STATE)) return false;
    if (path === undefined || context.draft.base.follow(path)?.sha256 === draft.follow(path)?.sha256)
      return true;
    if (!draft.readable(path)) return false;
    const links = wantedLinks(byteString(draft.read(path) ?? new Uint8Array()), unit);
    return links?.every((link) => draft.lookup(`${STATE}/${link}`)) === true;
  });
  return settled ? answer(true) : WOULD_CHANGE;
}

/** WantedBy and RequiredBy; undefined for units with Also, Alias or instances. */
function wantedLinks(text: string, unit: string): readonly string[] | undefined {
  if (/^\s*(?:Also|Alias|DefaultInstance)=/im.test(text) || unit.includes('@')) return undefined;
  return [...text.matchAll(/^\s*(WantedBy|RequiredBy)=(.+)$/gim)].flatMap(([, kind, targets]) =>
    (targets as string)
      .trim()
      .split(/\s+/)
      .map((target) => `${target}.${kind?.toLowerCase() === 'wantedby' ? 'wants' : 'requires'}/${unit}`),
  );
}

/** Links in /etc/rc?.d exist since the first installation, or were removed for good. */
const updateRcD: Command = ({ args, scene: { draft, isUpgrade } }) => {
  const [name = '', action = ''] = args.filter((arg) => !arg.startsWith('-'));
  if (!isKnown(name)) return WOULD_CHANGE;
  if (!draft.lookup(`etc/init.d/${name}`) && action !== 'remove') return answer(undefined);
  const linked = draft
    .list('etc')
    .filter((entry) => /^rc[0-9S]\.d$/.test(entry))
    .some((directory) =>
      draft.list(`etc/${directory}`).some((link) => link.slice(3) === name && /^[SK][0-9]{2}/.test(link)),
    );
  if (action === 'remove') return linked ? WOULD_CHANGE : answer(true);
  return linked || (action.startsWith('defaults') && isUpgrade) ? answer(true) : WOULD_CHANGE;
};

const systemctl: Command = ({ args }) => {
  const [action = ''] = args.filter((arg) => !arg.startsWith('-'));
  const permanent =
    /^(?:enable|disable|reenable|preset|preset-all|mask|unmask|link|revert|add-wants|add-requires|set-default|set-property|edit)$/;
  return isKnown(action) && !permanent.test(action) ? answer(undefined) : WOULD_CHANGE;
};

/** systemd-tmpfiles --create NAME.conf: harmless where all it makes is there, or lives as long as the system runs. */
const tmpfiles: Command = ({ args, scene: { draft } }) => {
  const options = parseOptions(args, 'root prefix exclude-prefix image');
  if (!options.flags.has('create') || options.operands.length === 0 || !options.operands.every(isKnown))
    return options.flags.has('create') ? WOULD_CHANGE : answer(true);
  const lines = options.operands.flatMap((name) => configuration(draft, 'tmpfiles.d', name));
  const settled = lines.every((line) => {
    const [type = '', path = '', mode = '-', user = '-', group = '-'] = line.split(/\s+/);
    if (isTransient(path)) return true;
    const letter = type.replace(/[!+=~^$-]/g, '');
    if (/^[rRxXeZzhHtTaAm]$/.test(letter)) return draft.lookup(path) === undefined;
    const node = draft.lookup(path);
    if (!node || path.includes('%')) return false;
    if (/^[LCwpcb]$/.test(letter)) return true;
    const bits = /^[:~]*([0-7]+)$/.exec(mode)?.[1];
    return (
      /^[dDvqQfF]$/.test(letter) &&
      (mode === '-' || bits === undefined || parseInt(bits, 8) === node.mode) &&
      (user === '-' || userId(draft, user) === node.uid) &&
      (group === '-' || groupId(draft, group) === node.gid)
    );
  });
  return settled ? answer(true) : WOULD_CHANGE;
};

const sysusers: Command = ({ args, scene: { draft } }) => {
  const options = parseOptions(args, 'root replace image');
  if (!options.operands.every(isKnown) || options.operands.length === 0) return WOULD_CHANGE;
  const lines = options.operands.flatMap((name) => configuration(draft, 'sysusers.d', name));
  const settled = lines.every((line) => {
    const [type = '', name = '', argument = ''] = line.split(/\s+/);
    if (type.startsWith('u')) return userEntry(draft, name) !== undefined;
    if (type === 'g') return groupEntry(draft, name) !== undefined;
    if (type === 'm') return groupEntry(draft, argument)?.members.includes(name) === true;
    return type === 'r';
  });
  return settled && lines.length > 0 ? answer(true) : WOULD_CHANGE;
};

/** Lines of a configuration file that /etc may override; one line that is never settled where there is none. */
function configuration(root: RootView, folder: string, name: string): readonly string[] {
  const places = name.startsWith('/')
    ? [name]
    : ['etc', 'run', 'usr/lib'].map((place) => `${place}/${folder}/${name}`);
  const path = places.find((place) => root.follow(place)?.type === 'file');
  if (path === undefined || !root.readable(path)) return ['? ?'];
  return linesOf(root, path).filter((line) => !/^\s*(?:#|$)/.test(line));
}

export const SERVICE_COMMANDS: CommandTable = {
  'deb-systemd-helper': debSystemdHelper,
  'update-rc.d': updateRcD,
  systemctl,
  'systemd-tmpfiles': tmpfiles,
  'systemd-sysusers': sysusers,
  ...Object.fromEntries(
    'busctl dbus-send deb-systemd-invoke invoke-rc.d kill killall nscd pkill rc-service runlevel selinuxenabled service start-stop-daemon sysctl telinit udevadm modprobe journalctl'
      .split(' ')
      .map((name): [string, Command] => [name, () => answer(undefined)]),
  ),
  initctl: NOTHING,
};
