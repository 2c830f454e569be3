// Expectations follow golang.org/x/net/http/httpproxy, which crane, skopeo and docker use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OnlayError } from '../errors.ts';
import { parseProxy, proxyAuthorization, proxyFor } from './proxy.ts';

const chosen = (url: string, env: Record<string, string>): string | undefined =>
  proxyFor(new URL(url), env)?.href;

test('proxyFor() takes the variable of the scheme, lower case first', () => {
  const env = { https_proxy: 'http://low:1', HTTPS_PROXY: 'http://up:2', HTTP_PROXY: 'plain:3' };
  assert.equal(chosen('https://r.example/', env), 'http://low:1/');
  assert.equal(chosen('https://r.example/', { HTTPS_PROXY: 'http://up:2' }), 'http://up:2/');
  assert.equal(chosen('http://r.example/', env), 'http://plain:3/');
  assert.equal(chosen('http://r.example/', { https_proxy: 'http://low:1' }), undefined);
  assert.equal(chosen('http://r.example/', { ...env, REQUEST_METHOD: 'GET' }), undefined);
  assert.equal(
    chosen('https://r.example/', { http_proxy: 'http://p:1', all_proxy: 'http://all:4' }),
    'http://all:4/',
  );
  assert.equal(chosen('http://r.example/', {}), undefined);
});

test('no_proxy holds hosts, domains, ports, addresses and networks', () => {
  const rows: [noProxy: string, url: string, bypassed: boolean][] = [
    ['*', 'https://r.example/', true],
    ['r.example', 'https://r.example/', true],
    ['r.example', 'https://a.r.example/', true],
    ['r.example', 'https://bar.example/', false],
    ['.r.example', 'https://a.r.example/', true],
    ['.r.example', 'https://r.example/', false],
    ['*.r.example', 'https://a.r.example/', true],
    ['a.example, r.example', 'https://r.example/', true],
    ['R.EXAMPLE', 'https://r.example/', true],
    ['r.example:443', 'https://r.example/', true],
    ['r.example:5000', 'https://r.example/', false],
    ['r.example:5000', 'https://r.example:5000/', true],
    ['10.0.0.0/8', 'https://10.1.2.3/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.1.2.3', 'https://10.1.2.3:5000/', true],
    ['10.1.2.3:5000', 'https://10.1.2.3/', false],
    ['fd00::/8', 'https://[fd00::5]/', true],
    ['fd00::5', 'https://[fd00::5]/', true],
    ['[fd00::5]:5000', 'https://[fd00::5]:5000/', true],
    ['fd00:0::5', 'https://[fd00::5]/', true],
    ['10.0.0.0/8', 'https://10.example/', false],
    ['10.0.0.0/99, ,', 'https://10.1.2.3/', false],
    ['2.3', 'https://10.1.2.3/', false],
    ['example', 'https://r.example/', true],
    ['', 'https://r.example/', false],
  ];
  for (const [noProxy, url, bypassed] of rows) {
    const env = { https_proxy: 'http://p:1', NO_PROXY: noProxy };
    assert.equal(chosen(url, env) === undefined, bypassed, `${noProxy} for ${url}`);
  }
});

test('loopback is never proxied', () => {
  const env = { http_proxy: 'http://p:1', https_proxy: 'http://p:1' };
  for (const host of ['localhost', '127.0.0.1:5000', '127.3.2.1', '[::1]', 'x.localhost'])
    assert.equal(chosen(`https://${host}/`, env), undefined, host);
});

test('a proxy that cannot be used is an error, whose message holds no password', () => {
  for (const proxy of ['socks5://u:secret@p:1', 'http://u:secret@', 'http://u:secret@h:notaport'])
    assert.throws(
      () => proxyFor(new URL('https://r.example/'), { https_proxy: proxy }),
      (error) =>
        error instanceof OnlayError && error.code === 'CONFIG_INVALID' && !error.message.includes('secret'),
    );
});

test('parseProxy() takes the schemes its caller can use, http where none is written', () => {
  assert.equal(parseProxy('p.example:3128', 'a test').href, 'http://p.example:3128/');
  assert.equal(parseProxy('socks5://p.example:1080', 'a test', ['http', 'socks5']).host, 'p.example:1080');
  assert.throws(() => parseProxy('ftp://p.example', 'a test'), /proxy of a test: its scheme is ftp/);
  assert.throws(() => parseProxy('http://', 'a test'), /proxy of a test: it is no URL/);
});

test('proxyAuthorization() decodes user information', () => {
  assert.equal(proxyAuthorization(new URL('http://p:1')), undefined);
  const value = proxyAuthorization(new URL('http://us%40er:p%3Aw%25@p:1'));
  assert.equal(Buffer.from(value?.slice(6) ?? '', 'base64').toString(), 'us@er:p:w%');
});
