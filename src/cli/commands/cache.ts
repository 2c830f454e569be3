// `onlay cache info` and `onlay cache prune`: what the local cache holds, and getting rid of it.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { OnlayError } from '../../errors.ts';
import type { Streams } from '../main.ts';
import { defaultCache } from '../session.ts';
import { formatBytes } from '../terminal.ts';

/** The folders onlay makes below its cache directory; nothing else there is touched. */
const PARTS = ['layers', 'indexes', 'packages'] as const;

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
  for (const part of PARTS) await rm(join(directory, part), { recursive: true, force: true });
  streams.stderr.write(`${directory} is empty now\n`);
  return 0;
}

function cacheDirectory(flags: { readonly cacheDir?: string }, { env }: Streams): string {
  const directory = flags.cacheDir ?? defaultCache(env);
  if (directory === undefined)
    throw new OnlayError('USAGE', 'There is no cache: no home directory is known', {
      hint: 'name it with --cache-dir',
    });
  return directory;
}

async function measure(directory: string): Promise<{ readonly files: number; readonly bytes: number }> {
  const names = await readdir(directory, { recursive: true }).catch(() => [] as string[]);
  const found = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => undefined)));
  const files = found.filter((item) => item?.isFile());
  return { files: files.length, bytes: files.reduce((sum, item) => sum + (item?.size ?? 0), 0) };
}
