// Unpacking one package over its old version: files, obsolete files, lists, triggers and info/, in dpkg's order
// (process_archive of src/main/unpack.c).
import { removeConffile, unconfigured } from './conffiles.ts';
import type { PendingConffile } from './conffiles.ts';
import { formatMd5sums } from './deb-members.ts';
import { beforeUnpack } from './helper-effects.ts';
import { formatList, removeInfo, writeInfo } from './info-files.ts';
import type { InfoMember } from './info-files.ts';
import { helperCommands } from './maintscript-helper.ts';
import type { HelperCommand } from './maintscript-helper.ts';
import { removeObsolete } from './obsolete.ts';
import { packageId } from './ownership.ts';
import type { PackageId } from './ownership.ts';
import { packageScript } from './scripts.ts';
import type { ConffileRecord } from './status-stanza.ts';
import { dropRecord } from './status.ts';
import type { StatusRecord } from './status.ts';
import { disappearing, takeFromOthers } from './take-over.ts';
import type { Incoming, PackageFacts, Transaction, Unit } from './transaction.ts';
import { readTriggersMember } from './triggers.ts';
import { unpackFiles } from './unpack.ts';
import type { UnpackedFiles } from './unpack.ts';

/** What is left to do when the package is configured. */
export interface UnpackedUnit {
  readonly conffiles: readonly PendingConffile[];
  /** Conffiles of the old version that stay. */
  readonly obsolete: readonly ConffileRecord[];
  /** dpkg-maintscript-helper commands of the postinst. */
  readonly commands: readonly HelperCommand[];
  /** Directories that become symlinks then. */
  readonly staged: readonly string[];
  /** Packages that lost files to this one. */
  readonly losers: ReadonlySet<PackageId>;
}

/** `records` lose what disappears. */
export function unpackUnit(transaction: Transaction, unit: Unit, records: StatusRecord[]): UnpackedUnit {
  const { draft, info, ownership, packages, triggers, conffileOutcomes } = transaction;
  const { name, old } = unit;
  const oldTriggers = readTriggersMember((old && info.text(old, 'triggers')) ?? '', name);
  const newTriggers = readTriggersMember(memberText(unit, 'triggers'), name);
  triggers.activate(oldTriggers);
  triggers.activate(newTriggers);
  const staged = beforeUnpack(transaction, unit, commandsOf(unit, 'preinst'));

  arrive(transaction, unit);
  const files = unpackFiles(transaction, unit);
  for (const conffile of files.conffiles)
    if (conffile.removeOnUpgrade) removeConffile(transaction, unit, conffile);
  const obsolete = removeObsolete(transaction, unit, {
    files,
    list: oldList(transaction, unit),
    staged,
  });
  for (const conffile of obsolete) {
    files.names.push(conffile.name);
    conffileOutcomes.push({ path: conffile.name.slice(1), package: name, action: 'obsolete' });
  }

  // the old version may have been named otherwise there, without its architecture
  if (old) triggers.change(old, { old: oldTriggers, next: [] });
  triggers.change(unit, { old: [], next: newTriggers });
  writeInfo(draft, info, { old, owner: unit, members: infoMembers(transaction, unit, files) });
  for (const gone of disappearing(transaction, unit, files)) disappear(transaction, unit, gone, records);
  ownership.replace(unit.id, files.names);
  const left = obsolete.map(({ name: path, hash }) => ({
    path,
    hash,
    obsolete: true,
    removeOnUpgrade: false,
  }));
  const pending = files.conffiles.map((conffile) => unconfigured(conffile));
  (packages.get(unit.id) as PackageFacts).conffiles = [...pending, ...left];
  return {
    conffiles: files.conffiles,
    obsolete: left,
    commands: commandsOf(unit, 'postinst'),
    staged,
    losers: takeFromOthers(transaction, unit, files),
  };
}

/** From here on the package counts as the new version, with the conffiles it had. */
function arrive({ packages, incoming }: Transaction, { id }: Unit): void {
  const { facts } = incoming.get(id) as Incoming;
  packages.set(id, { ...facts, conffiles: packages.get(id)?.conffiles ?? [] });
  incoming.delete(id);
}

/** What the old version had; without a list its conffiles are all that is known. */
function oldList({ ownership, packages }: Transaction, { id }: Unit): readonly string[] {
  return ownership.list(id) ?? packages.get(id)?.conffiles.map(({ path }) => path) ?? [];
}

function memberText({ deb }: Unit, name: string): string {
  return packageScript(name, deb.members.find(({ member }) => member === name)?.content)?.body ?? '';
}

function commandsOf(unit: Unit, script: string): HelperCommand[] {
  const oldVersion = unit.old && unit.old.version !== '' ? unit.old.version : undefined;
  return helperCommands(memberText(unit, script), { packageName: unit.name, oldVersion });
}

/** Members of the package, its list, and md5sums where it ships none. */
function infoMembers(
  { epoch }: Transaction,
  { deb }: Unit,
  { names, filtered }: UnpackedFiles,
): InfoMember[] {
  const made = { mode: 0o644, mtime: epoch };
  const members = [...deb.members, { ...made, member: 'list', content: formatList(names) }];
  if (!deb.md5sums) return members;
  const present = new Set(names.filter((name) => !filtered.has(name)));
  const digests = new Map([...deb.md5sums].filter(([name]) => present.has(name)));
  return [...members, { ...made, member: 'md5sums', content: formatMd5sums(digests) }];
}

function disappear(transaction: Transaction, unit: Unit, gone: PackageFacts, records: StatusRecord[]): void {
  const { info, draft, ownership, packages, scripts, warnings } = transaction;
  const script = packageScript('postrm', info.read(gone, 'postrm'));
  if (script) scripts.push({ package: gone.name, script });
  removeInfo(draft, info, gone, () => true);
  ownership.replace(gone.id, undefined);
  packages.delete(gone.id);
  const record = records.find((candidate) => packageId(candidate) === gone.id);
  if (record) dropRecord(records, record);
  warnings.push(
    `Package ${gone.name} ${gone.version} is gone: ${unit.name} ${unit.version} has replaced all its files`,
  );
}
