import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRetryable, nextPause, pauseAfter, retryAfter, type RetryPolicy } from './backoff.ts';

const POLICY: RetryPolicy = { attempts: 5, firstMs: 250, maxMs: 30_000, maxRetryAfterMs: 60_000 };

const answer = (headers: Record<string, string>) => ({ header: (name: string) => headers[name] });

test('statuses that may pass are tried again, others are not', () => {
  for (const status of [408, 425, 429, 499, 500, 502, 503, 504, 522])
    assert.equal(isRetryable(status), true, String(status));
  for (const status of [200, 301, 400, 401, 403, 404, 405, 409, 413, 416, 501])
    assert.equal(isRetryable(status), false, String(status));
});

test('pauses double up to a limit, with jitter downwards', () => {
  const most = [1, 2, 3, 4, 5].map((failed) => pauseAfter(failed, () => 1, POLICY));
  assert.deepEqual(most, [250, 500, 1000, 2000, 4000]);
  assert.equal(
    pauseAfter(1, () => 0, POLICY),
    125,
  );
  assert.equal(
    pauseAfter(40, () => 1, POLICY),
    30_000,
  );
});

test('a server is waited for as long as it asks, within the limit and the attempts of the policy', () => {
  const pause = (failed: number, asked?: number) => nextPause(failed, () => 1, POLICY, asked);
  assert.equal(pause(1), 250);
  assert.equal(pause(1, 0), 250);
  assert.equal(pause(4, 60_000), 60_000);
  assert.equal(pause(1, 60_001), undefined);
  assert.equal(pause(5), undefined);
});

test('Retry-After is read as seconds and as a date, against the clock of the server', () => {
  const now = Date.parse('2024-05-06T07:08:09Z');
  assert.equal(retryAfter(answer({ 'retry-after': '2' }), now), 2000);
  assert.equal(retryAfter(answer({ 'retry-after': ' 120 ' }), now), 120_000);
  assert.equal(retryAfter(answer({ 'retry-after': 'Mon, 06 May 2024 07:08:19 GMT' }), now), 10_000);
  const skewed = { 'retry-after': 'Mon, 06 May 2024 08:00:05 GMT', date: 'Mon, 06 May 2024 08:00:00 GMT' };
  assert.equal(retryAfter(answer(skewed), now), 5000);
  assert.equal(retryAfter(answer({ 'retry-after': 'Sun, 05 May 2024 07:08:09 GMT' }), now), 0);
  assert.equal(retryAfter(answer({ 'retry-after': '-3' }), now) ?? 0, 0);
  assert.equal(retryAfter(answer({ 'retry-after': 'soon' }), now), undefined);
  assert.equal(retryAfter(answer({}), now), undefined);
});
