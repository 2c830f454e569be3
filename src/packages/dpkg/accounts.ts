// Users and groups of the image: etc/passwd and etc/group, by name. dpkg gives files to the names that the package's tar
// states, as the image numbers them, and falls back to the tar's numbers.
import type { RootView } from '../../rootfs/root-view.ts';
import { byteString } from '../../base/bytes.ts';

export interface Accounts {
  uid(name: string): number | undefined;
  gid(name: string): number | undefined;
}

export function readAccounts(root: RootView): Accounts {
  const users = readNumbers(root, 'etc/passwd');
  const groups = readNumbers(root, 'etc/group');
  return { uid: (name) => users.get(name), gid: (name) => groups.get(name) };
}

/** Both files have the name first and the number third; the first line of a name counts, as in the C library. */
function readNumbers(root: RootView, path: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  if (!root.readable(path)) return numbers;
  for (const line of byteString(root.read(path) ?? new Uint8Array()).split('\n')) {
    const [name = '', , number = ''] = line.split(':');
    if (name !== '' && /^\d{1,10}$/.test(number) && !numbers.has(name)) numbers.set(name, Number(number));
  }
  return numbers;
}
