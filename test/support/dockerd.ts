// A Docker daemon of its own for oracle tests: as root, without network and image store of the machine, on a socket in a
// temporary directory. Either the machine's own (Debian package docker.io), or that of a newer Debian, with its images
// kept by Docker itself or by containerd, which load and pull by code of their own. The caller is told the reason where
// it cannot be started.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requirePrograms } from './debian-tools.ts';
import { newerPrograms } from './newer-debian.ts';
import { runTool } from './tool.ts';

export type DockerdKind = 'installed' | 'newer' | 'newer with containerd';

export interface Dockerd extends AsyncDisposable {
  readonly version: string;
  /** With which the docker client reaches it. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the docker client; throws when it fails. */
  docker(args: readonly string[], input?: Uint8Array): Buffer;
}

export type StartedDockerd =
  { readonly daemon: Dockerd } | { readonly daemon: undefined; readonly reason: string };

export async function startDockerd(kind: DockerdKind = 'installed'): Promise<StartedDockerd> {
  const none = (reason: string): StartedDockerd => ({ daemon: undefined, reason });
  if (process.getuid?.() !== 0) return none('dockerd runs as root only');
  // containerd and runc come with docker.io
  const missing = requirePrograms('dockerd', 'docker');
  if (missing !== undefined) return none(missing);
  const newer = kind === 'installed' ? undefined : newerPrograms('docker.io', 'docker-cli', 'containerd');
  if (newer && newer.path === undefined) return none(newer.reason);
  const PATH = [...(newer ? [newer.path] : []), process.env['PATH'], '/usr/sbin', '/sbin'].join(':');
  const directory = mkdtempSync(join(tmpdir(), 'onlay-dockerd-'));
  const at = (name: string): string => join(directory, name);
  const containerd = kind === 'newer with containerd';
  writeFileSync(
    at('daemon.json'),
    JSON.stringify({
      'storage-driver': containerd ? 'native' : 'vfs',
      ...(newer && { features: { 'containerd-snapshotter': containerd } }),
    }),
  );
  const log = openSync(at('log'), 'w');
  const child = spawn(
    'dockerd',
    [
      ...['--config-file', at('daemon.json'), '--iptables=false', '--ip6tables=false', '--bridge=none'],
      ...['--host', `unix://${at('socket')}`, '--pidfile', at('pid')],
      ...['--data-root', at('data'), '--exec-root', at('exec')],
    ],
    { stdio: ['ignore', log, log], env: { ...process.env, PATH } },
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
  const env = { PATH, DOCKER_HOST: `unix://${at('socket')}`, DOCKER_CONFIG: at('config') };
  const docker: Dockerd['docker'] = (args, input) =>
    runTool('docker', args, { env, ...(input && { input }) });
  return {
    daemon: {
      version: docker(['version', '--format', '{{.Server.Version}}']).toString().trim(),
      env,
      docker,
      [Symbol.asyncDispose]: stop,
    },
  };
}
