// Solving against the real apt-get on small generated repositories: Provides, alternatives, Breaks, holds, pins, several
// versions of one name, Multi-Arch: same, NotAutomatic. apt also verifies our test repository's signatures here.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signingKey } from '../support/apt-repository.ts';
import type { SigningKey } from '../support/apt-repository.ts';
import { openCase, rowsOf } from '../support/apt-toy.ts';
import { aptUnavailable } from '../support/apt.ts';
import type { ToyCase } from '../support/apt-toy.ts';

interface Case extends ToyCase {
  readonly title: string;
  /** undefined is the upgrade of everything. */
  readonly wanted: readonly (readonly string[] | undefined)[];
}

const CASES: readonly Case[] = [
  {
    title: 'dependencies pull new and installed packages',
    installed: ['a 1 Depends: b', 'b 1', 'c 1 Depends: b (<< 3)', 'd 1'],
    stable: ['a 2 Depends: b (>= 2), new', 'b 2', 'new 1 Depends: new2 | d', 'new2 1', 'c 2', 'd 2'],
    wanted: [undefined, ['a'], ['b'], ['c'], ['d']],
  },
  {
    title: 'the highest of several versions is taken',
    installed: ['a 1', 'b 1'],
    stable: ['a 1.5', 'a 3', 'a 2', 'b 0.9', 'b 1'],
    wanted: [undefined, ['a'], ['b']],
  },
  {
    title: 'Breaks move the broken package on, or keep the breaker back',
    installed: ['a 1', 'b 1', 'c 1', 'd 1'],
    stable: ['a 2 Breaks: b (<< 2)', 'b 2', 'c 2 Breaks: d (<< 2)', 'd 1'],
    wanted: [undefined, ['a'], ['b']],
  },
  {
    title: 'exact sibling dependencies move together, and sources do',
    installed: [
      'liba 1 Source: a',
      'a-bin 1 Source: a; Depends: liba (= 1)',
      'a-doc 1 Source: a',
      'user 1 Depends: liba (>= 1)',
    ],
    stable: [
      'liba 2 Source: a',
      'a-bin 2 Source: a; Depends: liba (= 2)',
      'a-doc 2 Source: a',
      'user 2 Depends: liba (>= 1)',
    ],
    wanted: [undefined, ['liba'], ['a-bin'], ['a-doc'], ['user']],
  },
  {
    title: 'Provides answer dependencies, versioned ones only when they are versioned',
    installed: ['mta 1 Provides: mail', 'tool 1 Depends: mail', 'old 1', 'x 1', 'y 1'],
    stable: [
      'mta 2 Provides: mail (= 2)',
      'tool 2 Depends: mail (>= 2)',
      'old 2 Depends: virtual',
      'real 1 Provides: virtual',
      'x 2 Depends: pv (>= 2)',
      'pv1 1 Provides: pv',
      'pv2 1 Provides: pv (= 2)',
      'y 2 Depends: nowhere',
    ],
    wanted: [undefined, ['mta'], ['tool'], ['old'], ['x']],
  },
  {
    title: 'alternatives: satisfied ones, then in order',
    installed: ['a 1', 'b 1', 'c 1', 'have 1'],
    stable: [
      'a 2 Depends: n1 | have',
      'b 2 Depends: nowhere | n2',
      'c 2 Depends: n3 | n4',
      'n1 1',
      'n2 1',
      'n3 1',
      'n4 1',
      'have 1',
    ],
    wanted: [undefined, ['a'], ['b'], ['c']],
  },
  {
    title: 'an installed alternative that an upgrade would satisfy',
    installed: ['a 1', 'have 1'],
    stable: ['a 2 Depends: n1 | have (>= 2)', 'n1 1', 'have 2'],
    wanted: [undefined, ['a']],
  },
  {
    title: 'holds are kept, and what needs a held package with them',
    installed: ['a 1 Status: hold ok installed', 'b 1 Depends: a', 'c 1 Depends: a'],
    stable: ['a 2', 'b 2 Depends: a (>= 2)', 'c 2 Depends: a'],
    wanted: [undefined, ['c']],
  },
  {
    title: 'NotAutomatic suites are not chosen, ButAutomaticUpgrades for what came from them',
    installed: ['a 1', 'b 1.5~bpo1', 'c 1'],
    stable: ['a 2', 'b 1', 'c 1'],
    others: {
      backports: {
        packages: ['a 3~bpo1', 'b 2~bpo1', 'b 1.5~bpo1', 'c 2~bpo1'],
        release: { NotAutomatic: 'yes', ButAutomaticUpgrades: 'yes' },
      },
      experimental: { packages: ['a 9', 'b 9', 'c 9'], release: { NotAutomatic: 'yes' } },
    },
    wanted: [undefined, ['a'], ['b'], ['c']],
  },
  {
    title: 'pins choose, forbid and hold back',
    installed: ['a 1', 'b 1', 'c 1', 'd 1', 'lib-x 1', 'src-bin 1 Source: thesrc', 'e 1'],
    stable: ['a 2', 'b 2', 'c 2', 'd 2', 'lib-x 2', 'src-bin 2 Source: thesrc', 'e 2'],
    others: {
      testing: {
        packages: ['a 3', 'b 3', 'c 3', 'd 3', 'lib-x 3', 'src-bin 3 Source: thesrc', 'e 3'],
        release: { Label: 'Other' },
      },
    },
    preferences: [
      'Package: a\nPin: release a=stable\nPin-Priority: 900',
      'Package: b\nPin: version 1*\nPin-Priority: 1001',
      'Package: c\nPin: release n=testing\nPin-Priority: -1',
      'Explanation: x\nPackage: lib* /^nothing$/\nPin: release l=Other\nPin-Priority: 50',
      'Package: src:thesrc\nPin: version 2\nPin-Priority: 990',
      'Package: *\nPin: release a=testing, l=Other\nPin-Priority: 400',
      'Package: *\nPin: release a=testing\nPin-Priority: 600',
    ].join('\n\n'),
    wanted: [undefined, ['a'], ['d'], ['e']],
  },
  {
    title: 'Multi-Arch: same moves all architectures, foreign and any answer across them',
    installed: [
      'libm:amd64 1 Multi-Arch: same',
      'libm:i386 1 Multi-Arch: same',
      'app:i386 1 Depends: libm (>= 1), tool, py:any',
      'tool:amd64 1 Multi-Arch: foreign',
      'py:amd64 1 Multi-Arch: allowed',
      'libn:amd64 1 Multi-Arch: same',
      'libn:i386 1 Multi-Arch: same',
    ],
    stable: [
      'libm:amd64 2 Multi-Arch: same',
      'libm:i386 2 Multi-Arch: same',
      'app:i386 2 Depends: libm (>= 2), tool (>= 2), py:any (>= 2)',
      'tool:amd64 2 Multi-Arch: foreign',
      'py:amd64 2 Multi-Arch: allowed',
      'libn:amd64 2 Multi-Arch: same',
      'libn:i386 1 Multi-Arch: same',
    ],
    wanted: [undefined, ['libm'], ['tool'], ['app:i386']],
  },
  {
    title: 'architecture all and back',
    installed: ['a:all 1', 'b:amd64 1', 'c:amd64 1 Depends: a'],
    stable: ['a:amd64 2', 'b:all 2', 'c:amd64 2 Depends: b (>= 2)'],
    wanted: [undefined, ['a'], ['b'], ['c']],
  },
  {
    title: 'a new version that loses what others need is kept back',
    installed: ['a 1 Provides: v', 'user 1 Depends: v', 'b 1 Provides: w', 'wuser 1 Depends: w'],
    stable: ['a 2', 'user 1 Depends: v', 'b 2', 'wuser 2'],
    wanted: [undefined, ['b'], ['wuser']],
  },
];

describe('toy repositories', { skip: aptUnavailable() }, () => {
  const work = mkdtempSync(join(tmpdir(), 'apt-toy-'));
  let key: SigningKey;
  before(async () => void (key = await signingKey()));
  after(() => rmSync(work, { recursive: true, force: true }));

  for (const [index, item] of CASES.entries())
    test(`as apt-get: ${item.title}`, async () => {
      const { ours, theirs } = await openCase(join(work, String(index)), item, key);
      for (const wanted of item.wanted) {
        const expected = wanted
          ? await theirs.simulate('install', '--only-upgrade', ...wanted)
          : await theirs.simulate('upgrade', '--with-new-pkgs');
        assert.deepEqual(rowsOf(await ours(wanted)), expected, wanted?.join(' ') ?? 'everything');
      }
    });
});
