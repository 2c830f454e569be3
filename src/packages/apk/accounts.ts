// Owners of files in packages are names; apk looks them up in the image's own etc/passwd and etc/group, and takes the
// number in the archive only for a name that is not there.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { ApkEntry } from './apk-file.ts';

export interface Accounts {
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
}

export function readAccounts(root: RootView): Accounts {
  return { users: readIds(root, 'etc/passwd'), groups: readIds(root, 'etc/group') };
}

function readIds(root: RootView, path: string): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  if (!root.readable(path)) return ids;
  for (const line of byteString(root.read(path) ?? new Uint8Array()).split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (name !== '' && /^\d{1,10}$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}

export function resolveOwner(
  entry: ApkEntry,
  { users, groups }: Accounts,
): { readonly uid: number; readonly gid: number } {
  return { uid: users.get(entry.uname) ?? entry.uid, gid: groups.get(entry.gname) ?? entry.gid };
}
