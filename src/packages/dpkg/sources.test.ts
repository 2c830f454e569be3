import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { readSourceLines, readSources } from './sources.ts';
import type { Source } from './sources.ts';

const KEY =
  '-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS\n =abcd\n -----END PGP PUBLIC KEY BLOCK-----';
const FILES: Record<string, string> = {
  'etc/apt/sources.list': `# comment
deb http://a.example/debian/ bookworm main contrib # trailing
deb-src http://a.example/debian bookworm main
  deb [ arch=amd64,arm64 signed-by=/usr/share/keyrings/a.gpg check-valid-until=no by-hash=no ] https://b.example/x/ stable main
deb http://flat.example/$(ARCH) ./
deb http://flat.example/deep repo/sub/
deb http://a.example/debian bookworm contrib non-free
deb mirror+file:/etc/apt/mirrors.txt noble main
deb cdrom:[Debian GNU/Linux 12.0.0]/ bookworm main
deb [trusted=yes] file:/opt/repo local main
`,
  'etc/apt/mirrors.txt':
    'http://m2.example/ubuntu/\tpriority:2\n# no\nhttp://m1.example/ubuntu/\tpriority:1 type:index\nhttp://m3.example/ubuntu\n',
  'etc/apt/sources.list.d/x.list': 'deb [arch-=i386] http://c.example bookworm main\n',
  'etc/apt/sources.list.d/x.list.save': 'deb http://saved.example bookworm main\n',
  'etc/apt/sources.list.d/y.sources': `# head
Types: deb deb-src
URIs: http://d.example/debian
  http://e.example/debian
Suites: trixie
# inside
 trixie-updates
Components: main
Signed-By: /usr/share/keyrings/d.pgp

Enabled: no
Types: deb
URIs: http://off.example/
Suites: x
Components: main

Types: deb
URIs: http://inline.example
Suites: s
Components: main
Architectures: amd64
Signed-By:
 ${KEY}
`,
};

const packagesUrls = ({ bases, suite, components, architectures = ['amd64'] }: Source): string[] =>
  suite.endsWith('/')
    ? [`${bases[0]}/${suite.slice(0, -1)}`]
    : components.flatMap((component) =>
        architectures.map((arch) => `${bases[0]}/dists/${suite}/${component}/binary-${arch}`),
      );

test('readSources() reads both forms with their options', () => {
  const { sources, unsupported } = readSources(memoryRoot(FILES), 'amd64');
  const find = (base: string): Source => sources.find(({ bases }) => bases[0] === base) as Source;
  assert.deepEqual(unsupported, [
    'cdrom:[Debian GNU/Linux 12.0.0]/ bookworm (etc/apt/sources.list): the method "cdrom" is not supported',
  ]);
  const b = find('https://b.example/x');
  assert.deepEqual(b.architectures, ['amd64', 'arm64']);
  assert.deepEqual(b.signedBy, { files: ['/usr/share/keyrings/a.gpg'], fingerprints: [], keys: [] });
  assert.equal(b.checkValidUntil, false);
  assert.equal(b.byHash, false);
  assert.equal(find('file:/opt/repo').trusted, true);
  assert.deepEqual(find('http://m1.example/ubuntu').bases, [
    'http://m1.example/ubuntu',
    'http://m2.example/ubuntu',
    'http://m3.example/ubuntu',
  ]);
  assert.equal(
    find('http://inline.example').signedBy?.keys[0],
    KEY.replaceAll('\n ', '\n').replace('\n.\n', '\n\n'),
  );
  assert.equal(find('http://flat.example/amd64').components.length, 0);
});

test('readSources() finds the repositories that apt finds', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sources-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const files = Object.fromEntries(
    Object.entries(FILES).map(([name, text]) => [name, text.replace(/^.*(?:mirror\+file|cdrom).*\n/gm, '')]),
  );
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  let listed: string;
  try {
    listed = execFileSync('apt-get', ['update', '--print-uris', '-o', `Dir=${directory}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    }).toString();
  } catch {
    return t.skip('there is no apt-get on this machine');
  }
  const expected = [...listed.matchAll(/^'([^']*)\/Packages\.xz'/gm)]
    .map(([, url = '']) => url)
    .filter((url) => !url.endsWith('/binary-all'));
  const found = readSources(memoryRoot(files), 'amd64').sources.flatMap(packagesUrls);
  assert.ok(expected.length >= 10, listed);
  assert.deepEqual(found.sort(), expected.sort());
});

test('readSources() refuses what apt refuses', () => {
  const bad = (text: string, file = 'etc/apt/sources.list'): void =>
    assert.throws(() => readSources(memoryRoot({ [file]: text }), 'amd64'), /Cannot read etc\/apt\/sources/);
  bad('deb http://a.example\n');
  bad('deb http://a.example bookworm\n');
  bad('deb http://a.example ./ main\n');
  bad('rpm http://a.example x main\n');
  bad('deb http://a.example ../../x main\n');
  bad('Types: deb\nSuites: x\nComponents: main\n', 'etc/apt/sources.list.d/a.sources');
});

test('readSourceLines() takes lines of --repo and refuses others', () => {
  const options = { origin: '--repo', root: memoryRoot({}), architecture: 'arm64' };
  const [source] = readSourceLines(['deb [arch=arm64] http://a.example/debian/ bookworm main'], options);
  assert.deepEqual(source && packagesUrls(source), [
    'http://a.example/debian/dists/bookworm/main/binary-arm64',
  ]);
  assert.throws(() => readSourceLines(['deb-src http://a.example x main'], options), /is no repository/);
  assert.throws(() => readSourceLines(['deb ftp://a.example x main'], options), /"ftp" is not supported/);
});
