// An opened rpm database as the pipeline uses it: the installed packages, plans, checks, unpacking, installation.
import { OnlayError } from '../../errors.ts';
import { compareBytes } from '../../base/bytes.ts';
import type { Installation, InstallInput, OpenInput, PackageDatabase, UnpackedPackage } from '../family.ts';
import type { Distro } from '../distro.ts';
import type { InstalledPackage, PlannedPackage } from '../package.ts';
import type { RpmArchitecture } from './architecture.ts';
import type { HeaderDatabase, StoredHeader } from './db/backend.ts';
import { headerFiles, type PackageFile } from './files.ts';
import { number, strings, text, type Header } from './header.ts';
import { storedBlob } from './header-write.ts';
import { installFiles, putDatabaseFiles } from './install.ts';
import { installPolicy } from './install-policy.ts';
import { PUBKEY_NAME } from './keys.ts';
import { transactionOrder } from './order.ts';
import { checkPackage, packageLabel } from './package-check.ts';
import { releaseVariables } from './release.ts';
import { readConfiguration, readVariables } from './repositories/configuration.ts';
import { readLocks, type Locks } from './repositories/locks.ts';
import { packageAccess, resolve, type ResolveSources } from './resolve.ts';
import { parseRpm, type RpmFile } from './rpm-file.ts';
import { eraseScripts, firedTriggers, headerEvr, installScripts, type TriggerContext } from './scripts.ts';
import { installedSolvable, type InstalledSolvable } from './solve/installed.ts';
import { sourceOf } from './source.ts';
import { Tag } from './tags.ts';
import { unpackPayload, type Payload } from './unpack.ts';
import { compareVersions, formatEvr, parseEvr } from './version.ts';

/** What `unpack` hands to `install`. */
export interface UnpackedRpm {
  readonly rpm: RpmFile;
  readonly payload: Payload;
}

export function openDatabase(
  { root, distro, log }: OpenInput,
  architecture: RpmArchitecture,
  database: HeaderDatabase,
): PackageDatabase {
  const packages = database.headers.filter(({ header }) => text(header, Tag.name) !== PUBKEY_NAME);
  const variables = releaseVariables(packages, distro, architecture);
  const locks = readLocks(root);
  const installOnly = new Set(readConfiguration(root, readVariables(root, variables)).main.installOnly);
  const held = heldReasons(packages, locks, installOnly);
  const sources: ResolveSources = {
    root,
    distro,
    architecture,
    headers: database.headers,
    installed: packages.map(({ header }, i): InstalledSolvable => installedSolvable(header, held[i])),
    locks,
    variables,
    moduleLabels: packages.flatMap(({ header }) => text(header, Tag.modularityLabel) ?? []),
  };
  const installed = packages
    .map(({ header }, i) => installedPackage(header, held[i]))
    .sort(
      (a, b) =>
        compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch) || compareVersions(a.version, b.version),
    );
  let now = Date.now();
  return {
    family: 'rpm',
    kind: database.kind,
    path: database.path,
    packages: installed,
    resolve: async (request) => {
      now = request.now;
      return (await resolve(sources, request)).resolution;
    },
    access: (planned, repositories) => packageAccess(sources, planned, repositories),
    verify: (planned, bytes, trust) =>
      checkPackage(planned, bytes, trust, { sources: { root, distro, headers: database.headers }, now, log }),
    unpack: async (verified) => {
      const what = packageLabel(verified.planned);
      const rpm = parseRpm(verified.bytes, what);
      const old = replacedHeader(packages, verified.planned)?.header;
      return {
        planned: verified.planned,
        scripts: installScripts(rpm.header, old),
        content: { rpm, payload: await unpackPayload(rpm, what) } satisfies UnpackedRpm,
      };
    },
    inOrder: (unpacked) => transactionOrder(unpacked, ({ content }) => (content as UnpackedRpm).rpm.header),
    install: (input) => install(input, { database, packages, color: transactionColor(packages, distro) }),
  };
}

/** That of the installed packages; the distro's where none tells. */
function transactionColor(packages: readonly StoredHeader[], distro: Distro | undefined): number {
  for (const { header } of packages.toReversed()) {
    const color = number(header, Tag.installColor);
    if (color !== undefined) return color;
  }
  return distro?.quirks.rpmColor ?? 0;
}

function heldReasons(
  packages: readonly StoredHeader[],
  locks: Locks,
  installOnly: ReadonlySet<string>,
): readonly (string | undefined)[] {
  return packages.map(({ header }) => {
    const name = text(header, Tag.name) ?? '';
    if (
      installOnly.has(name) ||
      strings(header, Tag.provideName).some((provided) => installOnly.has(provided))
    )
      return 'installonly';
    return locks.held(name);
  });
}

function installedPackage(header: Header, held: string | undefined): InstalledPackage {
  const name = text(header, Tag.name) ?? '';
  const version = formatEvr(parseEvr(headerEvr(header)));
  const source = sourceOf(text(header, Tag.sourceRpm) ?? '', {
    name,
    epoch: number(header, Tag.epoch) ?? 0,
    version,
  });
  return {
    name,
    arch: text(header, Tag.arch) ?? '',
    version,
    source: source.name,
    sourceVersion: source.version,
    ...(held === undefined ? {} : { held }),
  };
}

/** The installed package that a planned one replaces: same name and version, same architecture if there are several. */
function replacedHeader(
  packages: readonly StoredHeader[],
  planned: PlannedPackage,
): StoredHeader | undefined {
  if (planned.from === undefined) return undefined;
  const from = planned.from;
  const same = packages.filter(
    ({ header }) => text(header, Tag.name) === planned.name && compareVersions(headerEvr(header), from) === 0,
  );
  return same.find(({ header }) => text(header, Tag.arch) === planned.arch) ?? same[0];
}

interface Transaction {
  readonly database: HeaderDatabase;
  /** Without keys. */
  readonly packages: readonly StoredHeader[];
  readonly color: number;
}

interface Incoming {
  readonly unpacked: UnpackedPackage;
  readonly content: UnpackedRpm;
  readonly label: string;
  readonly replaces: StoredHeader | undefined;
}

async function install(
  input: InstallInput,
  { database, packages, color }: Transaction,
): Promise<Installation> {
  const incoming = transactionOrder(
    input.packages.map((unpacked): Incoming => ({
      unpacked,
      content: unpacked.content as UnpackedRpm,
      label: packageLabel(unpacked.planned),
      replaces: replacedHeader(packages, unpacked.planned),
    })),
    ({ content }) => content.rpm.header,
  );
  const removed = new Set<StoredHeader>();
  for (const { replaces, unpacked } of incoming) {
    if (replaces) removed.add(replaces);
    else if (unpacked.planned.from !== undefined)
      throw notInstalled(unpacked.planned.name, unpacked.planned.from);
  }
  const obsoleted = input.removals.map(({ name, arch, version }) => {
    const found = packages.find(
      ({ header }) =>
        text(header, Tag.name) === name &&
        text(header, Tag.arch) === arch &&
        compareVersions(headerEvr(header), version) === 0,
    );
    if (!found) throw notInstalled(name, version);
    return found;
  });
  for (const one of obsoleted) removed.add(one);

  const files = new Map<StoredHeader, readonly PackageFile[]>();
  for (const stored of packages)
    files.set(stored, headerFiles(stored.header, labelOf(stored.header), 'DATABASE_INVALID'));
  const policy = installPolicy(input.draft.base, files.values(), color);
  const states = incoming.map(({ content, replaces }) =>
    policy.states(content.payload.files, replaces && files.get(replaces)),
  );
  const outcome = installFiles(
    input.draft,
    incoming.map(({ unpacked, content, label }, i) => ({
      name: unpacked.planned.name,
      label,
      files: content.payload.files,
      states: states[i] as Uint8Array,
      contents: content.payload.contents,
    })),
    packages.map((stored) => ({
      name: text(stored.header, Tag.name) ?? '',
      label: labelOf(stored.header),
      files: files.get(stored) ?? [],
      removed: removed.has(stored),
    })),
    { transactionColor: color, epoch: input.epoch },
  );
  const keepOpenpgp = packages.some(
    ({ header }) => header.byTag.has(Tag.openpgp) || header.byTag.has(Tag.sha3Header),
  );
  const changed = await database.write({
    removed: new Set([...removed].map(({ number: stored }) => stored)),
    added: incoming.map(({ content, label, replaces }, i) =>
      storedBlob(
        content.rpm.signature,
        content.rpm.header,
        {
          time: input.epoch,
          color: (replaces && number(replaces.header, Tag.installColor)) ?? color,
          fileStates: states[i] as Uint8Array,
          keepOpenpgp,
        },
        label,
      ),
    ),
  });
  putDatabaseFiles(input.draft, changed, database.path, input.epoch);
  return { ...outcome, scripts: otherScripts(incoming, packages, { removed, obsoleted, files }) };
}

/** Scripts of packages that only go, and triggers of all packages that are there afterwards. */
function otherScripts(
  incoming: readonly Incoming[],
  packages: readonly StoredHeader[],
  {
    removed,
    obsoleted,
    files,
  }: {
    removed: ReadonlySet<StoredHeader>;
    obsoleted: readonly StoredHeader[];
    files: ReadonlyMap<StoredHeader, readonly PackageFile[]>;
  },
): Installation['scripts'] {
  const scripts: { package: string; script: Installation['scripts'][number]['script'] }[] = [];
  const kept = packages.filter((stored) => !removed.has(stored));
  const stated = (stored: StoredHeader): TriggerContext['removed'][number] => ({
    name: text(stored.header, Tag.name) ?? '',
    version: headerEvr(stored.header),
    paths: (files.get(stored) ?? []).map(({ path }) => path),
  });
  const context: TriggerContext = {
    added: incoming.map(({ content }) => ({
      name: text(content.rpm.header, Tag.name) ?? '',
      version: headerEvr(content.rpm.header),
      paths: content.payload.files.map(({ path }) => path),
    })),
    removed: [...removed].map(stated),
    installed: kept.map(({ header }) => ({ name: text(header, Tag.name) ?? '', version: headerEvr(header) })),
  };
  const add = (header: Header, list: ReturnType<typeof eraseScripts>): void => {
    for (const script of list) scripts.push({ package: text(header, Tag.name) ?? '', script });
  };
  for (const { header } of obsoleted) add(header, eraseScripts(header));
  for (const { header } of kept) add(header, firedTriggers(header, false, context));
  for (const { content } of incoming)
    add(content.rpm.header, firedTriggers(content.rpm.header, true, context));
  return scripts;
}

function notInstalled(name: string, version: string): OnlayError {
  return new OnlayError('PLAN_MISMATCH', `The plan replaces ${name} ${version}, which is not installed`, {
    hint: 'the plan is for another image, or the image has changed: make a new plan',
  });
}

function labelOf(header: Header): string {
  return `${text(header, Tag.name) ?? ''}-${headerEvr(header)}.${text(header, Tag.arch) ?? ''}`;
}
