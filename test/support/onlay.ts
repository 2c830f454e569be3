// Runs the command as users do: a process of its own, with an environment that holds nothing of this machine's user.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Outcome } from '../../src/patch/outcome.ts';
import { projectRoot } from './project.ts';

export interface Run {
  readonly status: number;
  readonly stdout: string;
  /** Standard output as it came. */
  readonly output: Buffer;
  readonly stderr: string;
  /** The result document of --json. */
  readonly outcome: Outcome;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input; default: empty. */
  readonly input?: Uint8Array;
}

// no folder can be made below it, not even by root
const NOWHERE = '/dev/null';

/** `onlay ARGS`, without a cache and without a home. A text is cut at its spaces. */
export function onlay(
  args: readonly string[] | string,
  { env = {}, cwd = projectRoot, input = new Uint8Array() }: RunOptions = {},
): Promise<Run> {
  const words = typeof args === 'string' ? args.trim().split(/\s+/) : args;
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [join(projectRoot, 'bin', 'onlay.js'), ...words],
      {
        cwd,
        env: { PATH: process.env['PATH'] ?? '', HOME: NOWHERE, ...env },
        encoding: 'buffer',
        maxBuffer: 256 * 1024 * 1024,
        timeout: 120_000,
      },
      (error, output, errors) => {
        const stderr = errors.toString();
        const status = error === null ? 0 : error.code;
        if (typeof status !== 'number')
          return reject(
            new Error(`onlay did not end by itself: ${String(error?.signal ?? status)}\n${stderr}`),
          );
        const stdout = output.toString();
        resolve({
          status,
          stdout,
          output,
          stderr,
          get outcome() {
            return JSON.parse(stdout) as Outcome;
          },
        });
      },
    );
    // a run that ends before it has read all does not matter
    child.stdin?.on('error', () => undefined).end(input);
  });
}
