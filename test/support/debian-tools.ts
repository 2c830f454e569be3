// Programs of Debian that suites need: installed when this is Debian and we are root, else the suite says what is missing
// and skips.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Program → Debian package. */
const PACKAGES: Readonly<Record<string, string>> = {
  umoci: 'umoci',
  skopeo: 'skopeo',
  openssl: 'openssl',
  python3: 'python3',
  mmdebstrap: 'mmdebstrap',
  rpm: 'rpm',
  rpmbuild: 'rpm',
  createrepo_c: 'createrepo-c',
  dnf: 'dnf',
  'db5.3_verify': 'db5.3-util',
  'docker-registry': 'docker-registry',
  dockerd: 'docker.io',
  docker: 'docker.io',
  podman: 'podman',
  htpasswd: 'apache2-utils',
  gpg: 'gnupg',
  zstd: 'zstd',
  'dpkg-scanpackages': 'dpkg-dev',
};

export const knownPrograms: readonly string[] = Object.keys(PACKAGES);

export function hasProgram(name: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}

/** Undefined when all programs are there (after installing them, where possible), else why they are not. */
export function requirePrograms(...names: readonly string[]): string | undefined {
  const missing = names.filter((name) => !hasProgram(name));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((name) => PACKAGES[name] ?? name))];
  if (process.getuid?.() === 0 && hasProgram('apt-get') && process.env['ONLAY_NO_INSTALL'] === undefined) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args: string[]): void =>
      void spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=240', ...args], {
        env,
        stdio: 'ignore',
        timeout: 300_000,
      });
    apt('update');
    apt('install', '--no-install-recommends', ...packages);
  }
  const still = names.filter((name) => !hasProgram(name));
  return still.length === 0
    ? undefined
    : `${still.join(', ')} not installed (Debian: apt-get install ${packages.join(' ')})`;
}
