// Hostile repositories (catalogue P5 to P9): unsigned, badly signed, changed on the way, with XML that bites.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hasCode, messageOf, type ErrorCode } from '../../src/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ResolveRequest, TrustOptions } from '../../src/packages/family.ts';
import type { Resolution } from '../../src/packages/package.ts';
import { rpm } from '../../src/packages/rpm/family.ts';
import { gnuPg } from '../support/gnupg.ts';
import { rpmImage } from '../support/rpm-image.ts';
import { memoryRepository, REPOSITORY_URL, type MemoryRepository } from '../support/rpm-repository.ts';

const INSTALLED = [{ name: 'x', version: '1' }];
const OFFERED = [{ name: 'x', version: '2' }];
const NO_GPG = 'needs gpg';
const UNSIGNED: TrustOptions = { trustKeys: [], onlyTrustKeys: false, allowUnsigned: true };
const STRICT: TrustOptions = { ...UNSIGNED, allowUnsigned: false };

async function plan(
  repository: MemoryRepository,
  trust: TrustOptions,
  files: Parameters<typeof rpmImage>[1] = {},
  request: Partial<ResolveRequest> = { repositories: [`base=${REPOSITORY_URL}`] },
): Promise<Resolution> {
  const root = rpmImage(INSTALLED, files);
  const database = await rpm.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
  assert.ok(database);
  return database.resolve({
    ...trust,
    fetch: repository.fetch,
    wanted: 'all',
    repositories: [],
    allowNew: true,
    now: Date.now(),
    log: silentLog,
    ...request,
  });
}

async function refused(promise: Promise<unknown>, code: ErrorCode, name = code as string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(hasCode(error, code), `${name}: ${messageOf(error)}`);
    return true;
  });
}

test('without any key a repository is refused; --allow-unsigned is the only way', async () => {
  await refused(plan(memoryRepository(OFFERED), STRICT), 'SIGNATURE_INVALID');
  const { packages, repositories } = await plan(memoryRepository(OFFERED), UNSIGNED);
  assert.deepEqual(
    packages.map(({ to, extra }) => [to, extra?.['trust']]),
    [['2-1', 'none']],
  );
  assert.equal(repositories[0]?.signedBy, undefined);
});

test('metadata signed by a trusted key vouches for its packages; a changed byte does not', async (t) => {
  using gpg = gnuPg();
  if (!gpg) return t.skip(NO_GPG);
  const fingerprint = gpg.generate('repo <repo@example.org>');
  const key = { name: 'key', bytes: gpg.export(fingerprint) };
  const sign = (repomd: Buffer): Buffer => gpg.run(['--armor', '--detach-sign'], repomd);
  const trust = { ...STRICT, trustKeys: [key] };
  const good = await plan(memoryRepository(OFFERED, { sign }), trust);
  assert.equal(good.repositories[0]?.signedBy, fingerprint);
  assert.equal(good.packages[0]?.extra?.['trust'], 'metadata');

  const file = {
    'etc/yum.repos.d/a.repo': `[base]\nbaseurl=${REPOSITORY_URL}\nrepo_gpgcheck=1\ngpgcheck=1\ngpgkey=file:///etc/key\n`,
    'etc/key': key.bytes,
  };
  const own = await plan(memoryRepository(OFFERED, { sign }), STRICT, file, {});
  assert.equal(own.repositories[0]?.signedBy, fingerprint, 'the key the repository names');
  await refused(plan(memoryRepository(OFFERED), STRICT, file, {}), 'SIGNATURE_INVALID', 'no signature');
  const changed = memoryRepository(OFFERED, {
    sign: (repomd) => sign(Buffer.concat([repomd, Buffer.from(' ')])),
  });
  await refused(plan(changed, STRICT, file, {}), 'SIGNATURE_INVALID', 'a signature of something else');
  await refused(
    plan(changed, trust),
    'SIGNATURE_INVALID',
    'also where packages have signatures of their own',
  );
  const damaged = memoryRepository(OFFERED, {
    sign: (repomd) => Buffer.from(sign(repomd)).fill('!', 90, 91),
  });
  await refused(plan(damaged, trust), 'SIGNATURE_INVALID', 'a damaged signature');
  const stranger = gpg.generate('stranger <stranger@example.org>');
  const other = memoryRepository(OFFERED, {
    sign: (repomd) => gpg.run(['--armor', '-u', stranger, '--detach-sign'], repomd),
  });
  await refused(plan(other, STRICT, file, {}), 'SIGNATURE_INVALID', 'a stranger’s signature');
  const unasked = await plan(other, trust);
  assert.equal(
    unasked.packages[0]?.extra?.['trust'],
    'package',
    'which says nothing where none is asked for',
  );
  await refused(
    plan(memoryRepository(OFFERED, { sign }), { ...STRICT, onlyTrustKeys: true }, file, {}),
    'SIGNATURE_INVALID',
    'only given keys',
  );
});

test('a key that has expired cannot sign metadata, which is made anew', async (t) => {
  using gpg = gnuPg();
  if (!gpg) return t.skip(NO_GPG);
  const time = 1_600_000_000;
  const fingerprint = gpg.generate('old <old@example.org>', { expires: '1d', time });
  const sign = (repomd: Buffer): Buffer =>
    gpg.run(['--faked-system-time', `${time + 60}!`, '--armor', '--detach-sign'], repomd);
  const files = {
    'etc/yum.repos.d/a.repo': `[base]\nbaseurl=${REPOSITORY_URL}\nrepo_gpgcheck=1\ngpgkey=file:///etc/key\n`,
    'etc/key': gpg.export(fingerprint),
  };
  const signed = (now: number): Promise<Resolution> =>
    plan(memoryRepository(OFFERED, { sign }), STRICT, files, { now });
  const then = await signed((time + 3600) * 1000);
  assert.equal(then.packages[0]?.extra?.['trust'], 'metadata');
  await refused(signed(Date.now()), 'SIGNATURE_INVALID');
});

test('a key from plain http is not fetched', async () => {
  const file = {
    'etc/yum.repos.d/a.repo': `[base]\nbaseurl=${REPOSITORY_URL}\ngpgcheck=1\ngpgkey=http://repo.example/key\n`,
  };
  const repository = memoryRepository(OFFERED);
  await refused(plan(repository, STRICT, file, {}), 'SIGNATURE_INVALID');
  assert.ok(!repository.asked.includes('http://repo.example/key'));
});

function replaced(url: string, change: (bytes: Buffer) => Uint8Array): MemoryRepository {
  const repository = memoryRepository(OFFERED);
  const full = REPOSITORY_URL + url;
  repository.files.set(full, change(Buffer.from(repository.files.get(full) ?? assert.fail(url))));
  return repository;
}

test('metadata that is not what repomd.xml says is refused', async () => {
  await refused(
    plan(
      replaced('repodata/primary.xml.gz', (bytes) => bytes.subarray(1)),
      UNSIGNED,
    ),
    'SIZE_MISMATCH',
  );
  const flipped = replaced('repodata/primary.xml.gz', (bytes) => bytes.fill(0, 4, 5));
  flipped.files.set(
    `${REPOSITORY_URL}repodata/primary.xml.gz`,
    Buffer.from(flipped.files.get(`${REPOSITORY_URL}repodata/primary.xml.gz`) ?? []).fill(7, 20, 21),
  );
  await refused(plan(flipped, UNSIGNED), 'DIGEST_MISMATCH');
});

const XML: readonly (readonly [string, string])[] = [
  [
    'an entity bomb',
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><repomd>&b;</repomd>',
  ],
  ['an external entity', '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><repomd/>'],
  ['an unknown entity', '<repomd>&nbsp;</repomd>'],
  ['XML that is cut off', '<repomd><data type="primary">'],
  ['XML of something else', '<html><body>captive portal</body></html>'],
  ['no primary', '<repomd></repomd>'],
  ['nesting without end', `<repomd>${'<a>'.repeat(100_000)}`],
  ['nothing', ''],
];

test('repomd.xml with anything but plain elements is refused', async () => {
  for (const [name, text] of XML)
    await refused(
      plan(
        replaced('repodata/repomd.xml', () => Buffer.from(text)),
        UNSIGNED,
      ),
      'INDEX_INVALID',
      name,
    );
});

test('a package index with comments, CDATA, a document type or damaged packages is refused', async () => {
  const chunk = (inner: string): string => `<metadata><package type="rpm">${inner}</package></metadata>`;
  for (const primary of [
    '<!DOCTYPE x [<!ENTITY a "b">]><metadata/>',
    chunk('<!-- <name>x</name> -->'),
    chunk('<name><![CDATA[x]]></name>'),
    '<metadata><package type="rpm"><name>x</name>',
    chunk('<name>x</name>'),
    chunk(
      '<name>x</name><arch>noarch</arch><version epoch="0" ver="2" rel="1"/><checksum type="md5">00</checksum><location href="x"/><format/>',
    ),
    chunk(
      '<name>x</name><arch>noarch</arch><version epoch="0" ver="2/../3" rel="1"/><checksum type="sha256">00</checksum><location href="x"/><format/>',
    ),
  ])
    await refused(plan(memoryRepository([], { primary }), UNSIGNED), 'INDEX_INVALID', primary);
});

test('a package whose address is on another host is refused', async () => {
  const primary = (href: string): string =>
    `<metadata><package type="rpm"><name>x</name><arch>noarch</arch><version epoch="0" ver="2" rel="1"/><checksum type="sha256">00</checksum><size package="1"/><location href="${href}"/><format/></package></metadata>`;
  for (const href of ['https://evil.example/x.rpm', '//evil.example/x.rpm', 'file:///etc/passwd'])
    await refused(plan(memoryRepository([], { primary: primary(href) }), UNSIGNED), 'INDEX_INVALID', href);
});

test('metadata that unpacks to more than repomd.xml says stops there', async () => {
  const repository = memoryRepository(OFFERED, {
    primary: `<metadata>${' '.repeat(32 * 1024 * 1024)}</metadata>`,
  });
  const url = `${REPOSITORY_URL}repodata/repomd.xml`;
  const repomd = Buffer.from(repository.files.get(url) ?? []).toString();
  repository.files.set(url, Buffer.from(repomd.replace(/<open-size>\d+/, '<open-size>1000')));
  await refused(plan(repository, UNSIGNED), 'LIMIT_EXCEEDED');
});

test('a mirror that the metalink does not vouch for is passed over; without another the repository is refused', async () => {
  const repository = memoryRepository(OFFERED);
  const digest = createHash('sha256')
    .update(repository.files.get(`${REPOSITORY_URL}repodata/repomd.xml`) ?? '')
    .digest('hex');
  repository.files.set('https://old.example/repodata/repomd.xml', Buffer.from('<repomd/>'));
  const metalink = (value: string): Buffer =>
    Buffer.from(
      `<metalink><files><file name="repomd.xml"><verification><hash type="sha256">${value}</hash></verification><resources>` +
        `<url preference="100">https://old.example/repodata/repomd.xml</url><url preference="50">${REPOSITORY_URL}repodata/repomd.xml</url></resources></file></files></metalink>`,
    );
  const file = { 'etc/yum.repos.d/a.repo': '[base]\nmetalink=https://mirrors.example/metalink\n' };
  repository.files.set('https://mirrors.example/metalink', metalink(digest));
  assert.equal((await plan(repository, UNSIGNED, file, {})).repositories[0]?.url, REPOSITORY_URL);
  repository.files.set('https://mirrors.example/metalink', metalink('00'));
  await refused(plan(repository, UNSIGNED, file, {}), 'DIGEST_MISMATCH');
});
