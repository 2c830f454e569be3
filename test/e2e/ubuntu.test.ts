// Ubuntu from end to end, on an archive of its shape: pockets that share a codename, packages with zstd members, phased
// updates, ports for other architectures, ESM behind a login, and images that carry no sources.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLayout } from '../../src/stores/layout/index.ts';
import { startServer } from '../support/http-server.ts';
import type { TestServer } from '../support/http-server.ts';
import { onlay } from '../support/onlay.ts';
import type { Run } from '../support/onlay.ts';
import { makeArchive, makeKey } from '../support/toy-archive.ts';
import type { Archive, ToyKey } from '../support/toy-archive.ts';
import { putToyImage } from '../support/toy-debian.ts';
import type { ToyPackage } from '../support/toy-package.ts';

const TOKEN = 'esm-token-of-this-test';
const LOGIN = `Basic ${Buffer.from(`bearer:${TOKEN}`).toString('base64')}`;
const RELEASE =
  'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nNAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\nUBUNTU_CODENAME=jammy\n';
const KEYRING = 'usr/share/keyrings/ubuntu-archive-keyring.gpg';

function state(name: string, version: string, more: Partial<ToyPackage> = {}): ToyPackage {
  return { name, version, files: { [`usr/share/${name}/version`]: `${version}\n` }, ...more };
}

const INSTALLED = [
  state('base-files', '12ubuntu4'),
  state('libssl3', '3.0.2-0ubuntu1', { source: 'openssl' }),
  state('openssl', '3.0.2-0ubuntu1', { depends: 'libssl3 (>= 3.0.2-0ubuntu1)' }),
  state('tool', '1.0-1'),
];
const PHASED = ['Phased-Update-Percentage: 0'];
const POCKETS: Readonly<Record<string, readonly ToyPackage[]>> = {
  jammy: INSTALLED,
  'jammy-updates': [
    state('base-files', '12ubuntu4.7', { indexFields: PHASED }),
    state('libssl3', '3.0.2-0ubuntu1.15', { source: 'openssl' }),
  ],
  'jammy-security': [
    state('libssl3', '3.0.2-0ubuntu1.18', { source: 'openssl' }),
    state('openssl', '3.0.2-0ubuntu1.18', { depends: 'libssl3 (>= 3.0.2-0ubuntu1.18)' }),
  ],
};
const ESM = [state('tool', '1.0-1ubuntu0.1~esm2')];

interface World extends AsyncDisposable {
  readonly folder: string;
  readonly key: ToyKey;
  readonly server: TestServer;
  /** Puts an image into a layout; answers the layout's reference without a tag. */
  image(
    architecture: string,
    sources: string | undefined,
    esm?: 'login' | 'url' | 'anonymous',
  ): Promise<string>;
}

async function startWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'onlay-ubuntu-'));
  const key = await makeKey();
  const files: Archive = new Map();
  const put = async (
    path: string,
    suite: string,
    packages: readonly ToyPackage[],
    architectures: string[],
  ): Promise<void> => {
    const archive = await makeArchive(packages, { key, suite, architectures, compression: 'zstd' });
    for (const [name, content] of archive) files.set(`${path}/${name}`, content);
  };
  for (const [suite, packages] of Object.entries(POCKETS)) {
    await put('ubuntu', suite, packages, ['amd64']);
    await put('ubuntu-ports', suite, packages, ['arm64', 's390x']);
  }
  await put('esm/ubuntu', 'jammy-apps-security', ESM, ['amd64']);
  const server = await startServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname).slice(1);
    const content = files.get(path);
    if (path.startsWith('esm/') && request.headers.authorization !== LOGIN)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="esm"' }).end();
    else if (content) response.writeHead(200, { 'content-length': content.length }).end(content);
    else response.writeHead(404).end();
  });
  return {
    folder,
    key,
    server,
    async image(architecture, sources, esm) {
      const layout = join(folder, `${architecture}-${sources === undefined ? 'bare' : 'full'}-${esm ?? ''}`);
      const stanza = (uri: string, suites: string): string =>
        `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: main\nSigned-By: /${KEYRING}\n`;
      const none = 'Types: deb\nEnabled: no\nURIs: http://127.0.0.1:9/\nSuites: none\nComponents: main\n';
      const all = 'jammy jammy-updates jammy-security';
      await putToyImage(
        await openLayout(layout, { create: true }),
        INSTALLED,
        {
          url: server.url,
          key,
          architecture,
          files: {
            'etc/os-release': RELEASE,
            'etc/debian_version': 'bookworm/sid\n',
            'etc/apt/sources.list.d/toys.sources':
              sources === undefined ? none : stanza(`${server.url}/${sources}/`, all),
            ...(esm && {
              'etc/apt/sources.list.d/esm.sources': stanza(
                `${esm === 'url' ? server.url.replace('//', `//bearer:${TOKEN}@`) : server.url}/esm/ubuntu/`,
                'jammy-apps-security',
              ),
            }),
            ...(esm === 'login' && {
              'etc/apt/auth.conf.d/90ubuntu-advantage': `machine ${server.url}/esm/ubuntu/ login bearer password ${TOKEN}\n`,
            }),
            ...(sources !== undefined && { [KEYRING]: key.publicKey }),
          },
        },
        'base',
      );
      return `oci:${layout}`;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function upgrades({ outcome }: Run): readonly string[] {
  return (outcome.image?.platforms ?? []).flatMap(({ packages }) =>
    packages.map(({ name, from, to }) => `${name} ${from} ${to}`),
  );
}

const FROM_POCKETS = [
  'base-files 12ubuntu4 12ubuntu4.7',
  'libssl3 3.0.2-0ubuntu1 3.0.2-0ubuntu1.18',
  'openssl 3.0.2-0ubuntu1 3.0.2-0ubuntu1.18',
];

test('pockets, phased updates, zstd packages and ESM with its login are one upgrade', async () => {
  await using world = await startWorld();
  for (const esm of ['login', 'url'] as const) {
    const image = await world.image('amd64', 'ubuntu', esm);
    world.server.requests.length = 0;
    const run = await onlay(`patch -i ${image}:base -t ${image}:patched --json --debug`);
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(upgrades(run), [...FROM_POCKETS, 'tool 1.0-1 1.0-1ubuntu0.1~esm2']);
    const plan = await onlay(`plan -i ${image}:base --json`);
    assert.equal(plan.status, 0, plan.stderr);
    for (const said of [run.stdout, run.stderr, plan.stdout])
      assert.ok(!said.includes(TOKEN), 'the login is nowhere in what is said');
    for (const { path, headers } of world.server.requests)
      assert.equal(headers.authorization, path.startsWith('/esm/') ? LOGIN : undefined, path);
    const verified = await onlay(`verify ${image}:patched`);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    const again = await onlay(`patch -i ${image}:patched -t ${image}:patched --json`);
    assert.equal(again.outcome.changed, false, again.stderr);
  }
});

test('ESM without its login ends the run, and nothing is written', async () => {
  await using world = await startWorld();
  const image = await world.image('amd64', 'ubuntu', 'anonymous');
  const run = await onlay(`patch -i ${image}:base -t ${image}:patched --json`);
  assert.equal(run.outcome.error?.code, 'AUTH_REQUIRED', run.stderr);
  assert.match(run.stderr, /\/esm\/ubuntu\/.*\nhint: /);
  const looked = await onlay(`inspect ${image}:patched`);
  assert.notEqual(looked.status, 0, 'there is no such tag');
});

test('other architectures come from ports', async () => {
  await using world = await startWorld();
  for (const architecture of ['arm64', 's390x']) {
    const image = await world.image(architecture, 'ubuntu-ports');
    const run = await onlay(`patch -i ${image}:base -t ${image}:patched --json`);
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(upgrades(run), FROM_POCKETS);
  }
});

test('an image without sources is patched from the hosts of the project, by way of a mirror', async () => {
  await using world = await startWorld();
  const key = join(world.folder, 'key.asc');
  writeFileSync(key, world.key.publicKey);
  const mirrors = [
    'http://archive.ubuntu.com/ubuntu ubuntu',
    'http://security.ubuntu.com/ubuntu ubuntu',
    'http://ports.ubuntu.com/ubuntu-ports ubuntu-ports',
  ].flatMap((line) => {
    const [from, to] = line.split(' ');
    return ['--mirror', `${from}=${world.server.url}/${to}`];
  });
  for (const architecture of ['amd64', 'arm64']) {
    const image = await world.image(architecture, undefined);
    const run = await onlay([
      'patch',
      ...['-i', `${image}:base`, '-t', `${image}:patched`, '--trust-key', key, '--json', ...mirrors],
    ]);
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(upgrades(run), FROM_POCKETS);
  }
});
