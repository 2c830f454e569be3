// A large blob on its way from one registry to another, through nothing but memory: what breaks on either side is taken
// up or begun again, and what stays wrong is named.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { streamOf } from '../../src/base/streams.ts';
import { hasCode, type ErrorCode } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { makeDescriptor } from '../../src/oci/manifest.ts';
import { startFaultProxy, type Fault, type Rule } from '../support/fault-proxy.ts';
import { openForTest } from '../support/registry-client.ts';
import { startRegistry } from '../support/registry.ts';

const MEBIBYTE = 1 << 20;
const bytes = randomBytes(12 * MEBIBYTE);
const blob = makeDescriptor('application/octet-stream', digestOf(bytes), bytes.length);

const reading = (fault: Fault, times = 1): Rule => ({ method: 'GET', path: /\/blobs\//, times, fault });
const writing = (fault: Fault, times = 1): Rule => ({ method: 'PUT', path: /\/uploads\//, times, fault });
const corrupt: Fault = { kind: 'corrupt', offset: 9 * MEBIBYTE };
const reset: Fault = { kind: 'reset', bytes: 5 * MEBIBYTE };

interface Row {
  readonly fault: string;
  readonly source?: Rule;
  readonly target?: Rule;
  /** Ranges of the requests to the source. */
  readonly reads: readonly (string | undefined)[];
  readonly fails?: ErrorCode;
}

const rows: readonly Row[] = [
  { fault: 'the source is damaged once', source: reading(corrupt), reads: [undefined, undefined] },
  {
    fault: 'the source breaks off three times',
    source: reading({ kind: 'cut', bytes: 2 * MEBIBYTE }, 3),
    reads: [undefined, ...[2, 4, 6].map((at) => `bytes=${at * MEBIBYTE}-`)],
  },
  { fault: 'the upload is reset', target: writing(reset), reads: [undefined, undefined] },
  {
    fault: 'the upload is damaged',
    target: writing({ kind: 'corrupt-upload', offset: 5 * MEBIBYTE }),
    reads: [undefined, undefined],
  },
  {
    fault: 'the target is down twice',
    target: writing({ kind: 'status', status: 503 }, 2),
    reads: [undefined, undefined, undefined],
  },
  {
    fault: 'both at once',
    source: reading(corrupt),
    target: writing(reset),
    reads: [undefined, undefined],
  },
  {
    fault: 'the source is damaged for good',
    source: reading(corrupt, 99),
    reads: [undefined, undefined],
    fails: 'DIGEST_MISMATCH',
  },
  {
    fault: 'the source does not have it',
    source: reading({ kind: 'status', status: 404 }, 99),
    reads: [undefined],
    fails: 'IMAGE_NOT_FOUND',
  },
];

test('a blob is copied from registry to registry through faults of both', async (t) => {
  await using from = await startRegistry();
  await using to = await startRegistry({ location: 'absolute' });
  await using pusher = openForTest(`${from.host}/team/base`);
  await pusher.store.putBlob(blob, { open: () => streamOf(bytes) });
  for (const [at, { fault, source, target, reads, fails }] of rows.entries())
    await t.test(fault, async () => {
      await using before = await startFaultProxy(from.url, source ? [source] : []);
      await using behind = await startFaultProxy(to.url, target ? [target] : []);
      await using reader = openForTest(`${before.host}/team/base`);
      await using writer = openForTest(`${behind.host}/team/app-${at}`);
      const copy = writer.store.putBlob(blob, { open: () => reader.store.blob(blob) });
      if (fails) await assert.rejects(copy, (error) => hasCode(error, fails));
      else assert.deepEqual(await copy, { uploaded: true });
      assert.deepEqual(
        before.requests.map(({ headers }) => headers.range),
        reads,
      );
      assert.equal(await writer.store.has(blob), fails === undefined);
    });
});
