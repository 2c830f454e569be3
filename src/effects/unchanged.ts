// Whether a part of the image is what it was before the upgrade.
import type { Draft } from '../rootfs/draft.ts';
import type { RootView } from '../rootfs/root-view.ts';

/** True when what lies at `path` and below has the same names, contents and links as in the image below. */
export function isUnchanged(draft: Draft, path: string): boolean {
  return digestOf(draft.base, path) === digestOf(draft, path);
}

function digestOf(root: RootView, path: string): string {
  return [...root.walk(path)]
    .map((node) => `${node.path}\0${node.type}\0${node.sha256}\0${node.link}`)
    .join('\0');
}
