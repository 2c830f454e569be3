// The rules about files and the database against the real apk (2.12 and 2.14): generated packages, installed in an old version,
// changed by a user in generated ways, and upgraded by both. Left out: what apk fails at (directories that become
// something else, and back).
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { apk as family } from '../../src/packages/apk/family.ts';
import type { Distro } from '../../src/packages/distro.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import type { Draft } from '../../src/rootfs/draft.ts';
import { checksumOf, indexMember, indexRecord, makeApk, makeMembers } from '../support/apks.ts';
import type { ToyApk, ToyFile } from '../support/apks.ts';
import { request } from '../support/apk-system.ts';
import { differences, missingTools, rootFromDirectory } from '../support/root-from-directory.ts';
import { NO_APK, RealApk, type AlpineVersion } from './alpine-apk.ts';
import { Random } from './alpine-random.ts';

const CASES = Number(process.env['ONLAY_FILE_CASES'] ?? 25);
const FIRST = Number(process.env['ONLAY_FILE_FIRST'] ?? 1);
const URL = 'https://host/main';

for (const version of ['3.20.3', '3.17.10'] as const)
  test(`upgrades of generated packages leave the tree and the database that apk of Alpine ${version} leaves`, (t) =>
    compare(t, version));

async function compare(t: TestContext, alpine: AlpineVersion): Promise<void> {
  const missing = missingTools('tar', 'cp');
  using apk = missing === undefined ? RealApk.open(alpine) : undefined;
  if (!apk) return t.skip(missing ?? NO_APK);
  const distro: Distro = {
    id: 'alpine',
    name: 'Alpine Linux',
    family: 'apk',
    release: undefined,
    osRelease: { id: 'alpine', idLike: [], versionId: alpine, codename: '', prettyName: '', platformId: '' },
    defaultRepositories: [],
    keys: [],
    quirks: { apkUnsortedDatabase: alpine === '3.17.10' },
  };
  const wrong: string[] = [];
  let compared = 0;
  for (let seed = FIRST; seed < FIRST + CASES; seed++) {
    const random = new Random(seed);
    const { old, fresh, world } = generate(random);
    const folder = apk.folder();
    const root = join(folder, 'root');
    publish(join(folder, 'old'), old);
    publish(join(folder, 'new'), fresh);
    mkdirSync(join(root, 'etc/apk/protected_paths.d'), { recursive: true });
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:\nuser:x:12:12::/:\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\ngroup:x:34:\n');
    writeFileSync(join(root, 'etc/apk/protected_paths.d/x.list'), '-etc/d1\nusr/d2\n');
    const added: { status: number; output: string } = apk.runWith(
      join(folder, 'old.list'),
      root,
      'add',
      '--initdb',
      '--no-scripts',
      ...world,
    );
    assert.equal(added.status, 0, `seed ${seed}: ${added.output}`);
    rmSync(join(root, 'dev'), { recursive: true, force: true });
    meddle(random, root, [...old, ...fresh]);
    const base = await rootFromDirectory(root);
    const real: { status: number; output: string } = apk.runWith(
      join(folder, 'new.list'),
      root,
      'upgrade',
      '--no-scripts',
    );
    // of a link whose target it leaves to another package apk makes nothing, we make a file
    if (real.output.includes('no hard link target')) continue;
    // what apk cannot replace (a directory that becomes something else, and back) it leaves half done
    if (real.output.includes('failed to rename') || real.output.includes('Is a directory')) continue;
    compared++;
    const ours = await upgrade(base, fresh, distro);
    for (const [path, [expected, actual]] of differences(await rootFromDirectory(root), ours))
      wrong.push(
        `seed ${seed}: ${path}\n    apk:  ${expected}\n    ours: ${actual}\n    ${real.output.replaceAll('\n', '\n    ')}`,
      );
    rmSync(folder, { recursive: true, force: true });
  }
  t.diagnostic(`${compared} of ${CASES} upgrades were compared`);
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.ok(compared > CASES / 2);
}

async function upgrade(
  base: Awaited<ReturnType<typeof rootFromDirectory>>,
  fresh: readonly ToyApk[],
  distro: Distro,
): Promise<Draft> {
  const database = await family.open({ root: base, distro, imageArch: 'amd64', log: silentLog });
  assert.ok(database);
  const files = new Map<string, Uint8Array>();
  const records = fresh.map((item) => {
    const bytes = makeApk(item);
    files.set(`${URL}/x86_64/${item.name}-${item.version}.apk`, bytes);
    return indexRecord(item, bytes, checksumOf(makeMembers(item)));
  });
  files.set(`${URL}/x86_64/APKINDEX.tar.gz`, indexMember(records.join('')));
  const wanted = request(files, { repositories: [URL], allowUnsigned: true });
  const { packages, removals } = await database.resolve(wanted);
  const unpacked = [];
  for (const planned of packages)
    unpacked.push(
      await database.unpack(await database.verify(planned, files.get(planned.url) as Uint8Array, wanted)),
    );
  const draft = createDraft(base);
  await database.install({ draft, packages: unpacked, removals, epoch: 1, log: silentLog });
  return draft;
}

function publish(folder: string, packages: readonly ToyApk[]): void {
  mkdirSync(join(folder, 'x86_64'), { recursive: true });
  const records = packages.map((item) => {
    const bytes = makeApk(item);
    writeFileSync(join(folder, 'x86_64', `${item.name}-${item.version}.apk`), bytes);
    return indexRecord(item, bytes, checksumOf(makeMembers(item)));
  });
  writeFileSync(join(folder, 'x86_64/APKINDEX.tar.gz'), indexMember(records.join('')));
  writeFileSync(`${folder}.list`, `${folder}\n`);
}

const FOLDERS = ['etc', 'etc/d0', 'etc/d1', 'usr', 'usr/d2', 'usr/d3', 'usr/d3/e'];
const NAMES = ['a', 'b', 'c', 'd', '.x', 'sp ace', 'z:y', `long${'-name'.repeat(16)}`];

/**
 * Two to four packages, each in two versions; who owns a path may change, packages that nobody needs any more go and new
 * ones come.
 */
function generate(random: Random): {
  old: readonly ToyApk[];
  fresh: readonly ToyApk[];
  world: readonly string[];
} {
  const count = 2 + random.below(3);
  const depends = random.chance(0.4);
  const shared = random.chance(0.5);
  const build = (version: string, owner: (path: string) => number): ToyApk[] =>
    Array.from({ length: count }, (_, index) => {
      const paths = FOLDERS.flatMap((folder) => NAMES.map((name) => `${folder}/${name}`)).filter(
        (path) => owner(path) === index,
      );
      const folders = FOLDERS.filter((folder) => paths.some((path) => path.startsWith(`${folder}/`)));
      const gone = version === '1-r0' || random.chance(0.8);
      const later = version === '1-r0' ? count : count + 1;
      const needed = Array.from({ length: later }, (_, other) => other).filter(
        (other) => other > index && (version === '1-r0' ? index === 0 : random.chance(0.6)),
      );
      return {
        name: `p${index}`,
        version,
        ...(depends ? { depends: needed.map((other) => `p${other}`) } : {}),
        origin: shared ? 'same' : `p${index}`,
        ...(random.chance(0.3) && gone
          ? {
              replaces: Array.from({ length: count }, (__, other) => `p${other}`),
              replacesPriority: random.below(3),
            }
          : {}),
        ...(random.chance(0.3) ? { triggers: ['/usr/*', '/etc'] } : {}),
        scripts: random.chance(0.5)
          ? { 'post-upgrade': `#!/bin/sh\n# ${version}\n`, trigger: '#!/bin/sh\n' }
          : {},
        // a package without a directory makes apk write its fields into the next record
        files: [
          ...folders.map((path) => directory(random, path)),
          { path: 'opt', type: 'directory' as const },
          ...payload(random, paths),
        ],
      };
    });
  const first = new Map<string, number>();
  const draw = (path: string): number => {
    if (!first.has(path)) first.set(path, random.chance(0.35) ? random.below(count) : -1);
    return first.get(path) as number;
  };
  const second = new Map<string, number>();
  const redraw = (path: string): number => {
    if (!second.has(path))
      second.set(path, random.chance(0.75) ? draw(path) : random.chance(0.5) ? random.below(count) : -1);
    return second.get(path) as number;
  };
  const old = build('1-r0', draw);
  const fresh = build('2-r0', redraw).filter(() => random.chance(0.9));
  const extra: ToyApk = {
    name: `p${count}`,
    version: '3-r0',
    replaces: random.chance(0.5) ? ['p0', 'p1<2-r0', 'p2'] : [],
    scripts: { 'post-install': '#!/bin/sh\n' },
    ...(random.chance(0.5) ? { triggers: ['/usr/d3'] } : {}),
    files: [
      { path: 'etc', type: 'directory' },
      { path: 'etc/new', type: 'directory' },
      { path: 'etc/a', content: 'content 1\n' },
      { path: 'etc/new/f', content: 'f' },
      ...(random.chance(0.5)
        ? [
            { path: 'usr', type: 'directory' as const },
            { path: 'usr/c', content: 'c' },
          ]
        : []),
    ],
  };
  return {
    old,
    fresh: depends ? [...fresh, extra] : fresh,
    world: depends ? ['p0'] : old.map(({ name }) => name),
  };
}

function directory(random: Random, path: string): ToyFile {
  const plain = random.chance(0.7);
  return {
    path,
    type: 'directory',
    ...(plain ? {} : { mode: random.pick([0o700, 0o750, 0o1777]), gname: random.pick(['root', 'group']) }),
  };
}

function payload(random: Random, paths: readonly string[]): ToyFile[] {
  const files: ToyFile[] = [];
  for (const path of paths) {
    const target = files.find(({ type }) => type === 'file');
    const kind = random.below(10);
    if (kind === 0) files.push({ path, type: 'symlink', link: random.pick(['a', 'b', '/etc/passwd']) });
    else if (kind === 1 && target)
      files.push({ path, type: 'hardlink', link: target.path, mode: target.mode ?? 0o644 });
    else
      files.push({
        path,
        type: 'file',
        content: `content ${random.below(3)}\n`,
        ...(random.chance(0.2) ? { mode: random.pick([0o600, 0o4755, 0o755]) } : {}),
        ...(random.chance(0.2)
          ? {
              uname: random.pick(['user', 'nobody']),
              uid: 99,
              gname: random.pick(['group', 'nogroup']),
              gid: 98,
            }
          : {}),
        ...(random.chance(0.1) ? { xattrs: { 'user.x': String(random.below(2)) } } : {}),
      });
  }
  return files;
}

/** What a user does: edits, deletes, relinks, adds and changes modes, of owned and of other paths. */
function meddle(random: Random, root: string, packages: readonly ToyApk[]): void {
  const paths = [
    ...new Set(
      packages.flatMap(({ files }) =>
        (files ?? []).flatMap(({ path, type }) => (type === 'directory' ? [] : [path])),
      ),
    ),
  ];
  for (const path of paths) {
    const full = join(root, path);
    if (!random.chance(0.3)) continue;
    const exists = lstatSync(full, { throwIfNoEntry: false });
    switch (random.below(5)) {
      case 0:
        mkdirSync(dirname(full), { recursive: true });
        rmSync(full, { force: true });
        writeFileSync(full, `content ${random.below(5)}\n`);
        break;
      case 1:
        rmSync(full, { force: true });
        break;
      case 2:
        if (exists?.isFile()) chmodSync(full, 0o640);
        break;
      case 3:
        mkdirSync(dirname(full), { recursive: true });
        rmSync(full, { force: true });
        symlinkSync(random.pick(['a', 'b']), full);
        break;
      default:
        if (existsSync(dirname(full))) writeFileSync(join(dirname(full), 'unowned'), 'mine');
    }
  }
  for (const folder of FOLDERS)
    if (random.chance(0.1) && existsSync(join(root, folder))) chmodSync(join(root, folder), 0o711);
  // a directory that became a symlink to itself elsewhere
  for (const folder of ['usr/d3', 'etc/d0', 'usr/d2'])
    if (random.chance(0.1) && existsSync(join(root, folder))) {
      mkdirSync(join(root, 'srv'), { recursive: true });
      renameSync(join(root, folder), join(root, 'srv', folder.replace('/', '-')));
      symlinkSync(`../srv/${folder.replace('/', '-')}`, join(root, folder));
    }
  // a file that became a directory, and files that are there before their package
  for (const path of paths)
    if (random.chance(0.02)) {
      rmSync(join(root, path), { force: true, recursive: true });
      mkdirSync(join(root, path), { recursive: true });
    }
}
