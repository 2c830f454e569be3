// Programs of a newer Debian beside those of this machine: fetched by apt from the mirror it is configured for, checked by
// apt's own keys, unpacked into a folder, never installed. For tools that older releases do not have, or have too old.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianMirror } from './debian-mirror.ts';
import { hasProgram } from './debian-tools.ts';
import { projectRoot } from './project.ts';

const SUITE = 'unstable';

export type NewerPrograms =
  /** Folders to put before PATH, and Debian's version of each package. */
  | { readonly path: string; readonly versions: Readonly<Record<string, string>> }
  | { readonly path: undefined; readonly reason: string };

/** The programs of `packages`, fetched once and kept; or why they cannot be had. */
export function newerPrograms(...packages: readonly string[]): NewerPrograms {
  const root = join(process.env['ONLAY_ORACLE'] ?? join(projectRoot, '.oracle'), `debian-${SUITE}`);
  mkdirSync(root, { recursive: true });
  const missing = packages.filter((name) => unpacked(root, name) === undefined);
  if (missing.length > 0) {
    // a mirror that could not be reached is not tried again
    failure ??= fetchPackages(root, missing);
    // another process may have fetched them meanwhile
    if (missing.some((name) => unpacked(root, name) === undefined))
      return {
        path: undefined,
        reason: `${missing.join(', ')} of Debian ${SUITE} not to be had: ${failure}`,
      };
  }
  const folders = packages.map((name) => join(root, unpacked(root, name) ?? ''));
  return {
    path: folders.flatMap((folder) => [join(folder, 'usr/bin'), join(folder, 'usr/sbin')]).join(':'),
    versions: Object.fromEntries(
      packages.map((name) => [name, (unpacked(root, name) ?? '').slice(name.length + 1)]),
    ),
  };
}

let failure: string | undefined;

/** `NAME_VERSION`, the folder of a package. */
function unpacked(root: string, name: string): string | undefined {
  return readdirSync(root).find((folder) => folder.startsWith(`${name}_`));
}

function fetchPackages(root: string, packages: readonly string[]): string | undefined {
  if (process.env['ONLAY_NO_INSTALL'] !== undefined) return 'ONLAY_NO_INSTALL is set';
  for (const program of ['apt-get', 'dpkg-deb']) if (!hasProgram(program)) return `${program} is not there`;
  const work = mkdtempSync(join(root, '.fetch-'));
  try {
    for (const folder of ['lists/partial', 'cache/archives/partial'])
      mkdirSync(join(work, folder), { recursive: true });
    writeFileSync(join(work, 'sources.list'), `deb ${debianMirror().archive} ${SUITE} main\n`);
    const settings = {
      'Dir::State::lists': join(work, 'lists'),
      'Dir::Cache': join(work, 'cache'),
      'Dir::Etc::sourcelist': join(work, 'sources.list'),
      'Dir::Etc::sourceparts': '-',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '0',
      'Acquire::http::Timeout': '20',
      'Acquire::https::Timeout': '20',
      'APT::Sandbox::User': 'root',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const run = (program: string, ...args: readonly string[]): void => {
      const { status, error, stderr } = spawnSync(program, args, { cwd: work, timeout: 120_000 });
      if (status === 0) return;
      const said = error?.message ?? stderr.toString().trim().split('\n').at(-1) ?? '';
      throw new Error(`${program} failed: ${said.replace(/\w+:\/\/\S+/g, 'URL')}`);
    };
    run('apt-get', '-q', ...options, 'update');
    run('apt-get', '-q', ...options, 'download', ...packages);
    for (const file of readdirSync(work).filter((name) => name.endsWith('.deb'))) {
      const folder = file.replace(/_[^_]*\.deb$/, '');
      run('dpkg-deb', '-x', join(work, file), join(work, folder));
      renameSync(join(work, folder), join(root, folder));
    }
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
