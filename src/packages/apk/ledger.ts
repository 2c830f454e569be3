// The database while an upgrade runs: which package owns which file and directory. Paths are as the database spells
// them; links of the image (lib → usr/lib) are followed only where something is written.
import { parentOf, baseName, joinPath } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import { DIRECTORY_OWNER, field } from './installed.ts';
import type { InstalledFile, InstalledRecord, Owner } from './installed.ts';

export interface LedgerDirectory {
  readonly path: RootPath;
  owner: Owner | undefined;
  readonly files: Map<string, InstalledFile>;
}

export interface LedgerRecord {
  readonly name: string;
  readonly fields: Map<string, string>;
  readonly directories: Map<RootPath, LedgerDirectory>;
}

export class Ledger {
  /** In database order; new records at the end. */
  readonly #records = new Map<string, LedgerRecord>();
  readonly #fileOwners = new Map<RootPath, LedgerRecord>();
  readonly #directoryOwners = new Map<RootPath, Set<LedgerDirectory>>();

  constructor(records: readonly InstalledRecord[]) {
    for (const record of records) {
      const copy: LedgerRecord = {
        name: field(record, 'P'),
        fields: new Map(record.fields),
        directories: new Map(),
      };
      for (const { path, owner, files } of record.directories)
        copy.directories.set(path as RootPath, {
          path: path as RootPath,
          owner,
          files: new Map(files.map((file) => [file.name, file])),
        });
      this.add(copy);
    }
  }

  records(): Iterable<LedgerRecord> {
    return this.#records.values();
  }

  get(name: string): LedgerRecord | undefined {
    return this.#records.get(name);
  }

  ownerOf(path: RootPath): LedgerRecord | undefined {
    return this.#fileOwners.get(path);
  }

  /** At the end, in place of a record of the same name. */
  add(record: LedgerRecord): void {
    this.#records.delete(record.name);
    this.#records.set(record.name, record);
    for (const directory of record.directories.values()) {
      const owners = this.#directoryOwners.get(directory.path);
      if (owners) owners.add(directory);
      else this.#directoryOwners.set(directory.path, new Set([directory]));
      for (const name of directory.files.keys()) this.#fileOwners.set(joinPath(directory.path, name), record);
    }
  }

  drop(record: LedgerRecord): void {
    if (this.#records.get(record.name) === record) this.#records.delete(record.name);
    for (const path of filesOf(record))
      if (this.#fileOwners.get(path) === record) this.#fileOwners.delete(path);
    for (const directory of record.directories.values()) {
      const owners = this.#directoryOwners.get(directory.path);
      owners?.delete(directory);
      if (owners?.size === 0) this.#directoryOwners.delete(directory.path);
    }
  }

  /** Takes the file from its owner; answers what the database said of it. */
  release(path: RootPath): InstalledFile | undefined {
    const files = this.#fileOwners.get(path)?.directories.get(parentOf(path))?.files;
    const file = files?.get(baseName(path));
    files?.delete(baseName(path));
    this.#fileOwners.delete(path);
    return file;
  }

  /** Every directory that some package owns. */
  directories(): Iterable<RootPath> {
    return this.#directoryOwners.keys();
  }

  /** What the owners of a directory together say of it; undefined: it has none. */
  ownerAt(path: RootPath): Owner | undefined {
    let merged: Owner | undefined;
    for (const { owner = DIRECTORY_OWNER } of this.#directoryOwners.get(path) ?? [])
      merged = merged ? mergeOwners(merged, owner) : owner;
    return merged;
  }

  /** For the writer. */
  toRecords(): InstalledRecord[] {
    return [...this.#records.values()].map(({ fields, directories }) => ({
      fields,
      directories: [...directories.values()].map(({ path, owner, files }) => ({
        path,
        ...(owner ? { owner } : {}),
        files: [...files.values()],
      })),
    }));
  }
}

/** The lowest user, then group, decides; of equal ones only the permissions that all give. */
function mergeOwners(a: Owner, b: Owner): Owner {
  const order = a.uid - b.uid || a.gid - b.gid;
  if (order !== 0) return order < 0 ? a : b;
  return { ...a, mode: a.mode & b.mode };
}

export function* filesOf(record: LedgerRecord): Iterable<RootPath> {
  for (const directory of record.directories.values())
    for (const name of directory.files.keys()) yield joinPath(directory.path, name);
}
