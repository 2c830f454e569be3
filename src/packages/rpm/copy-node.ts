// A node of a root view as something to be written elsewhere.
import type { NewNode } from '../../rootfs/change-set.ts';
import type { RootNode } from '../../rootfs/root-view.ts';

export function copyOf(node: RootNode, content: Uint8Array | undefined): NewNode {
  return {
    type: node.type,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    mtime: node.mtime,
    xattrs: node.xattrs,
    ...(node.type === 'symlink' ? { link: node.link } : {}),
    ...(content ? { content } : {}),
    devMajor: node.devMajor,
    devMinor: node.devMinor,
  };
}
