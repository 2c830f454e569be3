// A small root file system made from text, for tests that need a few files of an image.
import type { RootView } from '../../src/rootfs/root-view.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';

/** Path → content; `{ link }` makes a symlink. */
export function memoryRoot(
  files: Readonly<Record<string, string | Uint8Array | { readonly link: string }>>,
): RootView {
  const draft = createDraft(mergeLayers([]));
  for (const [path, content] of Object.entries(files)) {
    const common = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
    if (typeof content === 'string')
      draft.put(path, { ...common, type: 'file', content: Buffer.from(content) });
    else if (content instanceof Uint8Array) draft.put(path, { ...common, type: 'file', content });
    else draft.put(path, { ...common, type: 'symlink', link: content.link });
  }
  return draft;
}
