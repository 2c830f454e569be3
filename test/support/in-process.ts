// The command in this process, for tests that run it often: its own streams, its own environment, no home.
import { PassThrough } from 'node:stream';
import { main } from '../../src/cli/main.ts';
import type { Streams } from '../../src/cli/streams.ts';

export interface InProcessOptions {
  readonly input?: Uint8Array;
  /** Which streams are terminals. */
  readonly terminals?: readonly ('stdin' | 'stdout' | 'stderr')[];
  /** Besides a HOME that is none. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface InProcessRun {
  readonly status: number;
  readonly output: Buffer;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runInProcess(
  args: readonly string[],
  { input = new Uint8Array(), terminals = [], env = {} }: InProcessOptions = {},
): Promise<InProcessRun> {
  const stream = (name: 'stdin' | 'stdout' | 'stderr'): PassThrough & { isTTY: boolean } =>
    Object.assign(new PassThrough(), { isTTY: terminals.includes(name) });
  const [stdin, stdout, stderr] = [stream('stdin'), stream('stdout'), stream('stderr')];
  const written = [stdout, stderr].map((from) => {
    const chunks: Buffer[] = [];
    from.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  });
  stdin.end(input);
  const streams = { stdin, stdout, stderr, env: { HOME: '/dev/null', ...env } } as unknown as Streams;
  const status = await main(args, streams);
  const [output, errors] = written.map((chunks) => Buffer.concat(chunks)) as [Buffer, Buffer];
  return { status, output, stdout: output.toString(), stderr: errors.toString() };
}
