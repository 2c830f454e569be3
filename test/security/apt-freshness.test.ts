// P4, P8, P11 of the catalogue of hostile inputs: old, mixed, incomplete and frozen mirrors.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OnlayError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { buildAptRepository, directoryHandler, signingKey } from '../support/apt-repository.ts';
import type { BuildOptions, RepositoryPackage, SigningKey } from '../support/apt-repository.ts';
import { resolveToy } from '../support/apt-resolve.ts';
import type { ResolveToy, ResolvedToy } from '../support/apt-resolve.ts';
import { startServer } from '../support/http-server.ts';

const DAY = 86_400_000;
const refused = (promise: Promise<unknown>, code: ErrorCode, why: RegExp): Promise<void> =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof OnlayError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, why);
    assert.ok(error.hint !== undefined);
    return true;
  });

describe('freshness of apt repositories', () => {
  const work = mkdtempSync(join(tmpdir(), 'apt-freshness-'));
  let key: SigningKey;
  let count = 0;
  before(async () => void (key = await signingKey('Archive', { date: new Date(Date.now() - 400 * DAY) })));
  after(() => rmSync(work, { recursive: true, force: true }));

  const make = async (
    options: Partial<BuildOptions> & {
      readonly release?: Record<string, string>;
      readonly packages?: readonly RepositoryPackage[];
      readonly base?: string;
    } = {},
  ): Promise<{ base: string; suite: string }> => {
    const base = options.base ?? join(work, String(count++));
    const { packages = [{ name: 'a', version: '2' }], release = {} } = options;
    await buildAptRepository(base, [{ name: 'stable', packages, release }], { keys: [key], ...options });
    return { base, suite: join(base, 'dists/stable') };
  };
  const resolve = (base: string, more: Partial<ResolveToy> = {}): Promise<ResolvedToy> =>
    resolveToy({
      sources: ['deb http://archive.invalid stable main'],
      installed: ['a 1'],
      files: { 'etc/apt/trusted.gpg.d/good.asc': key.public },
      mirrors: { mirrors: [`http://archive.invalid=${base}`] },
      ...more,
    });
  const utc = (date: number): string => new Date(date).toUTCString();

  test('P4: an index past its Valid-Until is refused, unless image or user say that this is a snapshot', async () => {
    const { base } = await make({
      date: new Date(Date.now() - 9 * DAY),
      release: { 'Valid-Until': utc(Date.now() - 2 * DAY) },
    });
    await refused(resolve(base), 'INDEX_EXPIRED', /was valid until/);
    const sources = ['deb [check-valid-until=no] http://archive.invalid stable main'];
    assert.equal((await resolve(base, { sources })).packages.length, 1);
    assert.equal((await resolve(base, { repositories: sources })).packages.length, 1);
    const files = {
      'etc/apt/trusted.gpg.d/good.asc': key.public,
      'etc/apt/apt.conf': 'Acquire::Check-Valid-Until "false";',
    };
    assert.equal((await resolve(base, { files })).packages.length, 1);
  });

  test('P4: a limit on age in the configuration counts where the repository states none', async () => {
    const { base } = await make({ date: new Date(Date.now() - 9 * DAY) });
    const files = {
      'etc/apt/trusted.gpg.d/good.asc': key.public,
      'etc/apt/apt.conf.d/age': 'Acquire::Max-ValidTime "86400";',
    };
    await refused(resolve(base, { files }), 'INDEX_EXPIRED', /was valid until/);
    await refused(
      resolve(base, { sources: ['deb [valid-until-max=3600] http://archive.invalid stable main'] }),
      'INDEX_EXPIRED',
      /was valid until/,
    );
  });

  test('P4: an index from the future is refused', async () => {
    const { base } = await make({ release: { Date: utc(Date.now() + DAY) } });
    await refused(resolve(base), 'INDEX_EXPIRED', /in the future/);
    assert.equal(
      (await resolve(base, { sources: ['deb [check-date=no] http://archive.invalid stable main'] })).packages
        .length,
      1,
    );
  });

  test('P4: the signed Release file of another suite is refused under this name', async () => {
    const { base } = await make({ release: { Suite: 'oldstable', Codename: 'bookworm' } });
    await refused(resolve(base), 'INDEX_INVALID', /is the index of oldstable, bookworm/);
  });

  test('P4: old Packages beside a newer Release are not used', async () => {
    const [old, current] = [
      await make({ packages: [{ name: 'a', version: '1' }] }),
      await make({ noByHash: true }),
    ];
    for (const name of readdirSync(join(old.suite, 'main/binary-amd64')).filter((name) =>
      name.startsWith('Packages'),
    ))
      copyFileSync(
        join(old.suite, 'main/binary-amd64', name),
        join(current.suite, 'main/binary-amd64', name),
      );
    await refused(resolve(current.base), 'INDEX_INVALID', /not the one that the signed Release file names/);
  });

  test('P8: by-hash is asked first, the plain name where the mirror has no by-hash', async () => {
    for (const noByHash of [false, true]) {
      const { base } = await make({ noByHash });
      await using server = await startServer(directoryHandler(base));
      const { packages } = await resolve('', { sources: [`deb ${server.url} stable main`], mirrors: {} });
      assert.equal(packages.length, 1);
      const asked = server.requests.map(
        ({ path, status }) => `${path.replace(/[0-9a-f]{64}/, 'DIGEST')} ${status}`,
      );
      assert.match(asked[1] ?? '', /^\/dists\/stable\/main\/binary-amd64\/by-hash\/SHA256\/DIGEST /);
      assert.equal(asked.length, noByHash ? 3 : 2, asked.join('\n'));
    }
  });

  test('P8: a mirror that moves on between Release and Packages is read again', async () => {
    const old = await make({ date: new Date(Date.now() - DAY), packages: [{ name: 'a', version: '1.5' }] });
    const current = await make();
    let seen = 0;
    // the first Release is of yesterday, all else of today
    await using server = await startServer((request, response) => {
      const before = (request.url ?? '').endsWith('/InRelease') && seen++ === 0;
      return directoryHandler(before ? old.base : current.base)(request, response);
    });
    const { packages, warnings } = await resolve('', {
      sources: [`deb ${server.url} stable main`],
      mirrors: {},
    });
    assert.deepEqual(
      packages.map(({ to }) => to),
      ['2'],
    );
    assert.equal(seen, 2);
    assert.deepEqual(warnings, []);
  });

  test('P8: an index that is listed but not there is an error that explains itself', async () => {
    const { base, suite } = await make();
    rmSync(join(suite, 'main'), { recursive: true });
    await refused(resolve(base), 'INDEX_INVALID', /none of main\/binary-amd64\/Packages/);
    const { base: junk, suite: other } = await make({ noByHash: true });
    const folder = join(other, 'main/binary-amd64');
    for (const name of readdirSync(folder))
      if (name.startsWith('Packages')) writeFileSync(join(folder, name), 'x'.repeat(100_000));
    await refused(resolve(junk), 'INDEX_INVALID', /not the one that the signed Release file names/);
  });

  test('P11: a mirror that has not changed for long, or is behind the image, does not pass for "nothing to do"', async () => {
    const packages = ['a', 'b', 'c', 'd'].map((name) => ({ name, version: '1' }));
    const { base } = await make({ date: new Date(Date.now() - 60 * DAY), packages });
    const { packages: planned, warnings } = await resolve(base, { installed: ['a 2', 'b 2', 'c 2', 'd 1'] });
    assert.deepEqual(planned, []);
    assert.match(warnings.join('\n'), /No repository has changed for a long time.*"days":60/);
    assert.match(warnings.join('\n'), /newer than what the repositories offer.*"packages":3/);
  });

  test("P11: a wanted fix that the mirror does not have is a failure that names the index's day", async () => {
    const { base } = await make({ date: new Date(Date.now() - 3 * DAY) });
    const wanted = [{ name: 'a', arch: 'amd64', floors: [['3']], cves: ['CVE-1'] }];
    const { packages, skipped } = await resolve(base, { wanted });
    assert.deepEqual(packages, []);
    const day = new Date(Date.now() - 3 * DAY).toISOString().slice(0, 10);
    assert.deepEqual(skipped, [
      {
        name: 'a',
        reason: 'fix-not-available',
        detail: `3 is wanted, the repositories have 2, index of ${day}`,
        failure: true,
        cves: ['CVE-1'],
      },
    ]);
  });
});
