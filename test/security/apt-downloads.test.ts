// P2, P6, P7 of the catalogue of hostile inputs: where packages come from, and that they are the ones of the index.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OnlayError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { silentLog, silentProgress } from '../../src/base/log.ts';
import { createFetch } from '../../src/mirrors/index.ts';
import { verifyPackage } from '../../src/packages/verified.ts';
import { buildAptRepository, directoryHandler, signingKey } from '../support/apt-repository.ts';
import type { RepositoryPackage, SigningKey } from '../support/apt-repository.ts';
import { resolveToy } from '../support/apt-resolve.ts';
import type { ResolvedToy } from '../support/apt-resolve.ts';
import { startServer } from '../support/http-server.ts';

const hasCode =
  (code: ErrorCode, why: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof OnlayError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, why);
    return true;
  };

describe('downloads of apt packages', () => {
  const work = mkdtempSync(join(tmpdir(), 'apt-downloads-'));
  let key: SigningKey;
  let count = 0;
  before(async () => void (key = await signingKey()));
  after(() => rmSync(work, { recursive: true, force: true }));

  const make = async (item: Partial<RepositoryPackage> = {}): Promise<string> => {
    const base = join(work, String(count++));
    await buildAptRepository(base, [{ name: 'stable', packages: [{ name: 'a', version: '2', ...item }] }], {
      keys: [key],
    });
    return base;
  };
  const resolve = (url: string, mirrors: readonly string[] = []): Promise<ResolvedToy> =>
    resolveToy({
      sources: [`deb ${url} stable main`],
      installed: ['a 1'],
      files: { 'etc/apt/trusted.gpg.d/good.asc': key.public },
      mirrors: { mirrors },
    });
  const download = async (url: string): Promise<Uint8Array> => {
    await using fetch = createFetch({ mirrors: [], env: {}, log: silentLog, progress: silentProgress });
    return fetch.get({ url, limit: 1 << 20, what: 'a package' });
  };

  test('P2, P6: a package is checked against size and digest of the signed index, whatever transport says of it', async () => {
    const base = await make();
    const path = '/pool/main/a/a/a_2_amd64.deb';
    const real = readFileSync(join(base, path));
    await using evil = await startServer(
      (_, response) => void response.end(Buffer.from(real.map((byte) => byte ^ 1))),
    );
    await using server = await startServer(
      directoryHandler(base, {
        intercept: (asked, _, response) => {
          if (asked !== path) return false;
          // the answer of CVE-2019-3462: a redirect that brings its own digests along
          response
            .writeHead(302, {
              location: `${evil.url}/x.deb`,
              'x-sha256-hash': '0'.repeat(64),
              digest: 'sha-256=AAAA',
            })
            .end();
          return true;
        },
      }),
    );
    const { packages } = await resolve(server.url);
    const [planned] = packages;
    assert.ok(planned);
    const bytes = await download(planned.url);
    assert.equal(bytes.length, real.length);
    assert.throws(() => verifyPackage(planned, bytes), hasCode('DIGEST_MISMATCH', /Package a 2 from/));
    assert.throws(
      () => verifyPackage(planned, real.subarray(1)),
      hasCode('SIZE_MISMATCH', /Package a 2 from/),
    );
    assert.equal(verifyPackage(planned, real).planned, planned);
  });

  test("P2: header injection in a redirect's Location is not followed", async () => {
    const base = await make();
    await using server = await startServer(
      directoryHandler(base, {
        intercept: (_, request, response) => {
          request.socket.write(
            'HTTP/1.1 302 Found\r\nLocation: /dists/%0aHost:%20evil\r\nContent-Length: 0\r\n\r\n',
          );
          response.destroy();
          return true;
        },
      }),
    );
    await assert.rejects(resolve(server.url), OnlayError);
    assert.ok(server.requests.every(({ headers }) => headers.host === server.host));
  });

  test('P7: a Filename that leaves the repository is refused', async () => {
    for (const filename of [
      '../../../etc/passwd',
      'pool/../../x.deb',
      'http://evil.invalid/x.deb',
      '/etc/passwd',
      '//evil.invalid/x.deb',
      'pool\\..\\x.deb',
      '',
    ])
      await assert.rejects(
        make({ override: { Filename: filename } }).then((base) =>
          resolve('http://archive.invalid', [`http://archive.invalid=${base}`]),
        ),
        hasCode('INDEX_INVALID', /Filename outside of the repository/),
        filename,
      );
  });

  test('P7: odd but honest names become one path of the repository', async () => {
    const base = await make({ override: { Filename: './pool/a b%2f#?/1%3a2+x~y.deb' } });
    const { packages } = await resolve('http://archive.invalid/sub', [`http://archive.invalid/sub=${base}`]);
    assert.equal(packages[0]?.url, 'http://archive.invalid/sub/pool/a%20b%252f%23%3f/1%253a2+x~y.deb');
  });
});
