import { test } from 'node:test';
import assert from 'node:assert/strict';
import { bypasses, proxyFor } from './proxy.ts';

const proxyOf = (url: string, env: Record<string, string>): string | undefined => proxyFor(new URL(url), env);

test('proxyFor() reads the environment, lower case first, by scheme', () => {
  const env = { http_proxy: 'http://p:1', HTTP_PROXY: 'http://q:1', HTTPS_PROXY: 's.example:3128' };
  assert.equal(proxyOf('http://a.example/', env), 'http://p:1');
  assert.equal(proxyOf('https://a.example/', env), 'http://s.example:3128');
  assert.equal(proxyOf('https://a.example/', { all_proxy: 'http://z:9' }), 'http://z:9');
  assert.equal(proxyOf('http://a.example/', {}), undefined);
  assert.equal(proxyOf('http://127.0.0.1:99/', env), undefined);
  assert.equal(proxyOf('http://[::1]/', env), undefined);
  assert.equal(proxyOf('http://localhost/', env), undefined);
  assert.equal(proxyOf('http://a.example/', { ...env, no_proxy: 'a.example' }), undefined);
  assert.throws(() => proxyOf('http://a.example/', { http_proxy: 'ftp://x' }), /unsupported scheme/);
  assert.throws(() => proxyOf('http://a.example/', { http_proxy: 'http://' }), /not a URL/);
});

// the rows follow the documentation of golang.org/x/net/http/httpproxy
test('bypasses() reads no_proxy with domains, ports, addresses and CIDR ranges', () => {
  for (const [url, noProxy, expected] of [
    ['http://a.example/', '*', true],
    ['http://a.example/', 'example', true],
    ['http://example/', 'example', true],
    ['http://example.org/', '.example.org', false],
    ['http://x.example.org/', '.example.org', true],
    ['http://x.example.org/', '*.example.org', true],
    ['http://notexample.org/', 'example.org', false],
    ['http://a.example:8080/', 'a.example:8080', true],
    ['http://a.example:8081/', 'a.example:8080', false],
    ['https://a.example/', 'b.example, a.example:443', true],
    ['http://10.1.2.3/', '10.0.0.0/8', true],
    ['http://11.1.2.3/', '10.0.0.0/8', false],
    ['http://10.1.2.3/', '10.1.2.3', true],
    ['http://10.1.2.3:81/', '10.1.2.3:80', false],
    ['http://[fd00::1]/', 'fd00::/8', true],
    ['http://[fd00::1]/', '[fd00::1]:80', true],
    ['http://[fd00::1]/', 'fd00:0::1', true],
    ['http://10.example/', '10.0.0.0/8', false],
    ['http://a.example/', '10.0.0.0/99, ,', false],
  ] as const)
    assert.equal(bypasses(new URL(url), noProxy), expected, `${url} ${noProxy}`);
});
