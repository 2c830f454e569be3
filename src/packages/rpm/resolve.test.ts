import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import type { Distro } from '../distro.ts';
import type { ResolveRequest } from '../family.ts';
import type { Resolution, Wanted } from '../package.ts';
import type { CraftedPackage } from '../../../test/support/rpm-craft.ts';
import { rpmImage } from '../../../test/support/rpm-image.ts';
import { memoryRepository, REPOSITORY_URL } from '../../../test/support/rpm-repository.ts';
import { rpm } from './family.ts';

// plans against real dnf are in test/oracle; here are the rules dnf does not have

interface Case {
  readonly installed: readonly CraftedPackage[];
  readonly offered: readonly CraftedPackage[];
  readonly wanted?: readonly Wanted[];
  readonly request?: Partial<ResolveRequest>;
  readonly files?: Parameters<typeof rpmImage>[1];
  readonly distro?: Distro;
}

async function resolve({ installed, offered, wanted, request, files, distro }: Case): Promise<Resolution> {
  const database = await rpm.open({
    root: rpmImage(installed, files),
    distro,
    imageArch: 'amd64',
    log: silentLog,
  });
  assert.ok(database);
  return database.resolve({
    trustKeys: [],
    onlyTrustKeys: false,
    allowUnsigned: true,
    fetch: memoryRepository(offered).fetch,
    wanted: wanted ?? 'all',
    repositories: [`base=${REPOSITORY_URL}`],
    allowNew: true,
    now: Date.now(),
    log: silentLog,
    ...request,
  });
}

const wants = (name: string, floors: readonly (readonly string[])[] = []): Wanted => ({
  name,
  arch: 'noarch',
  floors,
  cves: ['CVE-2024-1'],
});

function distroWith(quirks: Distro['quirks']): Distro {
  return {
    id: 'test',
    name: 'Test',
    family: 'rpm',
    release: undefined,
    osRelease: { id: 'test', idLike: [], versionId: '1', codename: '', prettyName: '', platformId: '' },
    defaultRepositories: [],
    keys: [],
    quirks,
  };
}

const brief = ({ packages }: Resolution): readonly string[] =>
  packages.map(({ name, from, to }) => `${name} ${from ?? '-'} ${to}`);
const skips = ({ skipped }: Resolution): readonly string[] =>
  skipped.map(({ name, reason, failure }) => `${name} ${reason} ${failure}`);

test('a plan says what it replaces, why, and how to know the package', async () => {
  const { packages } = await resolve({
    installed: [{ name: 'x', epoch: 1 }],
    offered: [{ name: 'x', epoch: 1, version: '2', requires: ['y'] }, { name: 'y' }],
    wanted: [wants('x', [['1:2-1']])],
  });
  assert.deepEqual(
    packages.map(({ digests, extra, size, ...rest }) => ({
      ...rest,
      digest: digests[0]?.algorithm,
      trust: extra?.['trust'],
      sized: (size ?? 0) > 0,
    })),
    [
      {
        name: 'x',
        arch: 'noarch',
        from: '1:1-1',
        to: '1:2-1',
        source: 'x',
        sourceVersion: '1:2-1',
        repository: 'base',
        url: `${REPOSITORY_URL}Packages/x-2-1.noarch.rpm`,
        reason: 'requested',
        cves: ['CVE-2024-1'],
        digest: 'sha256',
        trust: 'none',
        sized: true,
      },
      {
        name: 'y',
        arch: 'noarch',
        to: '1-1',
        source: 'y',
        sourceVersion: '1-1',
        repository: 'base',
        url: `${REPOSITORY_URL}Packages/y-1-1.noarch.rpm`,
        reason: 'dependency',
        by: 'x',
        cves: [],
        digest: 'sha256',
        trust: 'none',
        sized: true,
      },
    ],
  );
});

test('floors: fixed already, not available, an older fix where the newest cannot be had', async () => {
  const installed = [{ name: 'x', version: '2' }];
  const offered = [
    { name: 'x', version: '3' },
    { name: 'x', version: '4', requires: ['nowhere'] },
  ];
  assert.deepEqual(skips(await resolve({ installed, offered, wanted: [wants('x', [['2-1']])] })), [
    'x already-fixed false',
  ]);
  assert.deepEqual(skips(await resolve({ installed, offered, wanted: [wants('x', [['9-1']])] })), [
    'x fix-not-available true',
  ]);
  assert.deepEqual(brief(await resolve({ installed, offered, wanted: [wants('x', [['3-1']])] })), [
    'x 2-1 3-1',
  ]);
  assert.deepEqual(skips(await resolve({ installed, offered, wanted: [wants('x', [['3.5-1']])] })), [
    'x unsatisfiable true',
  ]);
  assert.deepEqual(
    brief(await resolve({ installed, offered, wanted: [wants('x', [['9-1', '3-1']])] })),
    ['x 2-1 3-1'],
    'one alternative is enough',
  );
  assert.deepEqual(skips(await resolve({ installed, offered, wanted: [wants('z')] })), [
    'z not-installed true',
  ]);
});

test('where advisories count in source versions, those are compared', async () => {
  const installed = [{ name: 'x-libs', version: '1', sourceRpm: 'x-7-1.src.rpm' }];
  const offered = [{ name: 'x-libs', version: '2', sourceRpm: 'x-8-1.src.rpm' }];
  // the metadata of the test states name-version-release.src.rpm
  const wanted = [wants('x-libs', [['7-1']])];
  assert.deepEqual(
    skips(await resolve({ installed, offered, wanted, distro: distroWith({ rpmSourceAdvisories: true }) })),
    ['x-libs already-fixed false'],
  );
  assert.deepEqual(skips(await resolve({ installed, offered, wanted })), ['x-libs fix-not-available true']);
});

test('new packages can be forbidden', async () => {
  const one = {
    installed: [{ name: 'x' }],
    offered: [{ name: 'x', version: '2', requires: ['y'] }, { name: 'y' }],
  };
  const plan = await resolve({ ...one, request: { allowNew: false } });
  assert.deepEqual([brief(plan), skips(plan)], [[], ['x new-package-not-allowed false']]);
});

test('a locked package stays, and what would need it newer stays too', async () => {
  const plan = await resolve({
    installed: [{ name: 'x' }, { name: 'y' }],
    offered: [
      { name: 'x', version: '2' },
      { name: 'y', version: '2', requires: ['x >= 2'] },
    ],
    wanted: [wants('x'), wants('y')],
    files: { 'etc/zypp/locks': 'solvable_name: x\n' },
  });
  assert.deepEqual([brief(plan), skips(plan)], [[], ['x held true', 'y unsatisfiable true']]);
});

test('kernels are left alone', async () => {
  const plan = await resolve({
    installed: [{ name: 'kernel-core', provides: ['installonlypkg(kernel)'] }],
    offered: [{ name: 'kernel-core', version: '2' }],
  });
  assert.deepEqual(brief(plan), []);
});

test('excluded packages are not offered, and stay', async () => {
  const plan = await resolve({
    installed: [{ name: 'x' }, { name: 'y' }],
    offered: [
      { name: 'x', version: '2' },
      { name: 'y', version: '2' },
      { name: 'z', obsoletes: ['x'] },
    ],
    files: { 'etc/dnf/dnf.conf': '[main]\nexcludepkgs=x*\n' },
  });
  assert.deepEqual(brief(plan), ['y 1-1 2-1']);
});

test('zypp keeps a package with its vendor, other tools do not', async () => {
  const one = {
    installed: [{ name: 'x', vendor: 'SUSE LLC' }],
    offered: [
      { name: 'x', version: '2', vendor: 'SUSE LLC' },
      { name: 'x', version: '3', vendor: 'openSUSE' },
    ],
  };
  assert.deepEqual(brief(await resolve({ ...one, distro: distroWith({ vendorSticky: true }) })), [
    'x 1-1 2-1',
  ]);
  assert.deepEqual(brief(await resolve(one)), ['x 1-1 3-1']);
  const files = { 'etc/zypp/vendors.d/suse.conf': '[main]\nvendors = SUSE, openSUSE\n' };
  assert.deepEqual(brief(await resolve({ ...one, files, distro: distroWith({ vendorSticky: true }) })), [
    'x 1-1 3-1',
  ]);
});

test('architectures of one package go together or not at all', async () => {
  const both = [
    { name: 'x', arch: 'x86_64' },
    { name: 'x', arch: 'i686' },
  ];
  const offered = both.map((one) => ({ ...one, version: '2' }));
  assert.deepEqual(
    brief(await resolve({ installed: both, offered, wanted: [{ ...wants('x'), arch: 'x86_64' }] })),
    ['x 1-1 2-1', 'x 1-1 2-1'],
  );
  const alone = await resolve({
    installed: both,
    offered: offered.slice(0, 1),
    wanted: [{ ...wants('x'), arch: 'x86_64' }],
  });
  assert.deepEqual([brief(alone), skips(alone)], [[], ['x unsatisfiable true']]);
});

test('packages of other machines and older versions are never taken', async () => {
  const plan = await resolve({
    installed: [{ name: 'x', version: '2', arch: 'x86_64' }],
    offered: [
      { name: 'x', version: '3', arch: 'aarch64' },
      { name: 'x', version: '3', arch: 'i686' },
      { name: 'x', version: '1', arch: 'x86_64' },
    ],
  });
  assert.deepEqual(brief(plan), []);
});

test('an image without repositories is refused, with the way out', async () => {
  await assert.rejects(
    resolve({ installed: [{ name: 'x' }], offered: [], request: { repositories: [] } }),
    /names no enabled repository/,
  );
});

test('keys in the database are no packages', async () => {
  const database = await rpm.open({
    root: rpmImage([{ name: 'x' }, { name: 'gpg-pubkey', version: 'abc', release: 'def' }]),
    distro: undefined,
    imageArch: 'amd64',
    log: silentLog,
  });
  assert.deepEqual(
    database?.packages.map(({ name }) => name),
    ['x'],
  );
});

const REPO = `[base]\nbaseurl=${REPOSITORY_URL}\ngpgcheck=0\nusername=user\npassword=secret\n`;

test('packages are fetched as their repository says; the plan holds no password', async () => {
  const database = await rpm.open({
    root: rpmImage([{ name: 'x' }], { 'etc/yum.repos.d/a.repo': REPO }),
    distro: undefined,
    imageArch: 'amd64',
    log: silentLog,
  });
  assert.ok(database);
  const asked: unknown[] = [];
  const { fetch } = memoryRepository([{ name: 'x', version: '2' }]);
  const watched = {
    get: (request: Parameters<typeof fetch.get>[0]) => {
      asked.push(request.hostFiles);
      return fetch.get(request);
    },
  } as typeof fetch;
  const found = await database.resolve({
    trustKeys: [],
    onlyTrustKeys: false,
    allowUnsigned: true,
    fetch: watched,
    wanted: 'all',
    repositories: [],
    allowNew: true,
    now: Date.now(),
    log: silentLog,
  });
  assert.deepEqual(new Set(asked), new Set([false]), 'a file: URL of the image is none of this machine');
  assert.ok(!JSON.stringify(found).includes('secret'));
  const [planned] = found.packages;
  assert.ok(planned);
  assert.deepEqual(database.access(planned, []), {
    hostFiles: false,
    credentials: { username: 'user', password: 'secret' },
  });
  assert.deepEqual(database.access(planned, [`base=${REPOSITORY_URL}`]), {});
  assert.deepEqual(database.access({ ...planned, repository: 'other' }, []), {});
});

test('of equal versions that of the better repository is taken, and a worse one where the better has none that works', async () => {
  const repo = (id: string, url: string, priority: number): string =>
    `[${id}]\nbaseurl=${url}\ngpgcheck=0\npriority=${priority}\n`;
  const better = memoryRepository([
    { name: 'x', version: '2' },
    { name: 'y', version: '2', requires: ['nowhere'] },
  ]);
  const worse = memoryRepository([
    { name: 'x', version: '3' },
    { name: 'y', version: '3' },
  ]);
  const other = 'https://repo.example/worse/';
  for (const [url, bytes] of worse.files) better.files.set(url.replace(REPOSITORY_URL, other), bytes);
  const plan = await resolve({
    installed: [{ name: 'x' }, { name: 'y' }],
    offered: [],
    files: { 'etc/yum.repos.d/a.repo': repo('worse', other, 99) + repo('better', REPOSITORY_URL, 10) },
    request: { repositories: [], fetch: better.fetch },
  });
  assert.deepEqual(brief(plan), ['x 1-1 2-1', 'y 1-1 3-1']);
});

test('repositories on media are left out; none but such is an error', async () => {
  const media = '[cd]\nbaseurl=cd:///?devices=/dev/sr0\n';
  const one = {
    installed: [{ name: 'x' }],
    offered: [{ name: 'x', version: '2' }],
    request: { repositories: [] },
  };
  assert.deepEqual(brief(await resolve({ ...one, files: { 'etc/zypp/repos.d/a.repo': media + REPO } })), [
    'x 1-1 2-1',
  ]);
  await assert.rejects(resolve({ ...one, files: { 'etc/zypp/repos.d/a.repo': media } }), {
    code: 'REPOSITORIES_MISSING',
  });
});

test('a repository with sqlite or zchunk metadata alone is refused by name', async () => {
  const { fetch, files } = memoryRepository([{ name: 'x', version: '2' }]);
  const url = `${REPOSITORY_URL}repodata/repomd.xml`;
  const repomd = Buffer.from(files.get(url) ?? []).toString();
  const both = repomd.replace(
    '</repomd>',
    '<data type="primary_zck"><checksum type="sha256">00</checksum><location href="repodata/p.xml.zck"/></data></repomd>',
  );
  files.set(url, Buffer.from(both));
  const one = { installed: [{ name: 'x' }], offered: [], request: { fetch } };
  assert.deepEqual(brief(await resolve(one)), ['x 1-1 2-1'], 'beside XML they are passed over');
  files.set(url, Buffer.from(both.replace('type="primary"', 'type="primary_db"')));
  await assert.rejects(resolve(one), /lists no primary, only primary_db and primary_zck/);
});

test('what an upgrade of everything fixes is told by the advisories of the repository', async () => {
  const update = (name: string, version: string, cve: string): string =>
    `<update><references><reference id="${cve}" type="cve"/></references><pkglist><collection>` +
    `<package name="${name}" version="${version}" release="1" epoch="0" arch="noarch"/></collection></pkglist></update>`;
  const updateinfo = `<updates>${[
    update('x', '1', 'CVE-2020-0001'),
    update('x', '2', 'CVE-2024-0002'),
    update('x', '3', 'CVE-2024-0003'),
    update('x', '4', 'CVE-2025-0004'),
  ].join('')}</updates>`;
  const offered = [{ name: 'x', version: '3' }];
  const cves = async (request: Partial<ResolveRequest>, wanted?: readonly Wanted[]): Promise<unknown> =>
    (
      await resolve({ installed: [{ name: 'x' }], offered, request, ...(wanted ? { wanted } : {}) })
    ).packages.map((one) => one.cves);
  const { fetch, files } = memoryRepository(offered, { updateinfo });
  assert.deepEqual(await cves({ fetch }), [['CVE-2024-0002', 'CVE-2024-0003']]);
  assert.deepEqual(
    await cves({ fetch }, [wants('x')]),
    [['CVE-2024-1']],
    'a scanner has said what it is about',
  );
  files.delete(`${REPOSITORY_URL}repodata/updateinfo.xml.gz`);
  assert.deepEqual(await cves({ fetch }), [[]], 'they are no reason to fail');
});

test('nothing takes the place of a protected package but its newer version', async () => {
  const one = {
    installed: [{ name: 'dnf' }, { name: 'x' }, { name: 'y' }],
    offered: [
      { name: 'dnf', version: '2' },
      { name: 'new', obsoletes: ['dnf', 'x'] },
      { name: 'newer', obsoletes: ['y'] },
    ],
  };
  assert.deepEqual(brief(await resolve(one)), ['dnf 1-1 2-1', 'newer - 1-1']);
  const files = {
    'etc/dnf/dnf.conf': '[main]\nprotected_packages=glob:/etc/dnf/protected.d/*.conf\n',
    'etc/dnf/protected.d/a.conf': '# why\ny*\n',
  };
  assert.deepEqual(brief(await resolve({ ...one, files })), ['new - 1-1']);
});

test('what cannot be had is explained by what is at the bottom of it', async () => {
  const rows: readonly (readonly [readonly CraftedPackage[], readonly CraftedPackage[], string])[] = [
    [
      [],
      [{ name: 'x', version: '2', requires: ['nowhere'] }],
      'nothing provides nowhere, which x-2-1.noarch requires',
    ],
    [
      [],
      [
        { name: 'x', version: '2', requires: ['y'] },
        { name: 'y', requires: ['nowhere >= 3'] },
      ],
      'nothing provides nowhere >= 3, which y-1-1.noarch requires',
    ],
    [
      [{ name: 'z' }],
      [{ name: 'x', version: '2', conflicts: ['z'] }],
      'x-2-1.noarch conflicts with z-1-1.noarch',
    ],
    [
      [{ name: 'z', obsoletes: ['y'] }],
      [{ name: 'x', version: '2', requires: ['y'] }, { name: 'y' }],
      'y-1-1.noarch is obsoleted by z-1-1.noarch',
    ],
    [[{ name: 'z', requires: ['x = 1'] }], [{ name: 'x', version: '2' }], 'z-1-1.noarch requires x = 1'],
  ];
  for (const [more, offered, detail] of rows) {
    const { skipped } = await resolve({ installed: [{ name: 'x' }, ...more], offered });
    assert.equal(skipped.find(({ name }) => name === 'x')?.detail, detail);
  }
});
