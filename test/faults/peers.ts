// The programs onlay is compared with where something goes wrong: skopeo, crane and oras, each told to pull, push or copy
// the same image. What is not installed is taken from a newer Debian; what cannot be had says why.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, requirePrograms } from '../support/debian-tools.ts';
import { newerPrograms } from '../support/newer-debian.ts';

export interface Task {
  readonly does: 'pull' | 'push' | 'copy';
  /** HOST/REPOSITORY:TAG, to read from. */
  readonly source: string;
  /** … to write to. */
  readonly target: string;
  /** A layout with the image as tag 1, to push from. */
  readonly layout: string;
  /** A folder for what is pulled and for configuration. */
  readonly folder: string;
  readonly login?: { readonly username: string; readonly password: string };
}

export interface Peer {
  /** "crane 0.20.7+ds1-5", or its name alone. */
  readonly title: string;
  /** Why it cannot be had. */
  readonly missing?: string;
  /** "ok (0.3 s)", or how it failed. */
  run(task: Task): Promise<string>;
}

const LIMIT_MS = 30_000;

/** The columns of the table, in their order. */
export function findPeers(): readonly Peer[] {
  requirePrograms('skopeo');
  return [peer('skopeo', ['--version'], skopeo), peer('crane', ['version'], crane), peer('oras', [], oras)];
}

function peer(name: string, asksVersion: readonly string[], arguments_: (task: Task) => string[]): Peer {
  const here = hasProgram(name);
  const newer = here ? undefined : newerPrograms(name);
  if (newer && newer.path === undefined)
    return { title: name, missing: newer.reason, run: async () => 'not to be had' };
  const env = { ...process.env, ...(newer && { PATH: `${newer.path}:${process.env['PATH']}` }) };
  const said = here ? spawnSync(name, asksVersion, { encoding: 'utf8' }).stdout : newer?.versions[name];
  return {
    title: `${name} ${/\d+(?:\.\d+)+/.exec(said ?? '')?.[0] ?? ''}`.trim(),
    run: (task) => timed(name, arguments_(task), { ...env, DOCKER_CONFIG: configFolder(task) }),
  };
}

function skopeo({ does, source, target, layout, folder, login }: Task): string[] {
  const copy = ['copy', '--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'];
  if (does === 'pull') return [...copy, `docker://${source}`, `oci:${join(folder, 'pulled')}:1`];
  const from = does === 'copy' ? `docker://${source}` : `oci:${layout}:1`;
  const credentials = login ? ['--dest-creds', `${login.username}:${login.password}`] : [];
  return [...copy, ...credentials, from, `docker://${target}`];
}

function crane({ does, source, target, layout, folder }: Task): string[] {
  if (does === 'pull') return ['pull', '--format=oci', source, join(folder, 'pulled')];
  return does === 'copy' ? ['copy', source, target] : ['push', layout, target];
}

function oras({ does, source, target, layout, folder }: Task): string[] {
  if (does === 'pull')
    return ['cp', '--from-plain-http', '--to-oci-layout', source, `${join(folder, 'pulled')}:1`];
  if (does === 'copy') return ['cp', '--from-plain-http', '--to-plain-http', source, target];
  return ['cp', '--from-oci-layout', '--to-plain-http', `${layout}:1`, target];
}

/** Docker's config file with the login; skopeo gets it as an argument. */
function configFolder({ folder, target, login }: Task): string {
  mkdirSync(folder, { recursive: true });
  const auth = login && Buffer.from(`${login.username}:${login.password}`).toString('base64');
  const auths = auth === undefined ? {} : { [target.split('/', 1)[0] ?? '']: { auth } };
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ auths }));
  return folder;
}

async function timed(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const started = performance.now();
  const child = spawn(program, args, { stdio: 'ignore', env });
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const code = await new Promise<number | null>(
    (resolve) => void child.once('exit', (code) => resolve(code)),
  );
  clearTimeout(limit);
  const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  if (code === null) return `hangs (${seconds})`;
  return `${code === 0 ? 'ok' : 'fails'} (${seconds})`;
}
