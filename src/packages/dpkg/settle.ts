// The end of an upgrade: what it means for packages that were not upgraded, and the database itself.
import { fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { formatList } from './info-files.ts';
import { packageId } from './ownership.ts';
import type { PackageId } from './ownership.ts';
import { packageScript } from './scripts.ts';
import { editStanza, formatConffiles, parseConffiles } from './status-stanza.ts';
import { STATUS, isInstalled, putRecord, statusRecord, writeStatus } from './status.ts';
import type { StatusRecord } from './status.ts';
import { readText } from './transaction.ts';
import type { Transaction, Unit } from './transaction.ts';
import { triggerName } from './triggers.ts';

/** Packages that lost files to others: their lists, and their conffiles' records. */
export function settleLosers(
  { draft, info, ownership, packages, epoch }: Transaction,
  records: StatusRecord[],
  losers: ReadonlySet<PackageId>,
  units: readonly Unit[],
): void {
  for (const id of losers) {
    const facts = packages.get(id);
    const record = records.find((candidate) => packageId(candidate) === id);
    const list = ownership.list(id);
    if (!facts || !record || !list) continue;
    if (info.exists)
      draft.put(info.path(record, 'list'), {
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: epoch,
        content: formatList(list),
      });
    if (units.some((unit) => unit.id === id)) continue;
    const conffiles = formatConffiles(facts.conffiles);
    if (conffiles !== formatConffiles(parseConffiles(record.stanza.get('Conffiles') ?? '')))
      putRecord(records, statusRecord(editStanza(record.stanza, { Conffiles: conffiles }), STATUS));
  }
}

/** What is activated is handed on; who waited for a package that is configured now no longer waits. */
export function settleTriggers(
  { info, triggers, scripts, epoch }: Transaction,
  records: StatusRecord[],
  units: readonly Unit[],
): void {
  for (const name of triggers.activated) {
    const record = records.find(
      (candidate) => isInstalled(candidate) && (name === candidate.name || name === packageId(candidate)),
    );
    const script = record && packageScript('postinst triggered', info.read(record, 'postinst'));
    if (script) scripts.push({ package: record.name, script });
  }
  const places = units.map((unit): [string, number] => [triggerName(unit), unit.place]);
  triggers.save(epoch, new Map(places));
  const configured = new Set(units.flatMap((unit) => [unit.name, packageId(unit)]));
  const waiting = records.filter(({ stanza }) => stanza.get('Triggers-Awaited') !== undefined);
  for (const record of waiting) {
    const { stanza, want, flag } = record;
    const awaited = stanza.get('Triggers-Awaited')?.split(/\s+/) ?? [];
    const left = awaited.filter((name) => !configured.has(name));
    if (left.length === awaited.length) continue;
    const settled = stanza.get('Triggers-Pending') === undefined ? 'installed' : 'triggers-pending';
    const edits = {
      Status: `${want} ${flag} ${left.length === 0 ? settled : record.state}`,
      'Triggers-Awaited': left.length === 0 ? undefined : left.join(' '),
    };
    putRecord(records, statusRecord(editStanza(stanza, edits), STATUS));
  }
}

/** Writes the status file; the journal is in it then, and goes. */
export function writeDatabase(
  draft: Draft,
  records: readonly StatusRecord[],
  { journal, epoch }: { readonly journal: readonly string[]; readonly epoch: number },
): void {
  for (const path of journal) draft.remove(path);
  const text = writeStatus(records);
  if (text === readText(draft, STATUS)) return;
  const { path, mode, uid, gid } = draft.follow(STATUS) ?? { path: STATUS, mode: 0o644, uid: 0, gid: 0 };
  draft.put(path, { type: 'file', mode, uid, gid, mtime: epoch, content: fromByteString(text) });
}
