// Small package universes for comparing our solving with apt-get's: written as rows, built as signed repositories.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { silentLog, silentProgress } from '../../src/base/log.ts';
import { createFetch } from '../../src/mirrors/index.ts';
import type { Resolution } from '../../src/packages/package.ts';
import { resolveDpkg } from '../../src/packages/dpkg/resolve.ts';
import { readStatus } from '../../src/packages/dpkg/status.ts';
import { buildAptRepository } from './apt-repository.ts';
import type { RepositoryPackage, RepositorySuite, SigningKey } from './apt-repository.ts';
import { aptOracle } from './apt.ts';
import type { AptOracle } from './apt.ts';
import { memoryRoot } from './memory-root.ts';

/** "name version [field: value; …]" → a package of the repository or of the status file. */
export function toy(text: string): RepositoryPackage {
  const [, name = '', arch, version = '', rest = ''] = /^(\S+?)(?::(\w+))? (\S+)\s*(.*)$/.exec(text) ?? [];
  const fields = Object.fromEntries(
    rest
      .split(';')
      .filter((part) => part.trim() !== '')
      .map((part) => [part.slice(0, part.indexOf(':')).trim(), part.slice(part.indexOf(':') + 1).trim()]),
  );
  return { name, version, fields, ...(arch === undefined ? {} : { arch }) };
}

export interface ToyCase {
  readonly installed: readonly string[];
  /** Suite "stable"; further suites by name with the fields of their Release files. */
  readonly stable: readonly string[];
  readonly others?: Readonly<
    Record<
      string,
      { readonly packages: readonly string[]; readonly release?: Readonly<Record<string, string>> }
    >
  >;
  readonly preferences?: string;
}

export interface OpenedCase {
  /** undefined: everything. */
  ours(names: readonly string[] | undefined): Promise<Resolution>;
  readonly theirs: AptOracle;
}

/** Builds the repository and an image root in `directory`; apt has read and verified its indexes. */
export async function openCase(directory: string, item: ToyCase, key: SigningKey): Promise<OpenedCase> {
  const suites: RepositorySuite[] = [
    { name: 'stable', packages: item.stable.map(toy), architectures: ['amd64', 'i386'] },
  ];
  for (const [name, { packages, release = {} }] of Object.entries(item.others ?? {}))
    suites.push({ name, packages: packages.map(toy), architectures: ['amd64', 'i386'], release });
  const repository = join(directory, 'repository');
  await buildAptRepository(repository, suites, { keys: [key] });
  const status = item.installed
    .map(toy)
    .map(({ name, version, arch = 'amd64', fields = {} }) =>
      Object.entries({
        Package: name,
        Status: 'install ok installed',
        Architecture: arch,
        Version: version,
        ...fields,
        Description: 'x',
      })
        .map(([field, value]) => `${field}: ${value}\n`)
        .join(''),
    )
    .join('\n');
  const files: Record<string, string> = {
    'etc/apt/sources.list': suites
      .map(
        ({ name }) =>
          `deb [signed-by=${directory}/root/key.asc arch=amd64,i386] file:${repository} ${name} main\n`,
      )
      .join(''),
    'etc/apt/preferences': item.preferences ?? '',
    'etc/apt/preferences.d/empty': '',
    'etc/apt/apt.conf.d/empty': '',
    'etc/apt/sources.list.d/empty': '',
    'var/lib/dpkg/status': `${status}\n`,
    'var/lib/dpkg/arch': 'amd64\ni386\n',
    'key.asc': key.public,
  };
  const root = join(directory, 'root');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, 'lists/partial'), { recursive: true });
  const theirs = aptOracle({
    root,
    lists: join(root, 'lists'),
    cache: join(directory, 'cache'),
    options: ['APT::Architecture=amd64', 'APT::Architectures::=amd64', 'APT::Architectures::=i386'],
  });
  await theirs.run(['update']);
  const view = memoryRoot({ ...files, [`${directory.slice(1)}/root/key.asc`]: key.public });
  const records = readStatus(files['var/lib/dpkg/status'] as string, 'status');
  return {
    theirs,
    async ours(names) {
      await using fetch = createFetch({
        mirrors: [`file:${repository}=${repository}`],
        env: {},
        log: silentLog,
        progress: silentProgress,
      });
      const wanted = names?.map((name) => {
        const [bare = '', arch] = name.split(':');
        const record = records.find(
          (record) => record.name === bare && (arch === undefined || record.arch === arch),
        );
        return { name: bare, arch: record?.arch ?? '', floors: [], cves: [] };
      });
      return resolveDpkg({
        root: view,
        distro: undefined,
        imageArch: 'amd64',
        status: records,
        kind: 'dpkg',
        request: {
          fetch,
          wanted: wanted ?? 'all',
          now: Date.now() + 1000,
          log: silentLog,
          repositories: [],
          allowNew: true,
          trustKeys: [],
          onlyTrustKeys: false,
          allowUnsigned: false,
        },
      });
    },
  };
}

/** Rows as AptOracle.simulate() has them. */
export function rowsOf({ packages }: Resolution): string[] {
  return packages.map(({ name, arch, to }) => `${name}${arch === 'i386' ? ':i386' : ''} ${to}`).sort();
}
