// The packages of one upgrade beside what the database has of them.
import { OnlayError } from '../../errors.ts';
import { compareBytes, displayText } from '../../base/bytes.ts';
import type { InstallInput } from '../family.ts';
import type { Deb } from './deb.ts';
import { packageId } from './ownership.ts';
import { heldReason, isInstalled, statusRecord } from './status.ts';
import type { StatusRecord } from './status.ts';
import { conflict } from './transaction.ts';
import type { Transaction, Unit } from './transaction.ts';

/** In the order they are taken: by name, then architecture. Throws DATABASE_INVALID or CONFLICT. */
export function makeUnits(
  records: readonly StatusRecord[],
  { packages }: InstallInput,
  debs: readonly Deb[],
): Unit[] {
  return packages
    .map(({ planned: { name, arch, to: version, extra } }, index) => {
      const deb = debs[index] as Deb;
      const old = findRecord(records, name, arch);
      if (old) checkState(old);
      const { multiArch } = statusRecord(deb.control, `control of ${name} ${version}`);
      const place = Number(extra?.['order']) || 1;
      return { id: packageId(old ?? { name, arch }), name, arch, version, multiArch, place, deb, old };
    })
    .sort((a, b) => compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch));
}

/** The records of packages to be removed. */
export function removalRecords(records: readonly StatusRecord[], { removals }: InstallInput): StatusRecord[] {
  return removals.map(({ name, arch }) => {
    const record = findRecord(records, name, arch);
    if (!record)
      throw new OnlayError('INTERNAL', `Package ${displayText(name)} is to be removed but not installed`);
    return record;
  });
}

/** Multi-Arch: same packages can only be configured at one version for all architectures. */
export function checkLockStep(
  units: readonly Unit[],
  records: readonly StatusRecord[],
  removals: readonly StatusRecord[],
): void {
  for (const unit of units) {
    for (const record of records) {
      if (
        record.name !== unit.name ||
        record === unit.old ||
        !isInstalled(record) ||
        removals.includes(record)
      )
        continue;
      const version = units.find(({ old }) => old === record)?.version ?? record.version;
      if (version !== unit.version)
        throw conflict(
          `Package ${unit.name} would be at ${unit.version} for ${unit.arch} and at ${version} for ${record.arch}`,
        );
    }
  }
}

/** What will come is known before anything is unpacked: nothing that comes is removed, or refused because of what goes. */
export function announce(
  { packages, incoming, rules, draft }: Transaction,
  { id, name, arch, version, multiArch, deb }: Unit,
): void {
  const conffiles = packages.get(id)?.conffiles ?? [];
  const wanted = deb.entries.filter((entry) => !rules.filter.skips(entry.name, entry.type));
  const directories = wanted.filter(
    ({ name: path, type }) => type === 'directory' && !rules.diversions.of(path),
  );
  const unchanged = wanted.filter(({ type, content }) => type === 'file' && content === undefined);
  incoming.set(id, {
    facts: { id, name, arch, version, multiArch, stanza: deb.control, installed: true, conffiles },
    names: new Set(deb.entries.map((entry) => entry.name)),
    directories: new Set(directories.map((entry) => entry.name)),
    unchanged: new Set(unchanged.map((entry) => draft.resolve(entry.name))),
  });
}

/** The record of a package; one that changes to or from `all` keeps its identity. */
export function findRecord(
  records: readonly StatusRecord[],
  name: string,
  arch: string,
): StatusRecord | undefined {
  const same = records.filter((record) => record.name === name);
  return (
    same.find((record) => record.arch === arch) ??
    same.find(
      (record) =>
        isInstalled(record) && record.multiArch !== 'same' && (record.arch === 'all' || arch === 'all'),
    )
  );
}

function checkState(old: StatusRecord): void {
  const reason = isInstalled(old) ? heldReason(old) : undefined;
  if (reason === undefined || reason === 'hold') return;
  throw new OnlayError(
    'DATABASE_INVALID',
    `Package ${old.name} is ${reason} in the image and cannot be upgraded`,
    {
      hint: 'only its maintainer scripts can finish that: run dpkg --configure -a in the image first',
    },
  );
}
