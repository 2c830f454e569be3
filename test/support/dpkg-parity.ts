// The same upgrade twice: by real dpkg on a copy of a directory, and by the dpkg family on a view of it.
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { hexDigest } from '../../src/base/hash.ts';
import { silentLog } from '../../src/base/log.ts';
import { dpkg } from '../../src/packages/dpkg/family.ts';
import type { Installation, PackageDatabase, UnpackedPackage } from '../../src/packages/family.ts';
import type { PlannedPackage, PlannedRemoval, PlanReason } from '../../src/packages/package.ts';
import { createDraft, type Draft } from '../../src/rootfs/draft.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { runDpkg, tidyDpkg } from './debs.ts';
import { differences, rootFromDirectory } from './root-from-directory.ts';

const EPOCH = 1_700_000_000;

/** A package as a file, and what a plan says of it. */
export interface DebFile {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly bytes: Uint8Array;
  readonly reason?: PlanReason;
}

export interface Upgraded {
  readonly draft: Draft;
  readonly database: PackageDatabase;
  readonly installation: Installation;
  readonly unpacked: readonly UnpackedPackage[];
}

/** Opens the database of `root` and installs `debs` into a draft. */
export async function upgradeView(
  root: RootView,
  debs: readonly DebFile[],
  removals: readonly PlannedRemoval[] = [],
): Promise<Upgraded> {
  const database = await dpkg.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
  if (!database) throw new Error('the root has no dpkg database');
  const packages = [];
  for (const deb of debs) {
    const planned = plan(database, deb);
    const verified = await database.verify(planned, deb.bytes, {
      trustKeys: [],
      onlyTrustKeys: false,
      allowUnsigned: false,
    });
    packages.push(await database.unpack(verified));
  }
  const draft = createDraft(root);
  const installation = await database.install({
    draft,
    packages,
    removals,
    epoch: EPOCH,
    log: silentLog,
  });
  return { draft, database, installation, unpacked: packages };
}

function plan(database: PackageDatabase, { name, version, arch, bytes, reason }: DebFile): PlannedPackage {
  const same = database.packages.filter((candidate) => candidate.name === name);
  const from = (same.find((candidate) => candidate.arch === arch) ?? same[0])?.version;
  return {
    name,
    arch,
    ...(from === undefined ? {} : { from }),
    to: version,
    source: name,
    sourceVersion: version,
    repository: 'test',
    url: `file:///${name}_${version}_${arch}.deb`,
    size: bytes.length,
    digests: [{ algorithm: 'sha256', over: 'file', value: hexDigest('sha256', bytes) }],
    reason: reason ?? 'upgrade',
    cves: [],
  };
}

export interface Parity {
  /** What dpkg said, if it failed. */
  readonly refused?: string;
  /** What the family threw, if it did. */
  readonly thrown?: unknown;
  /** Paths on which the trees differ: dpkg's, ours. */
  readonly differences: readonly string[];
  readonly upgraded?: Upgraded;
}

/** Upgrades the tree in `before`, both ways; files are put beside it. `options` are for dpkg. */
export async function compareUpgrade(
  before: string,
  debs: readonly DebFile[],
  options: readonly string[] = [],
): Promise<Parity> {
  const expected = `${before}.expected`;
  rmSync(expected, { recursive: true, force: true });
  if (spawnSync('cp', ['-a', before, expected]).status !== 0) cpSync(before, expected, { recursive: true });
  const paths = debs.map(({ name, version, arch, bytes }) => {
    const path = join(`${before}.debs`, `${name}_${version.replace(/:/g, '%3a')}_${arch}.deb`);
    writeFileSync(path, bytes);
    return path;
  });
  const refused = runDpkg(expected, ...options, '--install', ...paths);
  tidyDpkg(before);
  const root = await rootFromDirectory(before);
  let upgraded: Upgraded;
  try {
    upgraded = await upgradeView(root, debs);
  } catch (thrown) {
    return { ...(refused === undefined ? {} : { refused }), thrown, differences: [] };
  }
  if (refused !== undefined) return { refused, differences: [], upgraded };
  tidyDpkg(expected);
  const real = await rootFromDirectory(expected);
  return { differences: describeDifferences(real, upgraded.draft), upgraded };
}

/** Times count for files that are not as they were below: what is the same is not written again. */
function describeDifferences(real: RootView, draft: Draft): string[] {
  const lines: string[] = [];
  for (const [path, [expected, actual]] of differences(real, draft))
    lines.push(
      `${path}\n    dpkg: ${expected}${excerpt(real, path)}\n    ours: ${actual}${excerpt(draft, path)}`,
    );
  for (const node of draft.walk('')) {
    const below = draft.base.lookup(node.path);
    const theirs = real.lookup(node.path);
    const written =
      !below || below.sha256 !== node.sha256 || below.link !== node.link || below.type !== node.type;
    // what dpkg or a script makes has the time of the clock there, the given one here
    const made = node.mtime === EPOCH && theirs !== undefined && theirs.mtime > EPOCH;
    if (written && !made && node.type !== 'directory' && theirs && theirs.mtime !== node.mtime)
      lines.push(`${node.path}\n    dpkg: time ${theirs.mtime}\n    ours: time ${node.mtime}`);
  }
  return lines;
}

function excerpt(root: RootView, path: string): string {
  if (!path.startsWith('var/lib/dpkg/') || !root.readable(path)) return '';
  return `\n${Buffer.from(root.read(path) ?? []).toString('latin1')}`;
}
