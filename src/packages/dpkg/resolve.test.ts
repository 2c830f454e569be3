// Resolving as a whole against repositories made here; the comparison with the real apt is in test/oracle.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildAptRepository,
  buildUbuntu,
  directoryHandler,
  signingKey,
} from '../../../test/support/apt-repository.ts';
import type { RepositoryPackage, SigningKey } from '../../../test/support/apt-repository.ts';
import { resolveToy } from '../../../test/support/apt-resolve.ts';
import type { ResolveToy, ResolvedToy } from '../../../test/support/apt-resolve.ts';
import { startServer } from '../../../test/support/http-server.ts';
import { OnlayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Distro } from '../distro.ts';

const code =
  (expected: ErrorCode, why: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof OnlayError, String(error));
    assert.equal(error.code, expected, error.message);
    assert.match(error.message, why);
    return true;
  };
const rows = ({ packages }: ResolvedToy): string[] =>
  packages.map(({ name, to, reason, by }) => `${name} ${to} ${reason}${by === undefined ? '' : ` by ${by}`}`);
const reasons = ({ skipped }: ResolvedToy): string[] =>
  skipped.map(({ name, reason, failure }) => `${name} ${reason}${failure ? '!' : ''}`);
const want = (
  name: string,
  ...floors: string[]
): { name: string; arch: string; floors: string[][]; cves: string[] } => ({
  name,
  arch: 'amd64',
  floors: floors.map((floor) => [floor]),
  cves: [`CVE-${name}`],
});

describe('resolveDpkg()', () => {
  const work = mkdtempSync(join(tmpdir(), 'apt-resolve-'));
  let key: SigningKey;
  let files: Record<string, string>;
  before(async () => {
    key = await signingKey();
    files = { 'etc/apt/trusted.gpg.d/test.asc': key.public };
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  const make = async (
    name: string,
    suites: Readonly<Record<string, readonly RepositoryPackage[]>>,
  ): Promise<string> => {
    const base = join(work, name);
    await buildAptRepository(
      base,
      Object.entries(suites).map(([suite, packages]) => ({ name: suite, packages })),
      { keys: [key] },
    );
    return base;
  };
  const local = (base: string): Partial<ResolveToy> => ({
    files,
    sources: ['deb http://x.invalid stable main'],
    mirrors: { mirrors: [`http://x.invalid=${base}`] },
  });

  test('states for each package why it is in the plan, and plain facts for its download', async () => {
    const base = await make('reasons', {
      stable: [
        {
          name: 'a',
          version: '1:2-1',
          fields: { Depends: 'new, b (>= 2)', Breaks: 'c (<< 2)', Source: 's (3)' },
        },
        { name: 'b', version: '2' },
        { name: 'c', version: '2' },
        { name: 'new', version: '1', arch: 'all' },
        { name: 'a-data', version: '1:2-1', fields: { Source: 's (3)' } },
      ],
    });
    const installed = ['a 1', 'b 1', 'c 1', 'a-data 1 Source: s', 'z 1'];
    const result = await resolveToy({ ...local(base), installed, wanted: [want('a', '3')] });
    assert.deepEqual(rows(result), [
      'a 1:2-1 requested',
      'a-data 1:2-1 sibling by a',
      'b 2 dependency by a',
      'c 2 breaks by a',
      'new 1 dependency by a',
    ]);
    // apt of Debian 11 and Ubuntu 22.04 leaves the rest of a source alone
    for (const [apt, configuration, follows] of [
      ['apt 2.5.2', {}, true],
      ['apt 2.4.5', {}, false],
      ['apt 3.0', { 'etc/apt/apt.conf': 'APT::Get::Upgrade-By-Source-Package "no";' }, false],
    ] as const) {
      const toy = { ...local(base), installed: [...installed, apt], wanted: [want('a', '3')] };
      const { packages } = await resolveToy({ ...toy, files: { ...files, ...configuration } });
      assert.equal(
        packages.some(({ name }) => name === 'a-data'),
        follows,
        apt,
      );
    }
    const [first] = result.packages;
    assert.deepEqual(
      { ...first, digests: [], size: 0 },
      {
        name: 'a',
        arch: 'amd64',
        from: '1',
        to: '1:2-1',
        source: 's',
        sourceVersion: '3',
        repository: 'http://x.invalid stable main',
        url: 'http://x.invalid/pool/main/a/a/a_2-1_amd64.deb',
        size: 0,
        digests: [],
        reason: 'requested',
        cves: ['CVE-a'],
        extra: { order: '4' },
      },
    );
    assert.equal(result.packages.at(-1)?.from, undefined);
    assert.deepEqual(
      result.repositories.map(({ name, url, signedBy }) => [name, url, signedBy]),
      [['Test stable', 'http://x.invalid', key.fingerprint]],
    );
    const all = await resolveToy({ ...local(base), installed });
    assert.deepEqual(rows(all), [
      'a 1:2-1 upgrade',
      'a-data 1:2-1 upgrade',
      'b 2 upgrade',
      'c 2 upgrade',
      'new 1 dependency by a',
    ]);
  });

  test('never installs new packages when told so, never removes or downgrades, and takes nothing along in vain', async () => {
    const base = await make('limits', {
      stable: [
        { name: 'a', version: '2', fields: { Depends: 'helper (>= 2), new' } },
        { name: 'helper', version: '2' },
        { name: 'new', version: '1' },
        { name: 'b', version: '2', fields: { Conflicts: 'stays' } },
        { name: 'stays', version: '1' },
        { name: 'c', version: '1' },
        { name: 'd', version: '2', fields: { Depends: 'held (>= 2)' } },
        { name: 'held', version: '2' },
      ],
    });
    const installed = ['a 1', 'helper 1', 'b 1', 'stays 1', 'c 2', 'd 1', 'held 1 Status: hold ok installed'];
    const wanted = ['a', 'b', 'c', 'd', 'held', 'gone'].map((name) => want(name, '2'));
    const result = await resolveToy({ ...local(base), installed, wanted, allowNew: false });
    assert.deepEqual(rows(result), []);
    assert.deepEqual(reasons(result), [
      'a new-package-not-allowed!',
      'b unsatisfiable!',
      'c already-fixed',
      'd held!',
      'gone not-installed',
      'held held!',
    ]);
    assert.match(
      result.skipped[1]?.detail ?? '',
      /b 2 conflicts with stays, and there is no other version of stays than 1/,
    );
    assert.deepEqual(result.skipped[0]?.cves, ['CVE-a']);
    const all = await resolveToy({ ...local(base), installed, allowNew: false });
    assert.deepEqual(rows(all), ['helper 2 upgrade']);
    assert.deepEqual(reasons(all), ['a new-package-not-allowed', 'b unsatisfiable', 'd held', 'held held']);
  });

  test('an index whose dependencies are a long chain or a thicket is refused, not followed without end', async () => {
    const chain = Array.from({ length: 3000 }, (_, i) => ({
      name: `c${i}`,
      version: '2',
      fields: { Depends: `c${i + 1} (>= 2)` },
    }));
    const thicket = Array.from({ length: 40 }, (_, i) => ({
      name: `t${i}`,
      version: '2',
      fields: {
        Depends:
          Array.from({ length: 8 }, (_, j) => `t${(i + j + 1) % 40} (>= 2) | none${j}`).join(', ') +
          ', t0 (>= 3) | nowhere',
      },
    }));
    const base = await make('entangled', { stable: [...chain, ...thicket, { name: 'ok', version: '2' }] });
    const result = await resolveToy({ ...local(base), installed: ['c0 1', 't0 1', 't1 1', 'ok 1'] });
    assert.deepEqual(rows(result), ['ok 2 upgrade']);
    assert.deepEqual(reasons(result), ['c0 unsatisfiable', 't0 unsatisfiable', 't1 unsatisfiable']);
    assert.match(result.skipped[0]?.detail ?? '', /too entangled/);
  });

  test('what an image already has against its own conflicts does not hold it back; a new conflict does', async () => {
    const base = await make('conflicts', {
      stable: [
        { name: 'a', version: '2', fields: { Conflicts: 'x' } },
        { name: 'b', version: '2', fields: { Breaks: 'y (>= 2)' } },
        { name: 'x', version: '1' },
        { name: 'y', version: '2' },
      ],
    });
    const installed = ['a 1 Conflicts: x', 'x 1', 'b 1 Breaks: y (>= 2)', 'y 1'];
    assert.deepEqual(rows(await resolveToy({ ...local(base), installed })), ['a 2 upgrade', 'b 2 upgrade']);
  });

  test('a component that the repository does not have is told', async () => {
    const base = await make('components', { stable: [{ name: 'a', version: '2' }] });
    const result = await resolveToy({
      ...local(base),
      sources: ['deb http://x.invalid stable main contrib'],
      installed: ['a 1'],
    });
    assert.deepEqual(rows(result), ['a 2 upgrade']);
    assert.match(result.warnings.join('\n'), /has no packages for this image.*"component":"contrib"/);
  });

  test('dependencies that an image never had stay missing; new ones do not', async () => {
    const base = await make('distroless', {
      stable: [
        { name: 'libc6', version: '2', fields: { Depends: 'libgcc (>= 9), libcrypt' } },
        { name: 'tls', version: '2', fields: { Depends: 'libc6, added' } },
        { name: 'added', version: '1' },
        { name: 'libgcc', version: '9' },
        { name: 'libcrypt', version: '1' },
      ],
    });
    const result = await resolveToy({
      ...local(base),
      kind: 'status.d',
      installed: ['libc6 1 Depends: libgcc, libcrypt (>= 1)', 'tls 1 Depends: libc6'],
    });
    assert.deepEqual(rows(result), ['added 1 dependency by tls', 'libc6 2 upgrade', 'tls 2 upgrade']);
  });

  test('large indexes are fetched only when something wanted is not in the small ones', async () => {
    const padding = { Description: 'x'.repeat(9 << 20) };
    const base = await make('lazy', {
      stable: [
        { name: 'a', version: '1' },
        { name: 'b', version: '2' },
        { name: 'big', version: '1', fields: padding },
      ],
      'stable-security': [{ name: 'a', version: '2' }],
    });
    await using server = await startServer(directoryHandler(base));
    const toy = {
      files,
      sources: [`deb ${server.url} stable main`, `deb ${server.url} stable-security main`],
      installed: ['a 1', 'b 1'],
      mirrors: {},
    };
    const asked = (): number =>
      server.requests.filter(({ path }) => path.includes('/dists/stable/main/')).length;
    assert.deepEqual(rows(await resolveToy({ ...toy, wanted: [want('a', '2')] })), ['a 2 requested']);
    assert.equal(asked(), 0);
    assert.deepEqual(rows(await resolveToy({ ...toy, wanted: [want('a', '2'), want('b', '2')] })), [
      'a 2 requested',
      'b 2 requested',
    ]);
    assert.equal(asked(), 1);
    assert.deepEqual(rows(await resolveToy(toy)), ['a 2 upgrade', 'b 2 upgrade']);
    assert.equal(asked(), 2);
  });

  test("an image without sources uses its distro's, with its distro's keys, or asks for --repo", async () => {
    const base = await make('defaults', { stable: [{ name: 'a', version: '2', arch: 'arm64' }] });
    await buildAptRepository(
      base,
      [{ name: 'stable', packages: [{ name: 'a', version: '2', arch: 'arm64' }], architectures: ['arm64'] }],
      { keys: [key] },
    );
    const toy = {
      installed: ['a:arm64 1'],
      imageArch: 'arm64',
      mirrors: { mirrors: [`http://x.invalid=${base}`] },
    };
    await assert.rejects(resolveToy(toy), code('REPOSITORIES_MISSING', /names no package repository/));
    const distro = {
      name: 'Toy',
      defaultRepositories: ['deb [arch={arch}] http://x.invalid stable main'],
      keys: [{ name: 'toy', text: key.public }],
    } as unknown as Distro;
    assert.deepEqual(rows(await resolveToy({ ...toy, distro })), ['a 2 upgrade']);
    const other = await signingKey('Other');
    const line = ['deb http://x.invalid stable main'];
    await assert.rejects(
      resolveToy({ ...toy, repositories: line }),
      code('SIGNATURE_INVALID', /not trusted/),
    );
    await assert.rejects(
      resolveToy({
        ...toy,
        repositories: line,
        trustKeys: [{ name: 'o', bytes: Buffer.from(other.public) }],
      }),
      code('SIGNATURE_INVALID', /not trusted/),
    );
    assert.deepEqual(
      rows(
        await resolveToy({
          ...toy,
          repositories: line,
          trustKeys: [{ name: 'k', bytes: Buffer.from(key.public) }],
        }),
      ),
      ['a 2 upgrade'],
    );
  });

  test('a repository that cannot be used matters only where something depends on it', async () => {
    const base = await make('gaps', { stable: [{ name: 'a', version: '2' }] });
    const toy = {
      files,
      installed: ['a 1', 'b 1'],
      sources: ['deb http://x.invalid stable main', 'deb http://gone.invalid stable main'],
      mirrors: { mirrors: [`http://x.invalid=${base}`, `http://gone.invalid=${join(work, 'nowhere')}`] },
    };
    const result = await resolveToy({ ...toy, wanted: [want('a', '2')] });
    assert.deepEqual(rows(result), ['a 2 requested']);
    assert.match(result.warnings.join('\n'), /A repository could not be used.*gone\.invalid/);
    await assert.rejects(
      resolveToy({ ...toy, wanted: [want('b', '2')] }),
      code('SERVER', /gone\.invalid stable: there is neither InRelease nor Release/),
    );
    await assert.rejects(resolveToy(toy), code('SERVER', /gone\.invalid/));
  });

  test('file: repositories of the image are paths inside the image, those of the user are not', async () => {
    const base = await make('local', { stable: [{ name: 'a', version: '2' }] });
    const toy = { files, installed: ['a 1'], mirrors: {} };
    await assert.rejects(
      resolveToy({ ...toy, sources: [`deb file:${base} stable main`] }),
      code('NETWORK', /path inside the image/),
    );
    assert.deepEqual(rows(await resolveToy({ ...toy, repositories: [`deb file:${base} stable main`] })), [
      'a 2 upgrade',
    ]);
  });

  test("Ubuntu: pockets share a codename, ports and a protected ESM repository are read with the image's login", async () => {
    const base = join(work, 'ubuntu-shape');
    await buildUbuntu(
      base,
      'noble',
      {
        base: [
          { name: 'a', version: '1' },
          { name: 'e', version: '1' },
        ],
        updates: [
          { name: 'a', version: '1ubuntu0.1', fields: { 'Phased-Update-Percentage': '0' } },
          { name: 'a', version: '1ubuntu0.1', arch: 'arm64' },
        ],
        security: [{ name: 'a', version: '1ubuntu0.2' }],
        esm: [{ name: 'e', version: '1ubuntu0.1~esm1' }],
        ports: ['arm64'],
      },
      { keys: [key] },
    );
    await using server = await startServer(
      directoryHandler(base, { protect: { '/esm/': { username: 'bearer', password: 'token' } } }),
    );
    const pockets = (path: string): string[] =>
      ['', '-updates', '-security'].map((pocket) => `deb ${server.url}/${path} noble${pocket} main`);
    const esm = `deb ${server.url}/esm/ubuntu noble-infra-security main`;
    const toy = { installed: ['a 1', 'e 1'], mirrors: {} };
    const login = {
      'etc/apt/auth.conf.d/90esm.conf': `machine ${server.url}/esm/ubuntu/ login bearer password token\n`,
    };
    const result = await resolveToy({
      ...toy,
      files: { ...files, ...login },
      sources: [...pockets('ubuntu'), esm],
    });
    assert.deepEqual(rows(result), ['a 1ubuntu0.2 upgrade', 'e 1ubuntu0.1~esm1 upgrade']);
    await assert.rejects(
      resolveToy({ ...toy, files, sources: [...pockets('ubuntu'), esm] }),
      code('AUTH_REQUIRED', /user name and password/),
    );
    const arm = await resolveToy({
      ...toy,
      files,
      installed: ['a:arm64 1'],
      imageArch: 'arm64',
      sources: pockets('ubuntu-ports'),
    });
    assert.deepEqual(rows(arm), ['a 1ubuntu0.1 upgrade']);
  });
});
