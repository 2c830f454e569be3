// `onlay cache info` and `onlay cache prune`: what the local cache holds, and getting rid of it. Only files named by a
// digest count, so that a folder given by mistake loses nothing.
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { OnlayError } from '../../errors.ts';
import type { Streams } from '../streams.ts';
import { defaultCache } from '../session.ts';
import { formatBytes } from '../terminal.ts';

/** The folders onlay makes below its cache directory. */
const PARTS = ['layers', 'indexes', 'packages'] as const;

/** Files of the cache, finished or abandoned: mirrors/cache.ts, patch/layer-cache.ts. */
const ENTRY = /^(?:sha(?:256|512)-)?(?:[0-9a-f]{64}|[0-9a-f]{128})(?:\.[0-9a-z.-]+)?$/;

export async function cacheInfo(
  flags: { readonly cacheDir?: string; readonly json?: boolean },
  streams: Streams,
): Promise<number> {
  const directory = cacheDirectory(flags, streams);
  const parts = [];
  for (const part of PARTS) parts.push({ part, ...(await measure(join(directory, part))) });
  if (flags.json)
    streams.stdout.write(`${JSON.stringify({ schemaVersion: 1, directory, parts }, null, 2)}\n`);
  else {
    streams.stdout.write(`${directory}\n`);
    for (const { part, files, bytes } of parts)
      streams.stdout.write(
        `  ${part.padEnd(10)} ${String(files).padStart(6)} files  ${formatBytes(bytes)}\n`,
      );
  }
  return 0;
}

export async function cachePrune(flags: { readonly cacheDir?: string }, streams: Streams): Promise<number> {
  const directory = cacheDirectory(flags, streams);
  let [files, bytes] = [0, 0];
  for (const part of PARTS) {
    const entries = await entriesBelow(join(directory, part));
    for (const { path, size } of entries) {
      await rm(path, { force: true });
      files++;
      bytes += size;
    }
    // what is not empty holds what is not ours
    const folders = new Set([...entries.map(({ path }) => dirname(path)), join(directory, part)]);
    for (const folder of folders) await rmdir(folder).catch(() => undefined);
  }
  streams.stderr.write(`Removed ${files} files, ${formatBytes(bytes)}, from ${directory}\n`);
  return 0;
}

function cacheDirectory(flags: { readonly cacheDir?: string }, { env }: Streams): string {
  const directory = flags.cacheDir || defaultCache(env);
  if (directory === undefined)
    throw new OnlayError('USAGE', 'There is no cache: no home directory is known', {
      hint: 'name it with --cache-dir',
    });
  return directory;
}

async function measure(directory: string): Promise<{ readonly files: number; readonly bytes: number }> {
  const entries = await entriesBelow(directory);
  return { files: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) };
}

async function entriesBelow(
  directory: string,
): Promise<readonly { readonly path: string; readonly size: number }[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => [] as string[]);
  const paths = names.filter((name) => ENTRY.test(basename(name))).map((name) => join(directory, name));
  const facts = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return paths.flatMap((path, at) => {
    const found = facts[at];
    return found?.isFile() ? [{ path, size: found.size }] : [];
  });
}
