import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode, OnlayError } from '../errors.ts';
import { formatReference, parseReference, referenceTo } from './reference.ts';

const HEX = '0123456789abcdef'.repeat(4);

// expectations are those of distribution/reference, where the row does not say otherwise
const accepted: readonly [text: string, full: string, note?: string][] = [
  ['nginx', 'docker.io/library/nginx'],
  ['nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['team/app', 'docker.io/team/app'],
  ['docker.io/nginx', 'docker.io/library/nginx'],
  ['index.docker.io/nginx', 'docker.io/library/nginx'],
  ['index.docker.io/team/app:1', 'docker.io/team/app:1'],
  ['registry-1.docker.io/ubuntu', 'registry-1.docker.io/ubuntu', 'not normalised, as docker and crane'],
  ['localhost', 'docker.io/library/localhost', 'no slash: always Docker Hub'],
  ['example.com', 'docker.io/library/example.com', 'no slash: always Docker Hub'],
  ['localhost:5000', 'docker.io/library/localhost:5000', 'no slash: 5000 is a tag'],
  ['localhost/foo', 'localhost/foo', 'crane 0.20.7 goes to Docker Hub'],
  ['localhost:5000/a/b:tag', 'localhost:5000/a/b:tag'],
  ['FOO.example:1/xy/zz', 'foo.example:1/xy/zz', 'the host is looked up in lower case'],
  ['[::1]:5000/xy', '[::1]:5000/xy', 'docker 20.10 and skopeo refuse'],
  ['[2001:DB8::1]/xy:1', '[2001:db8::1]/xy:1'],
  [`name:tag@sha256:${HEX}`, `docker.io/library/name:tag@sha256:${HEX}`, 'skopeo refuses'],
  [`host.example/a@sha256:${HEX}`, `host.example/a@sha256:${HEX}`],
  [`a@sha512:${HEX}${HEX}`, `docker.io/library/a@sha512:${HEX}${HEX}`],
  ['xn--bcher-kva.example/x', 'xn--bcher-kva.example/x'],
  ['a---b/c', 'docker.io/a---b/c'],
  ['a__b/c', 'docker.io/a__b/c'],
  ['host.example/x', 'host.example/x', 'one character; crane refused it until 2026'],
  [`a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`],
  [`host.example/${'p'.repeat(255)}`, `host.example/${'p'.repeat(255)}`, 'the limit is on the path alone'],
];

for (const [text, full, note] of accepted)
  test(`parseReference() reads ${text.slice(0, 40)} as ${full.slice(0, 50)}${note ? ` (${note})` : ''}`, () => {
    assert.equal(String(parseReference(text)), full);
    assert.equal(String(parseReference(full)), full);
  });

const refused: readonly [text: string, why: RegExp, hint?: RegExp][] = [
  ['', /empty/],
  ['Foo/bar', /"Foo" holds capital letters/, /lowercase/],
  ['foo/Bar', /"Bar" holds capital letters/, /lowercase/],
  ['::1/xy', /"::1" is no host name/, /brackets: \[::1\]:5000/],
  ['[::1/xy', /is no host name/],
  ['[1::2::3]/xy', /is no host name/],
  ['bücher.example/x', /outside ASCII/, /xn--bcher-kva\.example/],
  ['a___b/c', /"a___b" cannot be part/],
  [`a:${'t'.repeat(129)}`, /is no tag/, /1 to 128/],
  ['a:', /"" is no tag/],
  ['a:-x', /is no tag/],
  [HEX, /image ID/, /@sha256/],
  ['a/../b', /"\.\." cannot be part/],
  ['../b', /looks like a file name/, /oci:DIR/],
  ['/b', /looks like a file name/],
  ['a//b', /empty part/],
  ['a/', /empty part/],
  ['host.example/', /empty part/],
  ['-a/b', /"-a" cannot be part/],
  ['a_b.example/x', /no host name/, /hold no "_"/],
  ['host.example:99999/x', /is no port/],
  ['host.example:/x', /is no port/],
  ['-host.example/x', /no host name/],
  ['a b', /white space/],
  ['a\u0000b', /control/],
  ['https://host.example/x', /starts with "https:\/\/"/, /leave https:\/\/ out/],
  ['a@sha256:abc', /is no digest/, /64/],
  [`a@sha256:${HEX.toUpperCase()}`, /is no digest/],
  [`a@md5:${HEX.slice(32)}`, /is no digest/],
  ['a@sha256:../../x', /user name or password/, /onlay login/],
  [`host.example/${'p'.repeat(256)}`, /longer than 255/],
  ['x'.repeat(2000), /too long/],
];

for (const [text, why, hint] of refused)
  test(`parseReference() refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(
      () => parseReference(text),
      (error) => {
        assert.ok(hasCode(error, 'REFERENCE_INVALID'));
        assert.match(error.message, why);
        if (hint) assert.match(error.hint ?? '', hint);
        return true;
      },
    );
  });

test('parseReference() does not repeat a password', () => {
  for (const text of ['https://bob:geheim@host.example/x', 'bob:geheim@host.example/x'])
    assert.throws(
      () => parseReference(text),
      (error) =>
        error instanceof OnlayError && !error.message.includes('geheim') && /login/.test(error.hint ?? ''),
    );
});

test('a reference to Docker Hub names its API host and its key of credentials', () => {
  const { domain, path, apiHost, credentialKey, tag, digest } = parseReference('nginx');
  assert.deepEqual(
    { domain, path, apiHost, credentialKey, tag, digest },
    {
      domain: 'docker.io',
      path: 'library/nginx',
      apiHost: 'registry-1.docker.io',
      credentialKey: 'https://index.docker.io/v1/',
      tag: undefined,
      digest: undefined,
    },
  );
  assert.equal(parseReference('host.example:5000/x').credentialKey, 'host.example:5000');
});

test('formatReference() shows Docker Hub names as docker does', () => {
  const familiar = (text: string): string => formatReference(parseReference(text), 'familiar');
  assert.equal(familiar('docker.io/library/nginx:1'), 'nginx:1');
  assert.equal(familiar('docker.io/team/app'), 'team/app');
  assert.equal(familiar('docker.io/library/a/b'), 'library/a/b');
  assert.equal(familiar('host.example/library/a'), 'host.example/library/a');
});

test('referenceTo() keeps the repository and checks the tag', () => {
  const reference = parseReference(`host.example/a:1@sha256:${HEX}`);
  assert.equal(String(referenceTo(reference, { tag: '1-patched' })), 'host.example/a:1-patched');
  assert.throws(() => referenceTo(reference, { tag: 'a/b' }), { code: 'REFERENCE_INVALID' });
});
