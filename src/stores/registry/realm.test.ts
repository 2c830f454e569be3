import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import type { AddressKind } from '../../base/address.ts';
import { judgeRealm, type Realm } from './realm.ts';

function judge(
  registry: string,
  realm: string,
  trusted: readonly string[] = [],
  address?: AddressKind,
): Realm {
  return judgeRealm(realm, { registry: new URL(registry), address, trusted });
}

test('credentials go to token servers of the same host or company', () => {
  const rows: [registry: string, realm: string, send: boolean][] = [
    ['https://r.example', 'https://r.example/token', true],
    ['https://r.example', 'https://r.example:8443/token', true],
    ['https://r.example', '/token', true],
    ['https://registry.corp.example', 'https://auth.corp.example/token', true],
    ['https://registry-1.docker.io', 'https://auth.docker.io/token', true],
    ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth', true],
    ['https://registry.redhat.io', 'https://sso.redhat.com/token', true],
    ['https://r.a.co.uk', 'https://auth.a.co.uk/t', true],
    ['https://r.a.co.uk', 'https://auth.b.co.uk/t', false],
    ['https://a.azurecr.io', 'https://b.azurecr.io/oauth2/token', false],
    ['https://r.example', 'https://evil.test/token', false],
    ['https://r.example', 'https://r.example.evil.test/token', false],
    ['https://registry-1.docker.io', 'https://auth.docker.io.evil.test/token', false],
    ['https://10.0.0.5', 'https://10.0.0.6/token', false],
    ['http://localhost:5000', 'http://127.0.0.1:5001/token', false],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5001/token', true],
  ];
  for (const [registry, realm, send] of rows)
    assert.equal(judge(registry, realm).sendCredentials, send, `${registry} → ${realm}`);
});

test('the user may trust another token server', () => {
  for (const entry of ['sso.test', 'sso.test:8443', 'https://sso.test:8443'])
    assert.equal(judge('https://r.example', 'https://sso.test:8443/t', [entry]).sendCredentials, true, entry);
  assert.equal(
    judge('https://r.example', 'https://sso.test:8443/t', ['sso.test:443']).sendCredentials,
    false,
  );
});

test('realms that leave https, hold user information or are no web address are refused', () => {
  const realms = [
    'http://r.example/token',
    'ftp://r.example/',
    'https://u:p@r.example/t',
    'https://',
    'file:///etc/passwd',
  ];
  for (const realm of realms)
    assert.throws(
      () => judge('https://r.example', realm),
      (error) => hasCode(error, 'AUTH_DENIED'),
      realm,
    );
  assert.equal(judge('http://r.example', 'http://r.example/token').sendCredentials, true);
});

test('a public registry may name no token server in a private network, a private one may', () => {
  assert.equal(judge('https://r.example', 'https://auth.test/t', [], 'public').reach, 'public');
  assert.equal(judge('https://r.example', 'https://auth.test/t').reach, 'public');
  assert.equal(judge('https://r.corp', 'https://auth.test/t', [], 'private').reach, 'no-metadata');
  assert.equal(
    judge('https://r.example', 'https://auth.test/t', ['auth.test'], 'public').reach,
    'no-metadata',
  );
  assert.equal(judge('https://r.example', 'https://r.example/t', [], 'public').reach, 'any');
});
