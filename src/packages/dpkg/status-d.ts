// Distroless images: no dpkg, a record of each package in var/lib/dpkg/status.d/NAME (its control file) and
// NAME.md5sums, the contents of its data.tar beside. Some packages are there in part (libc-bin, ca-certificates), and
// some files were made by the builder (os-release): what a package does not explain is left alone.
// https://github.com/GoogleContainerTools/distroless/blob/main/PACKAGE_METADATA.md
import { OnlayError } from '../../errors.ts';
import { byteString, compareBytes, concatBytes, displayText } from '../../base/bytes.ts';
import { hexDigest } from '../../base/hash.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { parentOf, rootPath } from '../../rootfs/path.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { readDatabaseFile } from '../database-file.ts';
import type { ConfigFileOutcome, InstallInput, Installation } from '../family.ts';
import type { AttributeRules } from './attributes.ts';
import { parseStanza } from './control.ts';
import { readMd5sums } from './deb-members.ts';
import type { Deb, DebEntry } from './deb.ts';
import type { InfoMember } from './info-files.ts';
import { LinkHomes, isDirectoryAlready, keptWarnings, place } from './place.ts';
import type { Placement } from './place.ts';
import { filesOfPostinst } from './scripts.ts';
import { statusRecord } from './status.ts';
import type { StatusRecord } from './status.ts';
import { readImageRules } from './transaction.ts';

export const STATUS_D = 'var/lib/dpkg/status.d';

/** A record and the file it is in: builders have named these files in several ways. */
export interface StatusDRecord {
  readonly record: StatusRecord;
  readonly path: RootPath;
  /** MD5 by path of the installed version; undefined without such a file. */
  readonly md5sums: ReadonlyMap<string, string> | undefined;
}

/** Throws DATABASE_INVALID. */
export function readStatusD(root: RootView): StatusDRecord[] {
  return root
    .list(STATUS_D)
    .filter((name) => !name.endsWith(MD5SUMS))
    .map((name) => rootPath(`${STATUS_D}/${name}`))
    .filter((path) => root.follow(path)?.type === 'file')
    .map((path) => {
      const what = `package record ${path}`;
      const text = byteString(readDatabaseFile(root, path));
      const digests = `${path}${MD5SUMS}`;
      return {
        record: statusRecord(parseStanza(text, { what, code: 'DATABASE_INVALID' }), what),
        path,
        md5sums: root.readable(digests)
          ? readMd5sums(byteString(root.read(digests) ?? new Uint8Array()))
          : undefined,
      };
    });
}

/** Installs `debs`, in the order of `input.packages`: files and records. */
export function installStatusD(
  files: readonly StatusDRecord[],
  input: InstallInput,
  debs: readonly Deb[],
): Installation {
  const { draft, epoch } = input;
  const rules = readImageRules(draft.base).attributes;
  const outcome: Outcome = { conffiles: [], removed: new Set(), warnings: [] };
  const installs = input.packages
    .map(({ planned }, index) => ({
      deb: debs[index] as Deb,
      name: planned.name,
      old: files.find(({ record }) => record.name === planned.name),
    }))
    .sort((a, b) => compareBytes(a.name, b.name));
  for (const { deb, name, old } of installs) {
    installFiles({ draft, rules, deb, name, old, outcome });
    if (name === 'ca-certificates') rebuildBundle(draft, deb, epoch);
    const path = old?.path ?? rootPath(`${STATUS_D}/${name}`);
    writeRecord(draft, { path, deb, withDigests: hasDigests(files, old) });
  }
  const gone = input.removals.map(({ name }) => {
    const old = files.find(({ record }) => record.name === name);
    if (!old)
      throw new OnlayError('INTERNAL', `Package ${displayText(name)} is to be removed but not installed`);
    draft.remove(old.path);
    draft.remove(`${old.path}${MD5SUMS}`);
    return old;
  });
  const before = [...installs.flatMap(({ old }) => old ?? []), ...gone];
  const untouched = files.filter((known) => !before.includes(known));
  // where files really are: a package may have moved them from /lib to /usr/lib
  const owned = new Set(
    [
      ...untouched.flatMap(({ md5sums }) => [...(md5sums?.keys() ?? [])]),
      ...installs.flatMap(({ deb }) => deb.entries.map((entry) => entry.path)),
    ].map((path) => draft.resolve(path)),
  );
  for (const path of before.flatMap(({ md5sums }) => [...(md5sums?.keys() ?? [])])) {
    const node = draft.lookup(path);
    if (node?.type !== 'file' || owned.has(node.path)) continue;
    outcome.removed.add(node.path);
    draft.remove(node.path);
  }
  return {
    scripts: [],
    conffiles: outcome.conffiles,
    removed: [...outcome.removed].sort(),
    warnings: outcome.warnings,
  };
}

const MD5SUMS = '.md5sums';

interface Outcome {
  readonly conffiles: ConfigFileOutcome[];
  readonly removed: Set<string>;
  readonly warnings: string[];
}

interface FilesInput {
  readonly draft: Draft;
  readonly rules: AttributeRules;
  readonly deb: Deb;
  readonly name: string;
  readonly old: StatusDRecord | undefined;
  readonly outcome: Outcome;
}

function installFiles({ draft, rules, deb, name, old, outcome }: FilesInput): void {
  const wanted = new Wanted(draft.base, old?.md5sums);
  const placement: Placement = {
    draft,
    rules,
    links: new LinkHomes(deb),
    setByScript: filesOfPostinst(deb.members),
    packageName: name,
    kept: [],
  };
  const directories = new Map<RootPath, DebEntry>();
  for (const entry of deb.entries) {
    const target = entry.path;
    const existing = draft.lookup(target);
    if (isDirectoryAlready(draft, entry, { target, existing })) continue;
    if (entry.type === 'directory') {
      directories.set(entry.path, entry);
      continue;
    }
    if (!existing && !wanted.isWanted(entry)) continue;
    if (existing && isBuilders(draft, entry, old)) {
      outcome.conffiles.push({ path: target, package: name, action: 'kept' });
      continue;
    }
    for (const directory of parentsOf(entry.path)) {
      const parent = directories.get(directory);
      if (parent) place(placement, parent, { target: directory, existing: draft.lookup(directory) });
      directories.delete(directory);
    }
    place(placement, entry, { target, existing });
  }
  outcome.warnings.push(...keptWarnings(placement));
  if (wanted.isPartial) return;
  // directories that the package ships empty
  const used = new Set(deb.entries.map(({ path }) => parentOf(path)));
  for (const [path, entry] of directories)
    if (!used.has(path)) place(placement, entry, { target: path, existing: draft.lookup(path) });
}

/**
 * Which files of the new version are written where nothing is yet: those that the old version did not have, unless the
 * builder left out most of the package or everything beside them.
 */
class Wanted {
  /** True when most of the package's files are not in the image. */
  readonly isPartial: boolean;
  readonly #digests: ReadonlyMap<string, string> | undefined;
  readonly #byDirectory = new Map<RootPath, boolean>();

  constructor(base: RootView, digests: ReadonlyMap<string, string> | undefined) {
    this.#digests = digests;
    let present = 0;
    for (const path of digests?.keys() ?? []) {
      const exists = base.lookup(path) !== undefined;
      if (exists) present++;
      const directory = parentOf(path as RootPath);
      this.#byDirectory.set(directory, exists || this.#byDirectory.get(directory) === true);
    }
    this.isPartial = present * 2 < (digests?.size ?? 0);
  }

  isWanted({ path }: DebEntry): boolean {
    if (this.isPartial || this.#digests?.has(path)) return false;
    return this.#byDirectory.get(parentOf(path)) !== false;
  }
}

/** True for a file that is not what the old version shipped: the builder, or whoever built on, made it. */
function isBuilders(draft: Draft, { path, type }: DebEntry, old: StatusDRecord | undefined): boolean {
  const digest = old?.md5sums?.get(path);
  if (type !== 'file' || digest === undefined || !draft.readable(path)) return false;
  return hexDigest('md5', draft.read(path) as Uint8Array) !== digest;
}

function* parentsOf(path: RootPath): Generator<RootPath> {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1))
    yield path.slice(0, slash) as RootPath;
}

/** The bundle that builders make of the certificates, one after the other, each ending in a newline. */
function rebuildBundle(draft: Draft, deb: Deb, epoch: number): void {
  const existing = draft.lookup(BUNDLE);
  if (existing?.type !== 'file' || draft.lookup(CERTIFICATES)) return;
  const certificates = deb.entries
    .filter(
      ({ path, type }) => type === 'file' && path.startsWith(`${CERTIFICATES}/`) && path.endsWith('.crt'),
    )
    .sort((a, b) => compareBytes(a.path, b.path))
    .flatMap(({ content = new Uint8Array() }) =>
      content.at(-1) === NEWLINE ? [content] : [content, Uint8Array.of(NEWLINE)],
    );
  if (certificates.length === 0) return;
  const { mode, uid, gid } = existing;
  draft.put(BUNDLE, { type: 'file', mode, uid, gid, mtime: epoch, content: concatBytes(certificates) });
}

const BUNDLE = 'etc/ssl/certs/ca-certificates.crt';
const CERTIFICATES = 'usr/share/ca-certificates';
const NEWLINE = 10;

function hasDigests(files: readonly StatusDRecord[], old: StatusDRecord | undefined): boolean {
  return old ? old.md5sums !== undefined : files.some(({ md5sums }) => md5sums !== undefined);
}

/** The control file as it is in the package, and its md5sums. */
function writeRecord(
  draft: Draft,
  { path, deb, withDigests }: { readonly path: RootPath; readonly deb: Deb; readonly withDigests: boolean },
): void {
  put(draft, path, deb.controlFile);
  const digests = deb.members.find(({ member }) => member === 'md5sums');
  if (withDigests && digests) put(draft, rootPath(`${path}${MD5SUMS}`), digests);
}

function put(draft: Draft, path: RootPath, { content, mtime }: InfoMember): void {
  const { mode, uid, gid } = draft.lookup(path) ?? { mode: 0o644, uid: 0, gid: 0 };
  draft.put(path, { type: 'file', mode, uid, gid, mtime, content });
}
