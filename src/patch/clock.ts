// Where time comes from: SOURCE_DATE_EPOCH, else the image and what goes into it. Never the wall clock, because the same
// inputs must give the same digest.
import type { ChangeSet } from '../rootfs/change-set.ts';

/** Time for files that have none of their own: the given epoch, else when the image was created. Seconds. */
export function fileEpoch(created: string | undefined, sourceDateEpoch: number | undefined): number {
  if (sourceDateEpoch !== undefined) return sourceDateEpoch;
  const parsed = created === undefined ? Number.NaN : Date.parse(created);
  return Number.isFinite(parsed) && parsed > 0 ? Math.floor(parsed / 1000) : 0;
}

/** `created` of the new image: the given epoch, else the newest of the image and the files put into it. */
export function createdAt(changes: ChangeSet, epoch: number, sourceDateEpoch: number | undefined): string {
  const newest =
    sourceDateEpoch ??
    changes.changes.reduce(
      (latest, change) => (change.kind === 'put' ? Math.max(latest, change.node.mtime) : latest),
      epoch,
    );
  return new Date(Math.min(newest, 253402300799) * 1000).toISOString().replace('.000Z', 'Z');
}
