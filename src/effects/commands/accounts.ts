// Commands that make users and groups: adduser and addgroup of Debian and of busybox, useradd, groupadd, usermod and
// gpasswd of shadow. They are followed for system accounts with literal arguments. Ids are chosen as the tools choose
// them: adduser and busybox take the first free one from 100 up, shadow the one below the lowest in use.
import type { Draft } from '../../rootfs/draft.ts';
import { isKnown, UNKNOWN } from '../shell/unknown.ts';
import { editLines, groupEntry, groupId, groups, linesOf, userEntry, users } from './accounts-file.ts';
import { answer, changes, hasFlag, parseOptions, valueOf, WOULD_CHANGE } from './command.ts';
import type { Call, Command, CommandTable, Options, Outcome } from './command.ts';

const DAY = 86_400;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*\$?$/;

interface NewUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
  /** Fields of shadow(5) behind the date. */
  readonly aging: string;
  readonly makesHome: boolean;
}

function addUser({ scene }: Call, user: NewUser): void {
  const { draft, context } = scene;
  const { name, uid, gid, comment, home, shell, aging } = user;
  const add = (path: string, line: string): void =>
    editLines(draft, path, context.epoch, (lines) => [...lines, line]);
  add('etc/passwd', `${name}:x:${uid}:${gid}:${comment}:${home}:${shell}`);
  add('etc/shadow', `${name}:!:${Math.floor(context.epoch / DAY)}:${aging}`);
  if (user.makesHome && !draft.lookup(home))
    draft.put(draft.resolve(home), { type: 'directory', mode: 0o755, uid, gid, mtime: context.epoch });
}

function addGroup({ scene }: Call, name: string, gid: number): void {
  const { draft, context } = scene;
  editLines(draft, 'etc/group', context.epoch, (lines) => [...lines, `${name}:x:${gid}:`]);
  editLines(draft, 'etc/gshadow', context.epoch, (lines) => [...lines, `${name}:!::`]);
}

function addMember({ scene }: Call, group: string, user: string): Outcome {
  const { draft, context } = scene;
  const entry = groupEntry(draft, group);
  if (!entry || !userEntry(draft, user)) return answer(false);
  if (entry.members.includes(user)) return answer(true);
  return changes('accounts', () => addToGroup(draft, group, user, context.epoch));
}

function addToGroup(draft: Draft, group: string, user: string, epoch: number): void {
  const append = (lines: readonly string[]): string[] =>
    lines.map((line) => {
      if (!line.startsWith(`${group}:`)) return line;
      return `${line}${line.endsWith(':') ? '' : ','}${user}`;
    });
  editLines(draft, 'etc/group', epoch, append);
  editLines(draft, 'etc/gshadow', epoch, append);
}

function firstFree(min: number, max: number, used: readonly number[]): number | undefined {
  for (let id = min; id <= max; id++) if (!used.includes(id)) return id;
  return undefined;
}

function uids(draft: Draft): readonly number[] {
  return users(draft).map(({ uid }) => uid);
}

function gids(draft: Draft): readonly number[] {
  return groups(draft).map(({ gid }) => gid);
}

/** libmisc/find_new_uid.c: below the lowest system id in use; if there is no room, the highest free one. */
function shadowId(draft: Draft, kind: 'UID' | 'GID', preferred: number | undefined): number | undefined {
  const used = kind === 'UID' ? uids(draft) : gids(draft);
  const setting = (name: string): number | undefined => {
    const line = linesOf(draft, 'etc/login.defs').find((text) => text.startsWith(name));
    const value = line?.slice(name.length).trim();
    return value !== undefined && /^[0-9]+$/.test(value) ? Number(value) : undefined;
  };
  const min = setting(`SYS_${kind}_MIN`) ?? 101;
  const max = setting(`SYS_${kind}_MAX`) ?? (setting(`${kind}_MIN`) ?? 1000) - 1;
  if (preferred !== undefined && preferred >= min && preferred <= max && !used.includes(preferred))
    return preferred;
  const lowest = Math.min(max + 1, ...used.filter((id) => id >= min && id <= max));
  if (lowest - 1 >= min) return lowest - 1;
  for (let id = max; id >= min; id--) if (!used.includes(id)) return id;
  return undefined;
}

/** Text that goes into a field of passwd. */
function isField(...texts: readonly string[]): boolean {
  return texts.every((text) => isKnown(text) && !/[:\n]/.test(text));
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

const DEBIAN_VALUES =
  'home shell uid firstuid lastuid firstgid lastgid gid ingroup gecos comment add_extra_groups conf c';

const adduser: Command = (call) => {
  if (call.scene.context.family === 'apk') return busyboxAdduser(call);
  const options = parseOptions(call.args, DEBIAN_VALUES);
  const { draft } = call.scene;
  const [name = '', group] = options.operands;
  if (!isKnown(name) || name === '') return WOULD_CHANGE;
  if (group !== undefined) return isKnown(group) ? addMember(call, group, name) : WOULD_CHANGE;
  if (hasFlag(options, 'group') && !hasFlag(options, 'system')) return addgroup(call);
  if (userEntry(draft, name)) return answer(true);
  if (!hasFlag(options, 'system') || !NAME.test(name)) return WOULD_CHANGE;
  const home = valueOf(options, 'home') ?? '/nonexistent';
  const shell = valueOf(options, 'shell') ?? '/usr/sbin/nologin';
  const comment = valueOf(options, 'gecos', 'comment') ?? '';
  if (!isField(home, shell, comment)) return WOULD_CHANGE;
  const ownGroup = hasFlag(options, 'group');
  const existing = ownGroup ? groupEntry(draft, name) : undefined;
  const ingroup = valueOf(options, 'ingroup', 'gid');
  const uid = number(valueOf(options, 'uid')) ?? firstFree(100, 999, uids(draft));
  const gid = ownGroup
    ? (existing?.gid ?? firstFree(100, 999, gids(draft)))
    : groupId(draft, ingroup ?? 'nogroup');
  if (uid === undefined || gid === undefined) return WOULD_CHANGE;
  return changes('accounts', () => {
    if (ownGroup && !existing) addGroup(call, name, gid);
    const makesHome = valueOf(options, 'home') !== undefined && !hasFlag(options, 'no-create-home');
    addUser(call, { name, uid, gid, comment, home, shell, aging: ':::::', makesHome });
  });
};

const addgroup: Command = (call) => {
  if (call.scene.context.family === 'apk') return busyboxAddgroup(call);
  const options = parseOptions(call.args, 'gid firstgid lastgid conf c');
  const { draft } = call.scene;
  const [name = '', group] = options.operands;
  if (!isKnown(name) || name === '') return WOULD_CHANGE;
  if (group !== undefined) return isKnown(group) ? addMember(call, group, name) : WOULD_CHANGE;
  if (groupEntry(draft, name)) return answer(true);
  const gid = number(valueOf(options, 'gid')) ?? firstFree(100, 999, gids(draft));
  if (!hasFlag(options, 'system') || !NAME.test(name) || gid === undefined) return WOULD_CHANGE;
  return changes('accounts', () => addGroup(call, name, gid));
};

/** busybox loginutils/adduser.c, addgroup.c. */
const busyboxAdduser: Command = (call) => {
  const options = parseOptions(call.args, 'h g s G u k');
  const { draft } = call.scene;
  const [name = '', group] = options.operands;
  if (!isKnown(name) || !NAME.test(name)) return WOULD_CHANGE;
  if (group !== undefined) return isKnown(group) ? addMember(call, group, name) : WOULD_CHANGE;
  if (userEntry(draft, name)) return answer(false);
  const home = valueOf(options, 'h') ?? `/home/${name}`;
  const shell = valueOf(options, 's') ?? '/bin/sh';
  const comment = valueOf(options, 'g') ?? `Linux User,,,`;
  if (!hasFlag(options, 'S') || !isField(home, shell, comment)) return WOULD_CHANGE;
  const uid = number(valueOf(options, 'u')) ?? firstFree(100, 999, uids(draft));
  const gid = groupId(draft, valueOf(options, 'G') ?? 'nogroup');
  if (uid === undefined || gid === undefined) return WOULD_CHANGE;
  const makesHome = !hasFlag(options, 'H') && valueOf(options, 'h') !== undefined;
  return changes('accounts', () => {
    addUser(call, { name, uid, gid, comment, home, shell, aging: '0:99999:7:::', makesHome });
    // a group that is named gets the user as a member too
    const named = valueOf(options, 'G');
    if (named !== undefined) addToGroup(draft, named, name, call.scene.context.epoch);
  });
};

const busyboxAddgroup: Command = (call) => {
  const options = parseOptions(call.args, 'g gid');
  const { draft, context } = call.scene;
  const [first = '', second] = options.operands;
  if (!isKnown(first) || !NAME.test(first)) return WOULD_CHANGE;
  // "addgroup USER GROUP"
  if (second !== undefined) return isKnown(second) ? addMember(call, second, first) : WOULD_CHANGE;
  if (groupEntry(draft, first)) return answer(false);
  const gid = number(valueOf(options, 'g', 'gid')) ?? firstFree(100, 999, gids(draft));
  if (!hasFlag(options, 'S', 'system') || gid === undefined) return WOULD_CHANGE;
  return changes('accounts', () =>
    editLines(draft, 'etc/group', context.epoch, (lines) => [...lines, `${first}:x:${gid}:`]),
  );
};

const USERADD_VALUES =
  'b base-dir c comment d home-dir home e expiredate f inactive g gid G groups k skel K key p password s shell u uid R root P prefix';

const useradd: Command = (call) => {
  const options = parseOptions(call.args, USERADD_VALUES);
  const { draft } = call.scene;
  const [name = ''] = options.operands;
  if (!isKnown(name) || name === '') return WOULD_CHANGE;
  if (userEntry(draft, name)) return answer(false);
  const home = valueOf(options, 'd', 'home-dir', 'home') ?? `/home/${name}`;
  const shell = valueOf(options, 's', 'shell') ?? '/bin/sh';
  const comment = valueOf(options, 'c', 'comment') ?? '';
  const isSystem = hasFlag(options, 'r', 'system');
  if (!isSystem || !NAME.test(name) || !isField(home, shell, comment) || hasUnknown(options))
    return WOULD_CHANGE;
  if (hasFlag(options, 'G', 'groups', 'p', 'password', 'e', 'm', 'create-home')) return WOULD_CHANGE;
  const uid = number(valueOf(options, 'u', 'uid')) ?? shadowId(draft, 'UID', undefined);
  if (uid === undefined) return WOULD_CHANGE;
  const group = valueOf(options, 'g', 'gid');
  const own = group === undefined && !hasFlag(options, 'N', 'no-user-group');
  if (own && groupEntry(draft, name)) return answer(false);
  const gid = own ? shadowId(draft, 'GID', uid) : groupId(draft, group ?? 'users');
  if (gid === undefined) return answer(false);
  return changes('accounts', () => {
    if (own) addGroup(call, name, gid);
    addUser(call, { name, uid, gid, comment, home, shell, aging: ':::::', makesHome: false });
  });
};

const groupadd: Command = (call) => {
  const options = parseOptions(call.args, 'g gid K key p password R root P prefix U users');
  const { draft } = call.scene;
  const [name = ''] = options.operands;
  if (!isKnown(name) || !NAME.test(name) || hasUnknown(options)) return WOULD_CHANGE;
  if (groupEntry(draft, name)) return answer(hasFlag(options, 'f', 'force'));
  const asked = number(valueOf(options, 'g', 'gid'));
  const taken = asked !== undefined && gids(draft).includes(asked);
  if (taken && !hasFlag(options, 'f', 'force', 'o', 'non-unique')) return answer(false);
  if (asked === undefined && !hasFlag(options, 'r', 'system')) return WOULD_CHANGE;
  const gid = (taken ? undefined : asked) ?? shadowId(draft, 'GID', undefined);
  if (gid === undefined) return answer(false);
  return changes('accounts', () => addGroup(call, name, gid));
};

function hasUnknown({ values }: Options): boolean {
  return [...values.values()].some((value) => !isKnown(value));
}

const usermod: Command = (call) => {
  const options = parseOptions(call.args, 'c comment d home e f g gid G groups l p s shell u');
  const [name = ''] = options.operands;
  const group = valueOf(options, 'G', 'groups');
  const onlyAdds = [...options.flags].every((flag) => ['a', 'append', 'G', 'groups'].includes(flag));
  if (
    !isKnown(name) ||
    group === undefined ||
    !isKnown(group) ||
    !onlyAdds ||
    !hasFlag(options, 'a', 'append')
  )
    return WOULD_CHANGE;
  return group.includes(',') ? WOULD_CHANGE : addMember(call, group, name);
};

const gpasswd: Command = (call) => {
  const options = parseOptions(call.args, 'a add d delete A M');
  const user = valueOf(options, 'a', 'add');
  const [group = ''] = options.operands;
  return user !== undefined && isKnown(user) && isKnown(group) ? addMember(call, group, user) : WOULD_CHANGE;
};

const getent: Command = ({ args, scene }) => {
  const [database = '', ...keys] = args.filter((arg) => !arg.startsWith('-'));
  if (!['passwd', 'group', 'shadow'].includes(database)) return answer(undefined, UNKNOWN);
  const lines = linesOf(scene.draft, `etc/${database}`);
  if (keys.length === 0) return answer(true, lines.map((line) => `${line}\n`).join(''));
  if (!keys.every(isKnown)) return answer(undefined, UNKNOWN);
  const found = keys.map((key) =>
    lines.find((line) => {
      const [name, , id] = line.split(':');
      return name === key || (database !== 'shadow' && id === key);
    }),
  );
  return answer(
    !found.includes(undefined),
    found.map((line) => (line === undefined ? '' : `${line}\n`)).join(''),
  );
};

const id: Command = ({ args, scene }) => {
  const options = parseOptions(args);
  const [name] = options.operands;
  if (name === undefined)
    return hasFlag(options, 'u', 'g')
      ? answer(true, hasFlag(options, 'n') ? 'root\n' : '0\n')
      : answer(true, UNKNOWN);
  if (!isKnown(name)) return answer(undefined, UNKNOWN);
  const entry = userEntry(scene.draft, name);
  if (!entry) return answer(false);
  if (hasFlag(options, 'n') || options.flags.size !== 1) return answer(true, UNKNOWN);
  return answer(
    true,
    hasFlag(options, 'u') ? `${entry.uid}\n` : hasFlag(options, 'g') ? `${entry.gid}\n` : UNKNOWN,
  );
};

/** Removing what is not there; anything else is not followed. */
const remove: Command = ({ name, args, scene }) => {
  const [account = ''] = args.filter((arg) => !arg.startsWith('-'));
  if (!isKnown(account)) return WOULD_CHANGE;
  const entry = name.includes('group') ? groupEntry(scene.draft, account) : userEntry(scene.draft, account);
  return entry ? WOULD_CHANGE : answer(false);
};

export const ACCOUNT_COMMANDS: CommandTable = {
  adduser,
  addgroup,
  useradd,
  groupadd,
  usermod,
  gpasswd,
  getent,
  id,
  deluser: remove,
  delgroup: remove,
  userdel: remove,
  groupdel: remove,
};
