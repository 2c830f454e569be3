import assert from 'node:assert/strict';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { hasCode, OnlayError, type ErrorCode } from '../errors.ts';
import type { ByteStream } from '../base/streams.ts';
import { dir, file, hardLink, indexBlob, sha256, symlink, tarOf } from '../../test/support/layers.ts';
import {
  decodeLayerIndex,
  encodeLayerIndex,
  indexLayer,
  type Inspector,
  type LayerNode,
} from './layer-index.ts';

const tar = tarOf([
  dir('d', { mode: 0o1777 }),
  file('d/kept', 'kept content', { mode: 0o4755, uid: 3_000_000 }),
  file('d/big', 'x'.repeat(700_000)),
  file('d/empty'),
  symlink('l', 'd/kept', { mode: 0o755 }),
  hardLink('h', '/d/./kept'),
  file('d/.wh.gone', 'the content of a whiteout is ignored'),
  dir('o'),
  file('o/.wh..wh..opq'),
  { path: 'dev', type: 'character', mode: 0o600, uid: 0, gid: 0, mtime: -1, devMajor: 5, devMinor: 1 },
  file('cap', 'c', { xattrs: new Map([['security.capability', Uint8Array.of(1, 0, 0, 2, 0x80, 0xff)]]) }),
]);
const length: Inspector = {
  name: 'length',
  wants: (path) => path.startsWith('d/'),
  inspect: (content) =>
    content.length > 0 ? { length: content.length, sha256: sha256(content) } : undefined,
};

async function refuses(run: Promise<unknown>, code: ErrorCode, text: RegExp): Promise<void> {
  await assert.rejects(run, (error) => hasCode(error, code) && text.test(error.message));
}

/** In pieces of `size` bytes; notes how much was read and whether it was closed. */
function pieces(bytes: Uint8Array, size: number): ByteStream & { read: number; closed: boolean } {
  const stream = {
    read: 0,
    closed: false,
    async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
      try {
        for (let at = 0; at < bytes.length; at += size) {
          stream.read = Math.min(at + size, bytes.length);
          yield bytes.subarray(at, at + size);
        }
      } finally {
        stream.closed = true;
      }
    },
  };
  return stream;
}

test('indexLayer() says of every entry what the tar says, with digests', async () => {
  const index = await indexBlob(tar, {
    captures: (path) => path === 'd/kept',
    inspectors: [length],
    policy: 'p',
  });
  const [d, kept, big, empty, l, h, gone, , opaque, dev, cap] = index.entries;
  assert.equal(index.policy, 'p');
  assert.equal(index.uncompressedSize, tar.length);
  assert.deepEqual(index.diffId, { algorithm: 'sha256', hex: sha256(tar) });
  assert.deepEqual([d?.path, d?.type, (d as LayerNode).mode], ['d', 'directory', 0o1777]);
  const keptNode = kept as LayerNode;
  assert.equal(Buffer.from(keptNode.content ?? []).toString(), 'kept content');
  assert.deepEqual([keptNode.mode, keptNode.uid, keptNode.size], [0o4755, 3_000_000, 12]);
  assert.equal(keptNode.sha256, sha256(Buffer.from('kept content')));
  assert.deepEqual([...keptNode.facts], [['length', { length: 12, sha256: keptNode.sha256 }]]);
  const bigNode = big as LayerNode;
  assert.equal(bigNode.content, undefined);
  assert.equal(bigNode.sha256, sha256(Buffer.alloc(700_000, 'x')));
  assert.deepEqual(bigNode.facts.get('length'), { length: 700_000, sha256: bigNode.sha256 });
  assert.equal((empty as LayerNode).sha256, sha256(new Uint8Array(0)));
  assert.equal((empty as LayerNode).facts.size, 0);
  assert.deepEqual([l?.type, (l as LayerNode).link, (l as LayerNode).mode], ['symlink', 'd/kept', 0o777]);
  assert.deepEqual(h, { type: 'hardlink', path: 'h', target: 'd/kept' });
  assert.deepEqual(gone, { type: 'whiteout', path: 'd/gone' });
  assert.deepEqual(opaque, { type: 'opaque', path: 'o' });
  assert.deepEqual(
    [(dev as LayerNode).devMajor, (dev as LayerNode).devMinor, (dev as LayerNode).mtime],
    [5, 1, -1],
  );
  assert.deepEqual(
    [...((cap as LayerNode).xattrs.get('security.capability') ?? [])],
    [1, 0, 0, 2, 0x80, 0xff],
  );
});

test('indexLayer() gives the same index whatever the pieces are', async () => {
  const blob = gzipSync(tar);
  const expected = await indexBlob(blob, { inspectors: [length] });
  for (const size of [1000, 4099, 65_536]) {
    let bytes = 0;
    const index = await indexLayer(pieces(blob, size), {
      what: 'the layer',
      digest: { algorithm: 'sha256', hex: sha256(blob) },
      size: blob.length,
      captures: () => true,
      inspectors: [length],
      onBytes: (count) => (bytes += count),
    });
    assert.deepEqual(index, expected);
    assert.equal(bytes, blob.length);
  }
});

test('indexLayer() hashes what follows the end of the archive, and does not read it', async () => {
  const hidden = Buffer.concat([tar, tarOf([file('hidden')])]);
  const index = await indexBlob(gzipSync(hidden), { diffId: { algorithm: 'sha256', hex: sha256(hidden) } });
  assert.equal(index.uncompressedSize, hidden.length);
  assert.deepEqual(index.entries, (await indexBlob(tar)).entries);
});

test('indexLayer() reads layers with a sha512 digest', async () => {
  const { createHash } = await import('node:crypto');
  const hex = createHash('sha512').update(tar).digest('hex');
  const index = await indexBlob(tar, {
    digest: { algorithm: 'sha512', hex },
    diffId: { algorithm: 'sha512', hex },
  });
  assert.equal(index.diffId.hex, hex);
});

test('indexLayer() tells bytes that are not the expected ones from a layer that is broken', async () => {
  const blob = gzipSync(tar);
  const digest = { algorithm: 'sha256', hex: sha256(blob) } as const;
  const size = blob.length;
  const damaged = Buffer.from(blob);
  damaged.fill(0x55, 200, 300);
  await refuses(
    indexBlob(damaged, { digest }),
    'DIGEST_MISMATCH',
    /the layer has the digest sha256:[0-9a-f]{64}, its descriptor says/,
  );
  await refuses(indexBlob(damaged), 'ARCHIVE_INVALID', /the layer/);
  await refuses(
    indexBlob(blob.subarray(0, -9), { digest, size }),
    'SIZE_MISMATCH',
    /has \d+ bytes, its descriptor says/,
  );
  await refuses(indexBlob(blob.subarray(0, -9)), 'ARCHIVE_INVALID', /the layer/);
  await refuses(
    indexBlob(Buffer.concat([blob, Buffer.alloc(1)]), { digest, size }),
    'SIZE_MISMATCH',
    /is larger than/,
  );
  const diffId = { algorithm: 'sha256', hex: '0'.repeat(64) } as const;
  await refuses(
    indexBlob(blob, { diffId }),
    'DIGEST_MISMATCH',
    /diff id .* the configuration of the image says/,
  );
});

test('indexLayer() stops at size + 1 bytes and closes the stream', async () => {
  const blob = tar;
  const stream = pieces(blob, 4096);
  const run = indexLayer(stream, {
    what: 'the layer',
    digest: { algorithm: 'sha256', hex: sha256(blob) },
    size: 8192,
    captures: () => false,
    inspectors: [],
  });
  await refuses(run, 'SIZE_MISMATCH', /larger/);
  assert.equal(stream.closed, true);
  assert.ok(stream.read <= 12_288 + 4096, `${stream.read} bytes were read`);
});

test('indexLayer() hands on what the stream throws', async () => {
  const cut: ByteStream = {
    async *[Symbol.asyncIterator]() {
      yield tar.subarray(0, 5000);
      throw new OnlayError('NETWORK', 'the connection was lost');
    },
  };
  const run = indexLayer(cut, {
    what: 'the layer',
    digest: { algorithm: 'sha256', hex: sha256(tar) },
    size: tar.length,
    captures: () => false,
    inspectors: [],
  });
  await refuses(run, 'NETWORK', /the connection was lost/);
});

test('indexLayer() has limits of size and entries', async () => {
  await refuses(indexBlob(gzipSync(tar), { maxSize: tar.length - 1 }), 'LIMIT_EXCEEDED', /the layer/);
  await refuses(indexBlob(tar, { maxEntries: 5 }), 'LIMIT_EXCEEDED', /more than 5 entries/);
});

test('an index is decoded as it was encoded', async () => {
  const index = await indexBlob(gzipSync(tar), { inspectors: [length], policy: 'policy \xe9' });
  const decoded = decodeLayerIndex(encodeLayerIndex(index));
  assert.deepEqual(JSON.stringify(decoded), JSON.stringify(index));
  assert.deepEqual(decoded, { ...index, entries: decoded.entries });
  for (const [number, entry] of index.entries.entries()) {
    const { content, ...rest } = decoded.entries[number] as LayerNode;
    const { content: expectedContent, ...expected } = entry as LayerNode;
    assert.deepEqual(rest, expected);
    assert.equal(Buffer.compare(content ?? Buffer.alloc(0), expectedContent ?? Buffer.alloc(0)), 0);
    assert.equal(content === undefined, expectedContent === undefined);
  }
  assert.deepEqual(encodeLayerIndex(decoded), encodeLayerIndex(index));
});

test('a damaged index is never decoded', async () => {
  const bytes = encodeLayerIndex(await indexBlob(tar));
  const invalid = (damaged: Uint8Array): void =>
    assert.throws(
      () => decodeLayerIndex(damaged),
      (error) => hasCode(error, 'ARCHIVE_INVALID'),
    );
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 0x04;
    invalid(damaged);
    invalid(bytes.subarray(0, at));
  }
  invalid(Buffer.concat([bytes, Buffer.alloc(1)]));
  invalid(Buffer.from(Buffer.from(bytes).toString('latin1').replace('index 1', 'index 2'), 'latin1'));
});
