import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helperCommands } from './maintscript-helper.ts';

const CONTEXT = { packageName: 'pkg', oldVersion: '1.0-1' };

test('helperCommands() reads the lines that debhelper makes', () => {
  const script = `#!/bin/sh
set -e
# Automatically added by dh_installdeb/13.11.4
dpkg-maintscript-helper rm_conffile /etc/init/x.conf 1.2\\~ -- "$@"
dpkg-maintscript-helper mv_conffile /etc/a '/etc/b c' 2 other:amd64 -- "$@"
dpkg-maintscript-helper symlink_to_dir /usr/share/doc/x y 1.1~ pkg -- "$@"
dpkg-maintscript-helper dir_to_symlink /usr/share/doc/z/ /usr/share/doc/y \\
  1.1~ pkg -- "$@"
# End automatically added section
`;
  assert.deepEqual(helperCommands(script, CONTEXT), [
    { command: 'rm_conffile', path: '/etc/init/x.conf', owner: 'pkg' },
    { command: 'mv_conffile', path: '/etc/a', to: '/etc/b c', owner: 'other' },
    { command: 'symlink_to_dir', path: '/usr/share/doc/x', target: 'y', owner: 'pkg' },
    { command: 'dir_to_symlink', path: '/usr/share/doc/z', target: '/usr/share/doc/y', owner: 'pkg' },
  ]);
});

test('helperCommands() leaves out what the old version is past, and everything in a new installation', () => {
  const line = 'dpkg-maintscript-helper rm_conffile /etc/x 0.9 -- "$@"\n';
  assert.deepEqual(helperCommands(line, CONTEXT), []);
  assert.equal(helperCommands(line, { ...CONTEXT, oldVersion: '0.9' }).length, 1);
  assert.deepEqual(helperCommands(line, { ...CONTEXT, oldVersion: undefined }), []);
  assert.equal(helperCommands('dpkg-maintscript-helper rm_conffile /etc/x -- "$@"\n', CONTEXT).length, 1);
});

test('helperCommands() understands literal arguments only', () => {
  for (const line of [
    'dpkg-maintscript-helper rm_conffile "$conf" 2 -- "$@"',
    'dpkg-maintscript-helper rm_conffile /etc/`id` 2 -- "$@"',
    'dpkg-maintscript-helper rm_conffile etc/x 2 -- "$@"',
    'dpkg-maintscript-helper rm_conffile /etc/x 2',
    'dpkg-maintscript-helper supports rm_conffile',
    '# dpkg-maintscript-helper rm_conffile /etc/x 2 -- "$@"',
    'echo dpkg-maintscript-helper rm_conffile /etc/x 2 -- "$@"',
  ])
    assert.deepEqual(helperCommands(`${line}\n`, CONTEXT), [], line);
});
