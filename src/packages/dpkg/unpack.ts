// Unpacking one package into the draft: for every entry of data.tar, what dpkg does with it (src/main/archives.c).
//
//                      package ships a file   … a symlink          … a directory
//   nothing there      written                written              written
//   a file or symlink  replaced               replaced             replaced; a symlink to a directory stays
//   a directory        replaced, tree and all stays as it is       stays as it is
import { hexDigest } from '../../base/hash.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { shippedAttributes } from './attributes.ts';
import type { DebEntry } from './deb.ts';
import { NEW_CONFFILE } from './conffiles.ts';
import type { PendingConffile } from './conffiles.ts';
import { LinkHomes, isDirectoryAlready, keptWarnings, place } from './place.ts';
import type { Placement } from './place.ts';
import { filesOfPostinst } from './scripts.ts';
import { conflict, replaces, sharesFiles } from './transaction.ts';
import type { PackageFacts, Transaction, Unit } from './transaction.ts';

/** What became of the entries of a package. */
export interface UnpackedFiles {
  /** Names for the package's list, in order: excluded ones too, kept ones not. */
  readonly names: string[];
  /** Names that the image's path filters exclude. */
  readonly filtered: Set<string>;
  /** Names that are there now as the package ships them, conffiles included: other packages lose them. */
  readonly placed: Set<string>;
  readonly conffiles: PendingConffile[];
}

export function unpackFiles(transaction: Transaction, unit: Unit): UnpackedFiles {
  const { draft, rules, triggers } = transaction;
  const conffileNames = new Set(
    unit.deb.conffiles.filter((line) => !line.removeOnUpgrade).map((line) => line.path),
  );
  const forbidden = new Set(
    unit.deb.conffiles.filter((line) => line.removeOnUpgrade).map((line) => line.path),
  );
  const shippedConffiles = new Map<string, DebEntry>();
  const taken = new Set<string>();
  const files: UnpackedFiles = { names: [], filtered: new Set(), placed: new Set(), conffiles: [] };
  const placement: Placement = {
    draft,
    rules: rules.attributes,
    links: new LinkHomes(unit.deb),
    setByScript: filesOfPostinst(unit.deb.members),
    packageName: unit.name,
    kept: [],
  };
  for (const entry of unit.deb.entries) {
    const { name } = entry;
    if (forbidden.has(name))
      throw conflict(`Package ${unit.name} ships ${name}, which it wants removed on upgrade`);
    const diverted = rules.diversions.into(name);
    if (diverted) throw conflict(`Package ${unit.name} ships ${name}, where ${diverted.from} is diverted to`);
    const target = rules.diversions.redirect(name, unit.name);
    triggers.activatePath(target);
    const existing = draft.lookup(target);
    const stays = isDirectoryAlready(draft, entry, { target, existing });
    if (!stays && belongsToOther(transaction, unit, entry, existing)) {
      taken.add(name);
      continue;
    }
    files.names.push(name);
    if (rules.filter.skips(name, entry.type)) {
      files.filtered.add(name);
      continue;
    }
    if (stays) continue;
    if (conffileNames.has(name)) shippedConffiles.set(name, entry);
    else place(placement, entry, { target, existing });
    files.placed.add(name);
  }
  transaction.warnings.push(...keptWarnings(placement));
  for (const { path: name, removeOnUpgrade } of unit.deb.conffiles) {
    const entry = shippedConffiles.get(name);
    const hash = unit.deb.conffileHashes.get(name);
    files.conffiles.push({
      name,
      target: rules.diversions.redirect(name, unit.name),
      recorded: recordedHash(transaction, unit, name),
      shipped:
        entry && hash !== undefined
          ? { entry, hash, attributes: shippedAttributes(entry, rules.attributes) }
          : undefined,
      removeOnUpgrade,
      obsolete: taken.has(name),
    });
  }
  return files;
}

/** The hash of a conffile that the package, or else another that has the path, recorded. */
function recordedHash({ info, ownership, packages }: Transaction, unit: Unit, name: string): string {
  // without lists nothing says who has a path: the package's own record counts
  const owners = info.exists ? ownership.owners(name) : [unit.id];
  let recorded: string | undefined;
  for (const id of owners) {
    const hash = packages.get(id)?.conffiles.find((conffile) => conffile.path === name)?.hash;
    if (hash === undefined) continue;
    recorded = hash;
    if (id === unit.id) break;
  }
  return recorded ?? NEW_CONFFILE;
}

/**
 * True when another installed package has the path and says it replaces this one's. Throws CONFLICT when neither says
 * who may have it.
 */
function belongsToOther(
  transaction: Transaction,
  unit: Unit,
  entry: DebEntry,
  existing: RootNode | undefined,
): boolean {
  const { ownership, packages, incoming, rules } = transaction;
  const { name } = entry;
  const own = packages.get(unit.id) as PackageFacts;
  let kept = false;
  for (const id of ownership.owners(name, unit.id)) {
    const other = packages.get(id);
    if (!other?.installed || transaction.removing.has(id)) continue;
    // what is to be upgraded as well counts with what it will have: files it ships and conffiles it leaves behind
    const coming = incoming.get(id);
    const conffile = other.conffiles.find(({ path }) => path === name);
    if (coming && !conffile && !coming.names.has(name)) continue;
    if (sharesFiles(own, other)) {
      // until both are at one version the files of the other may differ
      if (!coming && other.version === unit.version) refuseDifferentShared(unit, entry, existing);
      continue;
    }
    const diversion = rules.diversions.of(name);
    if (diversion && (diversion.owner === other.name || diversion.owner === unit.name)) continue;
    if (!existing && entry.type === 'directory') continue;
    const becomesConffile =
      unit.deb.conffiles.some((line) => line.path === name) && existing?.type === 'file';
    if (conffile?.obsolete && becomesConffile) continue;
    const versions = coming ? [other, coming.facts] : [other];
    if (versions.some((facts) => replaces(own, facts))) continue;
    if (!versions.some((facts) => replaces(facts, own)))
      throw conflict(
        `Package ${unit.name} ${unit.version} ships ${name}, which is also in package ${other.name} ${other.version}`,
        'dpkg refuses this upgrade as well; leave one of the two packages out',
      );
    kept = true;
  }
  return kept;
}

/** Multi-Arch: same packages of one version must ship the same files. */
function refuseDifferentShared(unit: Unit, entry: DebEntry, existing: RootNode | undefined): void {
  if (entry.type !== 'file' || existing?.type !== 'file' || unit.deb.conffileHashes.has(entry.name)) return;
  const digest = entry.sha256 ?? hexDigest('sha256', entry.content ?? new Uint8Array());
  if (digest !== existing.sha256)
    throw conflict(
      `Package ${unit.id} ships ${entry.name}, which is different in other architectures of ${unit.name}`,
    );
}
