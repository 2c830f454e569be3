// Keys and shapes as docker/cli, containers/image and Kubernetes write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import { findKeyed, isKeyOf, parseAuthFile } from './auth-file.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const file = (value: unknown) => parseAuthFile(Buffer.from(JSON.stringify(value)), 'test');
const userOf = (auths: Record<string, string>, host: string, repository = 'team/app'): string | undefined => {
  const entries = Object.entries(auths).map(([key, user]) => [key, { auth: base64(`${user}:secret`) }]);
  return findKeyed(file({ auths: Object.fromEntries(entries) }).entries, host, repository)?.value.username;
};

test('one host is found under every form of its key', () => {
  const keys = [
    'r.example:5000',
    'https://r.example:5000',
    'http://r.example:5000/',
    'https://r.example:5000/v1/',
    'https://r.example:5000/v2/',
    'r.example:5000/v2',
    'R.EXAMPLE:5000',
  ];
  for (const key of keys) assert.equal(userOf({ [key]: 'me' }, 'r.example:5000'), 'me', key);
  for (const key of ['r.example', 'x.r.example:5000', 'r.example:5001', 'example:5000'])
    assert.equal(userOf({ [key]: 'me' }, 'r.example:5000'), undefined, key);
});

test('Docker Hub is found under all of its names', () => {
  for (const key of [
    'https://index.docker.io/v1/',
    'docker.io',
    'index.docker.io',
    'registry-1.docker.io',
    'https://docker.io',
  ])
    assert.equal(userOf({ [key]: 'me' }, 'docker.io', 'library/nginx'), 'me', key);
  assert.equal(isKeyOf('https://index.docker.io/v1/', 'docker.io'), true);
});

test('the most specific namespace wins', () => {
  const auths = { 'r.example': 'host', 'r.example/team': 'team', 'r.example/team/app': 'app' };
  assert.equal(userOf(auths, 'r.example', 'team/app'), 'app');
  assert.equal(userOf(auths, 'r.example', 'team/app/sub'), 'app');
  assert.equal(userOf(auths, 'r.example', 'team/other'), 'team');
  assert.equal(userOf(auths, 'r.example', 'teammate/app'), 'host');
});

test('patterns of Kubernetes match one label for each star, exact hosts go first', () => {
  assert.equal(userOf({ '*.r.example': 'glob' }, 'a.r.example'), 'glob');
  assert.equal(userOf({ '*.r.example': 'glob' }, 'a.b.r.example'), undefined);
  assert.equal(userOf({ '*.*.r.example': 'glob' }, 'a.b.r.example'), 'glob');
  assert.equal(userOf({ 'pre*.r.example': 'glob' }, 'prefix.r.example'), 'glob');
  assert.equal(userOf({ '*.r.example': 'glob' }, 'r.example'), undefined);
  assert.equal(userOf({ '*.r.example': 'glob' }, 'a.r.example:5000'), undefined);
  assert.equal(userOf({ '*.r.example': 'glob', 'a.r.example': 'exact' }, 'a.r.example'), 'exact');
});

test('entries are read in all their forms', () => {
  const { entries } = file({
    auths: {
      a: { auth: base64('user:pass:word') },
      b: { username: 'user', password: 'secret' },
      c: { auth: base64('user:padded\0\0\0') },
      d: { auth: base64('00000000-0000-0000-0000-000000000000:'), identitytoken: 'refresh' },
      e: { registrytoken: 'bearer' },
      f: {},
      g: 'junk',
    },
  });
  assert.deepEqual(
    entries.map(({ key, value }) => [key, value]),
    [
      ['a', { username: 'user', password: 'pass:word' }],
      ['b', { username: 'user', password: 'secret' }],
      ['c', { username: 'user', password: 'padded' }],
      ['d', { username: '00000000-0000-0000-0000-000000000000', identityToken: 'refresh' }],
      ['e', { registryToken: 'bearer' }],
    ],
  );
});

test('helpers are read, per host and for all', () => {
  const { helpers, store } = file({ credsStore: 'desktop', credHelpers: { 'r.example': 'ecr-login', x: 3 } });
  assert.equal(store, 'desktop');
  assert.equal(findKeyed(helpers, 'r.example', '')?.value, 'ecr-login');
  assert.equal(helpers.length, 1);
});

test('pull secrets of Kubernetes are read in all their shapes', () => {
  const modern = { auths: { 'r.example': { auth: base64('me:secret') } } };
  const legacy = { 'r.example': { auth: base64('me:secret') } };
  const secret = (key: string, value: object): object => ({
    kind: 'Secret',
    data: { [key]: base64(JSON.stringify(value)) },
  });
  for (const value of [
    modern,
    legacy,
    secret('.dockerconfigjson', modern),
    secret('.dockercfg', legacy),
    { stringData: { '.dockerconfigjson': JSON.stringify(modern) } },
  ])
    assert.equal(
      findKeyed(file(value).entries, 'r.example', 'a')?.value.username,
      'me',
      JSON.stringify(value),
    );
});

test('a damaged file is an error that quotes nothing of it', () => {
  for (const text of [
    '{"auths":{"r":{"auth":"c2VjcmV0"}}',
    '[]',
    '"secret"',
    '{"auths":{"r":{"auth":"c2VjcmV0"}}}',
  ])
    assert.throws(
      () => parseAuthFile(Buffer.from(text), 'the file'),
      (error) => hasCode(error, 'CONFIG_INVALID') && !/secret|c2Vj/.test(error.message),
      text,
    );
  assert.deepEqual(parseAuthFile(Buffer.from('  '), 'empty').entries, []);
});
