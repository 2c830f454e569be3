// Effects beside the tools they stand for: ldconfig in made roots, update-ca-certificates with made certificates, and
// adduser, useradd, groupadd. The real ones run in a mount namespace with the made directories in place of the machine's.
// Needs root, gcc, openssl and the tools themselves.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { caCertificates } from '../../src/effects/ca-certificates.ts';
import type { EffectContext } from '../../src/effects/effect.ts';
import { runEffects } from '../../src/effects/index.ts';
import { ldconfig } from '../../src/effects/ldconfig.ts';
import { createDraft, type Draft } from '../../src/rootfs/draft.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { missingTools, rootFromDirectory } from '../support/root-from-directory.ts';

const temporary = mkdtempSync(join(tmpdir(), 'effects-'));
after(() => rmSync(temporary, { recursive: true, force: true }));

const DAY = 86_400;
const today = Math.floor(Date.now() / 1000 / DAY) * DAY;

function contextOf(draft: Draft, more: Partial<EffectContext>): EffectContext {
  return {
    family: 'dpkg',
    draft,
    packages: [],
    scripts: [],
    imageArch: 'amd64',
    epoch: today,
    log: silentLog,
    compareVersions: () => 0,
    warn: (message) => assert.fail(message),
    ...more,
  };
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) throw error;
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr}`);
}

/** Runs `script` with directories of `root` mounted over the machine's. */
function runInside(root: string, directories: readonly string[], script: string): void {
  const mounts = directories.map((path) => `mount --bind '${root}/${path}' '/${path}'`);
  run('unshare', '--mount', '--propagation', 'private', 'sh', '-ec', [...mounts, script].join('\n'));
}

/** A draft of `before` that has the files of `now`. */
function draftOf(before: RootView, now: RootView): Draft {
  const draft = createDraft(before);
  for (const { path } of before.walk('')) if (!now.lookup(path)) draft.remove(path);
  for (const node of now.walk('')) {
    const { path, type, mode, uid, gid, mtime, link } = node;
    if (path === '') continue;
    const content = type === 'file' ? { content: now.read(path) as Uint8Array } : {};
    draft.put(path, { type, mode, uid, gid, mtime, ...(type === 'symlink' ? { link } : {}), ...content });
  }
  return draft;
}

/** Every path below a directory with its link or the digest of its content. */
function listing(root: RootView, directory: string): readonly string[] {
  return [...root.walk(directory)].map((node) => `${node.path} ${node.link}${node.sha256}`);
}

interface Library {
  readonly at: string;
  readonly soname?: string;
  /** x86-64 level that it demands. */
  readonly level?: number;
}

const TRIPLET = 'usr/lib/x86_64-linux-gnu';

function build(root: string, { at, soname, level }: Library): void {
  const path = join(root, at);
  mkdirSync(dirname(path), { recursive: true });
  const source = join(temporary, 'empty.c');
  writeFileSync(source, 'int f(void) { return 1; }\n');
  run(
    'gcc',
    '-shared',
    '-fPIC',
    '-o',
    path,
    source,
    ...(soname === undefined ? [] : [`-Wl,-soname,${soname}`]),
    ...(level === undefined ? [] : [`-Wl,-z,x86-64-v${level}`]),
  );
}

function emptyRoot(name: string): string {
  const root = join(temporary, name);
  for (const directory of ['etc/ld.so.conf.d', TRIPLET, 'usr/lib64', 'opt/x/lib', 'usr/local/lib'])
    mkdirSync(join(root, directory), { recursive: true });
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync('usr/lib64', join(root, 'lib64'));
  writeFileSync(join(root, 'etc/ld.so.conf'), 'include /etc/ld.so.conf.d/*.conf\n');
  writeFileSync(join(root, 'etc/ld.so.conf.d/b.conf'), '# second\n/usr/local/lib # local\n/gone\n');
  writeFileSync(join(root, 'etc/ld.so.conf.d/a.conf'), '/opt/x/lib=libc6\n/gone:/usr/local/lib\n');
  return root;
}

const HWCAPS = `${TRIPLET}/glibc-hwcaps`;

const CASES: Readonly<Record<string, (root: string) => void>> = {
  'new versions and a new library': (root) => {
    build(root, { at: `${TRIPLET}/libfirst.so.1.10`, soname: 'libfirst.so.1' });
    build(root, { at: `${TRIPLET}/libnew.so.3.0`, soname: 'libnew.so.3' });
    build(root, { at: 'opt/x/lib/libfirst.so.1', soname: 'libfirst.so.1' });
  },
  'processor levels': (root) => {
    for (const level of [2, 3, 4])
      build(root, { at: `${HWCAPS}/x86-64-v${level}/libfirst.so.1.9`, soname: 'libfirst.so.1', level });
    build(root, { at: `${HWCAPS}/x86-64-v3/libplain.so.1`, soname: 'libplain.so.1' });
    build(root, { at: `${HWCAPS}/x86-64-v2/libhigh.so.1`, soname: 'libhigh.so.1', level: 4 });
    build(root, { at: `${HWCAPS}/other/libfirst.so.1.9`, soname: 'libfirst.so.1' });
    build(root, { at: `${TRIPLET}/liblevel.so.2`, soname: 'liblevel.so.2', level: 3 });
  },
  'libraries without sonames, links of development, what is no library': (root) => {
    build(root, { at: `${TRIPLET}/libbare.so` });
    build(root, { at: `${TRIPLET}/libdev.so.5.2`, soname: 'libdev.so.5' });
    symlinkSync('libdev.so.5.2', join(root, TRIPLET, 'libdev.so'));
    build(root, { at: `${TRIPLET}/plugin.so`, soname: 'plugin.so' });
    writeFileSync(join(root, TRIPLET, 'libtext.so.1'), '/* GNU ld script */\n');
    writeFileSync(join(root, TRIPLET, 'libempty.so.1'), '');
    build(root, { at: 'usr/lib64/ld-other.so.2', soname: 'ld-other.so.2' });
  },
  'dangling links go, a library is gone': (root) => {
    unlinkSync(join(root, TRIPLET, 'libsecond.so.2.0'));
    symlinkSync('nowhere.so.1', join(root, TRIPLET, 'libdangling.so.1'));
    symlinkSync('nowhere.so', join(root, TRIPLET, 'libdevdangling.so'));
  },
  'another directory in the configuration': (root) => {
    build(root, { at: 'opt/y/libyonder.so.7', soname: 'libyonder.so.7' });
    writeFileSync(join(root, 'etc/ld.so.conf.d/y.conf'), '/opt/y\n');
  },
};

const needsLdconfig =
  missingTools('gcc', 'ldconfig', 'tar') ??
  (process.arch === 'x64' ? undefined : 'makes libraries of x86-64');
for (const [name, change] of Object.entries(CASES))
  test(`ld.so.cache and links are those of ldconfig: ${name}`, { skip: needsLdconfig ?? false }, async () => {
    const root = emptyRoot(name.replace(/\W+/g, '-'));
    build(root, { at: `${TRIPLET}/libfirst.so.1.9`, soname: 'libfirst.so.1' });
    build(root, { at: `${TRIPLET}/libsecond.so.2.0`, soname: 'libsecond.so.2' });
    run('ldconfig', '-X', '-r', root);
    run('ldconfig', '-r', root);
    const before = await rootFromDirectory(root);
    change(root);
    const draft = draftOf(before, await rootFromDirectory(root));
    await ldconfig.apply(contextOf(draft, {}));
    run('ldconfig', '-r', root);
    const real = await rootFromDirectory(root);
    assert.deepEqual(listing(draft, 'usr'), listing(real, 'usr'));
    assert.deepEqual(listing(draft, 'opt'), listing(real, 'opt'));
    assert.equal(
      Buffer.from(draft.read('etc/ld.so.cache') ?? []).toString('latin1'),
      Buffer.from(real.read('etc/ld.so.cache') ?? []).toString('latin1'),
    );
  });

/** Subjects that are written in all the ways of X.509; `mask` chooses the type of their strings. */
const SUBJECTS: readonly { readonly name: string; readonly subject: string; readonly mask: string }[] = [
  { name: 'plain', subject: '/C=DE/O=Plain Org/CN=Plain Root', mask: 'utf8only' },
  { name: 'printable', subject: '/C=US/O=PRINTABLE  Spaces/CN=  Trimmed  Root ', mask: 'MASK:0x2' },
  { name: 'same as plain', subject: '/C=DE/O=plain org/CN=PLAIN ROOT', mask: 'MASK:0x2' },
  { name: 'unicode', subject: '/C=HU/O=Főtanúsítvány/CN=Arany (Class Gold)', mask: 'utf8only' },
  { name: 'bmp', subject: '/C=HU/O=Főtanúsítvány/CN=Grün', mask: 'MASK:0x802' },
  { name: 't61', subject: '/C=DE/O=Grün/CN=Straße', mask: 'MASK:0x6' },
  { name: 'mail', subject: '/emailAddress=CA@Example.ORG/CN=Mail, Inc', mask: 'utf8only' },
  { name: 'several values', subject: '/C=DE/CN=Zwei+OU=Teile+O=Eins', mask: 'utf8only' },
];

const needsCertificates = missingTools('openssl', 'update-ca-certificates', 'unshare', 'mount');

function makeCertificate(path: string, { subject, mask }: (typeof SUBJECTS)[number]): void {
  const configuration = join(temporary, 'openssl.cnf');
  writeFileSync(configuration, `[req]\nstring_mask = ${mask}\ndistinguished_name = dn\n[dn]\n`);
  mkdirSync(dirname(path), { recursive: true });
  run(
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    '/dev/null',
    '-out',
    path,
    '-days',
    '3650',
    '-config',
    configuration,
    '-multivalue-rdn',
    '-utf8',
    '-subj',
    subject,
  );
}

test(
  'links, hash links and bundle are those of update-ca-certificates',
  { skip: needsCertificates ?? false },
  async () => {
    const root = join(temporary, 'certificates');
    const shipped = join(root, 'usr/share/ca-certificates/mozilla');
    for (const directory of [
      'etc/ssl/certs',
      'etc/ca-certificates/update.d',
      'usr/share/ca-certificates',
      'usr/local/share/ca-certificates',
    ])
      mkdirSync(join(root, directory), { recursive: true });
    if (existsSync('/etc/ssl/openssl.cnf')) cpSync('/etc/ssl/openssl.cnf', join(root, 'etc/ssl/openssl.cnf'));
    const names = SUBJECTS.map(({ name }) => `${name}.crt`);
    for (const subject of SUBJECTS) makeCertificate(join(shipped, `${subject.name}.crt`), subject);
    makeCertificate(join(root, 'usr/local/share/ca-certificates/below/local one.crt'), {
      name: 'local',
      subject: '/CN=Local',
      mask: 'utf8only',
    });
    // the same certificate under two names, without a line end at the end, and with text before it
    const text = readFileSync(join(shipped, 'plain.crt'), 'utf8');
    writeFileSync(join(shipped, 'twice.crt'), `Some words\n${text.trimEnd()}`);
    const conf = [
      '# comment',
      ...[...names].reverse().map((name) => `mozilla/${name}`),
      'mozilla/twice.crt',
      '!mozilla/off.crt',
    ];
    makeCertificate(join(shipped, 'off.crt'), { name: 'off', subject: '/CN=Off', mask: 'utf8only' });
    writeFileSync(join(root, 'etc/ca-certificates.conf'), `${conf.join('\n')}\n`);
    symlinkSync('/usr/share/ca-certificates/mozilla/gone.crt', join(root, 'etc/ssl/certs/gone.pem'));
    symlinkSync('gone.pem', join(root, 'etc/ssl/certs/0123abcd.0'));
    symlinkSync('/usr/share/ca-certificates/mozilla/off.crt', join(root, 'etc/ssl/certs/off.pem'));
    const before = await rootFromDirectory(root);
    runInside(
      root,
      ['etc', 'usr/share/ca-certificates', 'usr/local/share/ca-certificates'],
      'update-ca-certificates --fresh',
    );
    const real = await rootFromDirectory(root);
    const draft = createDraft(before);
    await caCertificates.apply(
      contextOf(draft, { packages: [{ name: 'ca-certificates', arch: 'all', from: '1', to: '2' }] }),
    );
    assert.deepEqual(listing(draft, 'etc/ssl/certs'), listing(real, 'etc/ssl/certs'));
    assert.ok(draft.list('etc/ssl/certs').length > 2 * SUBJECTS.length);
  },
);

/** Scripts of which every command is one that makes accounts. */
const ACCOUNTS: readonly string[] = [
  'adduser --quiet --system --no-create-home --home /nonexistent first',
  'adduser --system --group --no-create-home --home /var/lib/second --gecos "Second one,,," second\nadduser --system --no-create-home --ingroup second --shell /bin/sh third',
  'addgroup --system somegroup\nadduser --system --no-create-home --ingroup somegroup fourth\nadduser fourth adm',
  'groupadd -r eleventh\nuseradd -r -g eleventh -d /var/lib/eleventh -s /sbin/nologin -c "Eleventh one" -M eleventh',
  'useradd -r -M -s /usr/sbin/nologin twelfth\ngroupadd --system --gid 444 thirteenth\nuseradd --system --uid 445 -g 444 -M thirteenth',
  'groupadd -f -r adm\ngroupadd -r fourteenth\nusermod -a -G fourteenth nobody\ngpasswd -a games fourteenth',
];

const needsAccounts = missingTools(
  'adduser',
  'addgroup',
  'useradd',
  'groupadd',
  'usermod',
  'gpasswd',
  'unshare',
  'mount',
);
for (const body of ACCOUNTS)
  test(
    `accounts are those of the real tools: ${body.replaceAll('\n', '; ')}`,
    { skip: needsAccounts ?? false },
    async () => {
      const root = mkdtempSync(join(temporary, 'accounts-'));
      mkdirSync(join(root, 'etc'));
      for (const name of [
        'adduser.conf',
        'login.defs',
        'nsswitch.conf',
        'pam.d',
        'security',
        'default',
        'ld.so.cache',
        'ld.so.conf',
        'alternatives',
        'perl',
      ])
        if (existsSync(`/etc/${name}`))
          cpSync(`/etc/${name}`, join(root, 'etc', name), { recursive: true, verbatimSymlinks: true });
      const users = [
        'root:x:0:0:root:/root:/bin/bash',
        'games:x:5:60:games:/usr/games:/usr/sbin/nologin',
        '_old:x:100:65534::/nonexistent:/usr/sbin/nologin',
        'daemon2:x:998:998::/:/bin/sh',
        'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      ];
      const groups = [
        'root:x:0:',
        'adm:x:4:root',
        'games:x:60:',
        'users:x:100:',
        'crontab:x:101:',
        'daemon2:x:998:',
        'nogroup:x:65534:',
      ];
      const write = (name: string, lines: readonly string[], mode: number): void =>
        writeFileSync(join(root, 'etc', name), lines.map((line) => `${line}\n`).join(''), { mode });
      write('passwd', users, 0o644);
      write('group', groups, 0o644);
      write(
        'shadow',
        users.map((line) => `${line.split(':')[0] ?? ''}:*:19000:0:99999:7:::`),
        0o640,
      );
      write(
        'gshadow',
        groups.map((line) => `${line.split(':')[0] ?? ''}:*::${line.split(':')[3] ?? ''}`),
        0o640,
      );
      const before = await rootFromDirectory(root);
      runInside(root, ['etc'], body);
      const real = await rootFromDirectory(root);
      const image = createDraft(before);
      for (const program of ['adduser', 'addgroup', 'useradd', 'groupadd', 'usermod', 'gpasswd'])
        image.put(`usr/sbin/${program}`, {
          type: 'file',
          mode: 0o755,
          uid: 0,
          gid: 0,
          mtime: 0,
          content: new Uint8Array(),
        });
      const draft = createDraft(image);
      const [verdict] = await runEffects(
        contextOf(draft, {
          packages: [{ name: 'p', arch: 'all', from: undefined, to: '1' }],
          scripts: [{ package: 'p', script: 'postinst', interpreter: '/bin/sh', body }],
        }),
      );
      assert.equal(verdict?.by, 'accounts');
      for (const name of ['passwd', 'group', 'shadow', 'gshadow'])
        assert.equal(
          Buffer.from(draft.read(`etc/${name}`) ?? []).toString(),
          Buffer.from(real.read(`etc/${name}`) ?? []).toString(),
          name,
        );
    },
  );
