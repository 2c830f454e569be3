// Files that the image has already, byte for byte and attribute for attribute: most of an upgrade. Their content is let
// go as soon as a package is decoded, and they are not written again (15 to 69 % smaller layers; Python bytecode stays
// valid). What is dropped here must not be needed later, so whatever may still move is kept.
import { hexDigest } from '../../base/hash.ts';
import type { RootNode, RootView } from '../../rootfs/root-view.ts';
import { hasAttributes, replacingAttributes } from './attributes.ts';
import type { Deb, DebEntry } from './deb.ts';
import { helperCommands } from './maintscript-helper.ts';
import { filesOfPostinst, packageScript } from './scripts.ts';
import type { ImageRules } from './transaction.ts';

/**
 * The same package without the content of unchanged files, and with copies of all other content where that lets go of
 * the decoded archive.
 */
export function dropUnchanged(
  deb: Deb,
  {
    root,
    rules,
    isOwn,
  }: {
    readonly root: RootView;
    readonly rules: ImageRules;
    /** True for paths that the installed version has: others may be written by other packages before. */
    readonly isOwn: (name: string) => boolean;
  },
): Deb {
  const kept = keptNames(deb);
  const moved = movedPaths(deb);
  const setByScript = filesOfPostinst(deb.members);
  const entries = deb.entries.map((entry): DebEntry => {
    if (entry.content === undefined || kept.has(entry.name)) return entry;
    if (moved.some((path) => entry.name === path || entry.name.startsWith(`${path}/`))) return entry;
    if (!isOwn(entry.name) || rules.diversions.of(entry.name)) return entry;
    const existing = root.lookup(entry.name);
    if (!existing || !isStable(root, entry, existing) || existing.size !== entry.size) return entry;
    const { attributes } = replacingAttributes(entry, existing, rules.attributes, setByScript);
    if (!hasAttributes(existing, attributes)) return entry;
    const sha256 = hexDigest('sha256', entry.content);
    return sha256 === existing.sha256 ? { ...entry, content: undefined, sha256 } : entry;
  });
  return { ...deb, entries: release(entries) };
}

/** Conffiles, which are decided on later, and members of hard link groups, which are written together or not at all. */
function keptNames(deb: Deb): ReadonlySet<string> {
  const names = new Set(deb.conffiles.map(({ path }) => path));
  for (const { type, link } of deb.entries) if (type === 'hardlink') names.add(link);
  return names;
}

/** What the package's own scripts move away, or turn from directories into symlinks or back. */
function movedPaths(deb: Deb): string[] {
  const preinst = packageScript('preinst', deb.members.find(({ member }) => member === 'preinst')?.content);
  return helperCommands(preinst?.body ?? '', { packageName: '', oldVersion: '0' }).flatMap((helper) =>
    helper.command === 'mv_conffile' ? [helper.path, helper.to] : helper.path,
  );
}

/** True when the file is where the package spells it, but for links of the root directory such as /lib; and has no others. */
function isStable(root: RootView, entry: DebEntry, existing: RootNode): boolean {
  if (existing.type !== 'file' || root.hardLinks(existing.path).length > 1) return false;
  if (existing.path === entry.path) return true;
  const slash = entry.path.indexOf('/');
  const top = root.follow(entry.path.slice(0, slash));
  return (
    slash !== -1 && top?.type === 'directory' && existing.path === `${top.path}${entry.path.slice(slash)}`
  );
}

/** Copies content out of the archive it is a part of, unless nearly all of the archive is needed. */
function release(entries: readonly DebEntry[]): DebEntry[] {
  const needed = entries.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  const archive =
    entries.find(({ content }) => content && content.length > 0)?.content?.buffer.byteLength ?? 0;
  if (needed > archive * 0.75) return [...entries];
  return entries.map((entry) => (entry.content ? { ...entry, content: entry.content.slice() } : entry));
}
