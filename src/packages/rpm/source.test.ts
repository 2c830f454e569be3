import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceOf } from './source.ts';

test('the source is named by the file of the source package, with the epoch of the binary', () => {
  const binary = { name: 'openssl-libs', epoch: 1, version: '1:3.0.7-24.el9' };
  assert.deepEqual(sourceOf('openssl-3.0.7-24.el9.src.rpm', binary), {
    name: 'openssl',
    version: '1:3.0.7-24.el9',
  });
  assert.deepEqual(sourceOf('x-y-z-1-2.nosrc.rpm', { name: 'x', epoch: 0, version: '1-2' }), {
    name: 'x-y-z',
    version: '1-2',
  });
  assert.deepEqual(sourceOf('', binary), { name: 'openssl-libs', version: '1:3.0.7-24.el9' });
});
