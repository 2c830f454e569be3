import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../errors.ts';
import type { Environment } from './environment.ts';
import { locate, readRegistriesConf, type Locations } from './registries-conf.ts';
import { parseToml } from './toml.ts';

function files(
  files: Record<string, string>,
  variables: Record<string, string> = { HOME: '/home/me' },
): Environment {
  return {
    variables,
    readFile: async (path) => (path in files ? Buffer.from(files[path] ?? '') : undefined),
    readDirectory: async (path) => {
      const names = Object.keys(files).flatMap((file) =>
        file.startsWith(`${path}/`) ? [file.slice(path.length + 1)] : [],
      );
      return names.length > 0 ? names.sort() : undefined;
    },
    run: async () => ({ kind: 'missing' }),
  };
}

const place = ({ primary, mirrors, blocked }: Locations): unknown => ({
  primary: `${primary.domain}/${primary.repository}`,
  mirrors: mirrors.map(({ domain, repository, pullFrom }) => `${domain}/${repository} ${pullFrom}`),
  blocked,
});

const CONF = `
unqualified-search-registries = ["docker.io", # comment
  'quay.io',
]
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"

[[registry]]
prefix = "docker.io/secret"
blocked = true

[[registry]]
prefix = "*.corp.example"
location = "central.example"

[[registry]]
location = "old.example/team"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.example"

[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
`;

test('the longest prefix decides; mirrors come in their order', async () => {
  const rules = await readRegistriesConf(files({ '/etc/containers/registries.conf': CONF }));
  const at = (domain: string, repository: string): unknown => place(locate(rules, domain, repository));
  assert.deepEqual(at('docker.io', 'library/nginx'), {
    primary: 'docker.io/library/nginx',
    mirrors: ['mirror.example:5000/hub/library/nginx all', 'digests.example/library/nginx digest-only'],
    blocked: false,
  });
  assert.deepEqual(at('docker.io', 'secret/x'), {
    primary: 'docker.io/secret/x',
    mirrors: [],
    blocked: true,
  });
  assert.deepEqual(at('docker.io', 'secrets/x'), {
    primary: 'docker.io/secrets/x',
    mirrors: ['mirror.example:5000/hub/secrets/x all', 'digests.example/secrets/x digest-only'],
    blocked: false,
  });
  assert.deepEqual(at('a.corp.example', 'x'), { primary: 'central.example/x', mirrors: [], blocked: false });
  assert.deepEqual(at('a.corp.example:5000', 'x'), {
    primary: 'central.example/x',
    mirrors: [],
    blocked: false,
  });
  assert.deepEqual(at('corp.example', 'x'), { primary: 'corp.example/x', mirrors: [], blocked: false });
  assert.deepEqual(at('old.example', 'team/x'), {
    primary: 'old.example/team/x',
    mirrors: ['m.example/x digest-only'],
    blocked: false,
  });
  assert.deepEqual(at('old.example', 'other/x'), {
    primary: 'old.example/other/x',
    mirrors: [],
    blocked: false,
  });
});

test("the user's file replaces the system's; drop-ins are added, the last one wins", async () => {
  const rule = (prefix: string, mirror: string): string =>
    `[[registry]]\nprefix = "${prefix}"\nlocation = "${prefix}"\n[[registry.mirror]]\nlocation = "${mirror}"\n`;
  const all = {
    '/etc/containers/registries.conf': rule('a.example', 'system'),
    '/etc/containers/registries.conf.d/10.conf': rule('b.example', 'drop-10'),
    '/etc/containers/registries.conf.d/20.conf': rule('b.example', 'drop-20'),
    '/etc/containers/registries.conf.d/readme.txt': 'not [toml',
    '/home/me/.config/containers/registries.conf': rule('c.example', 'user'),
    '/home/me/.config/containers/registries.conf.d/10.conf': rule('d.example', 'user-drop'),
    '/named': rule('e.example', 'named'),
  };
  const mirrors = async (variables?: Record<string, string>): Promise<string[]> =>
    (await readRegistriesConf(files(all, variables))).map(({ mirrors }) => mirrors[0]?.location ?? '');
  assert.deepEqual(await mirrors(), ['user', 'drop-20', 'user-drop']);
  assert.deepEqual(await mirrors({}), ['system', 'drop-20']);
  assert.deepEqual(await mirrors({ CONTAINERS_REGISTRIES_CONF: '/named' }), ['named']);
});

test('parseToml() reads the TOML such files hold and names the line of what it does not', () => {
  assert.deepEqual(
    JSON.parse(
      JSON.stringify(
        parseToml('a = 1_000 # x\nb.c = "q\\"\\u0041"\n\'d e\' = [[1], ["#"]]\n[t."u.v"]\nw = false', 'f'),
      ),
    ),
    { a: 1000, b: { c: 'q"A' }, 'd e': [[1], ['#']], t: { 'u.v': { w: false } } },
  );
  for (const text of [
    'x',
    '[a',
    '[[a]',
    'a = ',
    'a = 1979-05-27',
    'a = """x"""',
    'a = 1\na = 2',
    'a = [1 2]',
    'a = "\\q"',
  ])
    assert.throws(
      () => parseToml(text, 'f'),
      (error) => hasCode(error, 'CONFIG_INVALID') && /line \d/.test(error.message),
      text,
    );
});
