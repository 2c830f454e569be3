import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { packageUrl, parseRepositories, readRepositories } from './repositories.ts';

const parse = (line: string): ReturnType<typeof parseRepositories> =>
  parseRepositories([line], 'x86_64', silentLog);

test('readRepositories() reads the file, then the lists of the folders, in order', () => {
  const root = memoryRoot({
    'etc/apk/repositories':
      '# comment\n\nhttps://host/alpine/v3.20/main\n@edge https://host/alpine/edge/main/\n',
    'etc/apk/repositories.d/b.list': 'https://host/b\n',
    'etc/apk/repositories.d/a.list': 'https://host/a\n',
    'etc/apk/repositories.d/ignored': 'https://host/ignored\n',
    'lib/apk/repositories.d/a.list': 'https://host/hidden-by-etc\n',
  });
  assert.deepEqual(
    readRepositories(root, 'aarch64', silentLog).map(({ name, indexUrl }) => `${name} ${indexUrl}`),
    [
      'https://host/alpine/v3.20/main https://host/alpine/v3.20/main/aarch64/APKINDEX.tar.gz',
      '@edge https://host/alpine/edge/main https://host/alpine/edge/main/aarch64/APKINDEX.tar.gz',
      'https://host/a https://host/a/aarch64/APKINDEX.tar.gz',
      'https://host/b https://host/b/aarch64/APKINDEX.tar.gz',
    ],
  );
});

test('credentials are taken out of URLs and kept for their repository', () => {
  const [repository] = parse('https://user:p%40ss@host/os');
  assert.equal(repository?.name, 'https://host/os');
  assert.equal(repository?.indexUrl, 'https://host/os/x86_64/APKINDEX.tar.gz');
  assert.deepEqual(repository?.access.credentials, { username: 'user', password: 'p@ss' });
});

test('a path in an image is a path inside the image, one from the user is not', () => {
  const root = memoryRoot({ 'etc/apk/repositories': '/media/cdrom/apks\n' });
  const [own] = readRepositories(root, 'x86_64', silentLog);
  assert.equal(own?.indexUrl, 'file:///media/cdrom/apks/x86_64/APKINDEX.tar.gz');
  assert.equal(own?.access.hostFiles, false);
  assert.equal(parse('/srv/apks')[0]?.access.hostFiles, undefined);
});

test('lines of apk 3: variables, components, index files; what is of version 3 is left out', () => {
  const root = memoryRoot({
    'etc/apk/repositories':
      'set -default mirror=https://host\nset mirror=https://mirror\nset -default mirror=https://late\n' +
      'v2 @x ${mirror}/alpine/v3.23 main community\nndx https://host/${APK_ARCH}/APKINDEX.tar.gz\nv3 https://host/three\nhttps://host/Packages.adb\n',
  });
  const found = readRepositories(root, 'x86_64', silentLog);
  assert.deepEqual(
    found.map(({ name }) => name),
    [
      '@x https://mirror/alpine/v3.23/main',
      '@x https://mirror/alpine/v3.23/community',
      'https://host/x86_64/APKINDEX.tar.gz',
    ],
  );
  const urls = found.map((repository) =>
    packageUrl(repository, { name: 'a', version: '1-r0', arch: 'x86_64' }),
  );
  assert.deepEqual(urls.slice(1), [
    'https://mirror/alpine/v3.23/community/x86_64/a-1-r0.apk',
    'https://host/x86_64/a-1-r0.apk',
  ]);
});

test('parseRepositories() refuses what is no repository', () => {
  for (const line of ['main', 'deb http://host/debian bookworm main', 'v3 https://host'])
    assert.throws(() => parse(line), { code: 'CONFIG_INVALID' });
});
