// From a package database and what is wanted to a plan: repositories → indexes → candidates → closure. Only signed
// indexes are fetched; the result is plain data.
import { OnlayError } from '../../errors.ts';
import { compareBytes, displayText } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import type { ResolveRequest } from '../family.ts';
import type { PlannedPackage, RepositoryFact, Resolution, Skipped, Wanted } from '../package.ts';
import { nativeArchitecture } from './architecture.ts';
import { universeOf, versionOf } from './candidates.ts';
import type { LoadedIndex, Universe } from './candidates.ts';
import { readAptConfig, readImageText } from './apt-config.ts';
import { openRepositories } from './repositories.ts';
import type { Repositories } from './repositories.ts';
import { nameOf, packageUrl } from './repository.ts';
import type { Repository } from './repository.ts';
import { iso } from './release.ts';
import { architectureOf } from './satisfies.ts';
import { packageKey, solve } from './solve.ts';
import type { InstalledVersion, Solution, SolveInput, Upgrade } from './solve.ts';
import { heldReason, isInstalled } from './status.ts';
import type { StatusRecord } from './status.ts';
import { compareVersions } from './version.ts';
import { unpackOrder } from './unpack-order.ts';
import { assess } from './wanted.ts';

export interface ResolveInput {
  readonly root: RootView;
  readonly distro: Distro | undefined;
  /** OCI architecture, for databases that do not say. */
  readonly imageArch: string;
  readonly imageVariant?: string;
  readonly status: readonly StatusRecord[];
  /** Both are solved alike: what an image never had may go on missing. */
  readonly kind: 'dpkg' | 'status.d';
  readonly request: ResolveRequest;
}

/**
 * Plans an upgrade. Throws REPOSITORIES_MISSING, SIGNATURE_INVALID, INDEX_INVALID, INDEX_EXPIRED, and what the fetch
 * throws. A repository that cannot be used stops the run only when something depends on it: with 'all' it always does.
 */
export async function resolveDpkg(input: ResolveInput): Promise<Resolution> {
  const { request } = input;
  const records = input.status.filter(isInstalled);
  const native = nativeArchitecture(input.root, records, input);
  const installed = new Map(
    records.map((record) => [packageKey(record.name, record.arch, native), installedVersion(record)]),
  );
  const repositories = await openRepositories({
    root: input.root,
    distro: input.distro,
    architectures: architecturesOf(input.root, records, native),
    request,
  });
  const bySource = upgradesBySource(input.root, records);
  const attempt = (indexes: readonly LoadedIndex[]): Outcome => {
    const universe = universeOf({
      indexes,
      pins: repositories.pins,
      native,
      installed: (name, arch) => installed.get(packageKey(name, arch, native)),
    });
    const solveInput = {
      installed: [...installed.values()],
      universe,
      native,
      allowNew: request.allowNew,
      bySource,
    };
    return request.wanted === 'all'
      ? upgradeAll(solveInput, installed)
      : upgradeWanted(request.wanted, solveInput, installed);
  };
  const lazy = repositories.hasLarge && repositories.pins.empty && canDoWithout(request.wanted);
  let indexes = await repositories.load(lazy ? 'small' : 'all');
  let outcome = attempt(indexes);
  if (lazy && outcome.skipped.some(({ failure, reason }) => failure && reason !== 'held')) {
    request.log.debug('The large indexes are needed as well');
    indexes = await repositories.load('all');
    outcome = attempt(indexes);
  }
  refuseGaps(repositories, outcome, request);
  if (outcome.complete) warnOfOlderMirror(outcome.universe, installed, native, request);
  const { upgrades } = outcome.solution;
  const order = unpackOrder(upgrades, records, indexes, native);
  return {
    packages: [...upgrades]
      .map(([key, upgrade]) => planned(upgrade, outcome.cves.get(key) ?? [], order.get(key)))
      .sort(byName),
    removals: [],
    skipped: [...outcome.skipped].sort((a, b) => compareBytes(a.name, b.name)),
    repositories: repositories.opened.map(factOf),
  };
}

interface Outcome {
  readonly solution: Solution;
  readonly skipped: readonly Skipped[];
  /** Findings that an upgrade resolves, by package key. */
  readonly cves: ReadonlyMap<string, readonly string[]>;
  readonly universe: Universe;
  /** Every index was looked at. */
  readonly complete: boolean;
}

function installedVersion(record: StatusRecord): InstalledVersion {
  const held = heldReason(record);
  const version = versionOf(record.stanza, record.name, record.version);
  return { ...version, ...(held === undefined ? {} : { held }) };
}

/** The native architecture, what dpkg was told of others, and what is installed of them. */
function architecturesOf(
  root: RootView,
  records: readonly StatusRecord[],
  native: string,
): [string, ...string[]] {
  const added = (readImageText(root, 'var/lib/dpkg/arch') ?? '').split('\n').map((line) => line.trim());
  const others = [...added, ...records.map(({ arch }) => arch)].filter(
    (arch) => arch !== '' && arch !== 'all' && arch !== native,
  );
  return [native, ...[...new Set(others)].sort(compareBytes)];
}

/**
 * Whether the image's apt upgrades all packages of a source together: since 2.5.2, unless configured otherwise. Without
 * an apt to compare with it is what is best: mixed versions of one source are hardly tested by anyone.
 */
function upgradesBySource(root: RootView, records: readonly StatusRecord[]): boolean {
  const apt = records.find(({ name }) => name === 'apt');
  if (apt && compareVersions(apt.version, '2.5.2~') < 0) return false;
  return readAptConfig(root).flag('APT::Get::Upgrade-By-Source-Package', true);
}

/** Whether the small suites may suffice: every wanted package names what it needs. */
function canDoWithout(wanted: 'all' | readonly Wanted[]): boolean {
  return wanted !== 'all' && wanted.every(({ floors }) => floors.length > 0);
}

function upgradeAll(input: SolveInput, installed: ReadonlyMap<string, InstalledVersion>): Outcome {
  const { universe, native } = input;
  const pending = [...installed.values()].filter((version) =>
    universe.candidate(version.name, architectureOf(version, native)),
  );
  const seeds = pending.filter(({ held }) => held === undefined).sort(byName);
  const solution = solve(input, seeds, 'upgrade');
  const held = pending.flatMap(({ name, held }) =>
    held === undefined
      ? []
      : [{ name, reason: 'held' as const, detail: `${name} is held (${held})`, failure: false, cves: [] }],
  );
  return {
    solution,
    skipped: [...held, ...refusals(solution, false, () => [])],
    cves: new Map(),
    universe,
    complete: true,
  };
}

function upgradeWanted(
  wanted: readonly Wanted[],
  input: SolveInput,
  installed: ReadonlyMap<string, InstalledVersion>,
): Outcome {
  const { universe, native } = input;
  const assessment = assess(
    wanted,
    (name, arch) => installed.get(packageKey(name, arch, native)),
    universe,
    (version) => architectureOf(version, native),
  );
  const keyOf = ({ name, arch }: InstalledVersion): string => packageKey(name, arch, native);
  const cves = new Map([...assessment.resolved].map(([version, list]) => [keyOf(version), list]));
  const all = new Map(wanted.map((item) => [packageKey(item.name, item.arch, native), item.cves]));
  const solution = solve(input, [...new Set(assessment.seeds)].sort(byName), 'requested');
  return {
    solution,
    skipped: [...assessment.skipped, ...refusals(solution, true, (key) => all.get(key) ?? [])],
    cves,
    universe,
    complete: false,
  };
}

function refusals(solution: Solution, failure: boolean, cves: (key: string) => readonly string[]): Skipped[] {
  return [...solution.refused].map(([key, { reason, detail }]) => ({
    name: key.slice(0, key.lastIndexOf(':')),
    reason,
    detail,
    failure,
    cves: cves(key),
  }));
}

/** A repository that could not be read is told; it is an error when its packages may be what is missing. */
function refuseGaps(repositories: Repositories, outcome: Outcome, request: ResolveRequest): void {
  const [first] = repositories.failures;
  if (!first) return;
  const needed =
    request.wanted === 'all' || outcome.skipped.some(({ failure, reason }) => failure && reason !== 'held');
  if (needed || repositories.opened.length === 0) throw first.error;
  for (const { source, error } of repositories.failures)
    request.log.warn('A repository could not be used; nothing that was asked for needs it', {
      repository: nameOf(source.bases[0] ?? '', source),
      why: error.message,
    });
}

/** Packages newer than anything on offer tell of a mirror that is behind the one the image was built from. */
function warnOfOlderMirror(
  universe: Universe,
  installed: ReadonlyMap<string, InstalledVersion>,
  native: string,
  request: ResolveRequest,
): void {
  let known = 0;
  const ahead: string[] = [];
  for (const version of installed.values()) {
    const newest = universe.versions(version.name, architectureOf(version, native))[0];
    if (!newest) continue;
    known++;
    if (compareVersions(version.version, newest.version) > 0) ahead.push(version.name);
  }
  if (ahead.length < 3 || ahead.length * 20 < known) return;
  request.log.warn(
    'Many installed packages are newer than what the repositories offer: the mirror may be behind',
    {
      packages: ahead.length,
      examples: ahead.sort(compareBytes).slice(0, 3).join(', '),
    },
  );
}

function planned(
  { version, from, reason, by }: Upgrade,
  cves: readonly string[],
  order: number | undefined,
): PlannedPackage {
  const { stanza, index } = version;
  const { repository } = index;
  const name = displayText(
    `${version.name} ${version.version} of ${nameOf(repository.base, repository.source)}`,
  );
  const sha256 = stanza.get('SHA256') ?? '';
  const size = Number(stanza.get('Size'));
  const filename = stanza.get('Filename') ?? '';
  if (!/^[0-9a-fA-F]{64}$/.test(sha256) || !Number.isSafeInteger(size) || size <= 0)
    throw new OnlayError('INDEX_INVALID', `The index entry of ${name} has no valid SHA256 and Size`, {
      hint: 'without them a download cannot be checked; the repository has to be published with SHA256',
    });
  return {
    name: version.name,
    arch: version.arch,
    ...(from ? { from: from.version } : {}),
    to: version.version,
    source: version.source,
    sourceVersion: version.sourceVersion,
    repository: [nameOf(repository.base, repository.source), index.component]
      .filter((part) => part !== '')
      .join(' '),
    url: packageUrl(repository, filename),
    size,
    digests: [{ algorithm: 'sha256', over: 'file', value: sha256.toLowerCase() }],
    reason,
    ...(by === undefined ? {} : { by }),
    cves,
    ...(order === undefined ? {} : { extra: { order: String(order) } }),
  };
}

function factOf({ source, release, base, validUntil }: Repository): RepositoryFact {
  return {
    name: [release.origin || nameOf(base, source), source.suite].join(' '),
    url: nameOf(base, source).replace(/ .*$/, ''),
    ...(release.signature ? { signedBy: release.signature.fingerprint } : {}),
    ...(release.date === undefined ? {} : { date: iso(release.date) }),
    ...(validUntil === undefined ? {} : { validUntil: iso(validUntil) }),
  };
}

function byName(
  a: { readonly name: string; readonly arch: string },
  b: { readonly name: string; readonly arch: string },
): number {
  return compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch);
}
