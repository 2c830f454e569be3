import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeKey, makeRepository } from '../../../test/support/apks.ts';
import type { ToyApk } from '../../../test/support/apks.ts';
import {
  collectingLog,
  openSystem,
  request,
  served,
  systemRoot,
  want,
} from '../../../test/support/apk-system.ts';
import type { ResolveRequest } from '../family.ts';
import type { Resolution } from '../package.ts';

const key = makeKey('test.rsa.pub');
const URL = 'https://host/alpine/main';

async function resolve(
  installed: readonly ToyApk[],
  offered: readonly ToyApk[],
  options: Partial<ResolveRequest> & { readonly world?: readonly string[] } = {},
): Promise<Resolution> {
  const { world, ...rest } = options;
  const root = systemRoot({ installed, keys: [key], repositories: [URL], ...(world ? { world } : {}) });
  const database = await openSystem(root);
  return database.resolve(request(served(URL, makeRepository(offered, key).files), rest));
}

const summary = ({ packages, removals, skipped }: Resolution): readonly string[] => [
  ...packages.map(
    ({ name, from, to, reason, by }) =>
      `${name} ${from ?? '-'} ${to} ${reason}${by === undefined ? '' : ` ${by}`}`,
  ),
  ...removals.map(({ name }) => `-${name}`),
  ...skipped.map(({ name, reason, failure }) => `!${name} ${reason}${failure ? ' failure' : ''}`),
];

const a = (version: string, more: Partial<ToyApk> = {}): ToyApk => ({ name: 'a', version, ...more });
const b = (version: string, more: Partial<ToyApk> = {}): ToyApk => ({ name: 'b', version, ...more });

test('a plan names URL, size, digest, repository and order of every package', async () => {
  const { packages, repositories } = await resolve([a('1-r0')], [a('2-r0')]);
  const [planned] = packages;
  assert.equal(planned?.url, `${URL}/x86_64/a-2-r0.apk`);
  assert.equal(planned?.repository, URL);
  assert.deepEqual(planned?.extra, { order: '0' });
  assert.equal(planned?.digests[0]?.over, 'apk-control');
  assert.match(planned?.digests[0]?.value ?? '', /^[0-9a-f]{40}$/);
  assert.ok((planned?.size ?? 0) > 100);
  assert.deepEqual(repositories, [
    {
      name: URL,
      url: `${URL}/x86_64/APKINDEX.tar.gz`,
      signedBy: 'test.rsa.pub',
      date: '2023-11-14T22:13:20.000Z',
    },
  ]);
});

test('everything newer is upgraded; equal and older versions stay', async () => {
  const found = await resolve(
    [a('1-r0'), b('2-r0'), { name: 'c', version: '1-r0' }],
    [a('2-r0'), b('1-r0'), { name: 'c', version: '1-r0', extra: ['# rebuilt'] }],
  );
  assert.deepEqual(summary(found), ['a 1-r0 2-r0 upgrade']);
});

test('floors decide whether a fix counts; the others are upgraded all the same', async () => {
  const found = await resolve(
    [a('1-r0'), b('1-r0'), { name: 'c', version: '3-r0' }, { name: 'd', version: '1-r0' }],
    [a('2-r0'), b('1-r1')],
    {
      wanted: [
        want('a', '1-r5', '2-r0'),
        want('b', '1-r2'),
        want('c', '2-r0'),
        want('d', '2-r0'),
        want('e', '1'),
      ],
    },
  );
  assert.deepEqual(summary(found), [
    'a 1-r0 2-r0 requested',
    '!c already-fixed',
    '!d no-candidate failure',
    '!e not-installed failure',
    '!b fix-not-available failure',
  ]);
  assert.match(found.skipped.find(({ name }) => name === 'b')?.detail ?? '', /have 1-r1/);
});

test('a pin in world keeps its package and is named', async () => {
  const found = await resolve([a('1-r0')], [a('2-r0')], { wanted: [want('a', '2-r0')], world: ['a<2'] });
  assert.deepEqual(summary(found), ['!a pinned failure']);
  assert.match(found.skipped[0]?.detail ?? '', /a<2/);
  const database = await openSystem(
    systemRoot({ installed: [a('1-r0'), b('1-r0')], world: ['a=1-r0', 'b'] }),
  );
  assert.deepEqual(
    database.packages.map(({ name, held }) => `${name} ${held ?? ''}`),
    ['a pin', 'b '],
  );
});

test('new packages come only where they are allowed', async () => {
  const offered = [
    a('2-r0', { depends: ['so:libnew.so.1'] }),
    { name: 'libnew', version: '1-r0', provides: ['so:libnew.so.1=1'] },
    b('2-r0'),
  ];
  const allowed = await resolve([a('1-r0'), b('1-r0')], offered);
  assert.deepEqual(summary(allowed), [
    'libnew - 1-r0 dependency a',
    'a 1-r0 2-r0 upgrade',
    'b 1-r0 2-r0 upgrade',
  ]);
  const denied = await resolve([a('1-r0'), b('1-r0')], offered, { allowNew: false });
  assert.deepEqual(summary(denied), ['b 1-r0 2-r0 upgrade', '!a new-package-not-allowed failure']);
});

test('what cannot be satisfied is left out with its reason, the rest goes on', async () => {
  const offered = [a('2-r0', { depends: ['missing'] }), b('2-r0')];
  const found = await resolve([a('1-r0'), b('1-r0')], offered, {
    wanted: [want('a', '2-r0'), want('b', '2-r0')],
  });
  assert.deepEqual(summary(found), ['b 1-r0 2-r0 requested', '!a unsatisfiable failure']);
  assert.match(found.skipped[0]?.detail ?? '', /missing is required by a-2-r0, but no package provides it/);
});

test('a renamed package is replaced, world still names the old one', async () => {
  const found = await resolve([a('1-r0')], [b('2-r0', { provides: ['a=2-r0'], replaces: ['a'] })]);
  assert.deepEqual(summary(found), ['b - 2-r0 obsoletes a', '-a']);
});

test('siblings bound by = follow, others stay behind with a warning', async () => {
  const log = collectingLog();
  const crypto = (version: string): ToyApk => ({ name: 'libcrypto', version, origin: 'openssl' });
  const ssl = (version: string, depends: string[]): ToyApk => ({
    name: 'libssl',
    version,
    origin: 'openssl',
    depends,
  });
  const loose = await resolve(
    [crypto('1-r0'), ssl('1-r0', ['libcrypto'])],
    [crypto('2-r0'), ssl('2-r0', ['libcrypto'])],
    {
      wanted: [want('libcrypto', '2-r0')],
      log,
    },
  );
  assert.deepEqual(summary(loose), ['libcrypto 1-r0 2-r0 requested']);
  assert.match(log.warnings.join('\n'), /same origin.*libssl-1-r0/);
  const bound = await resolve(
    [crypto('1-r0'), ssl('1-r0', ['libcrypto=1-r0'])],
    [crypto('2-r0'), ssl('2-r0', ['libcrypto=2-r0'])],
    { wanted: [want('libssl', '2-r0')] },
  );
  assert.deepEqual(summary(bound), ['libcrypto 1-r0 2-r0 sibling libssl', 'libssl 1-r0 2-r0 requested']);
});

test('apk-tools and what it needs come first when everything is upgraded', async () => {
  const tools = (version: string): ToyApk => ({ name: 'apk-tools', version, depends: [`zlib>=${version}`] });
  const found = await resolve(
    [a('1-r0'), tools('1-r0'), { name: 'zlib', version: '1-r0' }],
    [a('2-r0'), tools('2-r0'), { name: 'zlib', version: '2-r0' }],
  );
  assert.deepEqual(
    found.packages.map(({ name, extra }) => `${extra?.['order']} ${name}`),
    ['0 zlib', '1 apk-tools', '2 a'],
  );
});

test('a tagged package takes from its tag; a tag that no repository has is refused', async () => {
  const edge = 'https://host/alpine/edge';
  const root = systemRoot({
    installed: [a('1-r0'), b('1-r0')],
    keys: [key],
    repositories: [URL, `@edge ${edge}`],
    world: ['a@edge', 'b'],
  });
  const files = new Map([
    ...served(URL, makeRepository([a('1-r0')], key).files),
    ...served(edge, makeRepository([a('2-r0'), b('2-r0')], key).files),
  ]);
  const found = await (await openSystem(root)).resolve(request(files));
  assert.deepEqual(summary(found), ['a 1-r0 2-r0 upgrade']);
  assert.deepEqual(found.packages[0]?.extra, { order: '0', tag: 'edge' });
  await assert.rejects(resolve([a('1-r0')], [a('2-r0')], { world: ['a@edge'] }), {
    code: 'REPOSITORIES_MISSING',
  });
});

test('an image without world, repositories and keys takes those of its distro', async () => {
  const database = await openSystem(systemRoot({ installed: [a('1-r0')] }), {
    id: 'alpine',
    name: 'Alpine Linux',
    family: 'apk',
    release: undefined,
    osRelease: { id: 'alpine', idLike: [], versionId: '', codename: '', prettyName: '', platformId: '' },
    defaultRepositories: [URL],
    keys: [{ name: key.name, text: key.publicKey }],
    quirks: {},
  });
  const found = await database.resolve(request(served(URL, makeRepository([a('2-r0')], key).files)));
  assert.deepEqual(summary(found), ['a 1-r0 2-r0 upgrade']);
  const bare = await openSystem(systemRoot({ installed: [a('1-r0')] }));
  await assert.rejects(bare.resolve(request(new Map())), { code: 'REPOSITORIES_MISSING' });
});

test('access() finds the login of the repository a package comes from; the plan does not hold it', async () => {
  const root = systemRoot({
    installed: [a('1-r0')],
    keys: [key],
    repositories: ['https://user:secret@host/alpine/main'],
  });
  const database = await openSystem(root);
  const found = await database.resolve(request(served(URL, makeRepository([a('2-r0')], key).files)));
  assert.ok(!JSON.stringify(found).includes('secret'));
  const [planned] = found.packages;
  assert.ok(planned);
  assert.deepEqual(database.access(planned, []), {
    credentials: { username: 'user', password: 'secret' },
    hostFiles: false,
  });
  assert.deepEqual(database.access(planned, ['https://x:y@host/alpine/main']), {
    credentials: { username: 'x', password: 'y' },
  });
  assert.deepEqual(database.access({ ...planned, url: 'https://other/a.apk' }, []), {});
});

test('what keeps a package is named: its install_if, or who wants the old one', async () => {
  const along = (version: string): ToyApk => ({ name: 'along', version, installIf: [`b=${version}`] });
  const bound = await resolve([b('1-r0'), along('1-r0')], [b('2-r0'), along('2-r0')], {
    wanted: [want('along', '2-r0')],
    world: ['b'],
  });
  assert.deepEqual(summary(bound), ['!along unsatisfiable failure']);
  assert.match(bound.skipped[0]?.detail ?? '', /along with b=2-r0/);
  const kept = await resolve([a('1-r0'), b('1-r0', { depends: ['a=1-r0'] })], [a('2-r0')], {
    wanted: [want('a', '2-r0')],
  });
  assert.deepEqual(summary(kept), ['!a unsatisfiable failure']);
  assert.match(kept.skipped[0]?.detail ?? '', /b-1-r0 wants a=1-r0/);
});

test('where nothing wanted can be had, nothing else is touched', async () => {
  const orphan = { name: 'orphan', version: '1-r0' };
  const found = await resolve([a('2-r0'), orphan], [a('2-r0')], {
    wanted: [want('a', '2-r0')],
    world: ['a'],
  });
  assert.deepEqual(summary(found), ['!a already-fixed']);
  const everything = await resolve([a('2-r0'), orphan], [a('2-r0')], { world: ['a'] });
  assert.deepEqual(summary(everything), ['-orphan']);
});
