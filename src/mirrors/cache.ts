// What was downloaded and whose SHA-256 was known beforehand, by that digest: <directory>/packages/ab/<sha256> and
// <directory>/indexes/ab/<sha256>. Entries are written beside and renamed, verified when read, and the oldest go when
// a class outgrows its bound. A cache that cannot be used is no cache: its failures are logged, never thrown.
import { randomBytes } from 'node:crypto';
import { readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hexDigest } from '../base/hash.ts';
import type { Log } from '../base/log.ts';
import { makeDirectory } from '../base/make-directory.ts';
import { messageOf } from '../errors.ts';

export type CacheClass = 'packages' | 'indexes';

export interface DownloadCache {
  /** The content with that digest, if it is here and intact. */
  get(kind: CacheClass, sha256: string): Promise<Uint8Array | undefined>;
  /** Stores content whose digest the caller has checked. */
  put(kind: CacheClass, sha256: string, bytes: Uint8Array): Promise<void>;
  /** Removes the oldest entries of classes that were written to, down to their bounds. */
  prune(): Promise<void>;
}

export const CACHE_BOUNDS: Readonly<Record<CacheClass, number>> = { packages: 4 * 2 ** 30, indexes: 2 ** 30 };

export function openCache(
  directory: string,
  log: Log,
  bounds: Readonly<Record<CacheClass, number>> = CACHE_BOUNDS,
): DownloadCache {
  const written = new Set<CacheClass>();
  const place = (kind: CacheClass, sha256: string): string =>
    join(directory, kind, sha256.slice(0, 2), sha256);
  return {
    async get(kind, sha256) {
      if (!DIGEST.test(sha256)) return undefined;
      const path = place(kind, sha256);
      const bytes = await readFile(path).catch(() => undefined);
      if (!bytes) return undefined;
      if (hexDigest('sha256', bytes) !== sha256) {
        log.warn('Removed a damaged file from the cache', { path });
        await rm(path, { force: true });
        return undefined;
      }
      // the age of an entry is the time of its last use
      const now = new Date();
      await utimes(path, now, now).catch(() => {});
      return bytes;
    },
    async put(kind, sha256, bytes) {
      if (!DIGEST.test(sha256) || bytes.length > bounds[kind]) return;
      const path = place(kind, sha256);
      const beside = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
      try {
        await makeDirectory(join(path, '..'));
        await writeFile(beside, bytes, { mode: 0o644, flag: 'wx' });
        await rename(beside, path);
        written.add(kind);
      } catch (error) {
        await rm(beside, { force: true }).catch(() => {});
        log.debug('Cannot write to the cache', { path, error: messageOf(error) });
      }
    },
    async prune() {
      for (const kind of written) await pruneClass(join(directory, kind), bounds[kind]);
      written.clear();
    },
  };
}

const DIGEST = /^[0-9a-f]{64}$/;

async function pruneClass(directory: string, bound: number): Promise<void> {
  const entries: { path: string; size: number; used: number }[] = [];
  let total = 0;
  for (const part of await readdir(directory).catch(() => []))
    for (const name of await readdir(join(directory, part)).catch(() => [])) {
      const path = join(directory, part, name);
      const facts = await stat(path).catch(() => undefined);
      if (!facts?.isFile()) continue;
      // a temporary file of a run that died; a living one is younger than an hour
      const abandoned = name.endsWith('.tmp') && Date.now() - facts.mtimeMs > 3_600_000;
      if (abandoned) await rm(path, { force: true }).catch(() => {});
      if (name.endsWith('.tmp')) continue;
      entries.push({ path, size: facts.size, used: facts.mtimeMs });
      total += facts.size;
    }
  entries.sort((a, b) => a.used - b.used);
  for (const entry of entries) {
    if (total <= bound) break;
    await rm(entry.path, { force: true }).catch(() => {});
    total -= entry.size;
  }
}
