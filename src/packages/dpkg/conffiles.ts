// Configuration files: what becomes of one when its package is upgraded. dpkg(1) with --force-confdef --force-confold,
// src/main/configure.c: the text on disk, the text the old version shipped and the text the new one ships decide.
import { hexDigest } from '../../base/hash.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import type { ConfigFileOutcome } from '../family.ts';
import type { Attributes } from './attributes.ts';
import type { DebEntry } from './deb.ts';
import { dereference } from './dereference.ts';
import type { ConffileRecord } from './status-stanza.ts';
import type { Transaction, Unit } from './transaction.ts';

/** Hashes that dpkg records where there is none. */
export const NEW_CONFFILE = 'newconffile';
const NO_HASH = '-';

/** A conffile of the new version, between unpacking and configuring. */
export interface PendingConffile {
  readonly name: string;
  /** Where it lands: elsewhere if diverted. */
  readonly target: string;
  /** MD5 of what the version before shipped, or NEW_CONFFILE. */
  recorded: string;
  /** What was unpacked; undefined if the package lists it without shipping it, or the image does not want it. */
  readonly shipped:
    { readonly entry: DebEntry; readonly hash: string; readonly attributes: Attributes } | undefined;
  readonly removeOnUpgrade: boolean;
  /** Taken over by another installed package. */
  readonly obsolete: boolean;
}

type Decision = 'keep' | 'install' | 'keep-new-beside';

/** The table: `current` is undefined where there is no file. */
export function decide(input: {
  readonly current: string | undefined;
  readonly recorded: string;
  readonly shipped: string;
}): Decision {
  const { current, recorded, shipped } = input;
  if (current === shipped) return 'keep';
  if (recorded === NEW_CONFFILE) return current === undefined ? 'install' : 'keep-new-beside';
  if (recorded === shipped) return 'keep';
  return recorded === current ? 'install' : 'keep-new-beside';
}

/** What the database records of a conffile until it is configured. */
export function unconfigured({ name, recorded, obsolete, removeOnUpgrade }: PendingConffile): ConffileRecord {
  return { path: name, hash: recorded, obsolete, removeOnUpgrade };
}

/** Brings one conffile into its configured state; answers what the database records of it. */
export function configureConffile(
  transaction: Transaction,
  packageName: string,
  conffile: PendingConffile,
): ConffileRecord {
  const { shipped, removeOnUpgrade, obsolete, target } = conffile;
  const record = unconfigured(conffile);
  if (obsolete || removeOnUpgrade) return record;
  const { draft } = transaction;
  const existing = draft.lookup(target);
  if (!isConffileType(draft, target)) return { ...record, hash: NO_HASH };
  if (!shipped) return record;
  if (existing?.type === 'symlink') {
    // dpkg looks beside the target of the symlink for what it unpacked beside the symlink itself, and finds nothing
    note(transaction, { path: target, package: packageName, action: 'kept' });
    return record;
  }
  const current = existing && hashOf(draft, existing, shipped.entry, shipped.hash);
  const decision = decide({ current, recorded: conffile.recorded, shipped: shipped.hash });
  if (decision === 'install') {
    place(draft, target, shipped, existing);
    if (existing) note(transaction, { path: target, package: packageName, action: 'replaced' });
  } else if (decision === 'keep-new-beside') {
    draft.remove(`${target}.dpkg-old`);
    place(draft, `${target}.dpkg-dist`, shipped, existing);
    note(transaction, {
      path: target,
      package: packageName,
      action: 'kept-new-beside',
      beside: `${target}.dpkg-dist`,
    });
  } else if (current !== shipped.hash)
    note(transaction, { path: target, package: packageName, action: 'kept' });
  return { ...record, hash: shipped.hash };
}

/** False for directories, devices and symlinks to them, or in a circle: dpkg gives up on those. */
function isConffileType(draft: Draft, target: string): boolean {
  const path = dereference(draft, target);
  const node = path === undefined ? undefined : draft.lookup(path);
  return path !== undefined && (node === undefined || node.type === 'file');
}

/**
 * remove-on-upgrade: a conffile that the new version wants gone. Unmodified it is removed, else saved as .dpkg-old.
 */
export function removeConffile(transaction: Transaction, unit: Unit, conffile: PendingConffile): void {
  const { draft, ownership } = transaction;
  const { name, target, recorded } = conffile;
  if (!isConffileType(draft, target)) {
    conffile.recorded = NO_HASH;
    return;
  }
  if (ownership.owners(name, unit.id).length > 0) return;
  const path = dereference(draft, target) as string;
  const node = draft.lookup(path);
  draft.remove(`${path}.dpkg-dist`);
  if (!node) return;
  transaction.removed.add(path);
  if (draft.readable(path) && hexDigest('md5', draft.read(path) as Uint8Array) === recorded) {
    draft.remove(path);
    note(transaction, { path: target, package: unit.name, action: 'removed' });
    return;
  }
  moveFile(draft, node, `${path}.dpkg-old`);
  note(transaction, { path: target, package: unit.name, action: 'saved', beside: `${path}.dpkg-old` });
}

/** MD5 of a file; of one whose content was not kept, what the digests of both texts allow to say. */
function hashOf(draft: Draft, node: RootNode, { content }: DebEntry, shippedHash: string): string {
  if (draft.readable(node.path)) return hexDigest('md5', draft.read(node.path) as Uint8Array);
  return content && hexDigest('sha256', content) === node.sha256 ? shippedHash : 'modified';
}

/** New text, with mode and owner of the file that is there. */
function place(
  draft: Draft,
  path: string,
  { entry, attributes }: NonNullable<PendingConffile['shipped']>,
  existing: RootNode | undefined,
): void {
  const { mode, uid, gid } = existing ?? attributes;
  draft.put(path, {
    type: 'file',
    mode,
    uid,
    gid,
    mtime: entry.mtime,
    ...(entry.content === undefined ? {} : { content: entry.content }),
  });
}

/** Renames a symlink, or a file whose content was kept. Throws INTERNAL otherwise. */
export function moveFile(draft: Draft, node: RootNode, to: string): void {
  const { type, mode, uid, gid, mtime, link } = node;
  if (type === 'symlink') draft.put(to, { type, mode, uid, gid, mtime, link });
  else draft.link(to, node.path);
  draft.remove(node.path);
}

function note(transaction: Transaction, outcome: ConfigFileOutcome): void {
  const { path, beside } = outcome;
  transaction.conffileOutcomes.push({
    ...outcome,
    path: path.replace(/^\//, ''),
    ...(beside === undefined ? {} : { beside: beside.replace(/^\//, '') }),
  });
}
