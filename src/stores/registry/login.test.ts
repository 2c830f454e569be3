import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { hasCode } from '../../errors.ts';
import { startRegistry } from '../../../test/support/registry.ts';
import { ConnectionPool } from './connection-pool.ts';
import { findCredential } from './credentials.ts';
import { systemEnvironment } from './environment.ts';
import { login, logout } from './login.ts';

const USERS = { me: 'pass:word' };

async function inHome(run: (home: string, config: string) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'onlay-login-'));
  try {
    await run(home, join(home, '.docker/config.json'));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function logIn(registry: string, env: Record<string, string>, password = 'pass:word'): Promise<string> {
  await using pool = new ConnectionPool();
  return (await login({ registry, username: 'me', password, env, log: silentLog, pool })).storedIn;
}

for (const kind of ['basic', 'bearer'] as const)
  test(`login() with ${kind} stores what works, and logout() removes it`, () =>
    inHome(async (home, config) => {
      await using registry = await startRegistry({ auth: { kind, users: USERS } });
      const env = { HOME: home };
      assert.equal(await logIn(registry.host, env), config);
      assert.equal(statSync(config).mode & 0o777, 0o600);
      assert.equal(
        readFileSync(config, 'utf8'),
        `{\n\t"auths": {\n\t\t"${registry.host}": {\n\t\t\t"auth": "${Buffer.from('me:pass:word').toString('base64')}"\n\t\t}\n\t}\n}\n`,
      );
      const target = { domain: registry.host, repository: 'a/b', serverKey: registry.host };
      const { credential } = await findCredential(target, {}, systemEnvironment(env));
      assert.deepEqual(credential, {
        kind: 'password',
        username: 'me',
        password: 'pass:word',
        source: `docker config ${config}`,
      });
      assert.deepEqual(await logout({ registry: registry.host, env }), { removed: true });
      assert.deepEqual(await logout({ registry: registry.host, env }), { removed: false });
      assert.deepEqual(JSON.parse(readFileSync(config, 'utf8')), { auths: {} });
    }));

test('credentials that are refused are not stored', () =>
  inHome(async (home) => {
    for (const kind of ['basic', 'bearer'] as const) {
      await using registry = await startRegistry({ auth: { kind, users: USERS } });
      await assert.rejects(
        () => logIn(registry.host, { HOME: home }, 'wr0ng-password'),
        (error) => hasCode(error, 'AUTH_DENIED') && !error.message.includes('wr0ng'),
      );
    }
    assert.deepEqual(readdirSync(home), []);
  }));

test('other fields, other hosts and a symbolic link are kept; other forms of the key are replaced', () =>
  inHome(async (home, config) => {
    await using registry = await startRegistry({ auth: { kind: 'basic', users: USERS } });
    mkdirSync(join(home, '.docker'));
    const before = {
      detachKeys: 'ctrl-e,e',
      auths: {
        'other.example': { auth: 'b3RoZXI6eA==' },
        [`https://${registry.host}/v1/`]: { auth: 'b2xkOng=' },
      },
      plugins: { x: { y: 'z' } },
    };
    writeFileSync(join(home, 'dotfiles.json'), JSON.stringify(before), { mode: 0o644 });
    symlinkSync('../dotfiles.json', config);
    await logIn(registry.host, { HOME: home });
    assert.ok(lstatSync(config).isSymbolicLink());
    assert.equal(statSync(config).mode & 0o777, 0o600);
    const after = JSON.parse(readFileSync(config, 'utf8')) as typeof before;
    assert.deepEqual(Object.keys(after), ['detachKeys', 'auths', 'plugins']);
    assert.deepEqual(Object.keys(after.auths), ['other.example', registry.host]);
    assert.deepEqual(readdirSync(home).sort(), ['.docker', 'dotfiles.json']);
  }));

test('a file that is empty, starts with a byte order mark or is an old one is taken over', () =>
  inHome(async (home, config) => {
    await using registry = await startRegistry({ auth: { kind: 'basic', users: USERS } });
    mkdirSync(join(home, '.docker'));
    const other = { 'https://other.example/v1/': { auth: 'b3RoZXI6eA==', email: 'x' } };
    for (const [text, hosts] of [
      ['', []],
      [' \n', []],
      ['\ufeff{}', []],
      ['{"auths":null}', []],
      // .dockercfg
      [JSON.stringify(other), Object.keys(other)],
    ] as const) {
      writeFileSync(config, text);
      await logIn(registry.host, { HOME: home });
      const { auths } = JSON.parse(readFileSync(config, 'utf8')) as { auths: object };
      assert.deepEqual(Object.keys(auths), [...hosts, registry.host]);
      await logout({ registry: registry.host, env: { HOME: home } });
    }
    writeFileSync(config, '{"auths":[]}');
    await assert.rejects(logIn(registry.host, { HOME: home }), (error) => hasCode(error, 'CONFIG_INVALID'));
  }));

test('a user name that no registry could take apart from the password is refused', () =>
  inHome(async (home) => {
    await using registry = await startRegistry();
    const options = { env: { HOME: home }, log: silentLog, registry: registry.host, password: 'x' };
    await assert.rejects(login({ ...options, username: 'me:too' }), (error) => hasCode(error, 'USAGE'));
    assert.deepEqual(readdirSync(home), []);
  }));

test('a helper gets the credentials, on its standard input only', () =>
  inHome(async (home, config) => {
    await using registry = await startRegistry({ auth: { kind: 'basic', users: USERS } });
    mkdirSync(join(home, 'bin'));
    const helper = join(home, 'bin/docker-credential-test');
    writeFileSync(
      helper,
      '#!/bin/sh\necho "$@" >> "$HOME/args"; cat >> "$HOME/stdin"; echo >> "$HOME/stdin"\n',
    );
    chmodSync(helper, 0o755);
    mkdirSync(join(home, '.docker'));
    writeFileSync(config, '{"credsStore":"test"}');
    const env = { HOME: home, PATH: `${home}/bin:/usr/bin:/bin` };
    assert.equal(await logIn(registry.host, env), 'docker-credential-test');
    await logout({ registry: registry.host, env });
    assert.equal(readFileSync(join(home, 'args'), 'utf8'), 'store\nerase\n');
    assert.equal(
      readFileSync(join(home, 'stdin'), 'utf8'),
      `{"ServerURL":"${registry.host}","Username":"me","Secret":"pass:word"}\n${registry.host}\n`,
    );
    assert.equal(readFileSync(config, 'utf8'), '{"credsStore":"test"}');
  }));

test('what is no registry is REFERENCE_INVALID', async () => {
  for (const registry of ['', 'nginx', 'https://', 'a.example/b', 'user@a.example', 'a example:5000'])
    await assert.rejects(
      () => logIn(registry, {}),
      (error) => hasCode(error, 'REFERENCE_INVALID'),
      registry,
    );
});
