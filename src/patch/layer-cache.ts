// Layer indexes on disk, by layer digest: content of a digest never changes, so a hit saves the download and the scan.
// Records carry their own checksum and policy (rootfs/layer-index.ts); anything unreadable is a miss.
import { readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Log } from '../base/log.ts';
import { makeDirectory } from '../base/make-directory.ts';
import { digestAlgorithm, digestHex } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { decodeLayerIndex, encodeLayerIndex } from '../rootfs/layer-index.ts';
import type { LayerIndex } from '../rootfs/layer-index.ts';

/** Bytes the records may take together; the least recently used go first. */
const CAPACITY = 2 * 1024 ** 3;

export interface LayerCache {
  get(digest: Digest, policy: string): Promise<LayerIndex | undefined>;
  put(digest: Digest, index: LayerIndex): Promise<void>;
}

export function openLayerCache(cacheDir: string, log: Log): LayerCache {
  const directory = join(cacheDir, 'layers');
  const file = (digest: Digest): string => join(directory, `${digestAlgorithm(digest)}-${digestHex(digest)}`);
  return {
    async get(digest, policy) {
      const path = file(digest);
      try {
        const index = decodeLayerIndex(await readFile(path));
        if (index.policy !== policy) return undefined;
        const now = new Date();
        await utimes(path, now, now).catch(() => undefined);
        return index;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          log.debug('Unreadable layer record is ignored', { digest });
        return undefined;
      }
    },
    async put(digest, index) {
      const temporary = `${file(digest)}.${randomBytes(6).toString('hex')}`;
      try {
        await makeDirectory(directory);
        await writeFile(temporary, encodeLayerIndex(index));
        await rename(temporary, file(digest));
        await evict(directory);
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined);
        log.debug('Cannot write layer record', { directory, reason: String(error) });
      }
    },
  };
}

async function evict(directory: string): Promise<void> {
  const records = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const { size, mtimeMs } = await stat(join(directory, name)).catch(() => ({ size: 0, mtimeMs: 0 }));
      return { name, size, mtimeMs };
    }),
  );
  let total = records.reduce((sum, { size }) => sum + size, 0);
  for (const { name, size } of records.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (total <= CAPACITY) break;
    await rm(join(directory, name), { force: true });
    total -= size;
  }
}
