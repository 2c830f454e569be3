// A small system with an apk database, and repositories in memory: planned, verified and upgraded by the apk family.
import { OnlayError } from '../../src/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Log } from '../../src/base/log.ts';
import { apk } from '../../src/packages/apk/family.ts';
import type { Installation, PackageDatabase, ResolveRequest } from '../../src/packages/family.ts';
import type { Distro } from '../../src/packages/distro.ts';
import type { Fetch } from '../../src/packages/fetch.ts';
import type { Resolution, Wanted } from '../../src/packages/package.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import type { Draft } from '../../src/rootfs/draft.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { checksumOf, indexRecord, makeApk, makeMembers } from './apks.ts';
import type { ToyApk, ToyKey } from './apks.ts';
import { memoryRoot } from './memory-root.ts';

export interface ToySystem {
  readonly installed: readonly ToyApk[];
  /** Lines; absent: the names of all installed packages. */
  readonly world?: readonly string[];
  readonly keys?: readonly ToyKey[];
  readonly repositories?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

/** A root whose database lists `installed`, without files of theirs. */
export function systemRoot({
  installed,
  world,
  keys = [],
  repositories = [],
  files = {},
}: ToySystem): RootView {
  const records = installed.map((item) => indexRecord(item, makeApk(item), checksumOf(makeMembers(item))));
  return memoryRoot({
    'lib/apk/db/installed': records.join(''),
    'etc/apk/world': (world ?? installed.map(({ name }) => name)).map((line) => `${line}\n`).join(''),
    'etc/apk/repositories': repositories.map((line) => `${line}\n`).join(''),
    ...Object.fromEntries(keys.map((key) => [`etc/apk/keys/${key.name}`, key.publicKey])),
    ...files,
  });
}

export async function openSystem(root: RootView, distro?: Distro): Promise<PackageDatabase> {
  const database = await apk.open({ root, distro, imageArch: 'amd64', log: silentLog });
  if (!database) throw new Error('the root has no apk database');
  return database;
}

/** Answers from URLs in memory; what is not there is a failure of the server. */
export function memoryFetch(files: ReadonlyMap<string, Uint8Array>): Fetch & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    // oxlint-disable-next-line typescript/require-await -- the port is asynchronous
    async get({ url, optional }: { url: string; optional?: boolean }): Promise<Uint8Array> {
      asked.push(url);
      const found = files.get(url);
      if (!found && optional !== true) throw new OnlayError('SERVER', `${url}: 404`);
      return found as Uint8Array;
    },
  };
}

export function request(
  files: ReadonlyMap<string, Uint8Array>,
  options: Partial<ResolveRequest> = {},
): ResolveRequest {
  return {
    fetch: memoryFetch(files),
    wanted: 'all',
    repositories: [],
    trustKeys: [],
    onlyTrustKeys: false,
    allowUnsigned: false,
    allowNew: true,
    now: 0,
    log: silentLog,
    ...options,
  };
}

export function want(name: string, ...floors: readonly string[]): Wanted {
  return { name, arch: 'x86_64', floors: floors.map((floor) => [floor]), cves: [] };
}

export interface Upgraded {
  readonly resolution: Resolution;
  readonly draft: Draft;
  readonly installation: Installation;
}

/** Everything that patching does with a database, except writing a layer. */
export async function upgradeSystem(
  root: RootView,
  files: ReadonlyMap<string, Uint8Array>,
  options: Partial<ResolveRequest> = {},
): Promise<Upgraded> {
  const database = await openSystem(root);
  const wanted = request(files, options);
  const resolution = await database.resolve(wanted);
  const packages = [];
  for (const planned of resolution.packages) {
    const bytes = await wanted.fetch.get({ url: planned.url, limit: 1 << 30, what: planned.name });
    packages.push(await database.unpack(await database.verify(planned, bytes, wanted)));
  }
  const draft = createDraft(root);
  const installation = await database.install({
    draft,
    packages,
    removals: resolution.removals,
    epoch: 1,
    log: wanted.log,
  });
  return { resolution, draft, installation };
}

export function collectingLog(): Log & { readonly warnings: string[] } {
  const warnings: string[] = [];
  return {
    ...silentLog,
    warnings,
    warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields ?? {})}`),
  };
}

/** Files of a repository under its URL. */
export function served(url: string, files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  return new Map([...files].map(([path, bytes]) => [`${url}/${path}`, bytes]));
}
