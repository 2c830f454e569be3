// The control information of installed packages: var/lib/dpkg/info/KEY.MEMBER, KEY being the package's name, or
// NAME:ARCH for Multi-Arch: same packages (info/format 1). `list` is made by dpkg, every other member comes from the
// control archive of the .deb.
import { byteString, fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { readDatabaseFile } from '../database-file.ts';
import type { MultiArch } from './status.ts';

export const INFO_DIRECTORY = 'var/lib/dpkg/info';

/** What decides where a package's files are. */
export interface InfoOwner {
  readonly name: string;
  readonly arch: string;
  readonly multiArch: MultiArch;
}

/** A file to be written to info/. */
export interface InfoMember {
  readonly member: string;
  readonly mode: number;
  readonly mtime: number;
  readonly content: Uint8Array;
}

/** info/ of a root: reads through the view it was made of, so that of a draft it sees what was written. */
export class InfoFiles {
  readonly #root: RootView;
  /** False for images that have a status file only. */
  readonly exists: boolean;
  readonly #qualifies: boolean;

  constructor(root: RootView) {
    this.#root = root;
    this.exists = root.follow(INFO_DIRECTORY)?.type === 'directory';
    this.#qualifies = root.readable(`${INFO_DIRECTORY}/format`);
  }

  key({ name, arch, multiArch }: InfoOwner): string {
    return multiArch === 'same' && this.#qualifies ? `${name}:${arch}` : name;
  }

  path(owner: InfoOwner, member: string): string {
    return `${INFO_DIRECTORY}/${this.key(owner)}.${member}`;
  }

  read(owner: InfoOwner, member: string): Uint8Array | undefined {
    const path = this.path(owner, member);
    return this.#root.readable(path) ? this.#root.read(path) : undefined;
  }

  text(owner: InfoOwner, member: string): string | undefined {
    const bytes = this.read(owner, member);
    return bytes && byteString(bytes);
  }

  /** Paths of the package as dpkg spells them ("/usr/bin/x"), in its order; undefined where there is no list. Throws
   * DATABASE_INVALID where its content was not kept. */
  list(owner: InfoOwner): string[] | undefined {
    const path = this.path(owner, 'list');
    if (!this.#root.follow(path)) return undefined;
    return byteString(readDatabaseFile(this.#root, path))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (line.length > 1 ? line.replace(/\/+$/, '') : line));
  }

  /** Members that are there, `list` included. A member is what follows the last dot of a name. */
  members(owner: InfoOwner): string[] {
    const start = `${this.key(owner)}.`;
    return this.#root
      .list(INFO_DIRECTORY)
      .filter((name) => name.startsWith(start) && name.lastIndexOf('.') === start.length - 1)
      .map((name) => name.slice(start.length));
  }
}

export function formatList(names: readonly string[]): Uint8Array {
  return fromByteString(names.map((name) => `${name}\n`).join(''));
}

/** Writes the members of a package and removes what the old version had beside them, under its key. */
export function writeInfo(
  draft: Draft,
  info: InfoFiles,
  { old, owner, members }: { old: InfoOwner | undefined; owner: InfoOwner; members: readonly InfoMember[] },
): void {
  if (!info.exists) return;
  if (old) removeInfo(draft, info, old, () => true);
  for (const { member, mode, mtime, content } of members)
    draft.put(info.path(owner, member), { type: 'file', mode, uid: 0, gid: 0, mtime, content });
}

/** Removes members of a package that `which` names. */
export function removeInfo(
  draft: Draft,
  info: InfoFiles,
  owner: InfoOwner,
  which: (member: string) => boolean,
): void {
  for (const member of info.members(owner).filter(which)) draft.remove(info.path(owner, member));
}
