// An upgrade: packages come and go in apk's order, then directories, then the three files of the database.
import { gzipSync } from 'node:zlib';
import { compareBytes } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { InstallInput, Installation, UnpackedPackage } from '../family.ts';
import { normalChecksum } from './checksum.ts';
import { applyDirectoryOwners } from './directories.ts';
import { compareNames, writeInstalled } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import { Ledger } from './ledger.ts';
import type { LedgerRecord } from './ledger.ts';
import { readProtectedPaths } from './protected.ts';
import { isEmptyPackage, newRecord, triggerPatterns } from './records.ts';
import { SCRIPT_KINDS, writeScriptsTar } from './scripts-tar.ts';
import type { ScriptsTar, StoredScript } from './scripts-tar.ts';
import type { Transaction } from './transaction.ts';
import { isWatched, writeTriggers } from './triggers.ts';
import type { TriggerLine } from './triggers.ts';
import { toPackageScript } from './unpack.ts';
import type { ApkContent } from './unpack.ts';
import { removePackage, upgradePackage } from './upgrade.ts';
import { compareVersions } from './version.ts';

/** What is in the image's database directory. */
export interface StoredDatabase {
  /** As the image spells it: lib/apk/db, or usr/lib/apk/db. */
  readonly folder: RootPath;
  readonly records: readonly InstalledRecord[];
  readonly scripts: ScriptsTar;
  /** apk 3 can keep it as scripts.tar.gz. */
  readonly scriptsFile: 'scripts.tar' | 'scripts.tar.gz';
  readonly triggers: readonly TriggerLine[];
  /** What the distro says of an image without apk: up to Alpine 3.17 the database is not sorted. */
  readonly unsortedByDefault: boolean;
}

export function installPackages(database: StoredDatabase, input: InstallInput): Installation {
  const { draft, epoch } = input;
  const ledger = new Ledger(database.records);
  const transaction: Transaction = {
    draft,
    ledger,
    protectedPaths: readProtectedPaths(draft),
    epoch,
    managed: new Map(),
    touched: new Set(),
    conffiles: [],
    removed: [],
    warnings: [],
  };
  const scripts = new Map<string, StoredScript[]>();
  for (const script of database.scripts.scripts) push(scripts, normalChecksum(script.checksum), script);
  const triggers = new Map(database.triggers.map((line) => [normalChecksum(line.checksum), line]));
  const departed: Installation['scripts'][number][] = [];
  const leaving = new Set(input.removals.map(({ name }) => name));
  const leave = (name: string): void => {
    const record = leaving.delete(name) ? ledger.get(name) : undefined;
    if (!record) return;
    for (const script of scripts.get(checksumOf(record)) ?? [])
      if (script.kind.endsWith('-deinstall'))
        departed.push({ package: name, script: toPackageScript(script) });
    removePackage(transaction, record);
  };
  const incoming = inApkOrder(input.packages);
  for (const { planned, content } of incoming) {
    for (const name of (planned.extra?.['leaving'] ?? '').split(' ')) leave(name);
    const { info, entries, size, scripts: own } = content as ApkContent;
    const checksum = `Q1${Buffer.from(controlOf(planned), 'hex').toString('base64')}`;
    const record = newRecord(info, {
      checksum,
      arch: planned.arch,
      size: planned.size ?? size,
      tag: planned.extra?.['tag'] ?? '',
    });
    upgradePackage(transaction, record, entries);
    const mtime = Number(record.fields.get('t') ?? 0) || 0;
    scripts.set(
      checksum,
      own.map(({ kind, body }) => ({
        package: `${planned.name}-${planned.to}`,
        checksum,
        kind,
        mtime,
        body,
      })),
    );
    triggers.delete(checksum);
    const patterns = isEmptyPackage(info) ? [] : triggerPatterns(info);
    if (patterns.length > 0) triggers.set(checksum, { checksum, patterns });
  }
  for (const name of [...leaving]) leave(name);
  applyDirectoryOwners(transaction);
  const records = [...ledger.records()];
  const remaining = new Set(records.map(checksumOf));
  const lines = [...triggers].filter(([checksum]) => remaining.has(checksum)).map(([, line]) => line);
  writeDatabase(draft, database, {
    epoch,
    installed: writeInstalled(ledger.toRecords(), { sorted: isSorted(ledger, database) }),
    scripts: scriptsFile(database, ledger, scripts),
    triggers: writeTriggers(lines),
  });
  return {
    scripts: [...departed, ...firedTriggers(transaction, lines, scripts, incoming)],
    conffiles: transaction.conffiles,
    removed: transaction.removed.sort(compareBytes),
    warnings: transaction.warnings,
  };
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}

function checksumOf({ fields }: LedgerRecord): string {
  return normalChecksum(fields.get('C') ?? '');
}

export function inApkOrder(packages: readonly UnpackedPackage[]): readonly UnpackedPackage[] {
  return [...packages].sort(
    (a, b) => orderOf(a) - orderOf(b) || compareBytes(a.planned.name, b.planned.name),
  );
}

function orderOf({ planned }: UnpackedPackage): number {
  return Number(planned.extra?.['order'] ?? 0) || 0;
}

function controlOf({ digests }: UnpackedPackage['planned']): string {
  return digests.find(({ over }) => over === 'apk-control')?.value ?? '';
}

function scriptsFile(
  database: StoredDatabase,
  ledger: Ledger,
  scripts: ReadonlyMap<string, readonly StoredScript[]>,
): Uint8Array {
  const records = [...ledger.records()];
  const version = apkVersion(ledger);
  const hexadecimal = version !== undefined && compareVersions(version, '3') >= 0;
  if (hexadecimal) records.sort((a, b) => compareNames(a.name, b.name));
  const narrowNumbers = database.scripts.narrowNumbers && !isSorted(ledger, database);
  const bytes = writeScriptsTar(
    records.flatMap((record) => inOrder(scripts.get(checksumOf(record)) ?? [])),
    { narrowNumbers, hexadecimal },
  );
  return database.scriptsFile === 'scripts.tar' ? bytes : gzipSync(bytes, { level: 9 });
}

/** Of the apk that would have written the database. */
function apkVersion(ledger: Ledger): string | undefined {
  return ledger.get('apk-tools')?.fields.get('V');
}

/** apk 2.14 sorts the database; before, records keep their place and new ones come last. */
function isSorted(ledger: Ledger, { unsortedByDefault }: StoredDatabase): boolean {
  const version = apkVersion(ledger);
  return version === undefined ? !unsortedByDefault : compareVersions(version, '2.13') >= 0;
}

function inOrder(scripts: readonly StoredScript[]): readonly StoredScript[] {
  return SCRIPT_KINDS.flatMap((kind) => scripts.filter((script) => script.kind === kind));
}

function writeDatabase(
  draft: Draft,
  { folder, scriptsFile: scriptsName }: StoredDatabase,
  files: {
    readonly epoch: number;
    readonly installed: Uint8Array;
    readonly scripts: Uint8Array;
    readonly triggers: Uint8Array;
  },
): void {
  for (const [name, content] of [
    ['installed', files.installed],
    [scriptsName, files.scripts],
    ['triggers', files.triggers],
  ] as const) {
    const path = `${folder}/${name}`;
    const { mode, uid, gid } = draft.follow(path) ?? { mode: 0o644, uid: 0, gid: 0 };
    draft.put(path, { type: 'file', mode, uid, gid, mtime: files.epoch, content });
  }
}

/** Trigger scripts apk would run: for directories something changed in, and for all of a package that is itself new. */
function firedTriggers(
  { ledger, touched }: Transaction,
  lines: readonly TriggerLine[],
  scripts: ReadonlyMap<string, readonly StoredScript[]>,
  incoming: readonly UnpackedPackage[],
): Installation['scripts'] {
  const names = new Map([...ledger.records()].map((record) => [checksumOf(record), record.name]));
  const fresh = new Set(incoming.map(({ planned }) => planned.name));
  const all = [...ledger.directories()];
  return lines.flatMap((line) => {
    const name = names.get(normalChecksum(line.checksum)) ?? '';
    const directories = fresh.has(name) ? all : [...touched];
    if (!directories.some((directory) => isWatched(line, `/${directory}`))) return [];
    const found = scripts.get(normalChecksum(line.checksum))?.filter(({ kind }) => kind === 'trigger') ?? [];
    return found.map((script) => ({ package: name, script: toPackageScript(script) }));
  });
}
