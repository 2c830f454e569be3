// Runs the command as users do: a process of its own, with an environment that holds nothing of this machine's user.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Outcome } from '../../src/patch/outcome.ts';
import { projectRoot } from './project.ts';

export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The result document of --json. */
  readonly outcome: Outcome;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** `onlay ARGS`, without a cache and without a home. */
export function onlay(
  args: readonly string[],
  { env = {}, cwd = projectRoot }: RunOptions = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: '/nonexistent',
        ...(args.includes('--cache-dir') ? {} : { ONLAY_NO_CACHE: '1' }),
        ...env,
      },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 120_000,
    };
    execFile(
      process.execPath,
      [join(projectRoot, 'bin', 'onlay.js'), ...args],
      options,
      (error, stdout, stderr) => {
        const status = error === null ? 0 : error.code;
        if (typeof status !== 'number')
          return reject(
            new Error(`onlay did not end by itself: ${String(error?.signal ?? status)}\n${stderr}`),
          );
        resolve({
          status,
          stdout,
          stderr,
          get outcome() {
            return JSON.parse(stdout) as Outcome;
          },
        });
      },
    );
  });
}
