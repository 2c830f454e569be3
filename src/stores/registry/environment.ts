// What the registry client takes from the machine: variables, files, credential helpers. Everything that reads a
// configuration gets it through this, so that no test and no library user depends on the real home directory.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { systemFiles, type Files } from '../../base/files.ts';

export interface Environment extends Files {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Runs a program without a shell, `input` on its standard input. Ends it after 30 seconds. */
  run(program: string, args: readonly string[], input: string): Promise<RunResult>;
}

export type RunResult =
  | { readonly kind: 'exited'; readonly code: number; readonly stdout: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly reason: string };

const OUTPUT_LIMIT = 1 << 20;
const RUN_LIMIT_MS = 30_000;

export function systemEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  runLimitMs: number = RUN_LIMIT_MS,
): Environment {
  return {
    variables,
    ...systemFiles,
    run: (program, args, input) => runProgram(program, args, input, variables, runLimitMs),
  };
}

/** The home directory, where the variables name one. */
export function homeOf(environment: Environment): string | undefined {
  return environment.variables['HOME'] || environment.variables['USERPROFILE'] || undefined;
}

/** `$XDG_CONFIG_HOME`, else `~/.config`. */
export function configHomeOf(environment: Environment): string | undefined {
  const home = homeOf(environment);
  return environment.variables['XDG_CONFIG_HOME'] || (home === undefined ? undefined : join(home, '.config'));
}

function runProgram(
  program: string,
  args: readonly string[],
  input: string,
  variables: Readonly<Record<string, string | undefined>>,
  limitMs: number,
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: variables, shell: false, stdio: ['pipe', 'pipe', 'ignore'] });
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (reason: string): void => {
      child.kill('SIGKILL');
      // a grandchild may still hold the pipe
      child.stdout.destroy();
      resolve({ kind: 'failed', reason });
    };
    const timer = setTimeout(() => fail(`it did not answer within ${limitMs / 1000} seconds`), limitMs);
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > OUTPUT_LIMIT) fail('it wrote too much');
      else chunks.push(chunk);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(
        error.code === 'ENOENT' ? { kind: 'missing' } : { kind: 'failed', reason: error.code ?? 'error' },
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === null) resolve({ kind: 'failed', reason: `it was ended by ${signal}` });
      else resolve({ kind: 'exited', code, stdout: Buffer.concat(chunks).toString('utf8') });
    });
    // a helper that does not read its input is not an error
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
