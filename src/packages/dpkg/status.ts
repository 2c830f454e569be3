// The status database of dpkg: var/lib/dpkg/status, and the journal var/lib/dpkg/updates/NNNN of an interrupted run,
// whose stanzas override it (lib/dpkg/dbmodify.c). Records keep their text: what is not changed is written as it was.
import { compareBytes, displayText } from '../../base/bytes.ts';
import { OnlayError } from '../../errors.ts';
import { parseStanzas } from './control.ts';
import type { ControlOptions, Stanza } from './control.ts';

export const STATUS = 'var/lib/dpkg/status';

export type PackageWant = 'unknown' | 'install' | 'hold' | 'deinstall' | 'purge';
export type PackageState =
  | 'not-installed'
  | 'config-files'
  | 'half-installed'
  | 'unpacked'
  | 'half-configured'
  | 'triggers-awaited'
  | 'triggers-pending'
  | 'installed';
export type MultiArch = 'no' | 'same' | 'foreign' | 'allowed';

/** One package of the database, installed or not. Further fields: `stanza.get('Depends')`. */
export interface StatusRecord {
  readonly name: string;
  readonly arch: string;
  /** '' when only a selection is recorded. */
  readonly version: string;
  readonly source: string;
  readonly sourceVersion: string;
  readonly want: PackageWant;
  readonly flag: 'ok' | 'reinstreq';
  readonly state: PackageState;
  readonly multiArch: MultiArch;
  readonly essential: boolean;
  readonly protected: boolean;
  readonly stanza: Stanza;
}

/** Reads a status file: any number of stanzas, each with Package and Status. */
export function readStatus(text: string, what: string): StatusRecord[] {
  const options: ControlOptions = { what, code: 'DATABASE_INVALID' };
  return parseStanzas(text, options).map((stanza, index) => statusRecord(stanza, what, index));
}

/** The file of these records, as dpkg writes it: an empty line after each. `write(read(x)) === x`. */
export function writeStatus(records: readonly StatusRecord[]): string {
  return records
    .map((record) => `${record.stanza.raw}${record.stanza.raw.endsWith('\n') ? '' : '\n'}\n`)
    .join('');
}

/** The record of a stanza. Without a Status field (control files, status.d) it counts as installed. */
export function statusRecord(stanza: Stanza, what: string, index = 0): StatusRecord {
  const name = stanza.get('Package');
  if (!name) throw invalid(`record ${index + 1} has no Package field`, what);
  if (!NAME.test(name))
    throw invalid(`record ${index + 1} has an invalid package name "${name.slice(0, 60)}"`, what);
  const arch = stanza.get('Architecture') ?? '';
  if (arch !== '' && !ARCH.test(arch))
    throw invalid(`package ${name} has an invalid Architecture "${arch.slice(0, 60)}"`, what);
  const { want, flag, state } = statusWords(stanza.get('Status'), name, what);
  const version = stanza.get('Version') ?? '';
  if (version === '' && state !== 'not-installed')
    throw invalid(`package ${name} has no Version field`, what);
  const source = SOURCE.exec(stanza.get('Source') ?? '');
  const multiArch = stanza.get('Multi-Arch') ?? 'no';
  return {
    name,
    arch,
    version,
    source: source?.[1] ?? name,
    sourceVersion: source?.[2] ?? version,
    want,
    flag,
    state,
    multiArch: isMultiArch(multiArch) ? multiArch : 'no',
    essential: stanza.get('Essential') === 'yes',
    protected: stanza.get('Protected') === 'yes',
    stanza,
  };
}

/** True when the files of the package are there: what dpkg calls at least half-installed. */
export function isInstalled(record: StatusRecord): boolean {
  return record.state !== 'not-installed' && record.state !== 'config-files';
}

/** Why an installed package cannot be upgraded here, if so: the user's hold, or a state that only its scripts resolve. */
export function heldReason(record: StatusRecord): string | undefined {
  if (record.want === 'hold') return 'hold';
  if (record.flag === 'reinstreq') return 'reinstreq';
  const settled = ['installed', 'triggers-awaited', 'triggers-pending'].includes(record.state);
  return settled ? undefined : record.state;
}

/**
 * Applies journal stanzas, in the order of their files: each replaces the record of its package and architecture. What
 * has been removed has lost its architecture, and stands for the only record of its name.
 */
export function replayUpdates(
  records: readonly StatusRecord[],
  updates: readonly StatusRecord[],
): StatusRecord[] {
  const merged = [...records];
  for (const update of updates) {
    const named = merged.filter(({ name }) => name === update.name);
    if (update.arch === '' && named.length === 1) dropRecord(merged, named[0] as StatusRecord);
    putRecord(merged, update);
  }
  return merged.filter((record) => record.want !== 'unknown' || record.state !== 'not-installed');
}

/** Replaces the record of the same package and architecture, or inserts before the first greater one. */
export function putRecord(records: StatusRecord[], record: StatusRecord): void {
  const same = records.findIndex((other) => other.name === record.name && other.arch === record.arch);
  if (same !== -1) {
    records[same] = record;
    return;
  }
  const after = records.findIndex((other) => compareRecords(record, other) < 0);
  records.splice(after === -1 ? records.length : after, 0, record);
}

/** Takes out the record of the same package and architecture, if there is one. */
export function dropRecord(records: StatusRecord[], record: StatusRecord): void {
  const at = records.findIndex((other) => compareRecords(other, record) === 0);
  if (at !== -1) records.splice(at, 1);
}

/** Order of the file: by name, then architecture, byte by byte. */
export function compareRecords(a: StatusRecord, b: StatusRecord): number {
  return compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch);
}

const WANTS: readonly string[] = ['unknown', 'install', 'hold', 'deinstall', 'purge'];
const FLAGS: readonly string[] = ['ok', 'reinstreq', 'hold', 'hold-reinstreq'];
const STATES: readonly string[] = [
  'not-installed',
  'config-files',
  'half-installed',
  'unpacked',
  'half-configured',
  'triggers-awaited',
  'triggers-pending',
  'installed',
];
const NAME = /^[A-Za-z0-9][A-Za-z0-9+._-]*$/;
const ARCH = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const SOURCE = /^(\S+)(?:\s*\(\s*([^\s)]+)\s*\))?$/;

function statusWords(
  status: string | undefined,
  name: string,
  what: string,
): Pick<StatusRecord, 'want' | 'flag' | 'state'> {
  if (status === undefined) return { want: 'install', flag: 'ok', state: 'installed' };
  const [want = '', flag = '', state = '', rest] = status.split(/\s+/);
  if (!WANTS.includes(want) || !FLAGS.includes(flag) || !STATES.includes(state) || rest !== undefined)
    throw invalid(`package ${name} has an invalid Status "${status.slice(0, 60)}"`, what);
  return {
    want: (flag.startsWith('hold') ? 'hold' : want) as PackageWant,
    flag: flag.endsWith('reinstreq') ? 'reinstreq' : 'ok',
    state: state as PackageState,
  };
}

function isMultiArch(text: string): text is MultiArch {
  return text === 'no' || text === 'same' || text === 'foreign' || text === 'allowed';
}

function invalid(problem: string, what: string): OnlayError {
  return new OnlayError('DATABASE_INVALID', displayText(`Cannot read ${what}: ${problem}`));
}
