// What property tests against real dpkg do not reach: images that dpkg cannot judge, what is done otherwise on purpose,
// and what is refused. Parity is in test/property/dpkg-install.test.ts and test/oracle/debian-upgrade.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteString } from '../../base/bytes.ts';
import { silentLog } from '../../base/log.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { mergeLayers } from '../../rootfs/view.ts';
import { makeDeb } from '../../../test/support/debs.ts';
import type { ToyDeb } from '../../../test/support/debs.ts';
import { upgradeView } from '../../../test/support/dpkg-parity.ts';
import type { DebFile, Upgraded } from '../../../test/support/dpkg-parity.ts';
import { dir, file, hardLink, layer, symlink } from '../../../test/support/layers.ts';
import type { Entry } from '../../../test/support/layers.ts';
import { dpkg } from './family.ts';

function record(name: string, more: Readonly<Record<string, string>> = {}): string {
  const fields = {
    Package: name,
    Status: 'install ok installed',
    Architecture: 'amd64',
    Version: '1',
    ...more,
  };
  return `${Object.entries(fields)
    .map(([field, value]) => `${field}:${value.startsWith('\n') ? '' : ' '}${value}\n`)
    .join('')}\n`;
}

function image(status: string, ...entries: readonly Entry[]): Promise<RootView> {
  return layer(file('var/lib/dpkg/status', status), file('var/lib/dpkg/info/format', '1\n'), ...entries).then(
    (index) => mergeLayers([index]),
  );
}

function list(name: string, ...paths: readonly string[]): Entry {
  return file(`var/lib/dpkg/info/${name}.list`, paths.map((path) => `${path}\n`).join(''));
}

function deb(name: string, toy: Partial<ToyDeb> = {}, arch = 'amd64', version = '2'): DebFile {
  const control = { Package: name, Version: version, Architecture: arch, ...toy.control };
  return { name, version, arch, bytes: makeDeb({ entries: [], ...toy, control }) };
}

function text(view: RootView, path: string): string {
  return byteString(view.read(path) ?? new Uint8Array());
}

function changed({ draft }: Upgraded): string[] {
  return draft.changes().changes.map(({ kind, path }) => `${kind} ${path}`);
}

test('capabilities, set-id bits and owners that a script sets stay on a replaced file, and are told', async () => {
  const root = await image(
    record('toy'),
    list('toy', '/.', '/usr', '/usr/bin', '/usr/bin/ping', '/usr/bin/agent', '/usr/bin/plain'),
    file('usr/bin/ping', 'old', {
      mode: 0o755,
      xattrs: new Map([['security.capability', Buffer.from('0100', 'hex')]]),
    }),
    file('usr/bin/agent', 'old', { mode: 0o2755, gid: 101 }),
    file('usr/bin/plain', 'old', { mode: 0o700 }),
    file('usr/bin/wall', 'old', { mode: 0o2755, gid: 5 }),
    file('usr/lib/toy/helper', 'old', { mode: 0o4755 }),
  );
  const entries = ['bin/ping', 'bin/agent', 'bin/plain', 'bin/wall', 'lib/toy/helper'].map((name) =>
    file(`usr/${name}`, 'new', { mode: 0o755 }),
  );
  const postinst = `#!/bin/sh
# wall was setgid once
chgrp _ssh $DIR/agent && chmod 2755 $DIR/agent
setcap cap_net_raw+ep "$(dpkg-divert --truename /bin/ping)"
chown -R root:toy /usr/lib/toy
`;
  const { draft, installation } = await upgradeView(root, [deb('toy', { entries, members: { postinst } })]);
  assert.deepEqual([...(draft.lookup('usr/bin/ping')?.xattrs.keys() ?? [])], ['security.capability']);
  assert.equal(draft.lookup('usr/bin/agent')?.mode, 0o2755);
  assert.equal(draft.lookup('usr/bin/agent')?.gid, 101);
  assert.equal(draft.lookup('usr/bin/plain')?.mode, 0o755);
  assert.equal(draft.lookup('usr/bin/wall')?.mode, 0o755);
  assert.equal(draft.lookup('usr/bin/wall')?.gid, 0);
  assert.equal(draft.lookup('usr/lib/toy/helper')?.mode, 0o4755);
  assert.equal(installation.warnings.length, 3);
});

test('a link into /run stays where a directory is shipped, though the image has nothing there', async () => {
  const root = await image(
    record('toy'),
    list('toy', '/.', '/var', '/var/lock', '/var/gone'),
    symlink('var/lock', '/run/lock'),
    symlink('var/gone', '/srv/gone'),
  );
  const entries = [dir('var'), dir('var/lock'), dir('var/gone')];
  const { draft } = await upgradeView(root, [deb('toy', { entries })]);
  assert.equal(draft.lookup('var/lock')?.type, 'symlink');
  assert.equal(draft.lookup('var/gone')?.type, 'directory');
});

test('a file that is the same is not written again, nor are directories that exist', async () => {
  const root = await image(
    record('toy'),
    list('toy', '/.', '/usr', '/usr/share', '/usr/share/a', '/usr/share/b'),
    file('usr/share/a', 'same'),
    file('usr/share/b', 'old'),
  );
  const upgraded = await upgradeView(root, [
    deb('toy', { entries: [file('usr/share/a', 'same', { mtime: 5 }), file('usr/share/b', 'new')] }),
  ]);
  assert.deepEqual(changed(upgraded), [
    'put usr/share/b',
    'put var/lib/dpkg/info/toy.md5sums',
    'put var/lib/dpkg/status',
  ]);
});

test('a file that a script of its own package moves away is written although it is the same', async () => {
  const root = await image(record('toy'), list('toy', '/.', '/etc', '/etc/toy'), file('etc/toy', 'same'));
  const preinst = 'dpkg-maintscript-helper rm_conffile /etc/toy 1 -- "$@"\n';
  const { draft } = await upgradeView(root, [
    deb('toy', {
      entries: [file('etc/toy', 'same')],
      members: { preinst: `#!/bin/sh\nset -e\n${preinst}` },
    }),
  ]);
  assert.equal(text(draft, 'etc/toy'), 'same');
});

test('files land behind the symlinks of a merged /usr, and a move from /lib to /usr/lib loses nothing', async () => {
  const root = await image(
    record('toy') + record('other'),
    list('toy', '/.', '/lib', '/lib/x', '/lib/gone'),
    list('other', '/.', '/usr/lib', '/usr/lib/theirs'),
    dir('usr/lib'),
    symlink('lib', 'usr/lib'),
    file('usr/lib/x', 'old'),
    file('usr/lib/gone', 'old'),
    file('usr/lib/theirs', 'old'),
  );
  const { draft, installation } = await upgradeView(root, [
    deb('toy', { entries: [file('usr/lib/x', 'new')] }),
  ]);
  assert.equal(draft.lookup('lib')?.type, 'symlink');
  assert.equal(text(draft, 'usr/lib/x'), 'new');
  assert.deepEqual(installation.removed, ['usr/lib/gone']);
});

test('a hard link to what the image excludes gets the content itself', async () => {
  const root = await image(
    record('toy'),
    list('toy', '/.'),
    file('etc/dpkg/dpkg.cfg', 'path-exclude=/usr/share/doc/*\n'),
  );
  const { draft } = await upgradeView(root, [
    deb('toy', {
      entries: [
        file('usr/share/doc/a', 'text'),
        hardLink('usr/share/b', 'usr/share/doc/a'),
        hardLink('usr/share/c', 'usr/share/doc/a'),
      ],
    }),
  ]);
  assert.equal(draft.lookup('usr/share/doc/a'), undefined);
  assert.equal(text(draft, 'usr/share/b'), 'text');
  assert.deepEqual(draft.hardLinks('usr/share/b'), ['usr/share/b', 'usr/share/c']);
});

test('without info/ the status is written and info/ is not made', async () => {
  const status = record('toy', { Conffiles: '\n /etc/a 0cc175b9c0f1b6a831c399e269772661' });
  const root = mergeLayers([
    await layer(file('var/lib/dpkg/status', status), file('etc/a', 'a'), file('usr/old', 'x')),
  ]);
  const upgraded = await upgradeView(root, [
    deb('toy', {
      members: { conffiles: '/etc/a\n', postinst: '#!/bin/sh\n' },
      entries: [file('etc/a', 'b'), file('usr/new')],
    }),
  ]);
  assert.deepEqual(changed(upgraded), ['put etc/a', 'put usr/new', 'put var/lib/dpkg/status']);
  assert.match(text(upgraded.draft, 'var/lib/dpkg/status'), /^ \/etc\/a 92eb5ffee6ae2fec3ad71c777531578f$/m);
});

test('the journal of an interrupted run is in the status that is written, and gone', async () => {
  const root = await image(
    record('other') + record('toy'),
    list('toy', '/.'),
    file('var/lib/dpkg/updates/0000', record('other', { Version: '1.5' })),
    file('var/lib/dpkg/updates/0001', record('other', { Version: '1.7' })),
    file('var/lib/dpkg/updates/tmp.i', 'not of the journal'),
  );
  const upgraded = await upgradeView(root, [deb('toy')]);
  assert.match(text(upgraded.draft, 'var/lib/dpkg/status'), /^Version: 1\.7$/m);
  assert.deepEqual(upgraded.draft.list('var/lib/dpkg/updates'), ['tmp.i']);
  assert.deepEqual(
    upgraded.database.packages.map(({ name, version }) => `${name} ${version}`),
    ['other 1.7', 'toy 1'],
  );
});

test('a package that is not fully installed is held, and refused', async () => {
  const root = await image(record('toy', { Status: 'install ok half-configured' }), list('toy', '/.'));
  const database = await dpkg.open({ root, distro: undefined, imageArch: 'amd64', log: silentLog });
  assert.equal(database?.packages[0]?.held, 'half-configured');
  await assert.rejects(upgradeView(root, [deb('toy')]), {
    code: 'DATABASE_INVALID',
    message: 'Package toy is half-configured in the image and cannot be upgraded',
  });
});

test('who waited for triggers of what is upgraded waits no longer', async () => {
  const root = await image(
    record('a', { Status: 'install ok triggers-awaited', 'Triggers-Awaited': 'toy other' }) +
      record('b', { Status: 'install ok triggers-awaited', 'Triggers-Awaited': 'toy' }) +
      record('toy', { Status: 'install ok triggers-pending', 'Triggers-Pending': '/usr/x' }),
    list('toy', '/.'),
  );
  const { draft } = await upgradeView(root, [deb('toy')]);
  const states = [...text(draft, 'var/lib/dpkg/status').matchAll(/^(?:Status|Triggers-\w+): .*$/gm)].map(
    ([line]) => line,
  );
  assert.deepEqual(states, [
    'Status: install ok triggers-awaited',
    'Triggers-Awaited: other',
    'Status: install ok installed',
    'Status: install ok installed',
  ]);
});

test('Multi-Arch: same packages move together or not at all', async () => {
  const same = { 'Multi-Arch': 'same' };
  const root = await image(
    record('libx', same) + record('libx', { ...same, Architecture: 'i386' }),
    list('libx:amd64', '/.', '/usr', '/usr/share', '/usr/share/x'),
    list('libx:i386', '/.', '/usr', '/usr/share', '/usr/share/x'),
    file('usr/share/x', 'old'),
  );
  const entries = [file('usr/share/x', 'new')];
  const both = ['amd64', 'i386'].map((arch) => deb('libx', { control: same, entries }, arch));
  await assert.rejects(upgradeView(root, both.slice(0, 1)), { code: 'CONFLICT' });
  const upgraded = await upgradeView(root, both);
  assert.equal(text(upgraded.draft, 'usr/share/x'), 'new');
  assert.deepEqual(
    changed(upgraded).filter((line) => line.includes('info/')),
    ['put var/lib/dpkg/info/libx:amd64.md5sums', 'put var/lib/dpkg/info/libx:i386.md5sums'],
  );
  const [first, second] = both as [DebFile, DebFile];
  const other = deb('libx', { control: same, entries: [file('usr/share/x', 'else')] }, 'i386');
  await assert.rejects(upgradeView(root, [first, other]), /different in other architectures/);
  assert.equal(second.arch, 'i386');
});

test('a file of another package is refused without Replaces, and taken with it', async () => {
  const root = await image(
    record('other') + record('toy'),
    list('toy', '/.'),
    list('other', '/.', '/usr', '/usr/x', '/usr/y'),
    file('usr/x', 'theirs'),
  );
  const entries = [file('usr/x', 'ours')];
  await assert.rejects(upgradeView(root, [deb('toy', { entries })]), {
    code: 'CONFLICT',
    message: 'Package toy 2 ships /usr/x, which is also in package other 1',
  });
  const { draft } = await upgradeView(root, [
    deb('toy', { control: { Replaces: 'other (<< 1.1)' }, entries }),
  ]);
  assert.equal(text(draft, 'var/lib/dpkg/info/other.list'), '/.\n/usr\n/usr/y\n');
});

test('a package whose content is not what the plan says is refused', async () => {
  const root = await image(record('toy'), list('toy', '/.'));
  const wrong = { ...deb('toy'), bytes: deb('toy', { control: { Version: '3' } }).bytes };
  await assert.rejects(upgradeView(root, [wrong]), {
    code: 'PACKAGE_INVALID',
    message: /has Version 3 where the plan says 2/,
  });
});

test('new dependencies are marked as automatic; what was asked for by name is not any more', async () => {
  const root = await image(
    record('toy'),
    list('toy', '/.'),
    file('var/lib/apt/extended_states', 'Package: toy\nArchitecture: amd64\nAuto-Installed: 1\n\n'),
  );
  const { draft } = await upgradeView(root, [
    { ...deb('toy'), reason: 'requested' },
    { ...deb('libnew', {}, 'all'), reason: 'dependency' },
  ]);
  assert.equal(
    text(draft, 'var/lib/apt/extended_states'),
    'Package: libnew\nArchitecture: amd64\nAuto-Installed: 1\n\n',
  );
});

test('scripts come in the order dpkg would run them, those of the old version and of triggers included', async () => {
  const root = await image(
    record('libc-bin') + record('toy'),
    list('toy', '/.'),
    file('var/lib/dpkg/info/toy.prerm', '#!/bin/sh\nold prerm\n'),
    file('var/lib/dpkg/info/toy.postrm', '#!/bin/sh -e\nold postrm\n'),
    file('var/lib/dpkg/info/libc-bin.postinst', '#!/bin/sh\nldconfig\n'),
    file('var/lib/dpkg/triggers/ldconfig', 'libc-bin\n'),
  );
  const toy = deb('toy', {
    members: {
      preinst: '#!/bin/sh\nnew\n',
      postinst: 'binary',
      prerm: '#!/bin/sh\nnew\n',
      triggers: 'activate-noawait ldconfig\n',
    },
  });
  const { installation, database } = await upgradeView(root, [toy]);
  assert.deepEqual(
    installation.scripts.map(({ package: owner, script }) => `${owner} ${script.name}`),
    ['libc-bin postinst triggered'],
  );
  const { unpacked } = await upgradeView(root, [toy]);
  assert.deepEqual(
    unpacked[0]?.scripts.map(
      ({ name, interpreter, body }) => `${name} (${interpreter}) ${body.split('\n').at(-2) ?? body}`,
    ),
    [
      'prerm (/bin/sh) old prerm',
      'preinst (/bin/sh) new',
      'postrm (/bin/sh -e) old postrm',
      'postinst () binary',
    ],
  );
  assert.equal(database.kind, 'dpkg');
});
