// Real rpm on throw-away roots, for oracle tests. Debian's rpm keeps its database in the home directory unless a macro
// says where images have it, so every test has a home of its own.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { craftEntries, craftHeader, craftRpm, HEADER_MAGIC, type CraftedPackage } from './rpm-craft.ts';
import { hasTool, runTool } from './tool.ts';

export const NO_RPM = 'needs rpm (with rpmdb), createrepo_c and root';

export interface RpmSystem extends Disposable {
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** A root with the directories every image has, `lib64` being a symlink, and an empty database. */
  makeRoot(name: string): string;
  copyRoot(root: string, name: string): string;
  /** Runs rpm on a root; never throws. */
  rpm(root: string, ...args: readonly string[]): SpawnSyncReturns<string>;
  /** Writes packages to files. */
  write(folder: string, packages: readonly CraftedPackage[]): readonly string[];
  /** Puts packages into the database of a root, without their files. */
  register(root: string, packages: readonly CraftedPackage[]): void;
  /** A repository of packages; answers its directory. */
  repository(name: string, packages: readonly CraftedPackage[]): string;
}

/** undefined where the programs are missing or the test does not run as root. */
export function rpmSystem(): RpmSystem | undefined {
  if (process.getuid?.() !== 0 || !['rpm', 'rpmdb', 'createrepo_c'].every(hasTool)) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'rpm-'));
  const env = { HOME: directory, LC_ALL: 'C', TZ: 'UTC' };
  writeFileSync(join(directory, '.rpmmacros'), '%_dbpath /var/lib/rpm\n%_transaction_color 3\n');
  const system: RpmSystem = {
    directory,
    env,
    makeRoot(name) {
      const root = join(directory, name);
      for (const path of ['etc', 'usr/lib64', 'usr/bin', 'opt', 'var/lib/rpm'])
        mkdirSync(join(root, path), { recursive: true });
      symlinkSync('usr/lib64', join(root, 'lib64'));
      writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:\nbin:x:1:1::/:\n');
      writeFileSync(join(root, 'etc/group'), 'root:x:0:\nbin:x:1:\n');
      runTool('rpmdb', ['--root', root, '--initdb'], { env });
      return root;
    },
    copyRoot(root, name) {
      const copy = join(directory, name);
      runTool('cp', ['-a', root, copy]);
      return copy;
    },
    rpm: (root, ...args) =>
      spawnSync('rpm', ['--root', root, ...args], { env: { ...process.env, ...env }, encoding: 'utf8' }),
    write(folder, packages) {
      mkdirSync(join(directory, folder), { recursive: true });
      return packages.map((one) => {
        const file = join(
          directory,
          folder,
          `${one.name}-${one.version ?? '1'}-${one.release ?? '1'}.${one.arch ?? 'noarch'}.rpm`,
        );
        writeFileSync(file, craftRpm(one));
        return file;
      });
    },
    register(root, packages) {
      const headers = packages.map((one) =>
        Buffer.concat([
          HEADER_MAGIC,
          craftHeader(
            [
              ...craftEntries(one),
              { tag: 1008, type: 4, value: [1700000000] },
              ...(one.files?.length ? [{ tag: 1029, type: 1, value: one.files.map(() => 0) }] : []),
              { tag: 1128, type: 4, value: [1700000000] },
            ],
            63,
          ),
        ]),
      );
      runTool('rpmdb', ['--root', root, '--importdb'], { env, input: Buffer.concat(headers) });
    },
    repository(name, packages) {
      system.write(name, packages);
      runTool('createrepo_c', ['-q', join(directory, name)]);
      return join(directory, name);
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
  return system;
}
