// The package database of an image with dpkg, or with the status.d records of distroless images.
import { OnlayError } from '../../errors.ts';
import { rootPath } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type {
  InstallInput,
  Installation,
  OpenInput,
  PackageAccess,
  PackageDatabase,
  UnpackedPackage,
} from '../family.ts';
import type { InstalledPackage, PlannedPackage } from '../package.ts';
import { verifyPackage } from '../verified.ts';
import type { VerifiedPackage } from '../verified.ts';
import { packageAccess } from './access.ts';
import { nativeArchitecture } from './architecture.ts';
import { auditInstalled, auditStatusD } from './audit.ts';
import { readDeb } from './deb.ts';
import type { Deb } from './deb.ts';
import { InfoFiles } from './info-files.ts';
import { installPackages } from './install.ts';
import { resolveDpkg } from './resolve.ts';
import { upgradeScripts } from './scripts.ts';
import { STATUS_D, installStatusD, readStatusD } from './status-d.ts';
import type { StatusDRecord } from './status-d.ts';
import { STATUS, compareRecords, heldReason, isInstalled, readStatus, replayUpdates } from './status.ts';
import type { StatusRecord } from './status.ts';
import { readImageRules, readText } from './transaction.ts';
import { dropUnchanged } from './unchanged.ts';
import { findRecord } from './units.ts';

/** The database of `root`; undefined if it has none. Throws DATABASE_INVALID. */
export function openDatabase(input: OpenInput): PackageDatabase | undefined {
  const { root, log } = input;
  const status =
    root.follow(STATUS)?.type === 'file'
      ? readStatus(readText(root, STATUS), `dpkg status at ${STATUS}`)
      : [];
  const statusD = readStatusD(root);
  if (status.length === 0 && statusD.length === 0) return undefined;
  if (status.length > 0 && statusD.length > 0)
    log.warn('The image has packages in var/lib/dpkg/status and in status.d; only the former are looked at');
  if (status.length === 0) return new StatusDDatabase(input, statusD);
  const journal = journalFiles(root);
  if (journal.length > 0)
    log.warn('dpkg was interrupted in this image; its journal is applied', { files: journal.length });
  const updates = journal.flatMap((path) => readStatus(readText(root, path), `dpkg journal at ${path}`));
  const records = replayUpdates(status, updates);
  for (const record of records) {
    const reason = heldReason(record);
    if (isInstalled(record) && reason !== undefined && reason !== 'hold')
      log.warn('A package is not fully installed in the image and stays as it is', {
        package: record.name,
        state: reason,
      });
  }
  return new DpkgDatabase(input, records, journal);
}

/** updates/NNNN, in order; other files there are not the journal's. */
function journalFiles(root: RootView): string[] {
  return root
    .list(UPDATES)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => `${UPDATES}/${name}`);
}

const UPDATES = 'var/lib/dpkg/updates';

/** What `unpack` hands to `install`. */
class DebContent {
  readonly deb: Deb;

  constructor(deb: Deb) {
    this.deb = deb;
  }
}

abstract class Database {
  readonly family = 'dpkg' as const;
  readonly packages: readonly InstalledPackage[];
  protected readonly input: OpenInput;
  protected readonly records: readonly StatusRecord[];
  /** Configuration that is the same for every package of a run. */
  #access: { readonly lines: string; readonly to: ReturnType<typeof packageAccess> } | undefined;

  constructor(input: OpenInput, records: readonly StatusRecord[]) {
    this.input = input;
    this.records = records;
    this.packages = [...records].filter(isInstalled).sort(compareRecords).map(installedPackage);
  }

  access(planned: PlannedPackage, repositories: readonly string[]): PackageAccess {
    const { root } = this.input;
    const lines = repositories.join('\n');
    if (this.#access?.lines !== lines)
      this.#access = {
        lines,
        to: packageAccess(root, nativeArchitecture(root, this.records, this.input), repositories),
      };
    return this.#access.to(planned.url);
  }

  async verify(planned: PlannedPackage, bytes: Uint8Array): Promise<VerifiedPackage> {
    return verifyPackage(planned, bytes);
  }

  async unpack(verified: VerifiedPackage): Promise<UnpackedPackage> {
    const { planned } = verified;
    const deb = await readDeb(verified.bytes, `package ${planned.name} ${planned.to} from ${planned.url}`);
    checkIdentity(planned, deb);
    return {
      planned,
      scripts: this.scripts(planned, deb),
      content: new DebContent(this.reduce(planned, deb)),
    };
  }

  protected abstract scripts(planned: PlannedPackage, deb: Deb): UnpackedPackage['scripts'];
  protected abstract reduce(planned: PlannedPackage, deb: Deb): Deb;
}

class DpkgDatabase extends Database implements PackageDatabase {
  readonly kind = 'dpkg';
  readonly path: RootPath = rootPath(STATUS);
  readonly #rules: ReturnType<typeof readImageRules>;
  readonly #journal: readonly string[];

  constructor(input: OpenInput, records: readonly StatusRecord[], journal: readonly string[]) {
    super(input, records);
    this.#rules = readImageRules(input.root);
    this.#journal = journal;
  }

  resolve(request: Parameters<PackageDatabase['resolve']>[0]): ReturnType<PackageDatabase['resolve']> {
    return resolveDpkg({ ...this.input, status: this.records, kind: this.kind, request });
  }

  protected scripts(planned: PlannedPackage, deb: Deb): UnpackedPackage['scripts'] {
    const old = this.#old(planned);
    const info = new InfoFiles(this.input.root);
    return upgradeScripts(deb.members, old && ((member) => info.read(old, member)));
  }

  protected reduce(planned: PlannedPackage, deb: Deb): Deb {
    const { root } = this.input;
    const old = this.#old(planned);
    const list = old && new InfoFiles(root).list(old);
    const names = list && new Set(list);
    return dropUnchanged(deb, { root, rules: this.#rules, isOwn: (name) => names?.has(name) ?? false });
  }

  /** The installed version of what is planned. */
  #old({ name, arch }: PlannedPackage): StatusRecord | undefined {
    const record = findRecord(this.records, name, arch);
    return record && isInstalled(record) ? record : undefined;
  }

  async audit(): Promise<readonly string[]> {
    return auditInstalled(this.input.root, this.records);
  }

  async install(input: InstallInput): Promise<Installation> {
    const nativeArch = nativeArchitecture(this.input.root, this.records, this.input);
    return installPackages(
      { records: this.records, rules: this.#rules, journal: this.#journal, nativeArch },
      input,
      debsOf(input),
    );
  }
}

class StatusDDatabase extends Database implements PackageDatabase {
  readonly kind = 'status.d';
  readonly path: RootPath = rootPath(STATUS_D);
  readonly #files: readonly StatusDRecord[];

  constructor(input: OpenInput, files: readonly StatusDRecord[]) {
    super(
      input,
      files.map(({ record }) => record),
    );
    this.#files = files;
  }

  resolve(request: Parameters<PackageDatabase['resolve']>[0]): ReturnType<PackageDatabase['resolve']> {
    return resolveDpkg({ ...this.input, status: this.records, kind: this.kind, request });
  }

  /** Nothing ever ran a maintainer script in such an image. */
  protected scripts(): UnpackedPackage['scripts'] {
    return [];
  }

  protected reduce(_: PlannedPackage, deb: Deb): Deb {
    const { root } = this.input;
    return dropUnchanged(deb, { root, rules: readImageRules(root), isOwn: () => true });
  }

  async audit(): Promise<readonly string[]> {
    return auditStatusD(this.input.root, this.#files);
  }

  async install(input: InstallInput): Promise<Installation> {
    return installStatusD(this.#files, input, debsOf(input));
  }
}

function debsOf({ packages }: InstallInput): Deb[] {
  return packages.map(({ content, planned }) => {
    if (content instanceof DebContent) return content.deb;
    throw new OnlayError('INTERNAL', `Package ${planned.name} was not unpacked by this family`);
  });
}

/** A signed index says which package it is; the package must agree. */
function checkIdentity(planned: PlannedPackage, { control }: Deb): void {
  const expected = { Package: planned.name, Version: planned.to, Architecture: planned.arch };
  for (const [field, value] of Object.entries(expected)) {
    const actual = control.get(field);
    if (actual !== value)
      throw new OnlayError(
        'PACKAGE_INVALID',
        `Package ${planned.url} has ${field} ${actual ?? '(none)'} where the plan says ${value}`,
      );
  }
}

function installedPackage(record: StatusRecord): InstalledPackage {
  const { name, arch, version, source, sourceVersion } = record;
  const held = heldReason(record);
  return { name, arch, version, source, sourceVersion, ...(held === undefined ? {} : { held }) };
}
