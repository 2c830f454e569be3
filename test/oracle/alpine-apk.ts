// The real apk out of an Alpine root file system, run with --root on small roots of our own making: a database, a
// world and unsigned indexes are all it needs to compare versions and to simulate upgrades. No root, no chroot.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sharedFolder } from '../support/project.ts';
import { plainFile } from '../support/apks.ts';

/** Versions of Alpine whose apk is at hand: 2.12 and two of 2.14. */
export type AlpineVersion = '3.17.10' | '3.19.4' | '3.20.3';

export const NO_APK = 'no apk: ../shared/data/alpine or an x86_64 machine is missing';

export class RealApk implements Disposable {
  readonly #folder: string;
  #roots = 0;

  /** undefined where the real apk is not at hand. */
  static open(version: AlpineVersion = '3.20.3'): RealApk | undefined {
    const shared = sharedFolder();
    const archive = shared && join(shared, `data/alpine/alpine-minirootfs-${version}-x86_64.tar.gz`);
    if (process.arch !== 'x64' || process.platform !== 'linux' || !archive || !existsSync(archive))
      return undefined;
    return new RealApk(archive);
  }

  private constructor(archive: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'onlay-apk-'));
    execFileSync('tar', ['-xzf', archive, '-C', this.#folder, '--wildcards', './lib/*.so*', './sbin/apk']);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** An empty root with these databases; `repositories`: text of an APKINDEX each, with a tag or ''. */
  root(files: {
    readonly installed: string;
    readonly world: string;
    readonly repositories: readonly { readonly tag: string; readonly index: string }[];
  }): string {
    const root = join(this.#folder, `root${this.#roots++}`);
    for (const folder of ['lib/apk/db', 'etc/apk', 'repositories'])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'etc/apk/arch'), 'x86_64\n');
    writeFileSync(join(root, 'etc/apk/world'), files.world);
    writeFileSync(join(root, 'lib/apk/db/installed'), files.installed, 'latin1');
    const list = files.repositories.map(({ tag, index }, number) => {
      const folder = join(root, 'repositories', String(number));
      mkdirSync(join(folder, 'x86_64'), { recursive: true });
      writeFileSync(
        join(folder, 'x86_64/APKINDEX.tar.gz'),
        gzipSync(plainFile('APKINDEX', Buffer.from(index, 'latin1')), { level: 1 }),
      );
      return `${tag === '' ? '' : `@${tag} `}${folder}\n`;
    });
    writeFileSync(join(root, 'list'), list.join(''));
    return root;
  }

  /** A new empty folder that goes with this. */
  folder(): string {
    const folder = join(this.#folder, `folder${this.#roots++}`);
    mkdirSync(folder);
    return folder;
  }

  run(root: string, ...args: readonly string[]): { readonly status: number; readonly output: string } {
    return this.runWith(join(root, 'list'), root, ...args);
  }

  /** With this file of repositories. */
  runWith(
    list: string,
    root: string,
    ...args: readonly string[]
  ): { readonly status: number; readonly output: string } {
    const library = join(this.#folder, 'lib');
    const options = `--arch x86_64 --allow-untrusted --no-cache --no-network`.split(' ');
    const apk = [
      join(library, 'ld-musl-x86_64.so.1'),
      '--library-path',
      library,
      join(this.#folder, 'sbin/apk'),
      '--root',
      root,
      ...options,
      '--repositories-file',
      list,
    ];
    const result = spawnSync(apk[0] as string, [...apk.slice(1), ...args], {
      encoding: 'latin1',
      maxBuffer: 1 << 26,
    });
    return { status: result.status ?? -1, output: result.stdout + result.stderr };
  }
}
