// Debian's docker-registry (distribution 2.8) as a second opinion beside the registry of these tests: on a free loopback
// port, with its storage and log in a temporary directory. Where it cannot be had the caller is told.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requirePrograms } from './debian-tools.ts';

export interface DockerRegistryOptions {
  /** Content of an htpasswd file (bcrypt). */
  readonly htpasswd?: string;
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificate: string;
  };
  /** Speak https, with clients that show a certificate of `clientAuthority` only, where one is given. */
  readonly tls?: {
    readonly certificate: string;
    readonly key: string;
    readonly clientAuthority?: string;
  };
}

export interface DockerRegistry extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly logPath: string;
  stop(): Promise<void>;
}

export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<
  { readonly registry: DockerRegistry } | { readonly registry: undefined; readonly reason: string }
> {
  const missing = requirePrograms('docker-registry');
  if (missing !== undefined) return { registry: undefined, reason: missing };
  const directory = mkdtempSync(join(tmpdir(), 'onlay-docker-registry-'));
  const port = await freePort();
  const logPath = join(directory, 'log');
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(config(directory, port, options)));
  const log = openSync(logPath, 'w');
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries === 200 || child.exitCode !== null) {
      const said = readFileSync(logPath, 'utf8').slice(-500);
      await stop();
      return { registry: undefined, reason: `docker-registry does not start: ${said}` };
    }
    await new Promise((resolve) => void setTimeout(resolve, 25));
  }
  return { registry: { url, host: `127.0.0.1:${port}`, logPath, stop, [Symbol.asyncDispose]: stop } };
}

// JSON is YAML
function config(directory: string, port: number, { htpasswd, token, tls }: DockerRegistryOptions): object {
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const auth = token
    ? {
        token: {
          realm: token.realm,
          service: token.service,
          issuer: token.issuer,
          rootcertbundle: file('token.crt', token.certificate),
        },
      }
    : htpasswd === undefined
      ? undefined
      : { htpasswd: { realm: 'test', path: file('htpasswd', htpasswd) } };
  return {
    version: 0.1,
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(directory, 'storage') }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(tls && {
        tls: {
          certificate: file('tls.crt', tls.certificate),
          key: file('tls.key', tls.key),
          ...(tls.clientAuthority !== undefined && {
            clientcas: [file('clients.crt', tls.clientAuthority)],
          }),
        },
      }),
    },
    ...(auth && { auth }),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
