import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectError, mayPass } from './connect-error.ts';

const failure = (code: string, message = 'text'): Error => Object.assign(new Error(message), { code });
const kindOf = (error: unknown, connecting = true) => connectError(error, { connecting }).kind;

test('connectError() finds the first cause below wrappers and lists', () => {
  const refused = failure('ECONNREFUSED');
  assert.equal(kindOf(refused), 'refused');
  assert.equal(kindOf(new AggregateError([refused, failure('ENETUNREACH')])), 'refused');
  assert.equal(
    kindOf(new TypeError('fetch failed', { cause: new Error('inner', { cause: refused }) })),
    'refused',
  );
  assert.deepEqual(connectError(new Error('odd'), { connecting: true }), { kind: 'other', text: 'odd' });
  assert.deepEqual(connectError('text', { connecting: true }), { kind: 'other', text: 'text' });
  assert.equal(kindOf(undefined), 'other');
});

test('a certificate that does not count is told from a server without TLS and from a cut connection', () => {
  for (const code of [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UND_ERR_PRX_TLS',
  ])
    assert.equal(kindOf(failure(code)), 'untrusted', code);
  assert.equal(kindOf(failure('ERR_SSL_WRONG_VERSION_NUMBER')), 'not-tls');
  assert.equal(kindOf(failure('EPROTO')), 'not-tls');
  assert.equal(kindOf(failure('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'), false), 'reset');
  assert.equal(kindOf(failure('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')), 'tls-refused');
  assert.equal(kindOf(failure('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')), 'tls-refused');
});

test('what may pass is tried again, what is a matter of settings is not', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', 'UND_ERR_BODY_TIMEOUT', 'EAI_AGAIN'])
    assert.equal(mayPass(kindOf(failure(code))), true, code);
  for (const code of ['ENOTFOUND', 'EPROTO', 'CERT_HAS_EXPIRED', 'HPE_INVALID_CONSTANT', 'EINVAL'])
    assert.equal(mayPass(kindOf(failure(code))), false, code);
});

test('the words name the code, and never hold a password', () => {
  assert.equal(
    connectError(failure('ECONNREFUSED'), { connecting: true }).text,
    'the connection was refused (ECONNREFUSED)',
  );
  assert.equal(
    connectError(failure('EODD', 'cannot use http://me:secret@host/'), { connecting: true }).text,
    'cannot use http://***@host/ (EODD)',
  );
});
