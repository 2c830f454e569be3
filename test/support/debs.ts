// Small packages for tests, and real dpkg on a directory as the judge of what installing them does. The packages are
// written here byte by byte (ar, ustar), so that tests decide owners, order and hard links; dpkg reads them all the same.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromByteString } from '../../src/base/bytes.ts';
import { tarOf, type Entry } from './layers.ts';

export interface ToyDeb {
  /** Fields of the control file; Package, Version and Architecture must be there, Maintainer and Description are added. */
  readonly control: Readonly<Record<string, string>>;
  /** Other control members by name; scripts get mode 0755. */
  readonly members?: Readonly<Record<string, string>>;
  /** Entries of data.tar; './' is put in front of paths, missing parents are added. */
  readonly entries: readonly Entry[];
  readonly mtime?: number;
}

export function makeDeb({ control, members = {}, entries, mtime = 1_600_000_000 }: ToyDeb): Uint8Array {
  // `dpkg --root` does not change its root: it would write through such a link into the machine the tests run on
  if (entries.some(({ type, link = '' }) => type === 'symlink' && link.startsWith('/')))
    throw new Error('test packages must not have absolute symlinks');
  const fields = { ...control, Maintainer: 'Test <test@example.org>', Description: 'toy\n for tests' };
  const text = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
  const plain = { uid: 0, gid: 0, mtime, type: 'file' as const };
  const controlTar = tarOf([
    { ...plain, type: 'directory', path: './', mode: 0o755 },
    { ...plain, path: './control', mode: 0o644, content: text },
    ...Object.entries(members).map(([name, content]) => ({
      ...plain,
      path: `./${name}`,
      mode: /^(?:pre|post)(?:inst|rm)$/.test(name) ? 0o755 : 0o644,
      content,
    })),
  ]);
  return makeAr({
    'debian-binary': fromByteString('2.0\n'),
    'control.tar': controlTar,
    'data.tar': tarOf(withParents(entries, mtime)),
  });
}

/** An ar archive of these members, in order. */
export function makeAr(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const pieces = Object.entries(members).flatMap(([name, content]) => {
    const header = [name.padEnd(16), '0'.padEnd(12), '0'.padEnd(6), '0'.padEnd(6), '100644'.padEnd(8)];
    const size = String(content.length).padEnd(10);
    return [
      fromByteString(`${header.join('')}${size}\`\n`),
      content,
      fromByteString(content.length % 2 ? '\n' : ''),
    ];
  });
  return Buffer.concat([fromByteString('!<arch>\n'), ...pieces]);
}

function withParents(entries: readonly Entry[], mtime: number): Entry[] {
  const made = new Map<string, Entry>();
  const add = (entry: Entry): void => {
    const slash = entry.path.lastIndexOf('/');
    if (slash !== -1)
      add({ path: entry.path.slice(0, slash), type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime });
    if (!made.has(entry.path) || entry.type !== 'directory' || entry.mode !== 0o755)
      made.set(entry.path, entry);
  };
  for (const entry of entries) add(entry);
  return [
    { path: './', type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime },
    ...[...made.values()].map((entry) => ({
      ...entry,
      path: `./${entry.path}`,
      ...(entry.type === 'hardlink' ? { link: `./${entry.link}` } : {}),
    })),
  ];
}

/** An empty image with a dpkg database and merged /usr, in `directory`. */
export function makeToyRoot(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  for (const path of [
    'var/lib/dpkg/info',
    'var/lib/dpkg/triggers',
    'var/lib/dpkg/updates',
    'etc/dpkg/dpkg.cfg.d',
    'usr/lib',
  ])
    mkdirSync(join(directory, path), { recursive: true });
  writeFileSync(join(directory, 'var/lib/dpkg/status'), '');
  writeFileSync(join(directory, 'var/lib/dpkg/info/format'), '1\n');
  spawnSync('ln', ['-s', 'usr/lib', join(directory, 'lib')]);
  for (const [name, ids] of [
    ['passwd', 'root:x:0:0:::\ndaemon:x:1:1:::\nmail:x:8:8:::\n'],
    ['group', 'root:x:0:\ndaemon:x:1:\nmail:x:8:\n'],
  ] as const)
    writeFileSync(join(directory, 'etc', name), ids);
}

/** Runs real dpkg on a root; its output when it fails, undefined when it succeeds. */
export function runDpkg(root: string, ...args: readonly string[]): string | undefined {
  const { status, stderr, stdout } = spawnSync(
    'dpkg',
    [
      `--root=${root}`,
      '--log=/dev/null',
      '--no-debsig',
      '--force-script-chrootless,unsafe-io,confold,confdef,depends,bad-path',
      ...args,
    ],
    { encoding: 'latin1', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' } },
  );
  return status === 0 ? undefined : `exit status ${status}\n${stdout}${stderr}`;
}

/** Removes what a run of dpkg leaves beside its database. */
export function tidyDpkg(root: string): void {
  for (const name of [
    'status-old',
    'diversions-old',
    'statoverride-old',
    'available',
    'lock',
    'lock-frontend',
    'triggers/Lock',
    'triggers/Unincorp',
  ])
    rmSync(join(root, 'var/lib/dpkg', name), { force: true });
}
