// Putting one entry of a package where it belongs, as dpkg extracts it (src/main/archives.c). What decides whether it
// belongs there at all is in unpack.ts and status-d.ts.
import { posix } from 'node:path';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { hasAttributes, replacingAttributes, shippedAttributes } from './attributes.ts';
import type { AttributeRules } from './attributes.ts';
import type { Deb, DebEntry } from './deb.ts';
import { conflict } from './transaction.ts';

export interface Placement {
  readonly draft: Draft;
  readonly rules: AttributeRules;
  readonly links: LinkHomes;
  /** Whether the package's postinst may set attributes of a file. */
  readonly setByScript: (name: string) => boolean;
  /** For messages. */
  readonly packageName: string;
  /** Files that keep attributes which the package does not ship, with those. */
  readonly kept: string[];
}

/** What is to be said of `kept`. */
export function keptWarnings({ kept, packageName }: Placement): string[] {
  const why = `which package ${packageName} does not ship: its postinst sets them`;
  if (kept.length <= 3) return kept.map((description) => `${description}, ${why}`);
  return [`${kept.length} files keep attributes, ${why}; the first: ${kept.slice(0, 3).join('; ')}`];
}

/** Writes `entry` at `target`, where `existing` is. A file whose content was dropped must be there unchanged. */
export function place(
  placement: Placement,
  entry: DebEntry,
  { target, existing }: { readonly target: string; readonly existing: RootNode | undefined },
): void {
  const { draft, rules, links } = placement;
  const { type, name, mtime } = entry;
  if (type === 'hardlink') {
    const home = links.homeOf(name);
    if (home === undefined) {
      // what it is a link to has not been written (excluded, or a conffile): it becomes that itself
      const source = links.source(entry);
      const { mode, uid, gid, uname, gname } = entry;
      place(placement, { ...source, name, mode, uid, gid, uname, gname, mtime }, { target, existing });
      return;
    }
    draft.link(target, home);
    // all names share one inode: what the last of them is shipped with counts
    const source = shippedAttributes(links.source(entry), rules);
    const { mode, uid, gid } = shippedAttributes(entry, rules);
    if (mode !== source.mode || uid !== source.uid || gid !== source.gid)
      draft.setAttributes(target, { mode, uid, gid });
    return;
  }
  if (type === 'file') placeFile(placement, entry, target, existing);
  else {
    const { mode, uid, gid } = shippedAttributes(entry, rules);
    draft.put(target, {
      type,
      mode,
      uid,
      gid,
      mtime,
      ...(type === 'symlink' ? { link: entry.link } : {}),
      ...(type === 'character' || type === 'block'
        ? { devMajor: entry.devMajor, devMinor: entry.devMinor }
        : {}),
    });
  }
  if (type !== 'directory') links.placed(name, target);
}

/** True when a directory, or a symlink to one, is at `target` and `entry` leaves it as it is. */
export function isDirectoryAlready(
  draft: Draft,
  entry: DebEntry,
  { target, existing }: { readonly target: string; readonly existing: RootNode | undefined },
): boolean {
  if (!existing) return false;
  if (entry.type === 'directory')
    return draft.follow(target)?.type === 'directory' || leadsToRun(draft, target, existing);
  if (entry.type !== 'symlink') return false;
  if (existing.type === 'directory') return true;
  if (existing.type !== 'symlink') return false;
  // a link to the same directory, however it is spelled
  const there = draft.follow(target);
  if (there?.type !== 'directory') return false;
  const base = entry.link.startsWith('/') ? '' : target.slice(0, target.lastIndexOf('/') + 1);
  const proposed = draft.follow(base + entry.link);
  return proposed?.type === 'directory' && proposed.path === there.path;
}

/** Of /run, which is filled when a container starts, images hold nothing: links into it lead to directories then. */
function leadsToRun(draft: Draft, target: string, existing: RootNode): boolean {
  if (existing.type !== 'symlink' || draft.follow(target)) return false;
  const link = existing.link.startsWith('/')
    ? existing.link
    : posix.join('/', posix.dirname(target), existing.link);
  return posix.normalize(link).startsWith('/run/');
}

function placeFile(
  { draft, rules, setByScript, packageName, kept }: Placement,
  entry: DebEntry,
  target: string,
  existing: RootNode | undefined,
): void {
  const { attributes, kept: keeps } = replacingAttributes(entry, existing, rules, setByScript);
  if (keeps !== undefined) kept.push(`${target} keeps ${keeps}`);
  if (entry.content !== undefined) {
    draft.put(target, { type: 'file', ...attributes, mtime: entry.mtime, content: entry.content });
    return;
  }
  if (existing?.type === 'file' && existing.sha256 === entry.sha256 && hasAttributes(existing, attributes))
    return;
  // what is unchanged belongs to this package alone (unchanged.ts): another has written there under another spelling
  throw conflict(
    `Package ${packageName} ships ${target}, which another package of this upgrade has just replaced`,
  );
}

/** Where the first member of each group of hard links of a package has been written. */
export class LinkHomes {
  readonly #entries: ReadonlyMap<string, DebEntry>;
  readonly #homes = new Map<string, string>();

  constructor(deb: Deb) {
    this.#entries = new Map(deb.entries.map((entry) => [entry.name, entry]));
  }

  /** The entry that `entry` is, perhaps by way of other links, a link to. */
  source(entry: DebEntry): DebEntry {
    let source = entry;
    // readDeb has seen to it that links lead to earlier entries, so this ends
    while (source.type === 'hardlink') source = this.#entries.get(source.link) as DebEntry;
    return source;
  }

  /** Where the group of `name` has been written, if it has. */
  homeOf(name: string): string | undefined {
    return this.#homes.get(this.#group(name));
  }

  placed(name: string, target: string): void {
    this.#homes.set(this.#group(name), target);
  }

  #group(name: string): string {
    const entry = this.#entries.get(name);
    return entry ? this.source(entry).name : name;
  }
}
