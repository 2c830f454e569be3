// Users and groups that packages bring in files of sysusers.d and own files with: rpm makes them before the files are
// unpacked. Only owners of files to be written that do not exist are made. Numbers are chosen as shadow's useradd does,
// which rpm calls: downwards from the lowest system id in use. What %pre scripts make is the business of effects.
import { byteString, fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { readAccounts } from './accounts.ts';
import { copyOf } from './copy-node.ts';

export interface AccountSource {
  /** Names of users and groups that own its files. */
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
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

/** Of shadow, where etc/login.defs says nothing else. */
const SYSTEM_IDS = { MIN: 101, MAX: 999 };
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;

/** Makes the accounts that `sources` need; returns what was made, for messages. */
export function makeAccounts(
  draft: Draft,
  sources: readonly AccountSource[],
  epoch: number,
): readonly string[] {
  const stated = sources.flatMap(({ sysusers }) => sysusers.flatMap(readSysusers));
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
  const kind = path === 'etc/passwd' ? 'UID' : 'GID';
  const [min, max] = [systemId(draft, kind, 'MIN'), systemId(draft, kind, 'MAX')];
  const system = [...used].filter((id) => id >= min && id <= max);
  const below = Math.min(max + 1, ...system) - 1;
  if (below >= min) return below;
  let id = max;
  while (used.has(id)) id--;
  return id;
}

function systemId(draft: Draft, kind: 'UID' | 'GID', end: 'MIN' | 'MAX'): number {
  const path = 'etc/login.defs';
  const text = byteString((draft.readable(path) && draft.read(path)) || new Uint8Array());
  const stated = new RegExp(`^SYS_${kind}_${end}\\s+(\\d{1,9})\\s*$`, 'm').exec(text)?.[1];
  return stated === undefined ? SYSTEM_IDS[end] : Number(stated);
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

/** Words with quotes taken off. */
function words(line: string): readonly string[] {
  const code = line.replace(/^\s*#.*/, '');
  return [...code.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}

/** Values that can stand in a line of passwd. */
function isPlain(...values: readonly string[]): boolean {
  return values.every((value) => !/[:\n%]/.test(value));
}
