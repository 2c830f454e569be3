// Where a path leads when the symlinks at its end are followed, also where nothing is there: realpath(1) -m in a root.
import { parentOf } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';

/** The real path, or undefined for symlinks in a circle. */
export function dereference(root: RootView, path: string): RootPath | undefined {
  let at = root.resolve(path);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const node = root.lookup(at);
    if (node?.type !== 'symlink') return at;
    at = root.resolve(node.link.startsWith('/') ? node.link : `${parentOf(node.path)}/${node.link}`);
  }
  return undefined;
}

/** As many as dpkg follows to a conffile. */
const MAX_LINKS = 25;
