// One upgrade of an image with a dpkg database, start to end, into a draft: all packages are unpacked, then those to be
// removed go, then all are configured, as `dpkg --unpack` and `dpkg --configure` would. Maintainer scripts do not run.
// The order of `packages` does not matter: they are taken by name.
import type { InstallInput, Installation } from '../family.ts';
import { configureConffile } from './conffiles.ts';
import type { PendingConffile } from './conffiles.ts';
import { parseStanza } from './control.ts';
import type { Deb } from './deb.ts';
import { updateExtendedStates } from './extended-states.ts';
import { afterConfigure } from './helper-effects.ts';
import { InfoFiles } from './info-files.ts';
import { Ownership, packageId } from './ownership.ts';
import { removePackage } from './remove.ts';
import { settleLosers, settleTriggers, writeDatabase } from './settle.ts';
import { formatStanza, parseConffiles } from './status-stanza.ts';
import type { ConffileRecord } from './status-stanza.ts';
import { dropRecord, isInstalled, putRecord, statusRecord } from './status.ts';
import type { StatusRecord } from './status.ts';
import type { ImageRules, PackageFacts, Transaction, Unit } from './transaction.ts';
import { TriggerInterests } from './triggers.ts';
import { announce, checkLockStep, makeUnits, removalRecords } from './units.ts';
import { unpackUnit } from './upgrade.ts';
import type { UnpackedUnit } from './upgrade.ts';

/** The database as it was opened. */
export interface DpkgState {
  readonly records: readonly StatusRecord[];
  readonly rules: ImageRules;
  /** Files of the journal whose stanzas are in `records`: they go when the database is written. */
  readonly journal: readonly string[];
  /** Debian's name of the image's own architecture. */
  readonly nativeArch: string;
}

/** Installs `debs`, in the order of `input.packages`. Throws CONFLICT where dpkg would refuse. */
export function installPackages(state: DpkgState, input: InstallInput, debs: readonly Deb[]): Installation {
  const records = [...state.records];
  const transaction = begin(state, input);
  const { draft } = transaction;
  const units = makeUnits(records, input, debs);
  const removals = removalRecords(records, input);
  checkLockStep(units, records, removals);
  for (const unit of units) announce(transaction, unit);
  for (const record of removals) transaction.removing.add(packageId(record));

  const unpacked = units.map((unit) => unpackUnit(transaction, unit, records));
  for (const record of removals) {
    const left = removePackage(transaction, record);
    if (left) putRecord(records, left);
    else dropRecord(records, record);
  }
  const shared = new Map<string, string>();
  for (const [index, unit] of units.entries()) {
    // dpkg lets even what it has just unpacked disappear, when a package that comes later has all its files
    if (!transaction.packages.has(unit.id)) continue;
    const conffiles = configureUnit(transaction, unit, unpacked[index] as UnpackedUnit, shared);
    if (unit.old) dropRecord(records, unit.old);
    putRecord(records, installedRecord(unit, conffiles));
  }
  settleLosers(transaction, records, new Set(unpacked.flatMap(({ losers }) => [...losers])), units);
  settleTriggers(transaction, records, units);
  writeDatabase(draft, records, { journal: state.journal, epoch: input.epoch });
  const planned = input.packages.map((unpackedPackage) => unpackedPackage.planned);
  updateExtendedStates(draft, {
    automatic: planned.filter(({ from, reason }) => from === undefined && reason !== 'requested'),
    forget: [...removals, ...planned.filter(({ reason }) => reason === 'requested')],
    nativeArch: state.nativeArch,
    epoch: input.epoch,
  });
  return {
    scripts: transaction.scripts,
    conffiles: transaction.conffileOutcomes,
    removed: [...transaction.removed].filter((path) => !draft.lookup(path)).sort(),
    warnings: transaction.warnings,
  };
}

function begin({ records, rules }: DpkgState, { draft, epoch }: InstallInput): Transaction {
  const info = new InfoFiles(draft);
  const ownership = new Ownership();
  const packages: Transaction['packages'] = new Map();
  for (const record of records) {
    const id = packageId(record);
    const { name, arch, version, multiArch, stanza } = record;
    const conffiles = parseConffiles(stanza.get('Conffiles') ?? '');
    packages.set(id, {
      id,
      name,
      arch,
      version,
      multiArch,
      stanza,
      installed: isInstalled(record),
      conffiles,
    });
    if (record.state !== 'not-installed') ownership.replace(id, info.list(record));
  }
  const warnings = rules.unknownOverrides.map(
    (line) => `Statoverride "${line}" names a user or group that the image does not have; it was left out`,
  );
  return {
    draft,
    info,
    rules,
    ownership,
    triggers: new TriggerInterests(draft),
    packages,
    incoming: new Map(),
    removing: new Set(),
    epoch,
    conffileOutcomes: [],
    removed: new Set(),
    warnings,
    scripts: [],
  };
}

/** Settles the conffiles of a package; `shared` has those of the same package for another architecture. */
function configureUnit(
  transaction: Transaction,
  unit: Unit,
  { conffiles, obsolete, commands, staged }: UnpackedUnit,
  shared: Map<string, string>,
): ConffileRecord[] {
  const { ownership, packages } = transaction;
  const facts = packages.get(unit.id) as PackageFacts;
  const configured = conffiles.map((conffile) => {
    // packages unpacked later may have taken it over
    const shipped = ownership.has(unit.id, conffile.name) ? conffile.shipped : undefined;
    const isObsolete = facts.conffiles.some(({ path, obsolete: gone }) => path === conffile.name && gone);
    return configureOnce(transaction, unit, { ...conffile, shipped, obsolete: isObsolete }, shared);
  });
  facts.conffiles = [...configured, ...obsolete];
  afterConfigure(transaction, unit, { commands, staged });
  return [...facts.conffiles];
}

function configureOnce(
  transaction: Transaction,
  unit: Unit,
  conffile: PendingConffile,
  shared: Map<string, string>,
): ConffileRecord {
  const key = `${unit.name}\0${conffile.name}`;
  const hash = shared.get(key);
  if (hash !== undefined && conffile.shipped)
    return { path: conffile.name, hash, obsolete: conffile.obsolete, removeOnUpgrade: false };
  const record = configureConffile(transaction, unit.name, conffile);
  if (unit.multiArch === 'same') shared.set(key, record.hash);
  return record;
}

function installedRecord(unit: Unit, conffiles: readonly ConffileRecord[]): StatusRecord {
  const what = `${unit.name} ${unit.version}`;
  const want = unit.old?.want === 'hold' ? 'hold' : 'install';
  const text = formatStanza({ control: unit.deb.control, want, state: 'installed', conffiles, what });
  return statusRecord(parseStanza(text, { what, code: 'INTERNAL' }), what);
}
