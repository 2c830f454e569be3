// The registry of these tests against the OCI distribution specification 1.1: the behaviours its conformance suite looks
// at, asked over plain HTTP. docker-registry, where it is installed, answers the same questions, so that the questions
// themselves are checked; what it does otherwise is stated.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startRegistry } from '../support/registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const sha = (bytes: Uint8Array, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  readonly codes: readonly string[];
}

interface Client {
  readonly base: string;
  ask(method: string, path: string, body?: Uint8Array, headers?: Record<string, string>): Promise<Asked>;
  /** Opens an upload; its location is absolute. */
  open(repository?: string): Promise<string>;
  push(bytes: Uint8Array, repository?: string): Promise<string>;
  pushManifest(manifest: object, reference?: string, mediaType?: string): Promise<string>;
}

function clientOf(base: string): Client {
  const client: Client = {
    base,
    async ask(method, path, body, headers = {}) {
      const url = new URL(path, base);
      const answer = await fetch(url, { method, headers, ...(body && { body: Buffer.from(body) }) });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const codes = /"errors"/.test(bytes.toString())
        ? (JSON.parse(bytes.toString()) as { errors: { code: string }[] }).errors.map(({ code }) => code)
        : [];
      return { status: answer.status, headers: answer.headers, bytes, codes };
    },
    async open(repository = 'a/b') {
      const { status, headers } = await client.ask('POST', `/v2/${repository}/blobs/uploads/`);
      assert.equal(status, 202);
      return new URL(headers.get('location') ?? '', base).href;
    },
    async push(bytes, repository) {
      const url = new URL(await client.open(repository));
      url.searchParams.append('digest', sha(bytes));
      const { status } = await client.ask('PUT', url.href, bytes);
      assert.equal(status, 201);
      return sha(bytes);
    },
    async pushManifest(manifest, reference, mediaType = MANIFEST) {
      const bytes = Buffer.from(JSON.stringify(manifest));
      const path = `/v2/a/b/manifests/${reference ?? sha(bytes)}`;
      const { status } = await client.ask('PUT', path, bytes, { 'content-type': mediaType });
      assert.equal(status, 201);
      return sha(bytes);
    },
  };
  return client;
}

const codesInclude = ({ status, codes }: Asked, wanted: number, code: string): void =>
  assert.deepEqual([status, codes.includes(code)], [wanted, true], `${status} ${codes.join()}`);

async function imageOf(client: Client, extra: object = {}): Promise<object> {
  const config = Buffer.from(JSON.stringify({ random: randomBytes(8).toString('hex') }));
  const layer = randomBytes(100);
  const [configDigest, layerDigest] = [await client.push(config), await client.push(layer)];
  return {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: configDigest,
      size: config.length,
    },
    layers: [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layerDigest, size: layer.length },
    ],
    ...extra,
  };
}

interface Behaviour {
  readonly says: string;
  readonly ask: (client: Client) => Promise<void>;
  /** Why docker-registry 2.8 does otherwise. */
  readonly dockerDiffers?: string;
}

const accept = { accept: `${MANIFEST}, ${INDEX}` };

const behaviours: readonly Behaviour[] = [
  {
    says: 'GET /v2/ answers 200',
    ask: async ({ ask }) => assert.equal((await ask('GET', '/v2/')).status, 200),
  },
  {
    says: 'POST, then PUT stores a blob; HEAD and GET find it with its digest and length',
    ask: async ({ ask, push }) => {
      const bytes = randomBytes(1000);
      const digest = await push(bytes);
      for (const method of ['HEAD', 'GET']) {
        const { status, headers, bytes: body } = await ask(method, `/v2/a/b/blobs/${digest}`);
        assert.deepEqual([status, headers.get('content-length')], [200, '1000']);
        assert.equal(headers.get('docker-content-digest'), digest);
        assert.ok(method === 'HEAD' || body.equals(bytes));
      }
    },
  },
  {
    says: 'POST with digest and body stores a blob at once',
    dockerDiffers: 'answers 202 and ignores the body',
    ask: async ({ ask }) => {
      const bytes = randomBytes(10);
      assert.equal((await ask('POST', `/v2/a/b/blobs/uploads/?digest=${sha(bytes)}`, bytes)).status, 201);
      assert.equal((await ask('HEAD', `/v2/a/b/blobs/${sha(bytes)}`)).status, 200);
    },
  },
  {
    says: 'PATCH chunks in order, GET tells the progress, PUT closes',
    ask: async ({ ask, open, base }) => {
      const bytes = randomBytes(30);
      let location = await open();
      for (const [start, end] of [
        [0, 9],
        [10, 29],
      ] as const) {
        const answer = await ask('PATCH', location, bytes.subarray(start, end + 1), {
          'content-range': `${start}-${end}`,
        });
        assert.deepEqual([answer.status, answer.headers.get('range')], [202, `0-${end}`]);
        location = new URL(answer.headers.get('location') ?? '', base).href;
      }
      const progress = await ask('GET', location);
      assert.deepEqual([progress.status, progress.headers.get('range')], [204, '0-29']);
      const closing = new URL(progress.headers.get('location') ?? location, base);
      closing.searchParams.append('digest', sha(bytes));
      assert.equal((await ask('PUT', closing.href)).status, 201);
      assert.ok((await ask('GET', `/v2/a/b/blobs/${sha(bytes)}`)).bytes.equals(bytes));
    },
  },
  {
    says: 'a chunk out of order is 416',
    dockerDiffers: 'appends it (measured with 2.8.2)',
    ask: async ({ ask, open }) => {
      const answer = await ask('PATCH', await open(), randomBytes(10), { 'content-range': '5-14' });
      assert.equal(answer.status, 416);
    },
  },
  {
    says: 'PUT with a wrong digest is DIGEST_INVALID',
    ask: async ({ ask, open }) => {
      const url = new URL(await open());
      url.searchParams.append('digest', sha(randomBytes(3)));
      codesInclude(await ask('PUT', url.href, randomBytes(10)), 400, 'DIGEST_INVALID');
    },
  },
  {
    says: 'sha512 digests are kept as such',
    dockerDiffers: 'stores under sha256',
    ask: async ({ ask, open }) => {
      const bytes = randomBytes(10);
      const url = new URL(await open());
      url.searchParams.append('digest', sha(bytes, 'sha512'));
      const answer = await ask('PUT', url.href, bytes);
      assert.deepEqual(
        [answer.status, answer.headers.get('docker-content-digest')],
        [201, sha(bytes, 'sha512')],
      );
    },
  },
  {
    says: 'DELETE ends an upload',
    ask: async ({ ask, open }) => {
      const location = await open();
      assert.equal((await ask('DELETE', location)).status, 204);
      codesInclude(await ask('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN');
    },
  },
  {
    says: 'a mount of a blob that is there answers 201, of one that is not 202',
    ask: async ({ ask, push }) => {
      const digest = await push(randomBytes(10), 'mount/source');
      const mount = (digest: string, from: string) =>
        ask('POST', `/v2/mount/target/blobs/uploads/?mount=${digest}&from=${from}`);
      assert.equal((await mount(digest, 'mount/source')).status, 201);
      assert.equal((await ask('HEAD', `/v2/mount/target/blobs/${digest}`)).status, 200);
      assert.equal((await mount(sha(randomBytes(3)), 'mount/source')).status, 202);
      assert.equal((await mount(digest, 'mount/nowhere')).status, 202);
      assert.equal((await ask('POST', `/v2/mount/target/blobs/uploads/?mount=${digest}`)).status, 202);
    },
  },
  {
    says: 'a range answers 206 with Content-Range, one past the end 416',
    ask: async ({ ask, push, base }) => {
      const bytes = randomBytes(100);
      const path = `/v2/a/b/blobs/${await push(bytes)}`;
      const answer = await ask('GET', path, undefined, { range: 'bytes=10-19' });
      assert.deepEqual([answer.status, answer.headers.get('content-range')], [206, 'bytes 10-19/100']);
      assert.ok(answer.bytes.equals(bytes.subarray(10, 20)));
      assert.ok((await ask('GET', path, undefined, { range: 'bytes=90-' })).bytes.equals(bytes.subarray(90)));
      const { status, body } = await fetch(new URL(path, base), { headers: { range: 'bytes=100-' } });
      await body?.cancel().catch(() => {});
      assert.equal(status, 416);
    },
  },
  {
    says: 'blobs, manifests, repositories and uploads that are not there have their codes',
    ask: async ({ ask, push }) => {
      await push(randomBytes(3));
      codesInclude(await ask('GET', `/v2/a/b/blobs/${sha(randomBytes(3))}`), 404, 'BLOB_UNKNOWN');
      codesInclude(await ask('GET', '/v2/a/b/manifests/absent'), 404, 'MANIFEST_UNKNOWN');
      codesInclude(await ask('GET', '/v2/not/there/tags/list'), 404, 'NAME_UNKNOWN');
      assert.equal((await ask('PATCH', '/v2/a/b/blobs/uploads/none', randomBytes(3))).status, 404);
    },
  },
  {
    says: 'a manifest is stored by digest and by tag and comes back as it was',
    ask: async (client) => {
      const manifest = await imageOf(client);
      const digest = await client.pushManifest(manifest, 'one');
      for (const reference of ['one', digest])
        for (const method of ['GET', 'HEAD']) {
          const { status, headers, bytes } = await client.ask(
            method,
            `/v2/a/b/manifests/${reference}`,
            undefined,
            accept,
          );
          assert.deepEqual(
            [status, headers.get('content-type'), headers.get('docker-content-digest')],
            [200, MANIFEST, digest],
          );
          assert.ok(method === 'HEAD' || sha(bytes) === digest);
        }
    },
  },
  {
    says: 'a manifest that misses a blob, or is damaged, or is not what its digest says, is refused',
    ask: async (client) => {
      const put = (body: string | object, reference = 'bad', type = MANIFEST): Promise<Asked> =>
        client.ask(
          'PUT',
          `/v2/a/b/manifests/${reference}`,
          Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
          {
            'content-type': type,
          },
        );
      const manifest = await imageOf(client);
      const missing = {
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: sha(randomBytes(3)),
        size: 3,
      };
      codesInclude(await put({ ...manifest, layers: [missing] }), 400, 'MANIFEST_BLOB_UNKNOWN');
      codesInclude(await put('{'), 400, 'MANIFEST_INVALID');
      codesInclude(await put(manifest, 'bad', INDEX), 400, 'MANIFEST_INVALID');
      codesInclude(await put(manifest, sha(randomBytes(3))), 400, 'DIGEST_INVALID');
      const index = {
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [{ mediaType: MANIFEST, digest: sha(randomBytes(3)), size: 3 }],
      };
      codesInclude(await put(index, 'bad', INDEX), 400, 'MANIFEST_BLOB_UNKNOWN');
    },
  },
  {
    says: 'tags are listed in order, page by page',
    dockerDiffers: 'ignores n',
    ask: async (client) => {
      for (const tag of ['t2', 't1', 't3']) await client.pushManifest(await imageOf(client), tag);
      const list = async (query: string): Promise<{ tags: string[]; link: string | null }> => {
        const { bytes, headers } = await client.ask('GET', `/v2/a/b/tags/list${query}`);
        return { tags: (JSON.parse(bytes.toString()) as { tags: string[] }).tags, link: headers.get('link') };
      };
      const { tags } = await list('');
      assert.deepEqual(tags, [...tags].sort());
      const first = await list('?n=2');
      assert.deepEqual(first.tags, tags.slice(0, 2));
      const next = /^<([^>]+)>; rel="next"$/.exec(first.link ?? '')?.[1] ?? '';
      assert.deepEqual((await list(next.slice(next.indexOf('?')))).tags, tags.slice(2, 4));
    },
  },
  {
    says: 'manifests and blobs can be deleted',
    ask: async (client) => {
      const digest = await client.pushManifest(await imageOf(client), 'gone');
      assert.equal((await client.ask('DELETE', `/v2/a/b/manifests/${digest}`)).status, 202);
      for (const reference of ['gone', digest])
        assert.equal(
          (await client.ask('GET', `/v2/a/b/manifests/${reference}`, undefined, accept)).status,
          404,
        );
      const blob = await client.push(randomBytes(10));
      assert.equal((await client.ask('DELETE', `/v2/a/b/blobs/${blob}`)).status, 202);
      assert.equal((await client.ask('HEAD', `/v2/a/b/blobs/${blob}`)).status, 404);
    },
  },
  {
    says: 'referrers are listed with type and annotations, and filtered',
    dockerDiffers: 'has no referrers API',
    ask: async (client) => {
      const base = await imageOf(client);
      const subject = { mediaType: MANIFEST, digest: sha(Buffer.from(JSON.stringify(base))), size: 1 };
      const put = async (artifactType: string): Promise<Asked> => {
        const bytes = Buffer.from(
          JSON.stringify({ ...base, artifactType, subject, annotations: { key: artifactType } }),
        );
        return client.ask('PUT', `/v2/a/b/manifests/${sha(bytes)}`, bytes, { 'content-type': MANIFEST });
      };
      // a subject may come after what refers to it
      assert.equal((await put('x/one')).headers.get('oci-subject'), subject.digest);
      await put('x/two');
      const list = async (query: string) => {
        const { status, headers, bytes } = await client.ask(
          'GET',
          `/v2/a/b/referrers/${subject.digest}${query}`,
        );
        assert.deepEqual([status, headers.get('content-type')], [200, INDEX]);
        const { manifests } = JSON.parse(bytes.toString()) as {
          manifests: { artifactType: string; annotations: { key: string } }[];
        };
        return {
          applied: headers.get('oci-filters-applied'),
          types: manifests
            .map(({ artifactType, annotations }) => `${artifactType} ${annotations.key}`)
            .sort(),
        };
      };
      assert.deepEqual(await list(''), { applied: null, types: ['x/one x/one', 'x/two x/two'] });
      assert.deepEqual(await list('?artifactType=x%2Fone'), {
        applied: 'artifactType',
        types: ['x/one x/one'],
      });
      const none = await client.ask('GET', `/v2/a/b/referrers/${sha(randomBytes(3))}`);
      assert.deepEqual((JSON.parse(none.bytes.toString()) as { manifests: unknown[] }).manifests, []);
    },
  },
];

test('the registry of these tests keeps the specification, with both forms of upload locations', async (t) => {
  for (const location of ['relative', 'absolute'] as const) {
    await using registry = await startRegistry({ location });
    for (const { says, ask } of behaviours)
      await t.test(`${says} (${location})`, () => ask(clientOf(registry.url)));
  }
});

test('docker-registry does the same, where nothing else is stated', async (t) => {
  const { registry, ...rest } = await startDockerRegistry();
  if (!registry) return t.skip('reason' in rest ? rest.reason : '');
  await using _ = registry;
  for (const { says, ask, dockerDiffers } of behaviours)
    await t.test(dockerDiffers === undefined ? says : `not so: ${says}: it ${dockerDiffers}`, async () => {
      if (dockerDiffers === undefined) await ask(clientOf(registry.url));
      else await assert.rejects(() => ask(clientOf(registry.url)));
    });
});
