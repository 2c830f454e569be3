// The database beside real dpkg's: stanzas of packages with all kinds of fields, packages of several architectures that
// share files, packages that are removed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { makeDeb, makeToyRoot, runDpkg, tidyDpkg } from '../support/debs.ts';
import { compareUpgrade, upgradeView, type DebFile } from '../support/dpkg-parity.ts';
import { dir, file, symlink, type Entry } from '../support/layers.ts';
import { differences, missingTools, rootFromDirectory } from '../support/root-from-directory.ts';

/** An empty toy root, or undefined after saying why there is none. */
function toyRoot(t: TestContext): string | undefined {
  const missing = missingTools('dpkg', 'tar', 'cp');
  if (missing !== undefined) {
    t.skip(missing);
    return undefined;
  }
  const work = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'onlay-dpkg-'));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const root = join(work, 'root');
  mkdirSync(`${root}.debs`);
  makeToyRoot(root);
  return root;
}

function install(root: string, debs: readonly DebFile[]): void {
  const paths = debs.map(({ name, version, arch, bytes }) => {
    const path = join(`${root}.debs`, `${name}_${version}_${arch}.deb`);
    writeFileSync(path, bytes);
    return path;
  });
  assert.equal(runDpkg(root, '--install', ...paths), undefined);
}

const relation = fc
  .tuple(
    fc.constantFrom('nothing', 'lib-x.1', 'a+b'),
    fc.constantFrom('', '', ':any', ':amd64'),
    fc.constantFrom('', ' (= 1)', '(>=1:2-3)', ' ( << 0:1.0~ )', ' (<2)', '\n (> 2)', ' (>> 1)'),
  )
  .map((parts) => parts.join(''));
const relations = fc
  .array(fc.array(relation, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 })
  .map((groups) => groups.map((group) => group.join(' |  ')).join(' ,  '));
/** Alternatives are for dependencies only. */
const plainRelations = fc.array(relation, { minLength: 1, maxLength: 3 }).map((list) => list.join(' ,  '));
const provides = fc.constantFrom('virtual', 'virtual (= 1:2)', 'one,two (= 0:3)');
const folded = fc.constantFrom('short', 'one\n two\n  three', 'a\n .\n b', '\n first\n second');
const fields = fc.record(
  {
    Essential: fc.constantFrom('yes', 'no'),
    Protected: fc.constantFrom('yes', 'no'),
    Priority: fc.constantFrom('optional', 'Required', 'extra', 'whatever'),
    Section: fc.constantFrom('utils', 'non-free/libs'),
    'Installed-Size': fc.constantFrom('12'),
    Origin: fc.constantFrom('Somewhere'),
    Bugs: fc.constantFrom('mailto:x@example.org'),
    'Multi-Arch': fc.constantFrom('no', 'foreign', 'allowed'),
    Source: fc.constantFrom('src', 'src (1:2-3)'),
    Replaces: plainRelations,
    Provides: provides,
    Depends: relations,
    'Pre-Depends': relations,
    Recommends: relations,
    Suggests: relations,
    Breaks: fc.constantFrom('none (<< 1)', 'none,  other'),
    Conflicts: fc.constantFrom('none (<= 1)'),
    Enhances: plainRelations,
    Homepage: fc.constantFrom('https://example.org/'),
    Tag: folded,
    'Built-Using': fc.constantFrom('x (= 1)'),
    'X-Custom': folded,
    'Original-Maintainer': fc
      .constantFrom('Ä <ä@example.org>')
      .map((text) => Buffer.from(text).toString('latin1')),
  },
  { requiredKeys: [] },
);
const version = fc.constantFrom('1', '0:1.0-1', '2:3', '1.0~rc1+b1');

test('stanzas are rendered as dpkg renders them', async (t) => {
  const root = toyRoot(t);
  if (root === undefined) return;
  const samples = fc.sample(fc.tuple(fields, version, fc.boolean()), { numRuns: 40, seed: 3 });
  const debs = samples.map(([control, number, withSums], index): DebFile => {
    const name = `pkg${String(index).padStart(2, '0')}`;
    const members = withSums ? { md5sums: `d41d8cd98f00b204e9800998ecf8427e  usr/${name}\n` } : {};
    const bytes = makeDeb({
      control: { Package: name, ...shuffled(control, index), Version: number, Architecture: 'amd64' },
      members: { ...members, shlibs: 'x 1\n' },
      entries: [file(`usr/${name}`, ''), symlink(`usr/${name}.l`, name)],
    });
    return { name, version: number, arch: 'amd64', bytes };
  });
  install(root, [debs[0] as DebFile]);
  const parity = await compareUpgrade(root, debs);
  assert.equal(parity.refused, undefined);
  assert.equal(parity.thrown, undefined);
  assert.deepEqual(parity.differences, [], parity.differences.join('\n'));
});

/** Fields in an order of their own, as control files have them. */
function shuffled(control: Readonly<Record<string, string | undefined>>, by: number): Record<string, string> {
  const entries = Object.entries(control).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const at = entries.length === 0 ? 0 : by % entries.length;
  return Object.fromEntries([...entries.slice(at), ...entries.slice(0, at)]);
}

const ARCHITECTURES = ['amd64', 'i386'];

test('packages of two architectures share files, conffiles and triggers as dpkg lets them', async (t) => {
  const root = toyRoot(t);
  if (root === undefined) return;
  writeFileSync(join(root, 'var/lib/dpkg/arch'), 'amd64\ni386\n');
  const libx = (number: string, content: string, extra: readonly Entry[] = []): DebFile[] =>
    ARCHITECTURES.map((arch) => ({
      name: 'libx',
      version: number,
      arch,
      bytes: makeDeb({
        control: { Package: 'libx', Version: number, Architecture: arch, 'Multi-Arch': 'same' },
        members: {
          conffiles: '/etc/x\n/etc/y\n',
          triggers: 'interest-noawait /usr/share/x\ninterest x-trigger\n',
          postinst: '#!/bin/sh\n:\n',
        },
        entries: [
          file('etc/x', content),
          file('etc/y', content),
          file(`usr/lib/${arch}/x`, content),
          file('usr/share/x/f', content),
          ...extra,
        ],
      }),
    }));
  install(root, libx('1', 'one', [file('usr/share/x/gone', 'x')]));
  writeFileSync(join(root, 'etc/y'), 'changed');
  const parity = await compareUpgrade(root, libx('2', 'two', [file('usr/share/x/new', 'x')]));
  assert.equal(parity.refused, undefined);
  assert.equal(parity.thrown, undefined);
  assert.deepEqual(parity.differences, [], parity.differences.join('\n'));
});

test('a package that becomes Architecture: all, or Multi-Arch: same, keeps one record and one set of files', async (t) => {
  const root = toyRoot(t);
  if (root === undefined) return;
  const toy = (
    name: string,
    number: string,
    arch: string,
    more: Readonly<Record<string, string>>,
  ): DebFile => ({
    name,
    version: number,
    arch,
    bytes: makeDeb({
      control: { Package: name, Version: number, Architecture: arch, ...more },
      entries: [file(`usr/${name}`, number)],
    }),
  });
  install(root, [toy('one', '1', 'amd64', {}), toy('two', '1', 'amd64', {})]);
  const parity = await compareUpgrade(root, [
    toy('one', '2', 'all', {}),
    toy('two', '2', 'amd64', { 'Multi-Arch': 'same' }),
  ]);
  assert.equal(parity.refused, undefined);
  assert.equal(parity.thrown, undefined);
  assert.deepEqual(parity.differences, [], parity.differences.join('\n'));
});

interface Removal {
  readonly entries: readonly Entry[];
  readonly members?: Readonly<Record<string, string>>;
}

const REMOVALS: Readonly<Record<string, Removal>> = {
  'files and directories of its own': {
    entries: [
      file('usr/share/toy/a'),
      symlink('usr/share/toy/l', 'a'),
      dir('usr/share/toy/empty'),
      dir('usr/shared'),
    ],
  },
  'conffiles, which stay': {
    entries: [file('etc/toy/a', 'x'), file('etc/toy/b', 'y')],
    members: { conffiles: '/etc/toy/a\n' },
  },
  'a postrm, which stays': {
    entries: [file('usr/toy')],
    members: { postrm: '#!/bin/sh\n:\n', prerm: '#!/bin/sh\n:\n', postinst: '#!/bin/sh\n:\n' },
  },
  triggers: {
    entries: [file('usr/toy')],
    members: { triggers: 'interest /usr/share\ninterest named\n', postinst: '#!/bin/sh\n:\n' },
  },
};

for (const [what, { entries, members = {} }] of Object.entries(REMOVALS))
  test(`removing a package with ${what} leaves what dpkg leaves`, async (t) => {
    const root = toyRoot(t);
    if (root === undefined) return;
    const control = { Package: 'toy', Version: '1', Architecture: 'all', Protected: 'no' };
    install(root, [
      {
        name: 'other',
        version: '1',
        arch: 'all',
        bytes: makeDeb({
          control: { ...control, Package: 'other' },
          entries: [dir('usr/shared'), file('etc/other')],
        }),
      },
      { name: 'toy', version: '1', arch: 'all', bytes: makeDeb({ control, members, entries }) },
    ]);
    const expected = `${root}.expected`;
    spawnSync('cp', ['-a', root, expected]);
    assert.equal(runDpkg(expected, '--remove', 'toy'), undefined);
    for (const tree of [root, expected]) tidyDpkg(tree);
    const removal = { name: 'toy', arch: 'all', version: '1', reason: 'test' };
    const { draft } = await upgradeView(await rootFromDirectory(root), [], [removal]);
    const found = [...differences(await rootFromDirectory(expected), draft)];
    const texts = ['status', 'info/toy.list'].map((name) => {
      const path = `var/lib/dpkg/${name}`;
      return draft.readable(path) ? Buffer.from(draft.read(path) ?? []).toString('latin1') : '';
    });
    assert.deepEqual(found, [], texts.join('\n'));
  });
