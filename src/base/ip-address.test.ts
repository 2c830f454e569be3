import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inNetwork, isLoopbackHost, literalAddress } from './ip-address.ts';

test('literalAddress() sees through other spellings of addresses', () => {
  for (const text of ['http://2130706433/', 'http://0x7f.1/', 'http://127.1/', 'http://017700000001/'])
    assert.equal(literalAddress(new URL(text)), '127.0.0.1', text);
  assert.equal(literalAddress(new URL('http://[::ffff:7f00:1]/')), '::ffff:7f00:1');
  assert.equal(literalAddress(new URL('http://localhost/')), undefined);
});

test('isLoopbackHost() is anchored', () => {
  for (const host of ['localhost', 'LOCALHOST', 'x.localhost', '127.0.0.1', '127.0.0.2', '[::1]', '::1'])
    assert.equal(isLoopbackHost(host), true, host);
  for (const host of [
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'notlocalhost',
    '10.0.0.1',
    '192.168.0.1',
  ])
    assert.equal(isLoopbackHost(host), false, host);
});

test('inNetwork() reads both families and refuses what is no network', () => {
  assert.equal(inNetwork('10.1.2.3', '10.0.0.0/8'), true);
  assert.equal(inNetwork('11.1.2.3', '10.0.0.0/8'), false);
  assert.equal(inNetwork('fd00::5', 'fd00::/8'), true);
  for (const bad of ['10.0.0.0', '10.0.0.0/33', 'x/8', '/8', '10.0.0.0/'])
    assert.equal(inNetwork('10.0.0.0', bad), false, bad);
});
