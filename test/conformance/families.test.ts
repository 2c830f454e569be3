// Every package family of src/packages/index.ts: versions are a total order, what is captured is bounded, and no
// database, however broken, does more than an OnlayError. A new family is tested by its line there and a row here.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import * as fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import { OnlayError } from '../../src/errors.ts';
import { families } from '../../src/packages/index.ts';
import type { PackageFamily } from '../../src/packages/family.ts';
import type { FamilyName } from '../../src/packages/package.ts';
import { rootPath } from '../../src/rootfs/path.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';
import { file, indexBlob, symlink, tarOf } from '../support/layers.ts';
import { memoryRoot } from '../support/memory-root.ts';
import { sharedFolder } from '../support/project.ts';

/** What databases of a family can be. */
interface Traits {
  /** Where its databases lie; all that `open` reads of them. */
  readonly databases: readonly string[];
  /** Small databases as they should be: path → content. */
  readonly sound: readonly { readonly path: string; readonly content: string; readonly packages: number }[];
  /** Beginnings that make a reader believe it is its own form. */
  readonly magics: readonly Uint8Array[];
}

const bytes = (...values: readonly (number | string)[]): Uint8Array =>
  Buffer.concat(
    values.map((value) => (typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.of(value))),
  );

const TRAITS: Readonly<Record<FamilyName, Traits>> = {
  dpkg: {
    databases: ['var/lib/dpkg/status', 'var/lib/dpkg/status.d/base', 'var/lib/dpkg/info/base.list'],
    sound: [
      {
        path: 'var/lib/dpkg/status',
        content:
          'Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2-3\nConffiles:\n /etc/a 0123456789abcdef0123456789abcdef\n\n',
        packages: 1,
      },
      {
        path: 'var/lib/dpkg/status.d/base',
        content: 'Package: base-files\nArchitecture: amd64\nVersion: 12.4\n\n',
        packages: 1,
      },
    ],
    magics: [bytes('Package: '), bytes('Package: a\nVersion:'), bytes('\n\n\n Package')],
  },
  apk: {
    databases: [
      'lib/apk/db/installed',
      'usr/lib/apk/db/installed',
      'lib/apk/db/scripts.tar',
      'lib/apk/db/triggers',
    ],
    sound: [
      {
        path: 'lib/apk/db/installed',
        content: 'C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:a\nV:1.2.3-r0\nA:x86_64\nF:etc\nR:a\na:0:0:600\n\n',
        packages: 1,
      },
    ],
    magics: [bytes('C:Q1'), bytes('P:a\nV:1-r0\n'), bytes('F:')],
  },
  rpm: {
    databases: [
      'var/lib/rpm/rpmdb.sqlite',
      'usr/lib/sysimage/rpm/rpmdb.sqlite',
      'var/lib/rpm/Packages',
      'var/lib/rpm/Packages.db',
      'var/lib/rpmmanifest/container-manifest-2',
    ],
    sound: [
      {
        path: 'var/lib/rpmmanifest/container-manifest-2',
        content:
          'filesystem\t1.1-9.cm2\t1639001600\t1638900000\tMicrosoft\t(none)\t0\tx86_64\t0\tfilesystem-1.1-9.cm2.src.rpm\n',
        packages: 1,
      },
    ],
    magics: [
      bytes('SQLite format 3\0', 0x10, 0, 1, 1, 0, 0x40, 0x20, 0x20),
      bytes('RpmP', 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f),
      bytes('\0\0\0\0\0\0\0\0\0\0\0\0', 0x61, 0x15, 0x06, 0, 9, 0, 0, 0, 0, 0x10, 0, 0, 0, 8),
      bytes('\0\0\0\0\0\0\0\0\0\0\0\0', 0, 0x06, 0x15, 0x61, 0, 0, 0, 9, 0, 0, 0x10, 0, 0, 8),
    ],
  },
};

test('names of families are unique', () => {
  const names = families.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

const PIECES =
  '0 00 1 01 9 10 999999999999999999999 a A z rc alpha ~ ~~ ^ . .. - -- _ + : _rc _p _alpha1 -r0 -r1 ~beta';
const version: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(
      fc.array(fc.constantFrom('0', '1', '01', '010', '9', '10', '99999999999999999999'), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.constantFrom('', 'a', 'z'),
      fc.array(fc.constantFrom('_alpha', '_beta1', '_pre', '_rc2', '_cvs', '_git', '_p', '_p1'), {
        maxLength: 2,
      }),
      fc.constantFrom('', '-r0', '-r1', '-r10'),
    )
    .map(
      ([numbers, letter, suffixes, revision]) =>
        `${numbers.join('.')}${letter}${suffixes.join('')}${revision}`,
    ),
  fc.array(fc.constantFrom(...PIECES.split(' ')), { maxLength: 7 }).map((parts) => parts.join('')),
  fc
    .tuple(fc.constantFrom('', '0:', '1:'), fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }), fc.nat(3))
    .map(([epoch, numbers, revision]) => `${epoch}${numbers.join('.')}-${revision}`),
  fc.string({ maxLength: 12 }),
);

for (const family of families) {
  const { name, compareVersions } = family;
  const traits = TRAITS[name];
  const sign = (a: string, b: string): number => Math.sign(compareVersions(a, b));

  test(`${name}: compareVersions() is reflexive and antisymmetric, and never throws`, () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        assert.equal(sign(a, a), 0);
        assert.ok([-1, 0, 1].includes(sign(a, b)), `${sign(a, b)}`);
        assert.equal(sign(a, b) + sign(b, a), 0, `${a} and ${b}`);
      }),
      { numRuns: 2000 },
    );
  });

  test(`${name}: compareVersions() is transitive, and equal versions are interchangeable`, () => {
    fc.assert(
      fc.property(version, version, version, (...three) => {
        const [low, middle, high] = three.sort(compareVersions);
        assert.ok(sign(low, middle) <= 0 && sign(middle, high) <= 0, `${low} ${middle} ${high}`);
        assert.ok(sign(low, high) <= 0, `${low} <= ${middle} <= ${high}`);
        if (sign(low, middle) === 0)
          assert.equal(sign(low, high), sign(middle, high), `${low} = ${middle}, ${high}`);
        if (sign(middle, high) === 0)
          assert.equal(sign(low, high), sign(low, middle), `${low}, ${middle} = ${high}`);
      }),
      { numRuns: 3000 },
    );
  });

  test(`${name}: compareVersions() takes time by length, not by its square`, { timeout: 30_000 }, () => {
    for (const piece of [
      '1',
      '0',
      'a',
      '1.',
      'a1',
      '~',
      '^',
      '-',
      ':',
      '_p',
      '-r',
      ' ',
      '.',
      '+',
      '\u00ff',
    ]) {
      const long = piece.repeat(200_000 / piece.length);
      for (const [a, b] of [
        [long, `${long}1`],
        [long, `${long}~`],
        [`1${long}`, `1${long.slice(1)}x`],
        [long, ''],
      ] as const)
        assert.equal(sign(a, b) + sign(b, a), 0);
    }
  });

  test(`${name}: captures() keeps databases and configuration, nothing else and nothing huge`, () => {
    const captures = (path: string, size: number): boolean => family.captures(rootPath(path), size);
    for (const path of [...traits.databases, 'etc/os-release', 'etc/passwd'])
      assert.ok(captures(path, 1000), path);
    for (const path of [
      'usr/bin/bash',
      'home/film.mkv',
      'lib/libc.so.6',
      'data/etc/passwd',
      '',
      'var',
      'etc',
    ])
      assert.ok(!captures(path, 1000) || path === 'etc', path);
    for (const path of ['etc/huge', 'etc/ssl/huge.pem', 'usr/bin/bash', 'usr/share/keyrings/huge.gpg'])
      assert.ok(!captures(path, 2 ** 40), path);
    // a path that leaves the root is refused before anybody is asked
    const name = fc.string().filter((part) => !part.split('/').includes('..'));
    for (const size of [0, 2 ** 53, -1, Number.NaN])
      fc.assert(
        fc.property(fc.array(name, { maxLength: 5 }), (parts) => {
          captures(parts.join('/'), size);
        }),
      );
  });

  test(`${name}: open() answers undefined where there is no database`, async () => {
    assert.equal(await open(family, {}), undefined);
    const elsewhere = families
      .filter((other) => other !== family)
      .flatMap((other) => TRAITS[other.name].sound.map(({ path, content }) => [path, content] as const));
    for (const [path, content] of elsewhere)
      assert.equal(await open(family, { [path]: content }), undefined, path);
  });

  for (const { path, content, packages } of traits.sound) {
    test(`${name}: open() reads ${path}`, async () => {
      assert.equal(await open(family, { [path]: content }), packages);
    });
    test(`${name}: open() refuses or reads what became of ${path}, whatever it is`, async () => {
      await damage(family, path, Buffer.from(content, 'latin1'), { cuts: 200, changes: 300 });
    });
  }

  test(`${name}: open() refuses or reads random bytes as any of its databases`, async () => {
    const magic = fc.constantFrom(new Uint8Array(), ...traits.magics);
    const filler = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.constantFrom(0, 0x0a, 0x20, 0x7f, 0x80, 0xff), fc.nat(20_000))
        .map(([value, length]) => new Uint8Array(length).fill(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...traits.databases), magic, filler, async (path, head, rest) => {
        await open(family, { [path]: Buffer.concat([head, rest]) });
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: open() refuses a database whose content was not kept, huge or somewhere else as it is`, async () => {
    for (const path of traits.databases) {
      const text = traits.sound.find((one) => one.path === path)?.content ?? 'x';
      const moved = [file(`opt/${path}`, text), symlink(path, `/opt/${path}`)];
      for (const entries of [[file(path, text)], moved]) {
        const index = await indexBlob(tarOf(entries), { captures: () => false });
        const found = await openRoot(family, mergeLayers([index]));
        assert.ok(found === undefined || found === -1, path);
      }
    }
  });

  test(`${name}: open() refuses a database that is no file`, async () => {
    for (const path of traits.databases)
      for (const link of ['loop', path, '/dev/zero', '../../../../etc/shadow']) {
        await open(family, { [path]: { link }, loop: { link: 'loop' } });
        await open(family, { [`${path}/below`]: 'x' });
      }
  });
}

/** Real databases of other people's images, cut short and with huge numbers in them. */
const REAL: readonly {
  readonly family: FamilyName;
  readonly path: string;
  readonly source: string;
  readonly packages: number;
}[] = [
  {
    family: 'rpm',
    path: 'var/lib/rpm/rpmdb.sqlite',
    source: 'rpm/rpmdb-cbl-mariner-2.0-rpmdb.sqlite',
    packages: 129,
  },
  { family: 'rpm', path: 'var/lib/rpm/Packages.db', source: 'rpm/rpmdb-sle15-bci-Packages.db', packages: 35 },
  { family: 'rpm', path: 'var/lib/rpm/Packages', source: 'rpm/rpmdb-libuuid-Packages', packages: 1 },
  {
    family: 'apk',
    path: 'lib/apk/db/installed',
    source: 'alpine/alpine-minirootfs-3.19.4-x86_64.tar.gz',
    packages: 15,
  },
];

for (const { family: name, path, source, packages } of REAL)
  test(`${name}: open() refuses or reads ${source} cut short or with huge numbers in it`, async (t) => {
    const shared = sharedFolder();
    if (shared === undefined) return t.skip('needs ../shared/data');
    const family = families.find((candidate) => candidate.name === name) as PackageFamily;
    const raw = readFileSync(join(shared, 'data', source));
    const content = source.endsWith('.tar.gz') ? await fromTar(gunzipSync(raw), path) : raw;
    assert.equal(await open(family, { [path]: content }), packages);
    await damage(family, path, content, { cuts: 12, changes: 40 });
  });

/** Packages of the database in a root with these files; undefined if there is none; -1 if it is refused. */
function open(family: PackageFamily, files: Parameters<typeof memoryRoot>[0]): Promise<number | undefined> {
  return openRoot(family, memoryRoot(files));
}

async function openRoot(family: PackageFamily, root: RootView): Promise<number | undefined> {
  try {
    const database = await family.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
    return database?.packages.length;
  } catch (error) {
    if (!(error instanceof OnlayError)) throw error;
    assert.notEqual(error.code, 'INTERNAL', error.message);
    assert.ok(error.message.length < 2000, `a message of ${error.message.length} characters`);
    return -1;
  }
}

async function damage(
  family: PackageFamily,
  path: string,
  content: Uint8Array,
  { cuts, changes }: { readonly cuts: number; readonly changes: number },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.nat(content.length), async (length) => {
      await open(family, { [path]: content.subarray(0, length) });
    }),
    { numRuns: cuts },
  );
  // most numbers that matter are near the beginning
  const place = fc.oneof(fc.nat(content.length - 1), fc.nat(Math.min(content.length - 1, 4200)));
  const other = fc.constantFrom(
    bytes(0xff, 0xff, 0xff, 0xff),
    bytes(0x7f, 0xff, 0xff, 0xff),
    bytes(0xff, 0xff, 0xff, 0x7f),
    bytes(0, 0, 0, 0),
    bytes(0x80),
    bytes('\n\n'),
    bytes(' '.repeat(500)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(place, other), { minLength: 1, maxLength: 3 }), async (edits) => {
      const changed = Uint8Array.from(content);
      for (const [at, value] of edits) changed.set(value.subarray(0, content.length - at), at);
      await open(family, { [path]: changed });
    }),
    { numRuns: changes },
  );
}

async function fromTar(tar: Uint8Array, path: string): Promise<Uint8Array> {
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry) chunks.push(chunk as Uint8Array);
    if (entry.header.name.replace(/^\.\//, '') === path) return Buffer.concat(chunks);
  }
  throw new Error(`${path} is not in the archive`);
}
