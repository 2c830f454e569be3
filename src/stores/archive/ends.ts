// The ends of archives: files, and the standard streams. Compressed archives (`docker save x | gzip`) are read, never
// written. What cannot be read at random is first taken up in a temporary file: standard input and compressed archives
// in the system's directory for temporary files (TMPDIR), 64 GiB at most.
import { constants } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ByteStream } from '../../base/streams.ts';
import { SNIFF_SIZE, sniff } from '../../codec/sniff.ts';
import { decompress } from '../../codec/index.ts';
import { OnlayError } from '../../errors.ts';
import { errno, readRange } from '../file-range.ts';
import { refusal, replaceFile, writeAll } from '../replace-file.ts';
import type { ArchiveEnds, OpenedArchive } from './index.ts';
import { spool } from './spool.ts';

const MAX_SPOOL = 64 * 1024 ** 3;

/** An archive in a file. With access 'write' what is there now does not count; it is replaced at once in the end. */
export function fileEnds(file: string, name: string, access: 'read' | 'write'): ArchiveEnds {
  return {
    name,
    read: async () => (access === 'write' ? undefined : openFile(file, name)),
    write: (content) => writeFile(file, content),
    rewritable: true,
    temporary: dirname(file),
  };
}

type Terminal = { readonly isTTY?: boolean };

/** Archives on the standard streams. */
export function streamEnds(
  name: string,
  stdin: Readable & Terminal,
  stdout: Writable & Terminal,
  signal?: AbortSignal,
): ArchiveEnds {
  return {
    name,
    read: async () => {
      if (stdin.isTTY)
        throw new OnlayError(
          'USAGE',
          'An image archive was expected on standard input, which is a terminal',
          {
            hint: 'pipe one in: docker save IMAGE | onlay …',
          },
        );
      return takeUp(stdin, 'Standard input');
    },
    write: async (content) => {
      if (stdout.isTTY)
        throw new OnlayError('USAGE', 'An image archive is not written to a terminal', {
          hint: 'redirect standard output to a file or to: docker load',
        });
      try {
        await pipeline(content, stdout, { end: false, ...(signal && { signal }) });
      } catch (error) {
        throw signal?.aborted ? signal.reason : refusal(error, 'standard output');
      }
    },
    rewritable: false,
    temporary: tmpdir(),
  };
}

/** A stream as an archive with random access, decompressed. */
export function takeUp(content: ByteStream, what: string): Promise<OpenedArchive> {
  const plain = decompress(content, { limit: MAX_SPOOL, what });
  return spool(plain, { directory: tmpdir(), limit: MAX_SPOOL, what });
}

async function openFile(file: string, name: string): Promise<OpenedArchive | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw new OnlayError('IMAGE_NOT_FOUND', `Cannot read ${name}: ${errno(error) ?? String(error)}`, {
      cause: error,
    });
  }
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    await handle.close();
    throw new OnlayError('IMAGE_NOT_FOUND', `Cannot read ${name}: it is a directory`, {
      hint: 'a directory is named oci:DIR',
    });
  }
  if (stats.isFile()) {
    const head = Buffer.alloc(SNIFF_SIZE);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    if (sniff(head.subarray(0, bytesRead)) === 'none') return { handle, size: stats.size };
  }
  try {
    return await takeUp(
      stats.isFile() ? readRange(handle, 0, stats.size) : handle.createReadStream({ autoClose: false }),
      name,
    );
  } finally {
    await handle.close();
  }
}

async function writeFile(file: string, content: ByteStream): Promise<void> {
  const real = await realpath(file).catch(() => file);
  const stats = await stat(real).catch(() => undefined);
  // a pipe or device is written to, not replaced
  if (!stats || stats.isFile()) return replaceFile(real, content, dirname(real));
  try {
    await using handle = await open(real, 'w');
    await writeAll(handle, content);
  } catch (error) {
    throw refusal(error, file);
  }
}
