// The real apt-get as an oracle: simulated runs against a root directory and package lists, nothing is changed.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface AptOracle {
  /** What apt-get would do, as "NAME VERSION" rows; removals are "-NAME". undefined: it refuses. */
  simulate(...command: readonly string[]): Promise<readonly string[] | undefined>;
  /** The same in the order in which packages are unpacked. */
  sequence(...command: readonly string[]): Promise<readonly string[] | undefined>;
  /** Raw standard output and error of apt-get, or apt-cache with `tool`. */
  run(command: readonly string[], tool?: 'apt-get' | 'apt-cache'): Promise<string>;
}

/** Why the real apt-get cannot be the oracle on this machine, or false. */
export function aptUnavailable(): string | false {
  try {
    const version = /^apt (\d+)\.(\d+)(?:\.(\d+))?/.exec(execFileSync('apt-get', ['--version']).toString());
    const [major = 0, minor = 0, patch = 0] = (version ?? []).slice(1).map((part) => Number(part ?? 0));
    const current = major * 1e6 + minor * 1e3 + patch >= 2_005_002;
    return current ? false : 'apt-get before 2.5.2 does not upgrade the packages of a source together';
  } catch {
    return 'there is no apt-get on this machine';
  }
}

export function aptOracle(options: {
  readonly root: string;
  readonly lists: string;
  /** Own directory, for apt's binary caches. */
  readonly cache: string;
  readonly status?: string;
  readonly options?: readonly string[];
}): AptOracle {
  mkdirSync(join(options.cache, 'archives/partial'), { recursive: true });
  const settings = {
    Dir: options.root,
    'Dir::State::status': options.status ?? join(options.root, 'var/lib/dpkg/status'),
    'Dir::State::lists': options.lists,
    'Dir::Cache': options.cache,
    'Dir::Cache::pkgcache': 'pkgcache.bin',
    'Dir::Cache::srcpkgcache': '',
    'Dir::Log': options.cache,
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': 'root',
    'APT::Install-Recommends': 'false',
    'APT::Get::Always-Include-Phased-Updates': 'true',
  };
  const common = [
    ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ...(options.options ?? []),
  ];
  const run: AptOracle['run'] = async (command, tool = 'apt-get') => {
    const { stdout } = await promisify(execFile)(
      tool,
      ['-q', ...common.flatMap((setting) => ['-o', setting]), ...command],
      {
        env: { PATH: process.env['PATH'], LC_ALL: 'C' },
        maxBuffer: 64 << 20,
      },
    );
    return stdout;
  };
  const sequence: AptOracle['sequence'] = async (...command) => {
    let output: string;
    try {
      output = await run(['-s', ...command]);
    } catch (error) {
      if ((error as { code?: unknown }).code === 100) return undefined;
      throw error;
    }
    const rows = [...output.matchAll(/^(Inst|Remv) (\S+)(?: \[[^\]]*\])?(?: \((\S+) )?/gm)];
    return rows.map(([, verb, name, version]) => (verb === 'Inst' ? `${name} ${version}` : `-${name}`));
  };
  return {
    run,
    sequence,
    simulate: async (...command) => (await sequence(...command))?.toSorted(),
  };
}
