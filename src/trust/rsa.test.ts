// RSA signatures as openssl and abuild-sign make them.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { verifyRsa } from './rsa.ts';

const pem = { type: 'spki', format: 'pem' } as const;
const secret = { type: 'pkcs8', format: 'pem' } as const;
const pair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: pem,
  privateKeyEncoding: secret,
});

test('verifyRsa() accepts what the key signed and nothing else', () => {
  const data = Buffer.from('APKINDEX');
  for (const digest of ['sha1', 'sha256', 'sha512'] as const) {
    const signature = createSign(digest).update(data).sign(pair.privateKey);
    const check = (more: object): boolean =>
      verifyRsa({ digest, data, signature, publicKey: pair.publicKey, ...more });
    assert.equal(check({}), true);
    assert.equal(check({ data: [data.subarray(0, 3), data.subarray(3)] }), true);
    assert.equal(check({ data: Buffer.from('apkindex') }), false);
    assert.equal(check({ signature: signature.subarray(1) }), false);
    assert.equal(check({ digest: digest === 'sha1' ? 'sha256' : 'sha1' }), false);
  }
});

test('verifyRsa() refuses keys that are short, of another kind, private or no keys', () => {
  const short = generateKeyPairSync('rsa', {
    modulusLength: 1024,
    publicKeyEncoding: pem,
    privateKeyEncoding: secret,
  });
  const curve = generateKeyPairSync('ed25519', { publicKeyEncoding: pem, privateKeyEncoding: secret });
  for (const publicKey of [short.publicKey, curve.publicKey, pair.privateKey, 'hello', ''])
    assert.throws(
      () => verifyRsa({ digest: 'sha256', data: Buffer.alloc(1), signature: Buffer.alloc(256), publicKey }),
      /public key/,
    );
});
