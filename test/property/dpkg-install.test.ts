// Random packages, random images, random administrators: what real dpkg makes of an upgrade and what we make of it, tree
// beside tree, database included.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { makeDeb, makeToyRoot, runDpkg } from '../support/debs.ts';
import { compareUpgrade, type DebFile } from '../support/dpkg-parity.ts';
import type { Entry } from '../support/layers.ts';
import { missingTools } from '../support/root-from-directory.ts';

const PATHS: readonly string[] = [
  'etc/one',
  'etc/two',
  'etc/sub/three',
  'lib/x',
  'usr/lib/x',
  'usr/share/p',
  'usr/share/p/data',
  'usr/share/p/deep/more',
  'usr/share/q',
  'var/z',
];
type Path = string;
const CONFFILES = PATHS.slice(0, 3);
/** Two packages with one file under two spellings: dpkg loses it, we do not. */
const UNALIASED = PATHS.filter((path) => !path.endsWith('/x'));

/** Of files, in all versions: one user that the image has, one that it has not. Else root. */
const OWNERS: Readonly<Record<Path, string>> = { 'usr/share/q': 'mail', 'var/z': 'nobody-here' };

type Item =
  | { readonly kind: 'file'; readonly content: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'hardlink' };

interface Version {
  readonly items: ReadonlyMap<Path, Item>;
  readonly conffiles: readonly Path[];
  readonly removeOnUpgrade: readonly Path[];
  readonly replaces: string | undefined;
  readonly triggers: string;
  readonly script: string | undefined;
  /** Has no file of its own for sure, so that it can disappear. */
  readonly bare: boolean;
}

const content = fc.constantFrom('red\n', 'green\n', 'blue\n');
const item: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('file' as const),
      content,
      mode: fc.constantFrom(0o644, 0o755, 0o600),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('symlink' as const),
      target: fc.constantFrom('q', '../share/q', 'nowhere', '../lib', 'data'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('directory' as const), mode: fc.constantFrom(0o755, 0o750) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'hardlink' as const }) },
);

/** Package content that a real package could have: nothing below what is no directory, conffiles below etc. */
function version(other: string, paths: readonly Path[]): fc.Arbitrary<Version> {
  return fc
    .record({
      items: fc.array(fc.tuple(fc.constantFrom(...paths), item), { minLength: 1, maxLength: 7 }),
      conffiles: fc.subarray(CONFFILES),
      removeOnUpgrade: fc.oneof(
        { weight: 3, arbitrary: fc.constant<Path[]>([]) },
        { weight: 1, arbitrary: fc.subarray(CONFFILES) },
      ),
      replaces: fc.constantFrom(undefined, undefined, other, `${other} (<< 2)`, `${other} (<= 3)`),
      bare: other === 'beta' ? fc.constantFrom(true, false, false, false) : fc.constant(false),
      triggers: fc.constantFrom(
        '',
        '',
        'interest /usr/share/p\n',
        'interest-noawait /usr/share\ninterest named\n',
        'activate named\n',
        '# nothing\nactivate-noawait /usr/lib\n',
      ),
      script: fc.constantFrom(
        undefined,
        undefined,
        `dpkg-maintscript-helper rm_conffile /etc/one 1.5\\~ -- "$@"`,
        `dpkg-maintscript-helper mv_conffile /etc/one /etc/two -- "$@"`,
        `dpkg-maintscript-helper symlink_to_dir /usr/share/p /usr/share/q 1.5 -- "$@"`,
        `dpkg-maintscript-helper dir_to_symlink /usr/share/p ../base.d 1.5 -- "$@"`,
      ),
    })
    .map(({ items, ...rest }) => {
      const sound = new Map<Path, Item>();
      for (const [path, value] of new Map(items)) {
        const first = linkable(sound, rest.conffiles);
        const below = PATHS.some(
          (parent) =>
            path.startsWith(`${parent}/`) &&
            sound.get(parent) !== undefined &&
            sound.get(parent)?.kind !== 'directory',
        );
        const above =
          [...sound.keys()].some((child) => child.startsWith(`${path}/`)) && value.kind !== 'directory';
        const twice = path.endsWith('/x') && [...sound.keys()].some((other) => other.endsWith('/x'));
        // what moves conffiles is for files, and what makes a symlink of a directory is for packages that ship one
        const misfit =
          (rest.script?.includes('_conffile') && CONFFILES.includes(path) && value.kind !== 'file') ||
          (rest.script?.includes('dir_to_symlink') && path === 'usr/share/p' && value.kind !== 'symlink');
        if (!below && !above && !twice && !misfit && (value.kind !== 'hardlink' || first !== undefined))
          sound.set(path, value);
      }
      const files = rest.conffiles.filter((path) => sound.get(path)?.kind === 'file');
      return {
        ...rest,
        // a script of a package that disappears is left half way
        script: rest.bare ? undefined : rest.script,
        items: sound,
        conffiles: files,
        removeOnUpgrade: rest.removeOnUpgrade.filter((path) => !sound.has(path) && !files.includes(path)),
      };
    });
}

/** The file that hard links are links to: no conffile, which packages do not link. */
function linkable(items: ReadonlyMap<Path, Item>, conffiles: readonly Path[]): Path | undefined {
  return [...items].find(([path, { kind }]) => kind === 'file' && !conffiles.includes(path))?.[0];
}

function build(
  name: string,
  number: string,
  { items, conffiles, removeOnUpgrade, replaces, triggers, script, bare }: Version,
): DebFile {
  const mtime = 1_500_000_000 + Number(number) * 1000;
  const first = linkable(items, conffiles) ?? '';
  const entries = [...items].map(([path, value]): Entry => {
    const owner = OWNERS[path] ?? 'root';
    const plain = { path, uid: 0, gid: 0, uname: 'root', gname: 'root', mtime };
    switch (value.kind) {
      case 'file':
        return {
          ...plain,
          type: 'file',
          mode: value.mode,
          content: value.content,
          uname: owner,
          gname: owner,
          uid: 7,
          gid: 7,
        };
      case 'symlink':
        return { ...plain, type: 'symlink', mode: 0o777, link: value.target };
      case 'directory':
        return { ...plain, type: 'directory', mode: value.mode };
      case 'hardlink':
        return { ...plain, type: 'hardlink', mode: 0o644, link: first };
      default:
        return value satisfies never;
    }
  });
  if (!bare)
    entries.push({ path: `usr/${name}`, type: 'file', mode: 0o644, uid: 0, gid: 0, mtime, content: number });
  const lines = [
    ...conffiles.map((path) => `/${path}\n`),
    ...removeOnUpgrade.map((path) => `remove-on-upgrade /${path}\n`),
  ];
  const body = script === undefined ? undefined : `#!/bin/sh\nset -e\n${script}\n`;
  const bytes = makeDeb({
    control: {
      Package: name,
      Version: number,
      Architecture: 'all',
      Priority: number === '1' ? 'optional' : 'standard',
      Section: number === '1' ? 'misc' : 'utils',
      ...(replaces === undefined ? {} : { Replaces: replaces }),
    },
    members: {
      ...(lines.length === 0 ? {} : { conffiles: lines.join('') }),
      ...(triggers === '' ? {} : { triggers }),
      ...(body === undefined || number === '1' ? {} : { preinst: body, postinst: body, postrm: body }),
    },
    entries,
    mtime,
  });
  return { name, version: number, arch: 'all', bytes };
}

type Deed =
  | { readonly do: 'write'; readonly path: Path; readonly content: string }
  | { readonly do: 'delete' | 'link' | 'directory' | 'attributes'; readonly path: Path };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      path: fc.constantFrom(...PATHS),
      content: fc.constantFrom('green\n', 'black\n'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('delete' as const, 'link' as const, 'directory' as const, 'attributes' as const),
      path: fc.constantFrom(...PATHS),
    }),
  },
);

function act(root: string, action: Deed): void {
  const path = join(root, action.path);
  try {
    if (action.do === 'attributes') {
      if (lstatSync(path).isSymbolicLink()) return;
      chownSync(path, 0, 0);
      chmodSync(path, 0o700);
      return;
    }
    rmSync(path, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true });
    if (action.do === 'write') writeFileSync(path, action.content);
    if (action.do === 'link') symlinkSync('q', path);
    if (action.do === 'directory') mkdirSync(path);
  } catch {
    // a deed that cannot be done in this tree
  }
}

const image = fc
  .record({
    alpha: fc.tuple(version('beta', PATHS), version('beta', PATHS)),
    beta: fc.tuple(version('alpha', UNALIASED), version('alpha', UNALIASED)),
    upgrades: fc.constantFrom('both', 'alpha', 'beta'),
    deeds: fc.array(deed, { maxLength: 3 }),
    diversion: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom(':', 'alpha', 'beta')) },
    ),
    override: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(...PATHS) },
    ),
    filters: fc.constantFrom(
      [],
      [],
      ['path-exclude=/usr/share/p/*'],
      ['path-exclude=/usr/share/*', 'path-include=/usr/share/p/[dx]*'],
      ['path-exclude=/etc/t?o', 'path-exclude=*/x'],
    ),
  })
  .map((given) => {
    // what one package has as a file or symlink is no directory of the other
    const isDirectory = given.alpha.every(
      ({ items }) => (items.get('usr/share/p')?.kind ?? 'directory') === 'directory',
    );
    const [old, next] = given.beta;
    return isDirectory
      ? given
      : { ...given, beta: [without(old, 'usr/share/p'), without(next, 'usr/share/p')] as [Version, Version] };
  })
  // a conffile moves to where nothing or a file is
  .map((given) => {
    const versions = [...given.alpha, ...given.beta];
    return versions.some(({ script }) => script?.includes('mv_conffile'))
      ? {
          ...given,
          alpha: given.alpha.map(withoutOddConffiles) as [Version, Version],
          beta: given.beta.map(withoutOddConffiles) as [Version, Version],
        }
      : given;
  })
  // nor is what a script puts aside a directory that somebody made there
  .map((given) => ({
    ...given,
    deeds: [...given.alpha, ...given.beta].some(({ script }) => script?.includes('_conffile'))
      ? given.deeds.filter((action) => action.do !== 'directory' || !CONFFILES.includes(action.path))
      : given.deeds,
  }))
  // dpkg links to whatever lies where it did not unpack a file, or fails; here the link gets the content
  .map((given) => ([...given.alpha, ...given.beta].some(hasHardLink) ? withoutGaps(given) : given));

/** The same where every file of a package is unpacked. */
function withoutGaps<T extends { readonly alpha: [Version, Version]; readonly beta: [Version, Version] }>(
  given: T,
): T {
  const plain = ([old, next]: [Version, Version]): [Version, Version] => [
    { ...old, replaces: undefined },
    { ...next, replaces: undefined },
  ];
  return { ...given, alpha: plain(given.alpha), beta: plain(given.beta), filters: [] };
}

function without(given: Version, path: Path): Version {
  const items = [...given.items].filter(([other]) => other !== path && !other.startsWith(`${path}/`));
  return { ...given, items: new Map(items) };
}

function withoutOddConffiles(given: Version): Version {
  const items = [...given.items].filter(
    ([path, { kind }]) => kind !== 'directory' || !CONFFILES.includes(path),
  );
  return { ...given, items: new Map(items) };
}

function hasHardLink({ items }: Version): boolean {
  return [...items.values()].some(({ kind }) => kind === 'hardlink');
}

/** Has /lib, which dpkg would otherwise remove with the last package that spells a path so; here it would stay. And where
 * a directory goes that becomes a symlink. */
const BASE: DebFile = {
  name: 'base',
  version: '1',
  arch: 'all',
  bytes: makeDeb({
    control: { Package: 'base', Version: '1', Architecture: 'all' },
    entries: [
      { path: 'lib', type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 },
      { path: 'usr/lib', type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 },
      { path: 'usr/base.d', type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 },
      { path: 'usr/base', type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0 },
    ],
  }),
};

test('upgrades of random packages leave what real dpkg leaves', { timeout: 600_000 }, async (t) => {
  const missing = missingTools('dpkg', 'tar', 'cp');
  if (missing !== undefined) {
    t.skip(missing);
    return;
  }
  const work = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'onlay-dpkg-'));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const root = join(work, 'root');
  const debs = `${root}.debs`;
  mkdirSync(debs);
  let compared = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(image, async ({ alpha, beta, upgrades, deeds, diversion, override, filters }) => {
      makeToyRoot(root);
      const old = [BASE, build('alpha', '1', alpha[0]), build('beta', '1', beta[0])];
      for (const deb of old) {
        writeFileSync(join(debs, `${deb.name}.deb`), deb.bytes);
        runDpkg(root, '--force-overwrite', '--install', join(debs, `${deb.name}.deb`));
      }
      // left beside conffiles that were symlinks; a later dpkg would take them for its own
      for (const path of CONFFILES) rmSync(join(root, `${path}.dpkg-new`), { force: true });
      for (const action of deeds) act(root, action);
      if (diversion)
        writeFileSync(
          join(root, 'var/lib/dpkg/diversions'),
          `/${diversion[0]}\n/${diversion[0]}.diverted\n${diversion[1]}\n`,
        );
      if (override) writeFileSync(join(root, 'var/lib/dpkg/statoverride'), `daemon #8 2751 /${override}\n`);
      writeFileSync(join(root, 'etc/dpkg/dpkg.cfg.d/filters'), filters.map((line) => `${line}\n`).join(''));
      const next = [build('alpha', '2', alpha[1]), build('beta', '2', beta[1])].filter(
        ({ name }) => upgrades === 'both' || upgrades === name,
      );
      const options = filters.map((line) => `--${line}`);
      let parity = await compareUpgrade(root, next, options);
      // dpkg takes packages one after the other, and what it makes of files that move between two of them depends on
      // which comes first; here nothing does
      if (next.length > 1 && parity.differences.some((line) => !line.includes('.dpkg-new\n'))) {
        const other = await compareUpgrade(root, [...next].reverse(), options);
        const differences = other.differences.filter((line) => !line.startsWith('var/lib/dpkg/triggers/'));
        if (other.refused !== undefined || differences.length === 0) parity = { ...other, differences };
      }
      if (parity.refused !== undefined) {
        refused++;
        return;
      }
      compared++;
      if (parity.thrown !== undefined) throw parity.thrown as Error;
      // dpkg leaves the new text of a conffile that is a symlink beside it, and never looks at it again
      const left = parity.differences.filter((line) => !/\.dpkg-new\n.*\n {4}ours: $/.test(line));
      assert.deepEqual(left, [], left.join('\n'));
    }),
    {
      includeErrorInReport: true,
      numRuns: Number(process.env['ONLAY_RUNS'] ?? 40),
    },
  );
  t.diagnostic(`${compared} upgrades compared, ${refused} that dpkg itself refuses`);
});
