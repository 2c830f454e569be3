// Time limits and cancellation of single exchanges.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { collect } from '../../base/streams.ts';
import { hasCode, OnlayError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import { makeDescriptor } from '../../oci/manifest.ts';
import { startServer, type Handler } from '../../../test/support/http-server.ts';
import { openForTest } from '../../../test/support/registry-client.ts';
import { ConnectionPool } from './connection-pool.ts';
import { systemEnvironment } from './environment.ts';
import { ExchangeFailure } from './failure.ts';
import { Transport, type Exchange } from './transport.ts';

async function send(url: string, exchange: Partial<Exchange>, signal?: AbortSignal): Promise<Uint8Array> {
  await using pool = new ConnectionPool();
  const transport = new Transport({
    pool,
    environment: systemEnvironment({}),
    caFiles: [],
    insecure: () => false,
    log: silentLog,
    signal,
    onRequest: undefined,
  });
  const answer = await transport.send({
    method: 'GET',
    url: new URL(url),
    headers: {},
    reach: 'any',
    ...exchange,
  });
  return await answer.bytes({ limit: 1 << 20, what: 'answer' });
}

const timesOut = (error: unknown): boolean => error instanceof ExchangeFailure && error.kind === 'timeout';
const silent: Handler = () => {};
const trickling: Handler = (_request, response) => {
  const timer = setInterval(() => response.write('x'), 20);
  response.writeHead(200).on('close', () => clearInterval(timer));
};

test('a server that does not answer is a timeout', async () => {
  await using server = await startServer(silent);
  await assert.rejects(() => send(server.url, { patienceMs: 200 }), timesOut);
});

test('an answer that trickles in is a timeout where the whole has a limit', async () => {
  await using server = await startServer(trickling);
  await assert.rejects(() => send(server.url, { limitMs: 200 }), timesOut);
});

test('a run that is cancelled ends with its reason, before and while a body is read', async () => {
  const bytes = Buffer.alloc(20 << 20);
  const descriptor = makeDescriptor('x/y', digestOf(bytes), bytes.length);
  for (const handler of [silent, trickling]) {
    for (const [reason, code] of [
      [undefined, 'ABORTED'],
      [new OnlayError('TIMEOUT', 'Not done within 1s'), 'TIMEOUT'],
    ] as const) {
      const controller = new AbortController();
      await using server = await startServer((request, response) => {
        setTimeout(() => controller.abort(reason), 50);
        return handler(request, response);
      });
      const options = { signal: controller.signal, plainHttp: [server.host] };
      await using opened = openForTest(`${server.host}/a/b`, options);
      await assert.rejects(
        () => collect(opened.store.blob(descriptor), { limit: bytes.length, what: 'blob' }),
        (error) => hasCode(error, code),
      );
      assert.equal(server.requests.length, 1);
      await assert.rejects(
        () => opened.store.resolve({ tag: '1' }),
        (error) => hasCode(error, code),
      );
      assert.equal(server.requests.length, 1);
    }
  }
});
