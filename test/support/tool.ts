// Real programs as oracles: tests that need one skip, and say so, where it is absent.
import { spawnSync } from 'node:child_process';

/** True when `name` can be run. */
export function hasTool(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
}

export interface ToolOptions {
  readonly input?: Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Standard output of a program; throws when it fails. */
export function runTool(name: string, args: readonly string[], options: ToolOptions = {}): Buffer {
  const { stdout, stderr, status, error } = spawnSync(name, args, {
    maxBuffer: 1 << 30,
    ...options,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC', ...options.env },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${name} ${args.join(' ')} exited with ${status}: ${stderr.toString()}`);
  return stdout;
}
