// An image with manifests instead of a database (Azure Linux and CBL-Mariner distroless). Dependencies and file lists
// of the installed packages come from the repositories: a plan carries the header of every package it replaces, so that
// its files can be removed later without asking again.
import { gunzipSync, gzipSync } from 'node:zlib';
import { OnlayError, hasCode, messageOf } from '../../errors.ts';
import { compareBytes } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { Installation, InstallInput, OpenInput, PackageDatabase, ResolveRequest } from '../family.ts';
import type { PlannedPackage } from '../package.ts';
import type { RpmArchitecture } from './architecture.ts';
import type { UnpackedRpm } from './database.ts';
import { headerFiles, isDoc, isGhost, type PackageFile } from './files.ts';
import { parseHeader, text, type Header } from './header.ts';
import { installFiles, type OutgoingPackage } from './install.ts';
import { installPolicy } from './install-policy.ts';
import { MANIFEST_PATHS, readManifest, writeManifests, type ManifestPackage } from './manifest.ts';
import { transactionOrder } from './order.ts';
import { checkPackage, packageLabel } from './package-check.ts';
import { releaseVariables } from './release.ts';
import { NO_WEAK_RELATIONS, type OfferedPackage } from './repositories/candidate.ts';
import { readLocks } from './repositories/locks.ts';
import { connection, type Repository } from './repositories/repository.ts';
import { packageAccess, resolve, type Resolved, type ResolveSources } from './resolve.ts';
import { checkDigests, parseRpm } from './rpm-file.ts';
import { eraseScripts, headerEvr, installScripts } from './scripts.ts';
import { withSelf, type InstalledSolvable } from './solve/installed.ts';
import { sourceOf } from './source.ts';
import { FileState, Tag } from './tags.ts';
import { unpackPayload } from './unpack.ts';
import { hexDigest } from '../../base/hash.ts';
import { compareEvr, parseEvr } from './version.ts';

export function openManifestDatabase(
  { root, distro, log }: OpenInput,
  architecture: RpmArchitecture,
): PackageDatabase | undefined {
  const manifest = readManifest(root);
  if (!manifest) return undefined;
  const locks = readLocks(root);
  const sources: ResolveSources = {
    root,
    distro,
    architecture,
    headers: [],
    installed: (repositories) => manifest.map((one) => solvableOf(one, repositories, locks.held(one.name))),
    locks,
    variables: releaseVariables([], distro, architecture),
    moduleLabels: [],
  };
  let now = Date.now();
  return {
    family: 'rpm',
    kind: 'rpmmanifest',
    path: MANIFEST_PATHS[1] as PackageDatabase['path'],
    packages: manifest
      .map((one) => {
        const { epoch } = parseEvr(one.version);
        const source = sourceOf(one.sourceRpm, { name: one.name, epoch, version: one.version });
        const held = locks.held(one.name);
        return {
          name: one.name,
          arch: one.arch,
          version: one.version,
          source: source.name,
          sourceVersion: source.version,
          ...(held === undefined ? {} : { held }),
        };
      })
      .sort((a, b) => compareBytes(a.name, b.name) || compareBytes(a.arch, b.arch)),
    resolve: async (request) => {
      now = request.now;
      return withOldHeaders(await resolve(sources, request), root, request);
    },
    access: (planned, repositories) => packageAccess(sources, planned, repositories),
    verify: (planned, bytes, trust) =>
      checkPackage(planned, bytes, trust, { sources: { root, distro, headers: [] }, now, log }),
    unpack: async (verified) => {
      const what = packageLabel(verified.planned);
      const rpm = parseRpm(verified.bytes, what);
      const old = carriedHeaders(verified.planned, OLD)[0];
      return {
        planned: verified.planned,
        scripts: installScripts(rpm.header, old),
        content: { rpm, payload: await unpackPayload(rpm, what) } satisfies UnpackedRpm,
      };
    },
    install: (input) => Promise.resolve(install(input, manifest, distro?.quirks.rpmColor ?? 0)),
  };
}

/** What the repositories know of an installed package; of a version they no longer have, what its newest provides. */
function solvableOf(
  { name, arch, version, sourceRpm, vendor }: ManifestPackage,
  repositories: readonly Repository[],
  held: string | undefined,
): InstalledSolvable {
  const evr = parseEvr(version);
  const offered = repositories
    .flatMap((repository) => repository.named(name))
    .filter((one) => one.arch === arch);
  const same = offered.find((one) => compareEvr(one.evr, evr) === 0);
  const newest = offered.toSorted((a, b) => compareEvr(b.evr, a.evr))[0];
  const provides =
    same?.provides ??
    (newest?.provides ?? []).filter((one) => one.name !== name).map((one) => ({ name: one.name }));
  return {
    name,
    arch,
    evr,
    vendor,
    sourceRpm,
    provides: withSelf(provides, name, version),
    requires: same?.requires ?? [],
    conflicts: same?.conflicts ?? [],
    obsoletes: same?.obsoletes ?? [],
    weak: () => same?.weak() ?? NO_WEAK_RELATIONS,
    hasFile: (path) => (same ?? newest)?.hasFile(path) ?? false,
    held,
    paths: () => [],
  };
}

const OLD = 'old';
const OBSOLETED = 'obsoleted';

/** The plan with the headers of the packages it replaces, from the repositories that still have them. */
async function withOldHeaders(
  { resolution, repositories, obsoleted }: Resolved,
  root: RootView,
  request: ResolveRequest,
): Promise<Resolved['resolution']> {
  const find = async (name: string, arch: string, version: string): Promise<string | undefined> => {
    for (const repository of repositories)
      for (const candidate of repository.named(name))
        if (candidate.arch === arch && compareEvr(candidate.evr, parseEvr(version)) === 0)
          return fetchHeader(repository, candidate, root, request);
    request.log.warn('old package is in no repository: files that its new version does not have stay', {
      package: `${name}-${version}.${arch}`,
    });
    return undefined;
  };
  const packages: PlannedPackage[] = [];
  for (const planned of resolution.packages) {
    const old = planned.from === undefined ? undefined : await find(planned.name, planned.arch, planned.from);
    const gone: string[] = [];
    for (const { installed, by } of obsoleted) {
      if (by !== planned.name) continue;
      const header = await find(installed.name, installed.arch, versionOf(installed));
      if (header !== undefined) gone.push(header);
    }
    packages.push({
      ...planned,
      extra: {
        ...planned.extra,
        ...(old === undefined ? {} : { [OLD]: old }),
        ...(gone.length === 0 ? {} : { [OBSOLETED]: gone.join(' ') }),
      },
    });
  }
  return { ...resolution, packages };
}

function versionOf({ evr }: InstalledSolvable): string {
  return `${evr.epoch}:${evr.version}-${evr.release ?? ''}`;
}

const PACKAGE_LIMIT = 1024 ** 3;

async function fetchHeader(
  repository: Repository,
  candidate: OfferedPackage,
  root: RootView,
  request: ResolveRequest,
): Promise<string | undefined> {
  const what = `installed package ${candidate.name}`;
  try {
    const bytes = await request.fetch.get({
      url: repository.packageUrl(candidate),
      limit: candidate.size ?? PACKAGE_LIMIT,
      what,
      ...(candidate.checksum.algorithm === 'sha256' ? { sha256: candidate.checksum.value } : {}),
      ...connection(repository.config, root, repository.packageUrl(candidate)),
      optional: false,
    });
    if (hexDigest(candidate.checksum.algorithm, bytes) !== candidate.checksum.value)
      throw new OnlayError('DIGEST_MISMATCH', `${what} is not what its index says`);
    const rpm = parseRpm(bytes, what);
    checkDigests(rpm, what);
    return gzipSync(rpm.header.blob).toString('base64');
  } catch (error) {
    if (!hasCode(error, 'NETWORK', 'SERVER', 'TIMEOUT')) throw error;
    request.log.warn('old package cannot be fetched: files that its new version does not have stay', {
      package: candidate.name,
      reason: messageOf(error),
    });
    return undefined;
  }
}

const HEADER_LIMIT = 256 * 1024 ** 2;

function carriedHeaders(planned: PlannedPackage, key: string): readonly Header[] {
  return (planned.extra?.[key] ?? '')
    .split(' ')
    .filter((base64) => base64 !== '')
    .map((base64) => {
      try {
        const blob = gunzipSync(Buffer.from(base64, 'base64'), { maxOutputLength: HEADER_LIMIT });
        return parseHeader(blob, { what: `the plan's header for ${planned.name}`, code: 'PLAN_INVALID' });
      } catch (error) {
        if (hasCode(error, 'PLAN_INVALID')) throw error;
        throw new OnlayError('PLAN_INVALID', `The plan's header for ${planned.name} cannot be read`, {
          cause: error,
        });
      }
    });
}

function install(input: InstallInput, manifest: readonly ManifestPackage[], color: number): Installation {
  const { draft } = input;
  for (const { planned } of input.packages)
    if (
      planned.from !== undefined &&
      !manifest.some(({ name, version }) => name === planned.name && version === planned.from)
    )
      throw new OnlayError(
        'PLAN_MISMATCH',
        `The plan replaces ${planned.name} ${planned.from}, which is not installed`,
      );
  const incoming = transactionOrder(
    input.packages.map(({ planned, content }) => ({
      planned,
      content: content as UnpackedRpm,
      old: carriedHeaders(planned, OLD)[0],
      obsoleted: carriedHeaders(planned, OBSOLETED),
    })),
    ({ content }) => content.rpm.header,
  );
  const outgoing = (header: Header): OutgoingPackage => ({
    name: text(header, Tag.name) ?? '',
    label: `${text(header, Tag.name)}-${headerEvr(header)}`,
    files: statesFromTree(draft.base, headerFiles(header, text(header, Tag.name) ?? '', 'PLAN_INVALID')),
    removed: true,
  });
  const removed = incoming
    .flatMap(({ old, obsoleted }) => [...(old ? [old] : []), ...obsoleted])
    .map(outgoing);
  const policy = installPolicy(
    draft.base,
    removed.map(({ files }) => files),
    color,
  );
  const outcome = installFiles(
    draft,
    incoming.map(({ planned, content, old }) => ({
      name: planned.name,
      label: packageLabel(planned),
      files: content.payload.files,
      states: policy.states(
        content.payload.files,
        old && removed.find(({ name }) => name === planned.name)?.files,
      ),
      contents: content.payload.contents,
    })),
    removed,
    { transactionColor: color, epoch: input.epoch },
  );
  const written = writeManifests(draft.base, {
    added: incoming.map(({ content }) => content.rpm.header),
    removed: new Set(input.removals.map(({ name }) => name)),
    installTime: input.epoch,
  });
  for (const [path, content] of written) {
    const node = draft.follow(path);
    draft.put(node?.path ?? path, {
      type: 'file',
      mode: node?.mode ?? 0o644,
      uid: node?.uid ?? 0,
      gid: node?.gid ?? 0,
      mtime: input.epoch,
      content,
    });
  }
  return {
    ...outcome,
    scripts: incoming.flatMap(({ obsoleted }) =>
      obsoleted.flatMap((header) =>
        eraseScripts(header).map((script) => ({ package: text(header, Tag.name) ?? '', script })),
      ),
    ),
  };
}

/** The header of a package file does not say what was installed of it; the tree does. */
function statesFromTree(root: RootView, files: readonly PackageFile[]): readonly PackageFile[] {
  return files.map((file) =>
    !isGhost(file) && (isDoc(file) || file.langs.length > 0) && !root.lookup(file.path)
      ? { ...file, state: FileState.notInstalled }
      : file,
  );
}
