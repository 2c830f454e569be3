import { test } from 'node:test';
import assert from 'node:assert/strict';
import { loginFor, parseAuthConf } from './auth-conf.ts';

// the examples of apt_auth.conf(5)
const entries = parseAuthConf(`# ESM
machine esm.ubuntu.com/apps/ubuntu/ login bearer password TOKEN  # subscriptions
machine example.org/deb login apt password debian
machine http://plain.example
  login u
  password p
machine example.com:8443 login port password x
machine empty.example
`);

test('loginFor() matches scheme, host, port and path', () => {
  const name = (url: string): string | undefined => loginFor(url, entries)?.username;
  assert.deepEqual(loginFor('https://esm.ubuntu.com/apps/ubuntu/dists/x', entries), {
    username: 'bearer',
    password: 'TOKEN',
  });
  assert.equal(name('https://esm.ubuntu.com/infra/ubuntu/dists/x'), undefined);
  assert.equal(name('http://esm.ubuntu.com/apps/ubuntu/x'), undefined);
  assert.equal(name('https://example.org/deb/foo'), 'apt');
  assert.equal(name('https://example.org/deb'), 'apt');
  assert.equal(name('https://example.org/debian/foo'), undefined);
  assert.equal(name('https://www.example.org/deb/foo'), undefined);
  assert.equal(name('https://example.org.evil/deb/foo'), undefined);
  assert.equal(name('http://plain.example/a'), 'u');
  assert.equal(name('https://plain.example/a'), undefined);
  assert.equal(name('https://example.com:8443/a'), 'port');
  assert.equal(name('https://example.com/a'), undefined);
  assert.equal(name('https://empty.example/a'), undefined);
  assert.equal(name('not a url'), undefined);
});
