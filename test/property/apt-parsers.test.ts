// What apt's files may hold: parsers of sources, configuration, pins, Release files, indexes, signatures and keyrings
// answer or refuse with an OnlayError; they neither crash nor loop, whatever they are given.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { OnlayError } from '../../src/errors.ts';
import { parseAptConfig } from '../../src/packages/dpkg/apt-config.ts';
import { loginFor, parseAuthConf } from '../../src/packages/dpkg/auth-conf.ts';
import { dependencyGroups } from '../../src/packages/dpkg/dependencies.ts';
import { scanPackages } from '../../src/packages/dpkg/packages-index.ts';
import { readPins } from '../../src/packages/dpkg/preferences.ts';
import type { PinIndex } from '../../src/packages/dpkg/preferences.ts';
import { formatRelations } from '../../src/packages/dpkg/relations.ts';
import { parseRelease } from '../../src/packages/dpkg/release.ts';
import { readSources } from '../../src/packages/dpkg/sources.ts';
import { readKeyring } from '../../src/trust/keyring.ts';
import { verifyCleartext, verifyDetached } from '../../src/trust/openpgp.ts';
import { memoryRoot } from '../support/memory-root.ts';

const PIECES = [
  'deb',
  'deb-src',
  'http://a.example',
  'file:/x',
  'cdrom:[x y]/',
  'stable',
  './',
  'main',
  '[arch=amd64',
  'signed-by=/k]',
  '[',
  ']',
  '#',
  '\n',
  '\n\n',
  ' ',
  '\t',
  '  ',
  'Types: deb',
  'URIs:',
  'Suites:',
  'Components: main',
  'Enabled: no',
  'Signed-By:',
  'Package: *',
  'Pin: release a=x',
  'Pin: version 1*',
  'Pin-Priority: 1',
  '/a+/',
  '[a-z',
  '*?',
  'Acquire',
  '::',
  '{',
  '}',
  ';',
  '"',
  '"v"',
  '//',
  '/*',
  '*/',
  '#include',
  '#clear',
  'machine',
  'login',
  'password',
  'SHA256:',
  ` ${'0'.repeat(64)} 5 main/binary-amd64/Packages`,
  'Date: x',
  'Date: Fri, 20 Nov 2026 00:12:42 UTC',
  'Package: a',
  'Version: 1',
  'Provides: b (= 1), c',
  'Depends:',
  'a (>= 1) | b:any,',
  '(',
  ')',
  ',',
  '|',
  '-----BEGIN PGP SIGNED MESSAGE-----',
  '-----BEGIN PGP SIGNATURE-----',
  '-----END PGP SIGNATURE-----',
  '-----BEGIN PGP PUBLIC KEY BLOCK-----',
  '-----END PGP PUBLIC KEY BLOCK-----',
  'Hash: SHA256',
  'iQIz',
  '=abcd',
  '- ',
  '\r',
  '\0',
  '\xe9',
];
const text = fc
  .array(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...PIECES) }, { weight: 1, arbitrary: fc.string() }),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));
const bytes = fc.oneof(
  text.map((value) => Buffer.from(value, 'latin1')),
  fc.uint8Array({ maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }).map((tail) => Buffer.concat([Buffer.from([0x99, 0, 13, 4]), tail])),
);
const RUNS = { numRuns: 300, seed: 42 };

function tolerates(name: string, check: (value: string) => unknown): void {
  test(`${name} answers or refuses whatever it is given`, () => {
    fc.assert(
      fc.property(text, (value) => {
        try {
          check(value);
        } catch (error) {
          assert.ok(error instanceof OnlayError, String(error));
        }
      }),
      RUNS,
    );
  });
}

const index = {
  release: { suite: 'x', codename: 'y' },
  component: 'main',
  architecture: 'amd64',
  site: 'a',
} as unknown as PinIndex;

tolerates('readSources()', (value) =>
  readSources(
    memoryRoot({ 'etc/apt/sources.list': value, 'etc/apt/sources.list.d/x.sources': value }),
    'amd64',
  ),
);
tolerates('parseAptConfig()', (value) => parseAptConfig(value).get('Acquire::x'));
tolerates('parseAuthConf()', (value) => loginFor('https://a.example/x', parseAuthConf(value)));
tolerates('readPins()', (value) =>
  readPins(memoryRoot({ 'etc/apt/preferences': value }), parseAptConfig('')).priority({
    name: 'a',
    arch: 'amd64',
    version: '1',
    source: 's',
    index,
  }),
);
tolerates('parseRelease()', (value) => parseRelease(value, 'a test', undefined));
tolerates('scanPackages()', (value) => {
  const packages = scanPackages(Buffer.from(value, 'latin1'), 'a test');
  packages.providers('b');
  return packages.find('a').map((stanza) => stanza.fields());
});
tolerates('dependencyGroups()', (value) => {
  // what was read is written so that it reads the same
  const once = formatRelations(dependencyGroups(value));
  assert.equal(formatRelations(dependencyGroups(once)), once);
});

test('keyrings and signatures that are none are refused, and never accepted', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, async (value) => {
      const accepted = async (attempt: Promise<unknown>): Promise<boolean> => {
        try {
          await attempt;
          return true;
        } catch (error) {
          assert.ok(error instanceof OnlayError, String(error));
          return false;
        }
      };
      await accepted(readKeyring(value, 'k'));
      const options = { keyrings: [], at: 0, what: 'a test', allowV3: true };
      assert.equal(await accepted(verifyDetached({ ...options, data: value, signature: value })), false);
      assert.equal(await accepted(verifyCleartext({ ...options, document: value })), false);
    }),
    RUNS,
  );
});
