// What the steps of an upgrade share.
import type { Draft } from '../../rootfs/draft.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { ConfigFileOutcome } from '../family.ts';
import type { Ledger } from './ledger.ts';
import type { ProtectedPaths } from './protected.ts';

export interface Transaction {
  readonly draft: Draft;
  readonly ledger: Ledger;
  readonly protectedPaths: ProtectedPaths;
  /** For what has no time of its own. */
  readonly epoch: number;
  /** Directories met so far: true where packages say their attributes, because they were as the database said. */
  readonly managed: Map<RootPath, boolean>;
  /** Directories in which something changed, for triggers. */
  readonly touched: Set<RootPath>;
  readonly conffiles: ConfigFileOutcome[];
  readonly removed: string[];
  readonly warnings: string[];
}
