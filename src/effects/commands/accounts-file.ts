// Users and groups of an image: etc/passwd, group, shadow and gshadow (passwd(5), group(5), shadow(5), gshadow(5)).
import { byteString, fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootView } from '../../rootfs/root-view.ts';

export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly line: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
  readonly line: string;
}

export function linesOf(root: RootView, path: string): readonly string[] {
  if (!root.readable(path)) return [];
  return byteString(root.read(path) ?? new Uint8Array())
    .split('\n')
    .filter((line) => line !== '');
}

export function users(root: RootView): readonly UserEntry[] {
  return linesOf(root, 'etc/passwd').map((line) => {
    const [name = '', , uid, gid] = line.split(':');
    return { name, uid: Number(uid), gid: Number(gid), line };
  });
}

export function groups(root: RootView): readonly GroupEntry[] {
  return linesOf(root, 'etc/group').map((line) => {
    const [name = '', , gid, members = ''] = line.split(':');
    return { name, gid: Number(gid), members: members.split(',').filter((text) => text !== ''), line };
  });
}

export function userEntry(root: RootView, name: string): UserEntry | undefined {
  return users(root).find((entry) => entry.name === name);
}

export function groupEntry(root: RootView, name: string): GroupEntry | undefined {
  return groups(root).find((entry) => entry.name === name);
}

/** Id of a user given by name or number. */
export function userId(root: RootView, name: string): number | undefined {
  return /^[0-9]+$/.test(name) ? Number(name) : userEntry(root, name)?.uid;
}

export function groupId(root: RootView, name: string): number | undefined {
  return /^[0-9]+$/.test(name) ? Number(name) : groupEntry(root, name)?.gid;
}

/** Changes a file of lines in place; nothing happens where it does not exist. */
export function editLines(
  draft: Draft,
  path: string,
  mtime: number,
  edit: (lines: readonly string[]) => readonly string[],
): void {
  const node = draft.follow(path);
  if (node?.type !== 'file' || !draft.readable(path)) return;
  const { mode, uid, gid } = node;
  const text = byteString(draft.read(path) ?? new Uint8Array());
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const content = fromByteString(
    edit(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
  draft.put(node.path, { type: 'file', mode, uid, gid, mtime, content });
}
