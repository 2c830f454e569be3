// Expected values: `apt-config dump` of apt 2.6.1 on the same text.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mergeLayers } from '../../rootfs/view.ts';
import { file, layer } from '../../../test/support/layers.ts';
import { parseAptConfig, partsOf } from './apt-config.ts';

const TEXT = `// comment "x";
# another
Onlay::http::Proxy "http://p:3128/";
onlay { HTTP { Timeout "5"; Proxy::special.example "DIRECT"; }; /* Old { "x"; }; */
  List { "a"; "b"; };
  Nested::Deep { Flag "true"; Off "no"; Odd "maybe"; };
};
Onlay::List:: "c";
Onlay::http::Proxy "http://q:3128/";
Onlay::Bare word;
Onlay::Gone "1"; Onlay::Gone::Sub "2";
#clear Onlay::Gone;
Onlay::Empty "";
`;

test('parseAptConfig() reads scopes, lists, comments, and the last of repeated values', () => {
  const config = parseAptConfig(TEXT);
  assert.equal(config.get('Onlay::HTTP::Proxy'), 'http://q:3128/');
  assert.equal(config.get('Onlay::http::Proxy::special.example'), 'DIRECT');
  assert.equal(config.get('Onlay::http::timeout'), '5');
  assert.equal(config.get('Onlay::Bare'), 'word');
  assert.equal(config.get('Onlay::Gone'), undefined);
  assert.equal(config.get('Onlay::Gone::Sub'), undefined);
  assert.equal(config.get('Onlay::Empty'), '');
  assert.deepEqual(config.list('Onlay::List'), ['a', 'b', 'c']);
  assert.equal(config.flag('Onlay::Nested::Deep::Flag', false), true);
  assert.equal(config.flag('Onlay::Nested::Deep::Off', true), false);
  assert.equal(config.flag('Onlay::Nested::Deep::Odd', true), true);
  assert.equal(config.flag('Onlay::None', false), false);
});

test('parseAptConfig() agrees with apt-config', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'apt-config-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'apt.conf');
  writeFileSync(file, TEXT);
  let dump: string;
  try {
    dump = execFileSync('apt-config', ['dump'], { env: { ...process.env, APT_CONFIG: file } }).toString();
  } catch {
    return t.skip('there is no apt-config on this machine');
  }
  const config = parseAptConfig(TEXT);
  const rows = [...dump.matchAll(/^(onlay[^ ]*) "(.*)";$/gim)].filter(
    ([, name = '']) => !name.endsWith('::'),
  );
  assert.ok(rows.length >= 6);
  for (const [, name = '', value = ''] of rows) assert.equal(config.get(name) ?? '', value, name);
});

test('partsOf() takes the names that apt takes: with the extension, or with no dot at all', async () => {
  const names = ['a.b.conf', 'x:y', 'noext', '.h.conf', 'n~', 'c.conf.d', 'd.CONF', 'e+f'];
  const root = mergeLayers([await layer(...names.map((name) => file(`etc/apt/auth.conf.d/${name}`, '')))]);
  assert.deepEqual(
    partsOf(root, 'etc/apt/auth.conf.d', 'conf').map((path) => path.slice('etc/apt/auth.conf.d/'.length)),
    ['a.b.conf', 'noext', 'x:y'],
  );
});
