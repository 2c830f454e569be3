// The apk database of an image as the port has it.
import { OnlayError } from '../../errors.ts';
import { compareBytes, concatBytes, displayText } from '../../base/bytes.ts';
import { gunzipMembers } from '../../codec/index.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { readDatabaseFile } from '../database-file.ts';
import type { OpenInput, PackageDatabase } from '../family.ts';
import type { InstalledPackage } from '../package.ts';
import { verifyPackage } from '../verified.ts';
import { auditInstalled } from './audit.ts';
import { checkDataHash, controlDigest, readControl, splitApk } from './apk-file.ts';
import { inApkOrder, installPackages } from './install.ts';
import type { StoredDatabase } from './install.ts';
import { field, readInstalled } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import { trustedKeys } from './keys.ts';
import { isEmptyPackage } from './records.ts';
import { accessOf } from './open-repositories.ts';
import { recode } from './recode.ts';
import { resolveUpgrade } from './resolve.ts';
import { readScriptsTar } from './scripts-tar.ts';
import { refuseWrongSignature } from './signature.ts';
import { readTriggers } from './triggers.ts';
import { unpackApk } from './unpack.ts';
import { pinOf, readWorld } from './world.ts';

const FOLDERS = ['lib/apk/db', 'usr/lib/apk/db'] as const;

/** undefined: the image has no apk database. */
export function openDatabase({
  root,
  distro,
  imageArch,
  imageVariant,
  log,
}: OpenInput): PackageDatabase | undefined {
  const folder = FOLDERS.find((candidate) => root.follow(`${candidate}/installed`)?.type === 'file');
  if (folder === undefined) return undefined;
  const path = root.resolve(`${folder}/installed`);
  const records = readInstalled(readDatabaseFile(root, path), path);
  requireUnique(records, path);
  // without world nothing can be told to be superfluous: everything counts as wanted
  const world =
    readWorld(root) ??
    records.map((record) => ({
      name: field(record, 'P'),
      operator: '' as const,
      version: '',
      conflict: false,
      tag: '',
    }));
  const arch = archOf(root, records, imageArch, imageVariant);
  const stored = readStored(root, folder as RootPath, records, distro?.quirks.apkUnsortedDatabase === true);
  return {
    family: 'apk',
    kind: 'apk',
    path,
    packages: records
      .map((record) => describe(record, arch, pinOf(world, field(record, 'P'))))
      .sort((a, b) => compareBytes(a.name, b.name)),
    resolve: (request) => resolveUpgrade({ root, distro, arch }, { records, world }, request),
    access: (planned, repositories) => accessOf({ root, distro, arch }, planned.url, repositories),
    // oxlint-disable-next-line typescript/require-await -- the port is asynchronous, so that errors reject
    verify: async (planned, bytes, trust) => {
      const what = `Package ${displayText(planned.name)} ${planned.to}`;
      const parts = splitApk(bytes, what);
      const verified = verifyPackage(planned, bytes, () => controlDigest(parts));
      if (!trust.allowUnsigned)
        refuseWrongSignature({
          signatures: parts.signatures,
          signed: parts.control.compressed,
          keys: trustedKeys(root, distro, trust),
          what,
          log,
        });
      const { info } = readControl(parts, what);
      if (!isEmptyPackage(info)) checkDataHash(parts, info, what);
      return verified;
    },
    // oxlint-disable-next-line typescript/require-await -- the port is asynchronous, so that errors reject
    unpack: async (verified) => unpackApk(verified),
    inOrder: inApkOrder,
    // oxlint-disable-next-line typescript/require-await -- the port is asynchronous, so that errors reject
    install: async (input) => installPackages(stored, input),
    // oxlint-disable-next-line typescript/require-await -- the port is asynchronous, so that errors reject
    audit: async () => auditInstalled(root, records),
  };
}

function readStored(
  root: RootView,
  folder: RootPath,
  records: readonly InstalledRecord[],
  unsortedByDefault: boolean,
): StoredDatabase {
  const read = (name: string): Uint8Array | undefined => {
    const path = `${folder}/${name}`;
    return root.readable(path) ? root.read(path) : undefined;
  };
  const scriptsFile =
    root.lookup(`${folder}/scripts.tar`) === undefined && root.lookup(`${folder}/scripts.tar.gz`)
      ? 'scripts.tar.gz'
      : 'scripts.tar';
  const what = `${folder}/${scriptsFile}`;
  const stored = read(scriptsFile) ?? new Uint8Array();
  return {
    folder,
    records,
    scriptsFile,
    scripts: recode('DATABASE_INVALID', () =>
      readScriptsTar(scriptsFile === 'scripts.tar' ? stored : gunzipAll(stored, what), what),
    ),
    triggers: readTriggers(read('triggers') ?? new Uint8Array()),
    unsortedByDefault,
  };
}

const SCRIPTS_LIMIT = 256 * 1024 * 1024;

function gunzipAll(bytes: Uint8Array, what: string): Uint8Array {
  return concatBytes(gunzipMembers(bytes, { limit: SCRIPTS_LIMIT, what }).map(({ content }) => content));
}

function requireUnique(records: readonly InstalledRecord[], path: string): void {
  const names = new Set<string>();
  for (const record of records) {
    const name = field(record, 'P');
    if (names.has(name))
      throw new OnlayError(
        'DATABASE_INVALID',
        `Cannot read ${path}: ${displayText(name)} is installed twice`,
      );
    names.add(name);
  }
}

function describe(record: InstalledRecord, arch: string, held: string | undefined): InstalledPackage {
  const name = field(record, 'P');
  const version = field(record, 'V');
  return {
    name,
    arch: field(record, 'A') || arch,
    version,
    source: field(record, 'o') || name,
    sourceVersion: version,
    ...(held === undefined ? {} : { held }),
  };
}

/** OCI names → apk names. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['amd64', 'x86_64'],
  ['386', 'x86'],
  ['arm64', 'aarch64'],
  ['arm', 'armv7'],
  ['arm/v6', 'armhf'],
  ['ppc64le', 'ppc64le'],
  ['s390x', 's390x'],
  ['riscv64', 'riscv64'],
  ['loong64', 'loongarch64'],
]);

/** What the installed packages are of; else what apk or the image was told. */
function archOf(
  root: RootView,
  records: readonly InstalledRecord[],
  imageArch: string,
  variant: string | undefined,
): string {
  const installed = records
    .map((record) => field(record, 'A'))
    .find((arch) => arch !== '' && arch !== 'noarch');
  if (installed !== undefined) return installed;
  const stated = root.readable('etc/apk/arch')
    ? Buffer.from(root.read('etc/apk/arch') ?? [])
        .toString('latin1')
        .trim()
    : '';
  return (
    stated ||
    (ARCHITECTURES.get(`${imageArch}/${variant ?? ''}`) ?? ARCHITECTURES.get(imageArch) ?? imageArch)
  );
}
