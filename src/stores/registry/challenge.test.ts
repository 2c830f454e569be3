import assert from 'node:assert/strict';
import { test } from 'node:test';
import { challengeScopes, chooseChallenge, parseChallenges } from './challenge.ts';

const parsed = (...headers: string[]): unknown =>
  parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test('parseChallenges() reads what registries send', () => {
  const rows: [headers: string[], expected: unknown][] = [
    // distribution 2.8.2, GET of a manifest
    [
      ['Bearer realm="http://127.0.0.1:5001/token",service="reg",scope="repository:a/b:pull"'],
      [['bearer', { realm: 'http://127.0.0.1:5001/token', service: 'reg', scope: 'repository:a/b:pull' }]],
    ],
    // commas inside quotes
    [
      ['Bearer realm="https://x/t",scope="repository:a/b:pull,push repository:c/d:pull"'],
      [['bearer', { realm: 'https://x/t', scope: 'repository:a/b:pull,push repository:c/d:pull' }]],
    ],
    [['bEARER Realm="https://x/t" , SERVICE=y'], [['bearer', { realm: 'https://x/t', service: 'y' }]]],
    [['Basic realm="a \\"quoted\\" \\\\ realm"'], [['basic', { realm: 'a "quoted" \\ realm' }]]],
    // several challenges in one header, and several headers
    [
      ['Negotiate, NTLM, Basic realm="x", Bearer realm="https://y"'],
      [
        ['negotiate', {}],
        ['ntlm', {}],
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'https://y' }],
      ],
    ],
    [
      ['Basic realm="x"', 'Bearer realm="https://y"'],
      [
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'https://y' }],
      ],
    ],
    // token68
    [
      ['Negotiate YWJj+/ZA==, Basic realm="x"'],
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    // realms without quotes, with characters no token may hold
    [
      ['Bearer realm=https://x.example/token?a=b,service=s'],
      [['bearer', { realm: 'https://x.example/token?a=b', service: 's' }]],
    ],
    // damaged ones must not throw
    [[''], []],
    [['Bearer realm="unterminated'], [['bearer', { realm: 'unterminated' }]]],
    [['=,;"\u00e9'], []],
    [['Bearer realm="",scope=""'], [['bearer', { realm: '', scope: '' }]]],
    [['Bearer realm="first",realm="second"'], [['bearer', { realm: 'first' }]]],
  ];
  for (const [headers, expected] of rows) assert.deepEqual(parsed(...headers), expected, headers.join(' | '));
});

test('chooseChallenge() prefers Bearer with a realm, then Basic, and skips what it does not know', () => {
  const scheme = (...headers: string[]): string | undefined =>
    chooseChallenge(parseChallenges(headers))?.scheme;
  assert.equal(scheme('Basic realm="x", Bearer realm="https://y"'), 'bearer');
  assert.equal(scheme('Bearer error="invalid_token"', 'Basic realm="x"'), 'basic');
  assert.equal(scheme('Negotiate', 'NTLM'), undefined);
});

test('challengeScopes() splits at spaces and keeps commas', () => {
  const [challenge] = parseChallenges([
    'Bearer realm="r",scope="repository:a/b:pull,push repository:c/d:pull"',
  ]);
  assert.ok(challenge);
  assert.deepEqual(challengeScopes(challenge), ['repository:a/b:pull,push', 'repository:c/d:pull']);
});

test('parseChallenges() takes time proportional to its input', () => {
  const hostile = `Bearer ${'a '.repeat(20_000)}realm="${'\\"'.repeat(20_000)}`;
  assert.ok(parseChallenges([hostile]).length > 0);
});
