// Users and groups that packages bring and own files with. Their %pre scripts and sysusers.d files would make them
// before the files are unpacked; scripts are not run, and effects come after the files, so what is needed is made here:
// only owners of files to be written that do not exist, only system accounts with literal arguments. Numbers are chosen
// as shadow's useradd and systemd-sysusers do: downwards from the lowest system id in use.
import { byteString, fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { readAccounts } from './accounts.ts';
import { copyOf } from './copy-node.ts';

export interface AccountSource {
  /** Names of users and groups that own its files. */
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  /** %pre, if it is a shell script. */
  readonly script: string;
  /** Contents of its files in usr/lib/sysusers.d. */
  readonly sysusers: readonly string[];
}

interface Account {
  readonly kind: 'user' | 'group';
  readonly name: string;
  readonly id: number | undefined;
  /** Primary group of a user; its own name if none is stated. */
  readonly group: string;
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
}

const SYSTEM_MAX = 999;
const SYSTEM_MIN = 101;
const NOLOGIN = '/sbin/nologin';
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;

/** Makes the accounts that `sources` need; returns what was made, for messages. */
export function makeAccounts(
  draft: Draft,
  sources: readonly AccountSource[],
  epoch: number,
): readonly string[] {
  const stated = sources.flatMap(({ script, sysusers }) => [
    ...sysusers.flatMap(readSysusers),
    ...readScript(script),
  ]);
  const made: string[] = [];
  const group = (name: string): number | undefined => {
    const known = readAccounts(draft).gid(name);
    const account = stated.find((one) => one.kind === 'group' && one.name === name);
    if (known !== undefined || !NAME.test(name)) return known;
    // useradd makes a group of the user's name where none is stated
    if (!account && !stated.some((one) => one.kind === 'user' && one.name === name && one.group === name))
      return undefined;
    const gid = freeId(draft, 'etc/group', account?.id);
    append(draft, 'etc/group', `${name}:x:${gid}:`, epoch);
    append(draft, 'etc/gshadow', `${name}:!::`, epoch);
    made.push(`group ${name} (${gid})`);
    return gid;
  };
  for (const { users, groups } of sources) {
    for (const name of [...groups].sort()) group(name);
    for (const name of [...users].sort()) {
      const account = stated.find((one) => one.kind === 'user' && one.name === name);
      if (!account || readAccounts(draft).uid(name) !== undefined || !NAME.test(name)) continue;
      const gid = /^\d+$/.test(account.group) ? Number(account.group) : group(account.group);
      if (gid === undefined) continue;
      const uid = freeId(draft, 'etc/passwd', account.id);
      append(
        draft,
        'etc/passwd',
        `${name}:x:${uid}:${gid}:${account.comment}:${account.home}:${account.shell}`,
        epoch,
      );
      append(draft, 'etc/shadow', `${name}:!!:${Math.floor(epoch / 86_400)}::::::`, epoch);
      made.push(`user ${name} (${uid})`);
    }
  }
  return made;
}

/** The third column is the id in both files. */
function freeId(draft: Draft, path: string, wanted: number | undefined): number {
  const used = new Set(
    byteString((draft.readable(path) && draft.read(path)) || new Uint8Array())
      .split('\n')
      .map((line) => Number(line.split(':')[2] ?? NaN)),
  );
  if (wanted !== undefined && !used.has(wanted)) return wanted;
  const system = [...used].filter((id) => id >= SYSTEM_MIN && id <= SYSTEM_MAX);
  const below = Math.min(SYSTEM_MAX + 1, ...system) - 1;
  if (below >= SYSTEM_MIN) return below;
  let id = SYSTEM_MAX;
  while (used.has(id)) id--;
  return id;
}

function append(draft: Draft, path: string, line: string, epoch: number): void {
  const node = draft.follow(path);
  if (node?.type !== 'file' || !draft.readable(path)) return;
  const text = byteString(draft.read(path) ?? new Uint8Array());
  const content = fromByteString(`${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`);
  draft.put(node.path, { ...copyOf(node, content), mtime: epoch });
}

/** sysusers.d(5): lines `u name id "comment" home shell` and `g name id`. */
function readSysusers(text: string): readonly Account[] {
  return text.split('\n').flatMap((line): readonly Account[] => {
    const [type = '', name = '', id = '-', comment = '', home = '', shell = ''] = words(line);
    if (!/^[ug]!?$/.test(type) || !isPlain(name, comment, home, shell)) return [];
    const [uid = '', gid] = id.split(':');
    const plain = (value: string, otherwise: string): string =>
      value === '' || value === '-' ? otherwise : value;
    const account: Account = {
      kind: type.startsWith('u') ? 'user' : 'group',
      name,
      id: /^\d+$/.test(uid) ? Number(uid) : undefined,
      group: gid ?? name,
      comment: plain(comment, ''),
      home: plain(home, '/'),
      shell: plain(shell, '/usr/sbin/nologin'),
    };
    return [account];
  });
}

/** useradd and groupadd calls of a script; anything that is not literal is passed over. */
function readScript(script: string): readonly Account[] {
  const joined = script.replace(/\\\n/g, ' ');
  const accounts: Account[] = [];
  // up to the end of the command or a redirection, whose number goes too
  for (const [, command, rest = ''] of joined.matchAll(
    /(?:^|[\s;&|(/])(useradd|groupadd)\s+([^;&|\n<>)]*)/g,
  )) {
    const { options, operands } = parseArguments(words(rest.replace(/\s\d$/, '')));
    const [name = ''] = operands;
    const comment = options.get('c') ?? options.get('comment') ?? '';
    const home = options.get('d') ?? options.get('home-dir') ?? options.get('home') ?? `/home/${name}`;
    const shell = options.get('s') ?? options.get('shell') ?? NOLOGIN;
    const group = options.get('g') ?? options.get('gid') ?? name;
    if (operands.length !== 1 || !isPlain(name, comment, home, shell, group)) continue;
    const id = command === 'useradd' ? (options.get('u') ?? options.get('uid')) : group;
    accounts.push({
      kind: command === 'useradd' ? 'user' : 'group',
      name,
      id: id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined,
      group: command === 'useradd' ? group : name,
      comment,
      home,
      shell,
    });
  }
  return accounts;
}

/** Options of useradd and groupadd that take a value. */
const VALUES = new Set(
  'b c d e f g G k K p P R s u comment home-dir home gid groups shell uid key password root'.split(' '),
);

function parseArguments(list: readonly string[]): {
  options: ReadonlyMap<string, string>;
  operands: readonly string[];
} {
  const options = new Map<string, string>();
  const operands: string[] = [];
  for (let at = 0; at < list.length; at++) {
    const word = list[at] as string;
    const long = /^--([\w-]+)(?:=(.*))?$/.exec(word);
    if (long) {
      const name = long[1] as string;
      options.set(name, long[2] ?? (VALUES.has(name) ? (list[++at] ?? '') : ''));
    } else if (/^-[A-Za-z]/.test(word)) {
      // flags may stand together, the last of them with a value: -rg NAME, -u200
      for (let i = 1; i < word.length; i++) {
        const letter = word[i] as string;
        if (!VALUES.has(letter)) options.set(letter, '');
        else {
          options.set(letter, i + 1 < word.length ? word.slice(i + 1) : (list[++at] ?? ''));
          break;
        }
      }
    } else operands.push(word);
  }
  return { options, operands };
}

/** Words with shell quotes taken off. */
function words(line: string): readonly string[] {
  const code = line.replace(/^\s*#.*/, '');
  return [...code.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}

/** Values that can stand in a line of passwd, and that no shell would have expanded. */
function isPlain(...values: readonly string[]): boolean {
  return values.every((value) => !/[:\n$`%]/.test(value));
}
