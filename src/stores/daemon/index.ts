// Images of a local Docker or Podman, through its command line: `docker save REF` and `docker load`. A convenience for
// those who have it; nothing here needs a daemon otherwise. No shell is involved, and the name is checked before.
import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ByteStream } from '../../base/streams.ts';
import { OnlayError, messageOf } from '../../errors.ts';
import type { ImageStore } from '../../oci/image-store.ts';
import { takeUp } from '../archive/ends.ts';
import { ArchiveStore, type OpenedArchive } from '../archive/index.ts';
import { errno } from '../file-range.ts';

export type DaemonProgram = 'docker' | 'podman';

export interface DaemonOptions {
  readonly access: 'read' | 'write';
  readonly signal?: AbortSignal;
  /** The program to run, when it is not found by its name. */
  readonly command?: string;
}

/** The image `reference` of a local daemon; an image that is written gets the name it is put under. */
export function openDaemon(program: DaemonProgram, reference: string, options: DaemonOptions): ImageStore {
  const name = `${program === 'docker' ? 'docker-daemon' : 'podman'}:${reference}`;
  const run: Run = { program, command: options.command ?? program, name, signal: options.signal };
  return new ArchiveStore(
    {
      name,
      read: async () => (options.access === 'write' ? undefined : save(run, reference)),
      write: (content) => load(run, content),
      rewritable: true,
      temporary: tmpdir(),
    },
    // what is saved is one image, whatever its name in the archive
    { style: 'docker', ...(options.signal && { signal: options.signal }) },
  );
}

interface Run {
  readonly program: DaemonProgram;
  readonly command: string;
  readonly name: string;
  readonly signal: AbortSignal | undefined;
}

async function save(run: Run, reference: string): Promise<OpenedArchive> {
  const format = run.program === 'podman' ? ['--format', 'docker-archive'] : [];
  const child = start(run, ['save', ...format, reference], ['ignore', 'pipe', 'pipe']);
  let first: { readonly error: unknown } | undefined;
  const noted = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      first ??= { error };
      child.process.kill();
      throw error;
    }
  };
  // read from the start: Node throws away what nobody has begun to read when the program ends
  const content = (child.process.stdout as Readable).pipe(new PassThrough());
  const [, archive] = await Promise.allSettled([noted(child.done), noted(takeUp(content, run.name))]);
  if (archive.status === 'fulfilled' && !first) return archive.value;
  if (archive.status === 'fulfilled') await archive.value.handle.close();
  throw first?.error;
}

async function load(run: Run, content: ByteStream): Promise<void> {
  const child = start(run, ['load'], ['pipe', 'ignore', 'pipe']);
  let failure: { readonly error: unknown } | undefined;
  async function* watched(): ByteStream {
    try {
      yield* content;
    } catch (error) {
      failure = { error };
      child.process.kill();
      throw error;
    }
  }
  const sending = pipeline(watched(), child.process.stdin as NodeJS.WritableStream);
  const [outcome, sent] = await Promise.allSettled([child.done, sending]);
  if (failure) throw failure.error;
  // what the program says counts for more than our broken pipe
  if (outcome.status === 'rejected') throw outcome.reason;
  if (sent.status === 'rejected') throw sent.reason;
}

type Stdio = ('ignore' | 'pipe')[];

function start(
  run: Run,
  args: readonly string[],
  stdio: Stdio,
): { process: ChildProcess; done: Promise<void> } {
  const child = spawn(run.command, args, { stdio, shell: false, ...(run.signal && { signal: run.signal }) });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 4096) said += text;
  });
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(run.signal?.aborted ? run.signal.reason : notStarted(run, error)));
    child.once('close', (status, signal) => {
      if (status === 0) resolve();
      else
        reject(
          failed(run, args[0] as string, said, status === null ? `signal ${signal}` : `status ${status}`),
        );
    });
  });
  return { process: child, done };
}

function notStarted(run: Run, cause: Error): OnlayError {
  const missing = errno(cause) === 'ENOENT';
  return new OnlayError(
    'USAGE',
    `Cannot use ${run.name}: ${missing ? `there is no program ${run.command}` : messageOf(cause)}`,
    { cause, hint: 'name the image in a registry, or an archive: docker-archive:FILE' },
  );
}

function failed(run: Run, command: string, said: string, how: string): OnlayError {
  const line = said.trim().split('\n').at(-1)?.trim() ?? '';
  const message = `${run.program} ${command} failed for ${run.name} (${how}): ${line === '' ? 'it said nothing' : line}`;
  if (/no such image|not known|reference does not exist|not found/i.test(said))
    return new OnlayError('IMAGE_NOT_FOUND', message);
  if (/cannot connect|is the docker daemon running|unable to connect/i.test(said))
    return new OnlayError('NETWORK', message, {
      hint: `start ${run.program}, or name the image in a registry`,
    });
  return new OnlayError('SERVER', message);
}
