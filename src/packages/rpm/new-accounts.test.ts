import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteString } from '../../base/bytes.ts';
import { createDraft } from '../../rootfs/draft.ts';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { makeAccounts, type AccountSource } from './new-accounts.ts';

const FILES = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/bash\nsshd:x:74:74::/:/sbin/nologin\ndbus:x:990:989::/:/sbin/nologin\n',
  'etc/group': 'root:x:0:\ndbus:x:989:\n',
  'etc/shadow': 'root:*:1::::::\n',
};

function make(
  source: Partial<AccountSource>,
  files: Readonly<Record<string, string>> = FILES,
): Record<string, string> {
  const draft = createDraft(memoryRoot(files));
  makeAccounts(draft, [{ users: new Set(), groups: new Set(), sysusers: [], ...source }], 86_400 * 20_000);
  const added = (path: string): string =>
    byteString(draft.read(path) ?? new Uint8Array()).slice((files[path] ?? '').length);
  return { passwd: added('etc/passwd'), group: added('etc/group'), shadow: added('etc/shadow') };
}

test('accounts of sysusers.d files are made when files need them', () => {
  const sysusers = ['# comment\nu tss 59 "TPM access" - -\ng wanted -\nm tss wanted\n'];
  assert.deepEqual(make({ users: new Set(['tss']), groups: new Set(['wanted']), sysusers }), {
    passwd: 'tss:x:59:987:TPM access:/:/usr/sbin/nologin\n',
    group: 'wanted:x:988:\ntss:x:987:\n',
    shadow: 'tss:!!:20000::::::\n',
  });
});

test('system ids are those of login.defs', () => {
  const files = { ...FILES, 'etc/login.defs': 'SYS_UID_MIN 201\nSYS_UID_MAX\t989\nSYS_GID_MAX 400\n' };
  const sysusers = ['u tss -\n'];
  assert.deepEqual(make({ users: new Set(['tss']), sysusers }, files), {
    passwd: 'tss:x:989:400::/:/usr/sbin/nologin\n',
    group: 'tss:x:400:\n',
    shadow: 'tss:!!:20000::::::\n',
  });
});

test('nothing is made that exists, that no file needs, that is not literal, or without account files', () => {
  const nothing = { passwd: '', group: '', shadow: '' };
  const sysusers = ['u dbus -\nu other -\nu evil - "a:b"\nu "a:0:0" -\nu x -\n'];
  assert.deepEqual(make({ users: new Set(['dbus', 'evil', 'a:0:0', 'root']), sysusers }), nothing);
  assert.deepEqual(make({ users: new Set(['unknown']), groups: new Set(['unknown']) }), nothing);
  assert.deepEqual(make({ users: new Set(['x']), sysusers }, {}), nothing);
});
