// The order of sources (containers-auth.json(5), docker/cli) and the helper protocol, with real programs as helpers.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import { findCredential, type CredentialOptions, type CredentialSearch } from './credentials.ts';
import { systemEnvironment } from './environment.ts';

const TARGET = { domain: 'r.example', repository: 'team/app', serverKey: 'r.example' };
const HUB = { domain: 'docker.io', repository: 'library/x', serverKey: 'https://index.docker.io/v1/' };
const config = (user: string, host = 'r.example'): string =>
  JSON.stringify({ auths: { [host]: { auth: Buffer.from(`${user}:secret`).toString('base64') } } });

interface Machine {
  readonly root: string;
  readonly write: (path: string, text: string) => void;
  readonly find: (
    variables?: Record<string, string>,
    options?: CredentialOptions,
    target?: typeof TARGET,
    limitMs?: number,
  ) => Promise<CredentialSearch>;
}

async function onMachine(run: (machine: Machine) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'onlay-credentials-'));
  try {
    await run({
      root,
      write(path, text) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
        if (path.startsWith('bin/')) chmodSync(join(root, path), 0o755);
      },
      find: (variables = {}, options = {}, target = TARGET, limitMs = 5000) =>
        findCredential(
          target,
          options,
          systemEnvironment(
            {
              HOME: root,
              XDG_RUNTIME_DIR: join(root, 'run'),
              PATH: `${join(root, 'bin')}:/usr/bin:/bin`,
              ...variables,
            },
            limitMs,
          ),
        ),
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const userOf = ({ credential }: CredentialSearch): string | undefined =>
  credential && credential.kind !== 'registry-token' ? credential.username : credential?.token;

test('sources are asked in their order', () =>
  onMachine(async ({ root, write, find }) => {
    const order: [path: string, user: string][] = [
      ['.dockercfg', 'legacy'],
      ['.docker/config.json', 'docker'],
      ['.config/containers/auth.json', 'user-auth'],
      ['run/containers/auth.json', 'runtime-auth'],
    ];
    assert.equal(userOf(await find()), undefined);
    for (const [path, user] of order) {
      write(
        path,
        path === '.dockercfg'
          ? JSON.stringify({ 'r.example': { username: user, password: 'x' } })
          : config(user),
      );
      assert.equal(userOf(await find()), user);
    }
    write('named.json', config('named'));
    write('other.json', config('other'));
    write('docker2/config.json', config('docker2'));
    assert.equal(userOf(await find({ REGISTRY_AUTH_FILE: join(root, 'named.json') })), 'named');
    const inline = { DOCKER_AUTH_CONFIG: config('inline'), REGISTRY_AUTH_FILE: join(root, 'named.json') };
    assert.equal(userOf(await find(inline)), 'inline');
    assert.equal(userOf(await find(inline, { authfile: join(root, 'other.json') })), 'other');
    assert.equal(userOf(await find(inline, { username: 'flag', password: 'x' })), 'flag');
    assert.equal(userOf(await find(inline, { registryToken: 'token' })), 'token');
    const elsewhere = {
      XDG_RUNTIME_DIR: '/nonexistent',
      XDG_CONFIG_HOME: '/nonexistent',
      DOCKER_CONFIG: join(root, 'docker2'),
    };
    assert.equal(userOf(await find(elsewhere)), 'docker2');
  }));

test('a named file is the only one; without an entry the pull is anonymous', () =>
  onMachine(async ({ root, write, find }) => {
    write('.docker/config.json', config('docker'));
    write('named.json', config('named', 'other.example'));
    assert.equal(userOf(await find({ REGISTRY_AUTH_FILE: join(root, 'named.json') })), undefined);
    assert.equal(userOf(await find({}, { authfile: join(root, 'named.json') })), undefined);
    assert.equal(userOf(await find({ REGISTRY_AUTH_FILE: join(root, 'absent.json') })), undefined);
    await assert.rejects(
      () => find({}, { authfile: join(root, 'absent.json') }),
      (error) => hasCode(error, 'CONFIG_INVALID'),
    );
  }));

test('an empty docker config hides nothing', () =>
  onMachine(async ({ write, find }) => {
    write('.docker/config.json', '{}');
    write('.config/containers/auth.json', config('podman'));
    assert.equal(userOf(await find()), 'podman');
  }));

test('a mounted pull secret may be named as its directory', () =>
  onMachine(async ({ root, write, find }) => {
    write('secret/.dockerconfigjson', config('k8s'));
    assert.equal(userOf(await find({}, { authfile: join(root, 'secret') })), 'k8s');
    assert.equal(userOf(await find({}, { authfile: join(root, 'secret/.dockerconfigjson') })), 'k8s');
  }));

test('a damaged file in a default place is a problem, a named one an error', () =>
  onMachine(async ({ root, write, find }) => {
    write('run/containers/auth.json', '{"auths":');
    write('.docker/config.json', config('docker'));
    const search = await find();
    assert.equal(userOf(search), 'docker');
    assert.match(search.problems.join(), /auth\.json: it is not JSON/);
    await assert.rejects(() => find({}, { authfile: join(root, 'run/containers/auth.json') }));
  }));

const HELPER = `#!/bin/sh
read -r key
[ "$1" = get ] || exit 9
case "$key" in
  r.example) echo '{"ServerURL":"r.example","Username":"helped","Secret":"from-helper"}' ;;
  https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"refresh"}' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`;

test('helpers are asked by the key docker uses; credHelpers before credsStore before the file', () =>
  onMachine(async ({ write, find }) => {
    write('bin/docker-credential-good', HELPER);
    write('bin/docker-credential-other', HELPER.replaceAll('helped', 'other'));
    const auths = JSON.parse(config('file')) as object;
    write('.docker/config.json', JSON.stringify({ ...auths, credsStore: 'good' }));
    assert.equal(userOf(await find()), 'helped');
    write(
      '.docker/config.json',
      JSON.stringify({ ...auths, credsStore: 'good', credHelpers: { 'r.example': 'other' } }),
    );
    assert.equal(userOf(await find()), 'other');
    const { credential } = await find({}, {}, HUB);
    assert.deepEqual(credential, {
      kind: 'identity-token',
      username: '',
      token: 'refresh',
      source: 'docker-credential-good',
    });
    const unknown = { domain: 'x.example', repository: 'a', serverKey: 'x.example' };
    assert.deepEqual(await find({}, {}, unknown), { credential: undefined, problems: [] });
  }));

test('what a helper does not know may still be in the file', () =>
  onMachine(async ({ write, find }) => {
    write('bin/docker-credential-good', HELPER);
    write(
      '.docker/config.json',
      JSON.stringify({ ...JSON.parse(config('file', 'y.example')), credsStore: 'good' }),
    );
    const target = { domain: 'y.example', repository: 'a', serverKey: 'y.example' };
    assert.equal(userOf(await find({}, {}, target)), 'file');
  }));

test('helpers that are missing, hang, fail, flood or have no proper name are problems without their output', () =>
  onMachine(async ({ write, find, root }) => {
    write('bin/docker-credential-hang', '#!/bin/sh\nexec sleep 60\n');
    write('bin/docker-credential-fail', '#!/bin/sh\necho s3cret-on-stdout; exit 3\n');
    write('bin/docker-credential-text', '#!/bin/sh\necho s3cret-on-stdout\n');
    write('bin/docker-credential-flood', '#!/bin/sh\nexec head -c 3000000 /dev/zero\n');
    write('evil', '#!/bin/sh\ntouch "$0.ran"\n');
    const rows: [name: string, pattern: RegExp][] = [
      ['absent', /docker-credential-absent is not installed/],
      ['hang', /did not answer within/],
      ['fail', /ended with status 3/],
      ['text', /did not answer with JSON/],
      ['flood', /wrote too much/],
      ['../../evil', /is no name of a credential helper/],
      [`x;touch ${root}/ran`, /is no name of a credential helper/],
    ];
    for (const [name, pattern] of rows) {
      write('.docker/config.json', JSON.stringify({ credsStore: name }));
      const { credential, problems } = await find({}, {}, TARGET, 400);
      assert.equal(credential, undefined);
      assert.match(problems.join(), pattern);
      assert.doesNotMatch(problems.join(), /s3cret/);
    }
  }));
