// An inode that a draft made, and the way back to what goes into a change set.
import { createHash } from 'node:crypto';
import type { NewNode } from './change-set.ts';
import { NO_FACTS, NO_XATTRS, SYMLINK_MODE, type Inode } from './tree.ts';

/** Its digest is computed when first asked for. */
export class NewInode implements Inode {
  readonly type: Inode['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly exactTime: boolean;
  readonly link: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly facts: ReadonlyMap<string, unknown> = NO_FACTS;
  readonly content: Uint8Array | undefined;
  #sha256: string | undefined;

  constructor(node: NewNode) {
    this.type = node.type;
    this.mode = node.type === 'symlink' ? SYMLINK_MODE : node.mode & 0o7777;
    this.uid = node.uid;
    this.gid = node.gid;
    this.mtime = node.mtime;
    this.exactTime = node.exactTime ?? false;
    this.link = node.type === 'symlink' ? (node.link ?? '') : '';
    this.xattrs = node.xattrs ?? NO_XATTRS;
    const device = node.type === 'character' || node.type === 'block';
    this.devMajor = device ? (node.devMajor ?? 0) : 0;
    this.devMinor = device ? (node.devMinor ?? 0) : 0;
    this.content = node.type === 'file' ? node.content : undefined;
    this.size = this.content?.length ?? 0;
  }

  get sha256(): string {
    if (this.content) this.#sha256 ??= createHash('sha256').update(this.content).digest('hex');
    return this.#sha256 ?? '';
  }
}

/** The inode as it goes into a change set. */
export function newNode(inode: Inode, content: Uint8Array | undefined): NewNode {
  const { type, mode, uid, gid, mtime, link, xattrs, devMajor, devMinor } = inode;
  return {
    type,
    mode,
    uid,
    gid,
    mtime,
    ...(type === 'symlink' ? { link } : {}),
    ...(content === undefined ? {} : { content }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
    ...(type === 'character' || type === 'block' ? { devMajor, devMinor } : {}),
  };
}
