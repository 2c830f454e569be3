// The rpm family on real directories: opens a root, plans against repositories in directories, upgrades with crafted
// packages.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/log.ts';
import type { Installation, PackageDatabase, TrustOptions } from '../../src/packages/family.ts';
import type { Fetch } from '../../src/packages/fetch.ts';
import type { PlannedPackage, Resolution } from '../../src/packages/package.ts';
import { rpm } from '../../src/packages/rpm/family.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import { applyChanges, rootFromDirectory } from './root-from-directory.ts';
import { craftRpm, type CraftedPackage } from './rpm-craft.ts';

export const UNSIGNED: TrustOptions = { trustKeys: [], onlyTrustKeys: false, allowUnsigned: true };

/** Answers `file:` URLs. */
export const directoryFetch: Fetch = {
  get: ((request: { url: string; optional?: boolean }) => {
    const path = fileURLToPath(request.url);
    if (existsSync(path)) return Promise.resolve(readFileSync(path));
    if (request.optional) return Promise.resolve(undefined);
    return Promise.reject(new Error(`no file ${path}`));
  }) as Fetch['get'],
};

export async function openRoot(directory: string): Promise<PackageDatabase> {
  const root = await rootFromDirectory(directory);
  const database = await rpm.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
  if (!database) throw new Error(`no rpm database in ${directory}`);
  return database;
}

/** The plan for some names, or for everything; without repositories from those the root names. */
export async function planFor(
  root: string,
  repositories: readonly string[],
  names: readonly string[] | null,
): Promise<Resolution> {
  const database = await openRoot(root);
  return database.resolve({
    ...UNSIGNED,
    fetch: directoryFetch,
    wanted:
      names === null
        ? 'all'
        : database.packages
            .filter(({ name }) => names.includes(name))
            .map(({ name, arch }) => ({ name, arch, floors: [], cves: [] })),
    repositories: repositories.map((directory) => `lab=file://${directory}/`),
    allowNew: true,
    now: Date.now(),
    log: silentLog,
  });
}

export function plannedFor(one: CraftedPackage, bytes: Uint8Array, from: string | undefined): PlannedPackage {
  const to = `${one.epoch ? `${one.epoch}:` : ''}${one.version ?? '1'}-${one.release ?? '1'}`;
  return {
    name: one.name,
    arch: one.arch ?? 'noarch',
    ...(from === undefined ? {} : { from }),
    to,
    source: one.name,
    sourceVersion: to,
    repository: 'lab',
    url: `file:///${one.name}.rpm`,
    size: bytes.length,
    digests: [{ algorithm: 'sha256', over: 'file', value: createHash('sha256').update(bytes).digest('hex') }],
    reason: 'upgrade',
    cves: [],
    extra: { trust: 'metadata' },
  };
}

/** Upgrades a real directory in place. */
export async function upgradeDirectory(
  directory: string,
  packages: readonly CraftedPackage[],
): Promise<Installation> {
  const root = await rootFromDirectory(directory);
  const database = await rpm.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
  if (!database) throw new Error(`no rpm database in ${directory}`);
  const unpacked = [];
  for (const one of packages) {
    const bytes = craftRpm(one);
    const from = database.packages.find(
      ({ name, arch }) => name === one.name && arch === (one.arch ?? 'noarch'),
    )?.version;
    unpacked.push(
      await database.unpack(await database.verify(plannedFor(one, bytes, from), bytes, UNSIGNED)),
    );
  }
  const draft = createDraft(root);
  const installation = await database.install({
    draft,
    packages: unpacked,
    removals: database.packages
      .filter(({ name }) => packages.some(({ obsoletes }) => obsoletes?.includes(name)))
      .map(({ name, arch, version }) => ({ name, arch, version, reason: 'obsoleted' })),
    epoch: 1_700_009_999,
    log: silentLog,
  });
  await applyChanges(directory, draft.changes(), root);
  return installation;
}
