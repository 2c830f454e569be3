// PORT inside the rpm family: a database yields header blobs and takes header blobs. What is around them (pages, slots,
// index tables) is the adapter's: sqlite.ts, ndb.ts, bdb.ts.
import type { RootPath } from '../../../rootfs/path.ts';
import type { Header } from '../header.ts';

export interface StoredHeader {
  /** Number of the package in the database: never used again, kept by packages that do not change. */
  readonly number: number;
  readonly header: Header;
}

export interface DatabaseChange {
  readonly removed: ReadonlySet<number>;
  /** Blobs of new packages, in the order of the transaction; they get the next numbers. */
  readonly added: readonly Uint8Array[];
}

/** Files to write and to remove. Paths are real paths of the image. */
export interface DatabaseFiles {
  readonly written: ReadonlyMap<RootPath, Uint8Array>;
  readonly removed: readonly RootPath[];
}

export interface HeaderDatabase {
  readonly kind: 'sqlite' | 'ndb' | 'bdb';
  /** The file that holds the headers. */
  readonly path: RootPath;
  /** By number, ascending. */
  readonly headers: readonly StoredHeader[];
  /** Every package that is not in `removed` keeps its number and its bytes; all index rows are made to fit. */
  write(change: DatabaseChange): Promise<DatabaseFiles>;
}

/** Content of the files beside the database that an adapter needs, and where they are. */
export interface DatabaseInput {
  readonly path: RootPath;
  readonly bytes: Uint8Array;
  /** Byte order of the image's machine, for a database that does not tell. */
  readonly bigEndian: boolean;
  /** A file in the same directory; undefined if there is none. */
  readonly sibling: (name: string) => { readonly path: RootPath; readonly bytes: Uint8Array } | undefined;
}
