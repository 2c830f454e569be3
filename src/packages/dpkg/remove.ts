// Removing a package, as `dpkg --remove` (src/main/remove.c): its files go, its conffiles stay and with them its record,
// in state config-files; without conffiles and postrm nothing of it is left.
import { STATUS, isInstalled, statusRecord } from './status.ts';
import type { StatusRecord } from './status.ts';
import { INFO_DIRECTORY, formatList, removeInfo } from './info-files.ts';
import { packageId } from './ownership.ts';
import { packageScript } from './scripts.ts';
import { editStanza, formatConffiles } from './status-stanza.ts';
import { readTriggersMember } from './triggers.ts';
import { removePath } from './transaction.ts';
import type { PackageFacts, Transaction } from './transaction.ts';

/** Removes an installed package; answers its new record, or undefined when none is left. */
export function removePackage(transaction: Transaction, record: StatusRecord): StatusRecord | undefined {
  const id = packageId(record);
  const { draft, info, ownership, packages, triggers, scripts, epoch } = transaction;
  const facts = packages.get(id) as PackageFacts;
  if (!isInstalled(record)) return record;
  for (const name of ['prerm', 'postrm']) {
    const script = packageScript(name, info.read(record, name));
    if (script) scripts.push({ package: record.name, script });
  }
  const directives = readTriggersMember(info.text(record, 'triggers') ?? '', record.name);
  triggers.activate(directives);
  triggers.change(record, { old: directives, next: [] });
  const left = removeFiles(transaction, facts);
  const hasPostrm = info.read(record, 'postrm') !== undefined;
  ownership.replace(id, left);
  if (facts.conffiles.length === 0 && !hasPostrm) {
    retryDirectories(transaction, facts, left);
    removeInfo(draft, info, record, () => true);
    ownership.replace(id, undefined);
    packages.delete(id);
    return undefined;
  }
  removeInfo(draft, info, record, (member) => member !== 'postrm' && member !== 'list');
  if (info.exists)
    draft.put(`${INFO_DIRECTORY}/${info.key(record)}.list`, {
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: epoch,
      content: formatList(left),
    });
  packages.set(id, { ...facts, installed: false });
  return statusRecord(
    editStanza(record.stanza, {
      Essential: undefined,
      Protected: undefined,
      Status: 'deinstall ok config-files',
      Version: `${record.version}\nConfig-Version: ${record.version}`,
      Conffiles: facts.conffiles.length === 0 ? undefined : formatConffiles(facts.conffiles),
      'Triggers-Pending': undefined,
      'Triggers-Awaited': undefined,
    }),
    STATUS,
  );
}

/** Removes what can go, in reverse order; answers what is left, as the list to be written. */
function removeFiles(transaction: Transaction, facts: PackageFacts): string[] {
  const { draft, ownership, packages, rules, triggers } = transaction;
  const conffiles = new Set(facts.conffiles.map(({ path }) => path));
  const left: string[] = [];
  for (const name of [...(ownership.list(facts.id) ?? [])].reverse()) {
    const target = rules.diversions.redirect(name, facts.name);
    const isDirectory = draft.follow(target)?.type === 'directory';
    const others = ownership.owners(name, facts.id).filter((other) => packages.get(other)?.installed);
    const shared = others.some((other) => packages.get(other)?.name === facts.name);
    if (!isDirectory && shared) continue;
    if (conffiles.has(name)) {
      left.unshift(name);
      continue;
    }
    if (isDirectory) {
      const holdsLeftovers = left.some((other) => other.startsWith(`${name}/`));
      if (holdsLeftovers || [...conffiles].some((path) => path.startsWith(`${name}/`))) {
        left.unshift(name);
        continue;
      }
      if (others.length > 0) continue;
      if (name === '/.') {
        left.unshift(name);
        continue;
      }
    }
    triggers.activatePath(target);
    const node = draft.lookup(target);
    if (!node) continue;
    if (node.type === 'directory' && draft.list(target).length > 0) left.unshift(name);
    else if (!(node.type === 'symlink' && isDirectory && !node.path.includes('/')))
      removePath(transaction, target);
  }
  return left;
}

/** Directories that were not empty when their turn came. */
function retryDirectories(transaction: Transaction, facts: PackageFacts, left: readonly string[]): void {
  const { draft, ownership, rules } = transaction;
  for (const name of [...left].reverse()) {
    const target = rules.diversions.redirect(name, facts.name);
    const node = draft.lookup(target);
    if (node?.type !== 'directory' || node.path === '' || ownership.owners(name, facts.id).length > 0)
      continue;
    if (draft.list(target).length === 0) removePath(transaction, target);
  }
}
