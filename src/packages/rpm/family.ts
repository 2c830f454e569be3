// The rpm family: packages of Red Hat, Fedora, SUSE, Amazon, Azure and Photon images.
import type { RootPath } from '../../rootfs/path.ts';
import type { OpenInput, PackageDatabase, PackageFamily } from '../family.ts';
import { rpmArchitecture } from './architecture.ts';
import { openDatabase } from './database.ts';
import { isDatabaseFile, openHeaderDatabase } from './db/detect.ts';
import { isInstallConfiguration } from './install-policy.ts';
import { MANIFEST_PATHS } from './manifest.ts';
import { openManifestDatabase } from './manifest-database.ts';
import { isRepositoryConfiguration } from './repositories/configuration.ts';
import { compareVersions } from './version.ts';

export const rpm: PackageFamily = {
  name: 'rpm',
  captures,
  open,
  compareVersions,
};

/** %config files may have to be renamed, which needs their content. Nearly all are in etc. */
const CONFIG_LIMIT = 2 * 1024 ** 2;
const CONFIG_ELSEWHERE_LIMIT = 64 * 1024;
const CONFIG_ELSEWHERE =
  /^(?!.*(?:node_modules|site-packages)\/).*\.(?:conf|cnf|cfg|cf|ini|rc)$|^root\/\.|^usr\/share\/misc\/|^usr\/lib\/(?:systemd\/(?:system|user)\/[^/]+|[^/]*(?:-release|motd|issue))$|\/gconv-modules$/;

function captures(path: RootPath, size: number): boolean {
  if (isDatabaseFile(path) || MANIFEST_PATHS.includes(path)) return true;
  if (isRepositoryConfiguration(path) || isInstallConfiguration(path)) return true;
  if (path.startsWith('etc/')) return size <= CONFIG_LIMIT;
  return size <= CONFIG_ELSEWHERE_LIMIT && CONFIG_ELSEWHERE.test(path);
}

async function open(input: OpenInput): Promise<PackageDatabase | undefined> {
  const architecture = rpmArchitecture(input.imageArch);
  const database = await openHeaderDatabase(input.root, architecture.bigEndian);
  return database ? openDatabase(input, architecture, database) : openManifestDatabase(input, architecture);
}
