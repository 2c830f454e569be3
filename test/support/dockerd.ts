// A Docker daemon of its own for oracle tests: as root, without network and image store of the machine, on a socket in a
// temporary directory. The caller is told the reason where it cannot be started.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasTool, runTool } from './tool.ts';

export interface Dockerd extends AsyncDisposable {
  /** Runs the docker client; throws when it fails. */
  docker(args: readonly string[], input?: Uint8Array): Buffer;
}

export async function startDockerd(): Promise<
  { readonly daemon: Dockerd } | { readonly daemon: undefined; readonly reason: string }
> {
  const none = (reason: string): { readonly daemon: undefined; readonly reason: string } => ({
    daemon: undefined,
    reason,
  });
  for (const tool of ['dockerd', 'docker'])
    if (!hasTool(tool)) return none(`${tool} is not installed (Debian package docker.io)`);
  if (process.getuid?.() !== 0) return none('dockerd runs as root only');
  const directory = mkdtempSync(join(tmpdir(), 'onlay-dockerd-'));
  const at = (name: string): string => join(directory, name);
  const log = openSync(at('log'), 'w');
  const child = spawn(
    'dockerd',
    [
      ...['--storage-driver', 'vfs', '--iptables=false', '--ip6tables=false', '--bridge=none'],
      ...['--host', `unix://${at('socket')}`, '--pidfile', at('pid')],
      ...['--data-root', at('data'), '--exec-root', at('exec')],
    ],
    { stdio: ['ignore', log, log] },
  );
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const ready = (): boolean => readFileSync(at('log'), 'utf8').includes('API listen on');
  for (let tries = 0; !(existsSync(at('socket')) && ready()); tries++) {
    if (tries === 600 || child.exitCode !== null) {
      const said = readFileSync(at('log'), 'utf8').trim().split('\n').at(-1) ?? '';
      await stop();
      return none(`dockerd does not start: ${said.slice(0, 300)}`);
    }
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
  const env = { DOCKER_HOST: `unix://${at('socket')}`, DOCKER_CONFIG: at('config') };
  return {
    daemon: {
      docker: (args, input) => runTool('docker', args, { env, ...(input && { input }) }),
      [Symbol.asyncDispose]: stop,
    },
  };
}
