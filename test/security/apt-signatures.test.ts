// P1, P3, P5 of the catalogue of hostile inputs: who signed an index, and what exactly was signed.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OnlayError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { buildAptRepository, signingKey } from '../support/apt-repository.ts';
import type { BuildOptions, SigningKey } from '../support/apt-repository.ts';
import { resolveToy } from '../support/apt-resolve.ts';
import type { ResolveToy, ResolvedToy } from '../support/apt-resolve.ts';

const refused = (promise: Promise<unknown>, code: ErrorCode, why: RegExp): Promise<void> =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof OnlayError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, why);
    return true;
  });

describe('signatures of apt repositories', () => {
  const work = mkdtempSync(join(tmpdir(), 'apt-signatures-'));
  let good: SigningKey;
  let other: SigningKey;
  let count = 0;
  before(async () => void ([good, other] = await Promise.all([signingKey('Good'), signingKey('Other')])));
  after(() => rmSync(work, { recursive: true, force: true }));

  /** A repository with one upgrade; its suite's directory. */
  const make = async (
    options: Partial<BuildOptions> = {},
    release: Record<string, string> = {},
  ): Promise<{ base: string; suite: string }> => {
    const base = join(work, String(count++));
    await buildAptRepository(base, [{ name: 'stable', packages: [{ name: 'a', version: '2' }], release }], {
      keys: [good],
      ...options,
    });
    return { base, suite: join(base, 'dists/stable') };
  };
  const resolve = (base: string, more: Partial<ResolveToy> = {}): Promise<ResolvedToy> =>
    resolveToy({
      sources: ['deb http://archive.invalid stable main'],
      installed: ['a 1'],
      files: { 'etc/apt/trusted.gpg.d/good.asc': good.public },
      mirrors: { mirrors: [`http://archive.invalid=${base}`] },
      ...more,
    });
  const edit = (path: string, change: (text: string) => string): void =>
    writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1');

  test('a repository signed by a key of the image is used, and the result names the key', async () => {
    const { packages, repositories } = await resolve((await make()).base);
    assert.deepEqual(
      packages.map(({ name, to }) => [name, to]),
      [['a', '2']],
    );
    assert.equal(repositories[0]?.signedBy, good.fingerprint);
  });

  test('Release with Release.gpg is used where there is no InRelease', async () => {
    const { base, suite } = await make();
    unlinkSync(join(suite, 'InRelease'));
    assert.equal((await resolve(base)).repositories[0]?.signedBy, good.fingerprint);
    edit(join(suite, 'Release'), (text) => text.replace('Origin: Test', 'Origin: Evil'));
    await refused(resolve(base), 'SIGNATURE_INVALID', /digest did not match/);
    unlinkSync(join(suite, 'Release.gpg'));
    await refused(resolve(base), 'SIGNATURE_INVALID', /it is not signed/);
  });

  test('P1: text before, inside the header of, or after the signed block is refused (CVE-2016-1252)', async () => {
    for (const [change, why] of [
      [(text: string) => `Origin: Evil\n${text}`, /does not begin with a signed message/],
      [
        (text: string) => `${text}\nSHA256:\n 00 0 main/binary-amd64/Packages\n`,
        /text after the signed block/,
      ],
      [(text: string) => text.replace('\nHash:', '\nSuite: evil\nHash:'), /header other than Hash/],
      [(text: string) => text.replace('Origin: Test', 'Origin: Evil'), /digest did not match/],
    ] as const) {
      const { base, suite } = await make();
      edit(join(suite, 'InRelease'), change);
      await refused(resolve(base), 'SIGNATURE_INVALID', why);
    }
  });

  test('P1: a second signature neither helps a bad one nor harms a good one', async () => {
    assert.equal(
      (await resolve((await make({ keys: [other, good] })).base)).repositories[0]?.signedBy,
      good.fingerprint,
    );
    await refused(resolve((await make({ keys: [other] })).base), 'SIGNATURE_INVALID', /is not trusted here/);
  });

  test('P3: an unsigned repository is refused, whatever the image says of it; --allow-unsigned is told and recorded', async () => {
    const { base } = await make({ keys: [] });
    await refused(resolve(base), 'SIGNATURE_INVALID', /it is not signed/);
    const sources = ['deb [trusted=yes allow-insecure=yes] http://archive.invalid stable main'];
    await refused(resolve(base, { sources }), 'SIGNATURE_INVALID', /it is not signed/);
    const { repositories, warnings } = await resolve(base, { sources, allowUnsigned: true });
    assert.equal(repositories[0]?.signedBy, undefined);
    assert.match(warnings.join('\n'), /An unsigned or badly signed repository is used/);
  });

  test('P3: of a mirror list, a mirror without signatures is not a way around them', async () => {
    const [unsigned, signed] = [await make({ keys: [] }), await make()];
    const files = {
      'etc/apt/mirrors.txt': 'http://one.invalid\nhttp://two.invalid\n',
      'etc/apt/trusted.gpg.d/good.asc': good.public,
    };
    const more = { files, sources: ['deb mirror+file:/etc/apt/mirrors.txt stable main'] };
    const mirrors = [`http://one.invalid=${unsigned.base}`, `http://two.invalid=${signed.base}`];
    await refused(resolve('', { ...more, mirrors: { mirrors } }), 'SIGNATURE_INVALID', /it is not signed/);
    // one that does not answer is passed over
    rmSync(unsigned.base, { recursive: true });
    assert.equal(
      (await resolve('', { ...more, mirrors: { mirrors } })).packages[0]?.url,
      'http://two.invalid/pool/main/a/a/a_2_amd64.deb',
    );
  });

  test('P5: only SHA-256 digests count', async () => {
    await refused(
      resolve(
        (
          await make(
            {},
            { SHA256: '', MD5Sum: '\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages' },
          )
        ).base,
      ),
      'INDEX_INVALID',
      /no SHA-256 digests/,
    );
    const base = join(work, String(count++));
    await buildAptRepository(
      base,
      [
        {
          name: 'stable',
          packages: [
            { name: 'a', version: '2', override: { SHA256: '', MD5sum: 'd41d8cd98f00b204e9800998ecf8427e' } },
          ],
        },
      ],
      { keys: [good] },
    );
    await refused(resolve(base), 'INDEX_INVALID', /no valid SHA256 and Size/);
  });

  test('P5: a key that has expired does not sign', async () => {
    const then = new Date(Date.now() - 30 * 86_400_000);
    const old = await signingKey('Old', { date: then, expires: 10 * 86_400 });
    const { base } = await make({ keys: [old], date: new Date(then.getTime() + 86_400_000) });
    const files = { 'etc/apt/trusted.gpg.d/old.asc': old.public };
    await refused(resolve(base, { files }), 'SIGNATURE_INVALID', /expired/);
    assert.equal((await resolve(base, { files, now: then.getTime() + 2 * 86_400_000 })).packages.length, 1);
  });

  test('Signed-By binds a repository to its keys: a path, a key in the file, a fingerprint', async () => {
    const { base } = await make();
    const image = (signedBy: string, more: Record<string, string> = {}): Partial<ResolveToy> => ({
      sources: [`deb [signed-by=${signedBy}] http://archive.invalid stable main`],
      files: {
        'etc/apt/trusted.gpg.d/good.asc': good.public,
        'usr/share/keyrings/other.gpg': other.public,
        ...more,
      },
    });
    await refused(
      resolve(base, image('/usr/share/keyrings/other.gpg')),
      'SIGNATURE_INVALID',
      /is not trusted here/,
    );
    await refused(resolve(base, image(other.fingerprint)), 'SIGNATURE_INVALID', /is not trusted here/);
    assert.equal((await resolve(base, image(good.fingerprint))).packages.length, 1);
    const link = { 'opt/good.asc': good.public };
    assert.equal((await resolve(base, image('/opt/good.asc', link))).packages.length, 1);
    const stanza = (key: string): string =>
      `Types: deb\nURIs: http://archive.invalid\nSuites: stable\nComponents: main\nSigned-By:\n${key
        .trim()
        .split('\n')
        .map((line) => ` ${line.trim() || '.'}`)
        .join('\n')}\n`;
    const inline = (key: string): Partial<ResolveToy> => ({
      sources: [],
      files: { 'etc/apt/sources.list.d/x.sources': stanza(key) },
    });
    assert.equal((await resolve(base, inline(good.public))).packages.length, 1);
    await refused(resolve(base, inline(other.public)), 'SIGNATURE_INVALID', /is not trusted here/);
  });

  test('--trust-key adds to the keys of the image, --only-trust-keys replaces them', async () => {
    const { base } = await make({ keys: [other] });
    const trustKeys = [{ name: 'other.asc', bytes: Buffer.from(other.public) }];
    assert.equal((await resolve(base, { trustKeys })).repositories[0]?.signedBy, other.fingerprint);
    const { base: own } = await make();
    await refused(
      resolve(own, { trustKeys, onlyTrustKeys: true }),
      'SIGNATURE_INVALID',
      /is not trusted here/,
    );
  });
});
