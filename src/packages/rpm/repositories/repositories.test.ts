import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../errors.ts';
import { memoryRoot } from '../../../../test/support/memory-root.ts';
import { parseCandidate } from './candidate.ts';
import { parseRepositoryOption, readConfiguration, readVariables, substitute } from './configuration.ts';
import { connection } from './repository.ts';
import { matchesGlob } from './glob.ts';
import { readLocks } from './locks.ts';
import { parseMetalink, parseMirrorList } from './metalink.ts';
import { moduleFilter, parseModules } from './modules.ts';
import { PackageSpans } from './package-index.ts';
import { locate, parseRepomd } from './repomd.ts';

const variables = new Map([
  ['releasever', '9'],
  ['basearch', 'x86_64'],
]);

test('readConfiguration() reads .repo files with inherited defaults and variables', () => {
  const root = memoryRoot({
    'etc/dnf/dnf.conf': '[main]\ngpgcheck=1\nexcludepkgs=kernel* foo,bar\n',
    'etc/yum.repos.d/a.repo':
      '# comment\n[base$releasever]\nname=Base\nbaseurl=https://one/$basearch/\n  https://two/${basearch}\nenabled=1\ngpgkey=file:///etc/k\nrepo_gpgcheck=1\npriority=10\n\n[off]\nbaseurl=https://off/\nenabled=0\n',
    'etc/yum.repos.d/b.repo':
      '[mirrored]\nmirrorlist=https://m/?r=$releasever\ngpgcheck=0\n[nothing]\nname=x\n',
    'etc/dnf/vars/stream': '9-stream\n',
  });
  const { repositories, main } = readConfiguration(root, readVariables(root, variables));
  assert.deepEqual(main.excludes, ['kernel*', 'foo', 'bar']);
  assert.deepEqual(
    repositories.map((one) => [
      one.id,
      one.baseUrls,
      one.mirrorList,
      one.checkPackages,
      one.checkMetadata,
      one.keys,
      one.priority,
    ]),
    [
      ['base9', ['https://one/x86_64/', 'https://two/x86_64'], undefined, true, true, ['file:///etc/k'], 10],
      ['mirrored', [], 'https://m/?r=9', false, false, [], 99],
    ],
  );
  assert.equal(readVariables(root, variables).get('stream'), '9-stream');
});

test('zypp repositories are verified by their metadata', () => {
  const root = memoryRoot({
    'etc/zypp/repos.d/SLE_BCI.repo': '[SLE_BCI]\nenabled=1\nbaseurl=https://x/\ngpgcheck=1\n',
  });
  const [one] = readConfiguration(root, variables).repositories;
  assert.equal(one?.checkPackages, false);
});

test('zypp states the directory of a repository apart, and local ones as dir:', () => {
  const root = memoryRoot({
    'etc/zypp/repos.d/a.repo':
      '[a]\nbaseurl=https://h/x/\npath=/suse/\n[b]\nbaseurl=dir:///srv/b\npath=/\n[c]\nbaseurl=dir:/srv/c\n',
    'etc/yum.repos.d/d.repo': '[d]\nbaseurl=https://h/d\npath=/suse\n',
  });
  assert.deepEqual(
    readConfiguration(root, variables).repositories.map(({ id, baseUrls }) => [id, ...baseUrls]),
    [
      ['d', 'https://h/d'],
      ['a', 'https://h/x/suse'],
      ['b', 'file:///srv/b'],
      ['c', 'file:///srv/c'],
    ],
  );
});

// shortened from openSUSE-repos-Leap
const REPOINDEX = `<repoindex ttl="0" disturl="https://cdn.opensuse.org" distsub="leap/" distver="\${releasever}">
<repo url="%{disturl}/distribution/%{distsub}%{distver}/repo/oss" alias="repo-oss" name="%{alias} (%{distver})" enabled="true"/>
<repo url="%{disturl}/debug" alias="repo-debug" enabled="false"/>
<repo url="%{disturl}/update/%{distsub}%{distver}/sle" alias="update-sle" enabled="true"/>
<repo url="%{url}%{url}%{url}" alias="loop" enabled="false"/><repo alias="empty"/></repoindex>`;

test('repositories of zypp services come from the list in the image, unless files of that name say otherwise', () => {
  const files = {
    'etc/zypp/services.d/openSUSE.service':
      '[openSUSE]\nname=openSUSE\nenabled=1\nurl = dir:/usr/share/zypp/local/service/openSUSE\ntype = ris\n',
    'etc/zypp/services.d/x.service': '[SCC]\nurl=https://scc/\n[p]\nurl=plugin:/container-suseconnect\n',
    'usr/share/zypp/local/service/openSUSE/repo/repoindex.xml': REPOINDEX,
  };
  const urls = (more: Readonly<Record<string, string>>): readonly (readonly string[])[] =>
    readConfiguration(memoryRoot({ ...files, ...more }), variables).repositories.map(({ id, baseUrls }) => [
      id,
      ...baseUrls,
    ]);
  const oss = ['openSUSE:repo-oss', 'https://cdn.opensuse.org/distribution/leap/9/repo/oss'];
  const sle = ['openSUSE:update-sle', 'https://cdn.opensuse.org/update/leap/9/sle'];
  assert.deepEqual(urls({}), [oss, sle]);
  const off = '[openSUSE:repo-oss]\nbaseurl=https://o/\nenabled=0\nservice=openSUSE\n';
  assert.deepEqual(urls({ 'etc/zypp/repos.d/openSUSE:repo-oss.repo': off }), [sle]);
  assert.deepEqual(
    urls({ 'etc/zypp/services.d/openSUSE.service': '[openSUSE]\nenabled=0\nurl=dir:/usr\n' }),
    [],
  );
});

test('substitute() knows braces, defaults and alternatives, and leaves unknown variables', () => {
  assert.equal(substitute('$releasever/${basearch}/$nope', variables), '9/x86_64/$nope');
  assert.equal(substitute('${x:-a}${releasever:-a}${releasever:+b}${x:+b}', variables), 'a9b');
});

test('parseRepositoryOption() takes id=URL, a URL or a path', () => {
  assert.deepEqual(
    ['lab=https://h/r/', 'https://h/a/b', 'x=/srv/repo'].map((spec) => {
      const { id, baseUrls } = parseRepositoryOption(spec, variables);
      return [id, ...baseUrls];
    }),
    [
      ['lab', 'https://h/r/'],
      ['h-a-b', 'https://h/a/b'],
      ['x', 'file:///srv/repo'],
    ],
  );
  assert.throws(
    () => parseRepositoryOption('deb http://x y', variables),
    (error) => hasCode(error, 'USAGE'),
  );
});

test('matchesGlob() is fnmatch', () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['a?c', 'abc', true],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[]]x', ']x', true],
    ['a[', 'a[', true],
    ['lib*.so.*', 'libx.so.1', true],
  ];
  for (const [pattern, text, expected] of rows)
    assert.equal(matchesGlob(pattern, text), expected, `${pattern} ${text}`);
  assert.equal(matchesGlob('*a'.repeat(50) + 'b', 'a'.repeat(5000)), false, 'never slow');
});

test('version locks allow what they name, exclusions forbid it', () => {
  const locks = readLocks(
    memoryRoot({
      'etc/dnf/plugins/versionlock.list': '# why\nbash-0:5.1-2.el9.*\n!zlib-0:1.3-1.*\n',
      'etc/zypp/locks': '\ntype: package\nmatch_type: glob\nsolvable_name: kernel*\n',
    }),
  );
  const evr = (version: string, release: string): { epoch: number; version: string; release: string } => ({
    epoch: 0,
    version,
    release,
  });
  assert.equal(locks.allows('bash', evr('5.1', '2.el9'), 'x86_64'), true);
  assert.equal(locks.allows('bash', evr('5.2', '1.el9'), 'x86_64'), false);
  assert.equal(locks.allows('bash-doc', evr('5.2', '1.el9'), 'noarch'), true);
  assert.equal(locks.allows('zlib', evr('1.3', '1'), 'x86_64'), false);
  assert.equal(locks.allows('zlib', evr('1.4', '1'), 'x86_64'), true);
  assert.equal(locks.held('kernel-core'), 'lock');
});

const REPOMD = `<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>
<data type="primary"><checksum type="sha256">AB</checksum><location href="repodata/p.xml.gz"/><timestamp>1700000000</timestamp><size>10</size><open-size>20</open-size></data>
<data type="primary_db"><checksum type="sha256">cd</checksum><location href="repodata/p.sqlite.bz2"/></data></repomd>`;

test('parseRepomd() lists files with digests and sizes', () => {
  const { files, date } = parseRepomd(Buffer.from(REPOMD), 'repomd.xml');
  const { location, digest, size, openSize, algorithm } = files.get('primary') ?? assert.fail();
  assert.deepEqual(
    [location, digest, size, openSize, algorithm, date],
    ['repodata/p.xml.gz', 'ab', 10, 20, 'sha256', 1700000000],
  );
  assert.throws(
    () => parseRepomd(Buffer.from(REPOMD.replace('primary_db', 'primary')), 'x'),
    /lists primary twice/,
  );
  assert.throws(
    () => parseRepomd(Buffer.from('<html/>'), 'x'),
    (error) => hasCode(error, 'INDEX_INVALID'),
  );
});

test('locate() stays on the host of the repository', () => {
  assert.equal(locate('https://h/a/b/', 'Packages/x+1~2.rpm', 'x'), 'https://h/a/b/Packages/x+1~2.rpm');
  assert.equal(locate('https://h/a/b', '../../blobstore/x.rpm', 'x'), 'https://h/blobstore/x.rpm');
  assert.equal(locate('https://h/a/', 'x#1%.rpm', 'x'), 'https://h/a/x%231%25.rpm');
  for (const location of ['https://evil/x.rpm', '//evil/x.rpm', 'file:///etc/passwd', 'https://h@evil/x'])
    assert.throws(
      () => locate('https://h/a/', location, 'x'),
      (error) => hasCode(error, 'INDEX_INVALID'),
      location,
    );
  assert.throws(
    () => locate('file:///srv/repo/', '../../etc/shadow', 'x'),
    (error) => hasCode(error, 'INDEX_INVALID'),
  );
});

test('mirror lists and metalinks give base URLs, https first', () => {
  assert.deepEqual(parseMirrorList('# x\nhttp://a/\nhttps://b/\nftp://c/\n').urls, [
    'https://b/',
    'http://a/',
  ]);
  const metalink = `<metalink xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager"><files><file name="repomd.xml">
<mm0:alternates><mm0:alternate><verification><hash type="sha256">bb</hash></verification></mm0:alternate></mm0:alternates>
<verification><hash type="md5">00</hash><hash type="sha512">AA</hash></verification>
<resources><url protocol="https" preference="10">https://low/repodata/repomd.xml</url><url preference="90">https://high/repodata/repomd.xml</url><url preference="99">rsync://x/repodata/repomd.xml</url></resources></file></files></metalink>`;
  assert.deepEqual(parseMetalink(Buffer.from(metalink), 'x'), {
    urls: ['https://high/', 'https://low/'],
    digests: [
      { algorithm: 'sha512', value: 'aa' },
      { algorithm: 'sha256', value: 'bb' },
    ],
  });
});

const PACKAGE = `<package type="rpm"><name>a</name><arch>x86_64</arch><version epoch="1" ver="2" rel="3"/>
<checksum type="sha256" pkgid="YES">FF</checksum><packager>x</packager><time build="5"/><size package="7"/><location href="a.rpm"/>
<format><rpm:vendor>V</rpm:vendor><rpm:sourcerpm>a-2-3.src.rpm</rpm:sourcerpm>
<rpm:provides><rpm:entry name="a" flags="EQ" epoch="1" ver="2" rel="3"/><rpm:entry name="b(x)"/></rpm:provides>
<rpm:requires><rpm:entry name="rpmlib(y)"/><rpm:entry name="(c &gt;= 1 if d)"/><rpm:entry name="e" flags="GE" epoch="0" ver="4"/></rpm:requires>
<file>/usr/bin/a</file></format></package>`;

test('a package of primary.xml is found by name, capability and file, and parsed', () => {
  const spans = new PackageSpans(
    Buffer.from(`<metadata>${PACKAGE}${PACKAGE.replaceAll('>a<', '>z<')}</metadata>`),
    'primary',
  );
  assert.equal(spans.count, 2);
  assert.equal(spans.between(1, '<name>', '</name>'), 'z');
  assert.deepEqual(spans.containing('name="b(x)"'), [0, 1]);
  assert.deepEqual(spans.containing('nowhere'), []);
  const candidate = parseCandidate(spans.span(0), 0, 'primary');
  assert.deepEqual(candidate.evr, { epoch: 1, version: '2', release: '3' });
  assert.deepEqual(candidate.provides, [{ name: 'a', comparison: '=', version: '1:2-3' }, { name: 'b(x)' }]);
  assert.deepEqual(candidate.requires, [
    { name: '(c >= 1 if d)' },
    { name: 'e', comparison: '>=', version: '4' },
  ]);
  assert.deepEqual(
    [candidate.checksum.value, candidate.size, candidate.location, candidate.hasFile('/usr/bin/a')],
    ['ff', 7, 'a.rpm', true],
  );
});

const MODULES = `---
document: modulemd
version: 2
data:
  name: nodejs
  stream: "18"
  artifacts:
    rpms:
    - nodejs-1:18.2.0-1.module_el8.x86_64
    - npm-1:8.9.0-1.module_el8.x86_64
...
---
document: modulemd
data:
  name: nodejs
  stream: 20
  artifacts:
    rpms:
    - nodejs-1:20.1.0-1.module_el8.x86_64
---
document: modulemd-defaults
data:
  module: nodejs
  stream: "18"
`;

test('packages of active streams are offered, those of others and plain ones of the same name are not', () => {
  const metadata = parseModules(Buffer.from(MODULES));
  const candidate = (name: string, version: string, release: string, epoch = 1): never =>
    ({ name, arch: 'x86_64', evr: { epoch, version, release }, provides: [] }) as never;
  const allows = (files: Parameters<typeof memoryRoot>[0], labels: readonly string[]): readonly boolean[] => {
    const filter = moduleFilter(memoryRoot(files), [metadata], labels);
    return [
      candidate('nodejs', '18.2.0', '1.module_el8'),
      candidate('nodejs', '20.1.0', '1.module_el8'),
      candidate('nodejs', '16', '1.el8'),
      candidate('bash', '5', '1.el8', 0),
    ].map((one) => filter.allows(one, false));
  };
  assert.deepEqual(allows({}, []), [true, false, false, true], 'the default stream');
  assert.deepEqual(
    allows({}, ['nodejs:20:1:abc']),
    [false, true, false, true],
    'the stream that is installed',
  );
  const file = '[nodejs]\nname=nodejs\nstream=20\nstate=enabled\n';
  assert.deepEqual(
    allows({ 'etc/dnf/modules.d/nodejs.module': file }, []),
    [false, true, false, true],
    'the enabled stream',
  );
  const disabled = '[nodejs]\nname=nodejs\nstream=\nstate=disabled\n';
  assert.deepEqual(
    allows({ 'etc/dnf/modules.d/nodejs.module': disabled }, []),
    [false, false, true, true],
    'none',
  );
});

test('a login in a URL is kept out of it, and goes where it was stated and nowhere else', () => {
  const root = memoryRoot({
    'etc/yum.repos.d/a.repo':
      '[a]\nbaseurl=https://me:p%40ss@repo.example/a/\nmirrorlist=https://lists.example/a\n',
  });
  const found = [
    ...readConfiguration(root, new Map()).repositories,
    parseRepositoryOption('b=https://me:p%40ss@repo.example/a/', new Map()),
  ];
  for (const config of found) {
    assert.deepEqual(config.baseUrls, ['https://repo.example/a/']);
    const { credentials } = connection(config, root, 'https://repo.example/a/x.rpm');
    assert.deepEqual(credentials, { username: 'me', password: 'p@ss' });
    assert.equal(connection(config, root, 'https://mirror.example/a/x.rpm').credentials, undefined);
  }
});
