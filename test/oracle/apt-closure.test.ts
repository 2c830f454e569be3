// The closure of upgrades is apt's, and so is the order in which they are unpacked: for images with pending upgrades,
// every pending package by itself, random sets of them, and all together are resolved by us and by apt-get, on
// what make-case.sh keeps of the cases bookworm-web and trixie-web (roots and apt's lists).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mapConcurrent } from '../../src/base/concurrency.ts';
import { silentLog, silentProgress } from '../../src/base/log.ts';
import { createFetch } from '../../src/mirrors/index.ts';
import type { PlannedPackage, Wanted } from '../../src/packages/package.ts';
import { resolveDpkg } from '../../src/packages/dpkg/resolve.ts';
import { readSources } from '../../src/packages/dpkg/sources.ts';
import { readStatus } from '../../src/packages/dpkg/status.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { aptOracle, aptUnavailable } from '../support/apt.ts';
import { memoryRoot } from '../support/memory-root.ts';
import { needCase, oracleFolder } from '../support/oracle-case.ts';
import { randomNumbers } from '../support/random.ts';

const kept = join(oracleFolder, '.cache/debian');
const SETS = 200;
const HELPER = '/usr/lib/apt/apt-helper';

for (const suite of ['bookworm', 'trixie']) {
  const directory = join(kept, `${suite}-web`);
  const lists = join(kept, `lists.${suite}`);
  test(`${suite}-web: closures of single packages, random sets and everything are those of apt-get`, async (t) => {
    const absent = existsSync(HELPER) ? aptUnavailable() : `${HELPER} is not there`;
    const reason = absent || needCase('debian', `${suite}-web`);
    if (reason) return t.skip(reason);
    const work = mkdtempSync(join(tmpdir(), 'apt-closure-'));
    t.after(() => rmSync(work, { recursive: true, force: true }));
    const apt = aptOracle({ root: directory, lists, cache: join(work, 'cache') });
    const root = configurationOf(directory);
    const status = readStatus(readFileSync(join(directory, 'var/lib/dpkg/status'), 'latin1'), 'status');
    const { mirrors, now } = serveLists(root, lists, join(work, 'mirror'));
    await using fetch = createFetch({ mirrors, env: {}, log: silentLog, progress: silentProgress });
    const closure = async (wanted: 'all' | readonly Wanted[]): Promise<readonly PlannedPackage[]> => {
      const { packages, skipped } = await resolveDpkg({
        root,
        distro: undefined,
        imageArch: 'amd64',
        status,
        kind: 'dpkg',
        request: {
          fetch,
          wanted,
          now,
          log: silentLog,
          repositories: [],
          allowNew: true,
          trustKeys: [],
          onlyTrustKeys: false,
          allowUnsigned: false,
        },
      });
      assert.deepEqual(skipped, []);
      return packages;
    };
    const inOrder = (packages: readonly PlannedPackage[]): string[] =>
      [...packages]
        .sort((a, b) => Number(a.extra?.['order']) - Number(b.extra?.['order']))
        .map(({ name, to }) => `${name} ${to}`);
    const all = await closure('all');
    assert.ok(all.length > 0);
    assert.deepEqual(inOrder(all), await apt.sequence('upgrade', '--with-new-pkgs'));

    const pending = all.filter(({ from }) => from !== undefined);
    const random = randomNumbers(20_261_121);
    const sets = [
      ...pending.map((item) => [item]),
      ...Array.from({ length: SETS }, () => {
        const share = random();
        return pending.filter(() => random() < share);
      }).filter((set) => set.length > 0),
    ];
    await mapConcurrent(sets, 2, async (set) => {
      // floors as a scanner states them: source versions
      const wanted = set.map(({ name, arch, sourceVersion }) => ({
        name,
        arch,
        floors: [[sourceVersion]],
        cves: [],
      }));
      const names = set.map(({ name }) => name);
      const command = ['install', '--only-upgrade', ...names] as const;
      const planned = await closure(wanted);
      assert.deepEqual(inOrder(planned), await apt.sequence(...command), names.join(' '));
    });
    t.diagnostic(`${sets.length} sets of ${pending.length} pending packages`);
  });
}

/** apt's configuration and the keys of a root directory; nothing else is read of the image. */
function configurationOf(directory: string): RootView {
  const files: Record<string, Uint8Array> = {};
  for (const folder of ['etc/apt', 'usr/share/keyrings'])
    for (const name of readdirSync(join(directory, folder), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${name}`;
      if (statSync(join(directory, path)).isFile()) files[path] = readFileSync(join(directory, path));
    }
  return memoryRoot(files);
}

/**
 * A mirror made of apt's lists: the signed InRelease files as they came, and the indexes, which apt keeps recompressed,
 * as plain files, whose digests are in Release too. `now` is the day the lists are of.
 */
function serveLists(root: RootView, lists: string, target: string): { mirrors: string[]; now: number } {
  const mirrors: string[] = [];
  let now = 0;
  for (const {
    bases: [base = ''],
    suite,
  } of readSources(root, 'amd64').sources) {
    const prefix = `${base.replace(/^\w+:\/\//, '').replaceAll('/', '_')}_dists_${suite}_`;
    const place = join(target, base.replace(/\W+/g, '-'));
    mirrors.push(`${base}=${place}`);
    for (const name of readdirSync(lists).filter((name) => name.startsWith(prefix))) {
      const file = join(lists, name);
      const path = join(
        place,
        'dists',
        suite,
        name
          .slice(prefix.length)
          .replace(/\.lz4$/, '')
          .replaceAll('_', '/'),
      );
      mkdirSync(dirname(path), { recursive: true });
      const content = name.endsWith('InRelease')
        ? readFileSync(file)
        : execFileSync(HELPER, ['cat-file', file], { maxBuffer: 2 ** 30 });
      writeFileSync(path, content);
      if (name.endsWith('InRelease'))
        now = Math.max(now, Date.parse(/^Date: (.*)$/m.exec(content.toString())?.[1] ?? '') + 60_000);
    }
  }
  return { mirrors: [...new Set(mirrors)], now };
}
