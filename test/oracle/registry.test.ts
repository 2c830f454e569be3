// The registry store beside skopeo and docker-registry: what we push, skopeo reads; whom a credential file names, and
// which mirror a registries.conf leads to, skopeo decides alike.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../../src/errors.ts';
import { createAuthority, hasOpenssl } from '../support/certificates.ts';
import { requirePrograms } from '../support/debian-tools.ts';
import { startDockerRegistry, type DockerRegistryOptions } from '../support/docker-registry.ts';
import { layerOf, putImage } from '../support/images.ts';
import { openForTest } from '../support/registry-client.ts';
import { startRegistry } from '../support/registry.ts';
import { basicUser, startTokenServer } from '../support/token-server.ts';

const skip = requirePrograms('skopeo') ?? false;

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// not spawnSync: the servers it talks to are in this process
function runSkopeo(args: readonly string[], env: Record<string, string>): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn('skopeo', args, { env: { PATH: process.env['PATH'] ?? '', ...env } });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('close', (status) =>
      resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'onlay-registry-oracle-'));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const image = async (content: string) => ({
  layers: [await layerOf([{ name: 'file', content }], 'docker')],
  family: 'docker' as const,
});

// "me" with password "pass"
const HTPASSWD = 'me:$2b$05$mgC/yHkmLsiBvBL8pKVKAu5Vyc1P29oe091JvnU2LV0iCtvv0tWjS\n';

for (const kind of ['none', 'htpasswd', 'token'] as const)
  test(`docker-registry (login: ${kind}) takes what we push, and skopeo reads it`, { skip }, async (t) => {
    if (kind === 'token' && !hasOpenssl()) return t.skip('openssl is not installed');
    using authority = kind === 'token' ? createAuthority() : undefined;
    const signed = authority?.sign('DNS:tokens');
    await using tokens = signed
      ? await startTokenServer({
          users: { me: 'pass' },
          allow: (user, { actions }) => (user === 'me' ? actions : []),
          signing: { key: createPrivateKey(signed.key), certificate: signed.certificate, issuer: 'tests' },
        })
      : undefined;
    const options: DockerRegistryOptions =
      tokens && authority
        ? {
            token: {
              realm: tokens.realm,
              service: 'reg',
              issuer: 'tests',
              certificate: authority.certificate,
            },
          }
        : kind === 'htpasswd'
          ? { htpasswd: HTPASSWD }
          : {};
    const { registry, ...rest } = await startDockerRegistry(options);
    if (!registry) return t.skip('reason' in rest ? rest.reason : '');
    await using _ = registry;
    const user = kind === 'none' ? {} : { username: 'me', password: 'pass', access: 'push' as const };
    await using base = openForTest(`${registry.host}/team/base`, user);
    await using opened = openForTest(`${registry.host}/team/app`, { ...user, pool: base.pool });
    const spec = await image('content');
    const document = await putImage(base.store, spec, '1');
    assert.equal((await base.store.resolve({ tag: '1' })).descriptor.digest, document.descriptor.digest);
    await putImage(opened.store, spec, '1');
    const login = kind === 'none' ? [] : ['--creds', 'me:pass'];
    const seen = await runSkopeo(
      ['inspect', '--raw', '--tls-verify=false', ...login, `docker://${registry.host}/team/app:1`],
      {},
    );
    assert.equal(seen.stdout, Buffer.from(document.bytes).toString(), seen.stderr);
    if (kind === 'none') return undefined;
    await using stranger = openForTest(`${registry.host}/team/app`);
    await assert.rejects(
      () => stranger.store.resolve({ tag: '1' }),
      (error) => hasCode(error, 'AUTH_REQUIRED'),
    );
    return undefined;
  });

test(
  'docker-registry with a private authority and client certificates: certs.d lets skopeo and us in, nothing else does',
  { skip },
  (t) =>
    inDirectory(async (root) => {
      if (!hasOpenssl()) return t.skip('openssl is not installed');
      using authority = createAuthority();
      const { certificate, key } = authority.sign('IP:127.0.0.1');
      const tls = { certificate, key, clientAuthority: authority.certificate };
      const { registry, ...rest } = await startDockerRegistry({ tls });
      if (!registry) return t.skip('reason' in rest ? rest.reason : '');
      await using _ = registry;
      const client = authority.sign('DNS:client');
      const certsD = join(root, '.config/containers/certs.d', registry.host);
      mkdirSync(certsD, { recursive: true });
      for (const [name, text] of [
        ['ca.crt', authority.certificate],
        ['client.cert', client.certificate],
        ['client.key', client.key],
      ] as const)
        writeFileSync(join(certsD, name), text);
      const place = `${registry.host}/team/app`;
      await using opened = openForTest(place, { env: { HOME: root } });
      const document = await putImage(opened.store, await image('content'), '1');
      const seen = await runSkopeo(['inspect', '--raw', `docker://${place}:1`], { HOME: root });
      assert.equal(seen.stdout, Buffer.from(document.bytes).toString(), seen.stderr);
      for (const options of [
        { env: {} },
        { env: {}, caFiles: [authority.certificatePath] },
        { env: {}, insecure: [registry.host] },
      ]) {
        await using stranger = openForTest(place, options);
        await assert.rejects(
          () => stranger.store.resolve({ tag: '1' }),
          (error) => hasCode(error, 'NETWORK'),
        );
        assert.ok(stranger.events.every(({ url }) => url.startsWith('https:')));
      }
      const outside = await runSkopeo(['inspect', '--raw', `docker://${place}:1`], {
        HOME: join(root, 'none'),
      });
      assert.notEqual(outside.status, 0);
      return undefined;
    }),
);

test('credential files: skopeo and we choose the same user', { skip }, () =>
  inDirectory(async (root) => {
    const users = Object.fromEntries(
      ['docker', 'user-auth', 'runtime', 'named', 'namespaced', 'repository', 'legacy'].map((name) => [
        name,
        'pass',
      ]),
    );
    await using registry = await startRegistry({ auth: { kind: 'basic', users } });
    await using pusher = openForTest(`${registry.host}/team/app`, { username: 'docker', password: 'pass' });
    await putImage(pusher.store, await image('x'), '1');
    const entry = (user: string): object => ({ auth: Buffer.from(`${user}:pass`).toString('base64') });
    const auths = (...keys: [key: string, user: string][]): string =>
      JSON.stringify({ auths: Object.fromEntries(keys.map(([key, user]) => [key, entry(user)])) });
    const host = registry.host;
    const files: Record<string, string> = {
      '.docker/config.json': auths([host, 'docker']),
      'empty/config.json': '{}',
      '.config/containers/auth.json': auths([host, 'user-auth']),
      'run/containers/auth.json': auths([host, 'runtime']),
      'named.json': auths([host, 'named']),
      'namespaced.json': auths([host, 'named'], [`${host}/team`, 'namespaced']),
      'repository.json': auths(
        [`${host}/team`, 'namespaced'],
        [`${host}/team/app`, 'repository'],
        [`${host}/other`, 'named'],
      ),
      'old/.dockercfg': JSON.stringify({ [`https://${host}/v1/`]: entry('legacy') }),
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const at = (path: string): string => join(root, path);
    const nowhere = { XDG_RUNTIME_DIR: at('none'), XDG_CONFIG_HOME: at('none'), HOME: at('none') };
    const rows: [env: Record<string, string>, user: string][] = [
      [{ HOME: root, XDG_RUNTIME_DIR: at('run') }, 'runtime'],
      [{ HOME: root, XDG_RUNTIME_DIR: at('none') }, 'user-auth'],
      [{ HOME: root, XDG_RUNTIME_DIR: at('none'), XDG_CONFIG_HOME: at('none') }, 'docker'],
      [{ ...nowhere, DOCKER_CONFIG: at('.docker') }, 'docker'],
      [{ HOME: root, XDG_RUNTIME_DIR: at('none'), DOCKER_CONFIG: at('empty') }, 'user-auth'],
      [{ HOME: root, REGISTRY_AUTH_FILE: at('named.json') }, 'named'],
      [{ ...nowhere, REGISTRY_AUTH_FILE: at('namespaced.json') }, 'namespaced'],
      [{ ...nowhere, REGISTRY_AUTH_FILE: at('repository.json') }, 'repository'],
      [{ ...nowhere, HOME: at('old') }, 'legacy'],
    ];
    const chosen = (): string | null | undefined => {
      const last = registry.requests.findLast(({ headers }) => headers.authorization !== undefined);
      const user = last && basicUser({ headers: last.headers } as Parameters<typeof basicUser>[0], users);
      registry.requests.length = 0;
      return user;
    };
    registry.requests.length = 0;
    for (const [env, user] of rows) {
      await using opened = openForTest(`${host}/team/app`, { env });
      await opened.store.resolve({ tag: '1' });
      assert.equal(chosen(), user, `onlay with ${JSON.stringify(env)}`);
      await runSkopeo(['inspect', '--raw', '--tls-verify=false', `docker://${host}/team/app:1`], env);
      assert.equal(chosen(), user, `skopeo with ${JSON.stringify(env)}`);
    }
  }),
);

test('registries.conf: skopeo and we ask the same places', { skip }, () =>
  inDirectory(async (root) => {
    await using primary = await startRegistry();
    await using first = await startRegistry();
    await using second = await startRegistry();
    const servers = { primary, first, second };
    const digest: Record<string, string> = {};
    // a tag with the name of a place is there only, "all" is everywhere
    for (const [name, { host }] of Object.entries(servers))
      for (const repository of name === 'primary' ? ['team/app'] : ['hub/app'])
        for (const tag of [name, 'all']) {
          await using opened = openForTest(`${host}/${repository}`);
          digest[tag] = (await putImage(opened.store, await image(tag), tag)).descriptor.digest;
        }
    const mirrors = (...options: string[]): string =>
      `[[registry]]\nprefix = "${primary.host}/team"\nlocation = "${primary.host}/team"\ninsecure = true\n` +
      [first, second]
        .map(
          ({ host }, at) =>
            `[[registry.mirror]]\nlocation = "${host}/hub"\ninsecure = true\n${options[at] ?? ''}\n`,
        )
        .join('');
    const plain = `[[registry]]\nlocation = "${primary.host}"\ninsecure = true\n`;
    const renamed = `[[registry]]\nprefix = "${primary.host}/team"\nlocation = "${second.host}/hub"\ninsecure = true\n`;
    const rows: [conf: string, reference: string][] = [
      [mirrors(), ':all'],
      [mirrors(), ':second'],
      [mirrors(), ':primary'],
      [mirrors(), ':absent'],
      [mirrors(), `@${digest['second']}`],
      [mirrors('pull-from-mirror = "digest-only"'), ':all'],
      [mirrors('pull-from-mirror = "tag-only"'), `@${digest['all']}`],
      [mirrors().replace('insecure = true', 'insecure = true\nmirror-by-digest-only = true'), ':all'],
      [renamed, ':second'],
      [
        `${mirrors()}[[registry]]\nprefix = "${primary.host}"\nlocation = "${primary.host}"\nblocked = true\n`,
        ':all',
      ],
      // any host below a domain, whatever the port
      ['[[registry]]\nprefix = "*.0.0.1"\nblocked = true\n', ':primary'],
      ['[[registry]]\nprefix = "*.0.0.1"\ninsecure = true\n', ':primary'],
      [`[[registry]]\nlocation = "${primary.host}/te"\nblocked = true\n${plain}`, ':primary'],
      [`[[registry]]\nlocation = "${primary.host}/team/app"\nblocked = true\n${plain}`, ':primary'],
      [
        renamed.replaceAll(second.host, primary.host).replace('/hub', '/team').concat('blocked = true\n'),
        ':all',
      ],
    ];
    // (with a mirror that has the image, skopeo 1.9 does not look at "blocked")
    const asked = (): string[] => {
      const seen = Object.entries(servers).flatMap(([name, { requests }]) =>
        requests.filter(({ path }) => path.includes('/manifests/')).map(({ path }) => `${name} ${path}`),
      );
      for (const { requests } of Object.values(servers)) requests.length = 0;
      return seen;
    };
    const conf = join(root, 'registries.conf');
    asked();
    for (const [text, point] of rows) {
      writeFileSync(conf, text);
      await using opened = openForTest(`${primary.host}/team/app${point}`, {
        env: { CONTAINERS_REGISTRIES_CONF: conf },
      });
      const wanted = point.startsWith(':')
        ? { tag: point.slice(1) }
        : { digest: point.slice(1) as `sha256:${string}` };
      const found = await opened.store.resolve(wanted as { tag: string }).then(
        () => true,
        () => false,
      );
      const ours = asked();
      const { status, stderr } = await runSkopeo(
        ['--registries-conf', conf, 'inspect', '--raw', `docker://${primary.host}/team/app${point}`],
        { HOME: root },
      );
      assert.equal(found, status === 0, `${point} with ${text}\n${stderr}`);
      assert.deepEqual(ours, asked(), `${point} with ${text}`);
    }
  }),
);
