// Names of owners → numbers, by the image's own etc/passwd and etc/group, as rpm does with `rpm --root`.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';

export interface Accounts {
  readonly uid: (user: string) => number | undefined;
  readonly gid: (group: string) => number | undefined;
}

export function readAccounts(root: RootView): Accounts {
  const users = numbersByName(root, 'etc/passwd');
  const groups = numbersByName(root, 'etc/group');
  // rpm knows root without looking
  return {
    uid: (user) => (user === 'root' || user === '' ? 0 : users.get(user)),
    gid: (group) => (group === 'root' || group === '' ? 0 : groups.get(group)),
  };
}

function numbersByName(root: RootView, path: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  const bytes = root.readable(path) ? root.read(path) : undefined;
  for (const line of byteString(bytes ?? new Uint8Array()).split('\n')) {
    const [name, , id] = line.split(':');
    // the first line of a name counts
    if (name && id !== undefined && /^\d{1,10}$/.test(id) && !numbers.has(name))
      numbers.set(name, Number(id));
  }
  return numbers;
}
